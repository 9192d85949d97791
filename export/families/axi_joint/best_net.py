"""The network of `best`: a joint in one to six slices to how likely it is defective, of which kind, and whether its
region is wrong.

Slices are halved by means inside the graph. One small stem looks at each slice by itself; what a missing slice (all
zero) gives is cleared, and which slices there are is told to the mixing layer, so that nothing is read into zeros.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from export.families.axi_joint.labels import KINDS
from export.families.axi_joint.net import N_SLICES

SHRINK = 2  # 128 to 64 px: a quarter of the work
GREY_STEPS = 255.0
MIN_DEVIATION = 0.02  # of grey, 0 to 1: an empty region's noise is not blown up
CENTRE = slice(2, 6)  # of the 8 x 8 places of the last map: the joint itself


class Answers(NamedTuple):
    """Logits: `defect` (N,), `kind` (N, 3), `roi` (N,)."""

    defect: Tensor
    kind: Tensor
    roi: Tensor


class JointNet(nn.Module):
    """Stem per slice, mixing, residual blocks at 16 x 16 and 8 x 8, means of the whole and of the centre, heads.

    `roi_limit` is the logit above which a region counts as wrong, set on validation.
    """

    def __init__(self, width: int = 64, stem: int = 12, blocks: int = 2, dropout_frac: float = 0.3) -> None:
        super().__init__()
        wide = width * 3 // 2
        self.stem = nn.Sequential(*_convolution(1, stem, side=5, stride=2))
        self.mix = nn.Sequential(nn.Conv2d(N_SLICES * stem, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width))
        self.which = nn.Linear(N_SLICES, width, bias=False)
        self.fine = nn.Sequential(*(_Residual(width) for _ in range(blocks)))
        self.coarse = nn.Sequential(*_convolution(width, wide, stride=2), _Residual(wide))
        self.dropout = nn.Dropout(dropout_frac)
        self.head = nn.Linear(3 * wide, 2 + len(KINDS))
        self.register_buffer("roi_limit", torch.zeros(()))
        self.roi_limit: Tensor

    def forward(self, slices: Tensor) -> Answers:
        """(N, 6, 128, 128), 0 to 1, to logits."""
        return self.judged(functional.avg_pool2d(slices, SHRINK), present_slices(slices))

    def judged(self, small: Tensor, present: Tensor) -> Answers:
        """Halved slices (N, 6, 64, 64) and which there are (N, 6) to logits."""
        each = self.stem(_standardised(small, present).flatten(0, 1)[:, None]).unflatten(0, (-1, N_SLICES))
        each = each * present[:, :, None, None, None].to(each.dtype)
        mixed = functional.relu(self.mix(each.flatten(1, 2)) + self.which(present)[:, :, None, None])
        last = self.coarse(self.fine(mixed))
        seen = torch.cat(
            [last.mean(dim=(2, 3)), last[:, :, CENTRE, CENTRE].mean(dim=(2, 3)), last.amax(dim=(2, 3))], dim=1
        )
        y = self.head(self.dropout(seen))
        return Answers(defect=y[:, 0], kind=y[:, 2:], roi=y[:, 1])


def present_slices(slices: Tensor) -> Tensor:
    """(N, 6) float32: 1 where a slice holds any grey but 0."""
    return torch.clamp(GREY_STEPS * slices.amax(dim=(2, 3)), max=1.0)


def _standardised(small: Tensor, present: Tensor) -> Tensor:
    """Zero mean and unit deviation over all slices that are there: what a board's grey scale does to a joint says
    nothing, what it does to one slice beside the others may."""
    there = 1.0 / present.sum(dim=1).clamp(min=1.0)
    mean = (small.mean(dim=(2, 3)) * present).sum(dim=1) * there
    centred = small - mean[:, None, None, None]
    variance = ((centred * centred).mean(dim=(2, 3)) * present).sum(dim=1) * there
    return centred / torch.sqrt(variance + MIN_DEVIATION * MIN_DEVIATION)[:, None, None, None]


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_convolution(width, width), nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.body(x))


def _convolution(c_in: int, c_out: int, *, side: int = 3, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(c_in, c_out, side, stride, side // 2, bias=False), nn.BatchNorm2d(c_out), nn.ReLU()]
