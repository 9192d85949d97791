"""The parameters of package rules that belong to a look, with limits wide open: where fitting begins."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from edge.scorers.package_rules_file import PackageRulesFile
from edge.scorers.package_rules_kinds import MEASURES

_OPEN: dict[str, Any] = {measure.limit: 1e3 for measure in MEASURES}

# Bright rings or caps of some px on a coloured mask; pin 1 is marked, and part numbers leave balls out.
REFLECTED = PackageRulesFile(
    ball_polarity="bright",
    pattern="symmetric",
    ground_percentile_pct=40.0,
    ball_percentile_pct=96.0,
    ball_threshold_frac=0.38,
    opening_px=1,
    min_ball_diameter_px=4.0,
    max_ball_diameter_px=48.0,
    min_balls_count=4,
    grid_model="affine",
    edge_level_frac=0.5,
    min_arc_frac=0.6,
    keep_out_frac=1.35,
    pin1_window_frac=0.6,
    bridge_width_frac=0.2,
    speck_size_frac=0.22,
    speck_contrast_frac=0.6,
    foreign_size_frac=0.12,
    foreign_contrast_frac=0.25,
    line_width_px=7,
    line_contrast_ratio=6.0,
    outline_step_grey=0.0,
    **_OPEN,
)

# Dark discs of some tens of px among tracks, vias and bond wires; a piece of a package, perhaps at a slant.
TRANSMITTED = PackageRulesFile(
    ball_polarity="dark",
    pattern="full",
    ground_percentile_pct=25.0,
    ball_percentile_pct=90.0,
    ball_threshold_frac=0.65,
    opening_px=13,
    min_ball_diameter_px=24.0,
    max_ball_diameter_px=120.0,
    min_balls_count=2,
    grid_model="tilted",
    edge_level_frac=0.6,
    min_arc_frac=0.45,
    keep_out_frac=1.1,
    pin1_window_frac=0.0,
    bridge_width_frac=0.15,
    speck_size_frac=0.12,
    speck_contrast_frac=0.55,
    foreign_size_frac=0.16,
    foreign_contrast_frac=0.15,
    line_width_px=7,
    line_contrast_ratio=8.0,
    outline_step_grey=0.0,
    **_OPEN,
)
LOOKS = MappingProxyType({"reflected": REFLECTED, "transmitted": TRANSMITTED})
