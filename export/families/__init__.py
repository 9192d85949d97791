"""The table of families in the workshop: one row each.

A row names the module that offers the members of `FamilyRecipe`. It is imported only when its family is asked for,
since it brings torch.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from edge.bundle import Contract
from edge.thresholds import Precision
from export.faults import WorkshopFault

if TYPE_CHECKING:
    from torch import nn

    from export.datasets import Row as DataRow
    from export.teaching import Taught, TeachingJob

    ShareRows = Callable[
        [Sequence[DataRow], Sequence[DataRow]], tuple[tuple[DataRow, ...], tuple[DataRow, ...]]
    ]  # rows of train and of validation to those that teach and those that set the threshold

Row = TypeVar("Row")

FAMILIES: dict[str, str] = {
    "solder_joint": "export.families.solder_joint.recipe",
    "pth_component": "export.families.pth_component.recipe",
    "paste_print": "export.families.paste_print.recipe",
    "axi_joint": "export.families.axi_joint.recipe",
    "bga_package": "export.families.bga_package.recipe",
}


class UnknownName(WorkshopFault):
    """A family, preset, variant or score that is not in its table: what was asked for, what there is."""


class Settings(Protocol):
    """What every preset's settings have; the rest is between the preset and its `teach`."""

    epochs: int
    bfloat16: bool


class Variant(Protocol):
    """One network of a preset, and the scores it can be exported with; the first is the default."""

    @property
    def build(self) -> Callable[[], nn.Module]:
        """A fresh network with a `loss`."""
        ...

    @property
    def scores(self) -> tuple[str, ...]:
        """Names in the family's table of scores."""
        ...


class Preset(Protocol):
    """A named choice of networks and training."""

    @property
    def summary(self) -> str:
        """One line for people."""
        ...

    @property
    def variants(self) -> Mapping[str, Variant]:
        """By name."""
        ...

    @property
    def default_variant(self) -> str:
        """What is built when nothing is said."""
        ...

    @property
    def channels(self) -> str:
        """Of the contract, where the request does not say."""
        ...

    @property
    def normalisation(self) -> str:
        """Of the contract, where the request does not say."""
        ...

    @property
    def training(self) -> Settings:
        """How its networks are trained."""
        ...

    @property
    def teach(self) -> Callable[[TeachingJob], Taught]:
        """What trains a network by these settings and checks what it learned."""
        ...

    @property
    def share_rows(self) -> ShareRows | None:
        """Which rows are learned from and which set the threshold; None: good ones of train, and all of validation."""
        ...


class FamilyRecipe(Protocol):
    """What a family's module in the workshop offers."""

    PRESETS: Mapping[str, Preset]
    TORCH_ONNX_FRAC: float
    GOLDEN_FRACS: Mapping[Precision, float]

    def contract(self, *, channels: str, normalisation: str, places: bool, variant: Variant) -> Contract:
        """The contract of a graph of this variant trained with these settings."""
        ...

    def scored(self, network: nn.Module, score: str) -> nn.Module:
        """The network with its score: graph input to `score` and `map`."""
        ...

    def float_scopes(self, score: str) -> tuple[str, ...]:
        """Modules of a scored network whose nodes must stay in FP32 at every precision."""
        ...


def load_family(name: str) -> FamilyRecipe:
    """A family's module. Raises UnknownName, naming those there are."""
    return cast(FamilyRecipe, importlib.import_module(one_of(FAMILIES, name, "family")))


def one_of(table: Mapping[str, Row], name: str, what: str) -> Row:
    """A row of a table. Raises UnknownName, naming the rows there are."""
    if name not in table:
        raise UnknownName(f"{what} {name!r} is not one of {sorted(table)}")
    return table[name]
