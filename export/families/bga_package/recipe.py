"""`bga_package` in the workshop: the row's module, where its parts come together."""

from __future__ import annotations

from torch import nn

from export.families import one_of
from export.families.bga_package.contract import contract
from export.families.bga_package.presets import PRESETS
from export.families.bga_package.scores import SCORES
from export.families.bga_package.tolerances import GOLDEN_FRACS, TORCH_ONNX_FRAC

__all__ = ["GOLDEN_FRACS", "PRESETS", "TORCH_ONNX_FRAC", "contract", "float_scopes", "scored"]


def scored(network: nn.Module, score: str) -> nn.Module:
    """The network with its score as one module."""
    return one_of(SCORES, score, "score")(network)


def float_scopes(score: str) -> tuple[str, ...]:
    """Modules whose nodes stay in FP32 at every precision: none. Sums of exponentials are of differences from the
    greatest, so that 16 bits hold them."""
    return ()
