"""What is measured of a package, which limit each value has, and which kind of defect lies beyond it."""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal[
    "missing",
    "undersized",
    "oversized",
    "shifted",
    "deformed",
    "extra",
    "bridge",
    "splatter",
    "foreign",
    "scratch",
    "chipped",
]
KINDS: tuple[Kind, ...] = (
    *("missing", "undersized", "oversized", "shifted", "deformed", "extra"),
    *("bridge", "splatter", "foreign", "scratch", "chipped"),
)


class Measure(NamedTuple):
    """A measure's limit, by its name in PackageRulesFile, and the kind of defect beyond it."""

    limit: str
    kind: Kind


MEASURES: tuple[Measure, ...] = (
    Measure("max_absent_frac", "missing"),
    Measure("max_flat_frac", "missing"),
    Measure("max_dense_frac", "foreign"),
    Measure("max_undersize_frac", "undersized"),
    Measure("max_oversize_frac", "oversized"),
    Measure("max_shift_frac", "shifted"),
    Measure("max_out_of_round_frac", "deformed"),
    Measure("max_extra_frac", "extra"),
    Measure("max_bridge_density_frac", "bridge"),
    Measure("max_speck_load_frac", "splatter"),
    Measure("max_foreign_area_frac", "foreign"),
    Measure("max_line_length_px", "scratch"),
    Measure("max_field_offset_px", "chipped"),
    Measure("max_chip_px", "chipped"),
)
N_BALL_MEASURES = 7  # the first ones: one value a ball
