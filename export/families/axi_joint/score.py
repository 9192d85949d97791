"""What a station computes: slices (N, 6, 128, 128) to `score` (N,), the probability of a defect, and for a network that
tells them `kind` (N, 3) and `roi` (N,). A further score is one module and one row in `SCORES`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from export.families.axi_joint.best_net import JointNet


class DefectProbability(nn.Module):
    """Softmax over good and defective, written as a sigmoid of their difference: the same value."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, slices: Tensor) -> tuple[Tensor, ...]:
        """Score (N,)."""
        logits = self.net(slices)
        return (torch.sigmoid(logits[:, 1] - logits[:, 0]),)


class JointScore(nn.Module):
    """The probability of any defect, of each kind, and whether the region is wrong (above 0.5: it is)."""

    def __init__(self, net: JointNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, slices: Tensor) -> tuple[Tensor, ...]:
        """Score (N,), kind (N, 3), roi (N,)."""
        answers = self.net(slices)
        roi = torch.sigmoid(answers.roi - self.net.roi_limit)
        return torch.sigmoid(answers.defect), torch.sigmoid(answers.kind), roi


SCORES: dict[str, Callable[..., nn.Module]] = {"probability": DefectProbability, "joint": JointScore}
