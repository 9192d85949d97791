"""What a station computes: the last board's residual as one module, (N, T, 3, S, S) to `score` (N,), `map` (N, S, S).

The paper's decomposed anomaly map, X_in - X_out, of the board under judgement, in sigmas of that residual on clean
validation windows. Of the two channels the one with the larger residual decides.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from export.families.paste_print.best_net import SignedScore
from export.families.paste_print.net import PrintNet


class ResidualScore(nn.Module):
    """Positive is excess, negative insufficient; 0 where no pad is or none was measured."""

    def __init__(self, net: PrintNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, window: Tensor) -> tuple[Tensor, Tensor]:
        """Score (N,), the greatest |map|, and the signed map (N, S, S)."""
        last = window[:, -1]
        residual = (last[:, 1:] - self.net.last_board(window)) / self.net.residual_sigma.reshape(1, -1, 1, 1)
        first, second = residual[:, 0], residual[:, 1]
        signed = torch.where(first.abs() >= second.abs(), first, second) * last[:, 0]
        return signed.abs().amax(dim=(1, 2)), signed


SCORES: dict[str, Callable[..., nn.Module]] = {"residual": ResidualScore, "odds": SignedScore}
