"""What a station computes: the network and its score as one module, (N, 1, 256, 256) to `score` (N,), `map` (N, m, m)
and, where it tells kinds apart, `kind` (N, K). Higher is worse. One that compares also takes embedded approved
pictures and gives an `embedding`. A further score is one module and one row in `SCORES`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from export.families.bga_package.compared_net import ComparedScore
from export.families.bga_package.defect_net import DefectScore
from export.families.bga_package.net import CosineScore

SCORES: dict[str, Callable[..., nn.Module]] = {
    "cosine_32": partial(CosineScore, map_px=32),
    "cosine_16": partial(CosineScore, map_px=16),
    "odds": DefectScore,
    "odds_beside_approved": ComparedScore,
}
