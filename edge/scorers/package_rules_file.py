"""The 36 parameters of the classical inspector of BGA packages: what stands in `rules.json`.

Half of them say how pictures are taken and how balls and ground are found, half are limits or say what they limit.
Lengths are pixels of the 256 px picture or shares (`_frac`) of the pitch or of the ball, as each says, so that one set
of parameters fits part numbers of any pitch. The poster that the learned model is held against counts 36 as well (Lee,
Han and Choi, "BGA Anomaly detection by exploiting Variational AutoEncoders", table of section 3) and names none.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from edge.settings import Settings

N_PARAMETERS = 36
Share = Annotated[float, Field(gt=0.0, le=1.0)]
Limit = Annotated[float, Field(gt=0.0, le=1e3)]
Percentile = Annotated[float, Field(ge=1.0, le=99.9)]


class PackageRulesFile(Settings):
    """`rules.json` of a bundle of package rules. Density is 0 at the ground's level and 1 at the balls'."""

    schema_version: Literal[1] = 1

    # the picture: `bright` balls in reflected light, `dark` balls in transmitted X-rays
    ball_polarity: Literal["bright", "dark"]
    # which places have balls: all of the rows and columns seen, or those whose mirror images have one
    pattern: Literal["full", "symmetric"]
    ground_percentile_pct: Percentile  # of the picture's pixels, from ground to balls
    ball_percentile_pct: Percentile
    ball_threshold_frac: Share  # density above which a pixel belongs to a ball
    opening_px: Annotated[int, Field(ge=1, le=41)]  # narrower than this is no ball; 1 opens nothing
    min_ball_diameter_px: Annotated[float, Field(ge=3.0, le=128.0)]
    max_ball_diameter_px: Annotated[float, Field(ge=4.0, le=256.0)]
    min_balls_count: Annotated[int, Field(ge=2, le=400)]  # with fewer of them there is no grid: the package is called
    grid_model: Literal["affine", "tilted"]  # seen straight down, or at a slant (a homography)
    edge_level_frac: Share  # of the ball's own peak: where its edge is
    min_arc_frac: Share  # of its rim that lies in the picture: with less a ball is not measured
    keep_out_frac: Annotated[float, Field(ge=1.0, le=2.0)]  # of a ball's radius: ground begins there
    pin1_window_frac: Annotated[float, Field(ge=0.0, le=2.0)]  # of the pitch: not inspected around the mark; 0: no mark

    # balls, each against the others of the same package
    max_absent_frac: Limit  # 1 - density of the emptiest place / the typical ball's
    max_flat_frac: Limit  # how much of the typical ball's ring or cap is lacking: all of it on a bare pad
    max_dense_frac: Limit  # density / the typical ball's - 1: something lies on it, or in the beam
    max_undersize_frac: Limit  # of the diameter
    max_oversize_frac: Limit
    max_shift_frac: Limit  # of the pitch, from the fitted grid
    max_out_of_round_frac: Limit  # of the radius, RMS of the rim about the fitted circle
    max_extra_frac: Limit  # of a ball's area: a round thing as dense as a ball, where none belongs
    bridge_width_frac: Share  # of the diameter: narrower is no neck
    max_bridge_density_frac: Limit  # least density along the densest path of that width from ball to neighbour

    # ground between the balls; contrast is a share of the ground's level in reflected light, of a ball's in X-rays
    speck_size_frac: Share  # of the pitch: larger is no speck
    speck_contrast_frac: Limit
    max_speck_load_frac: Limit  # of a square of one pitch: area of all specks together
    foreign_size_frac: Share  # of the pitch: narrower is no foreign body, but a speck, a track or a via
    foreign_contrast_frac: Limit
    max_foreign_area_frac: Limit  # of a square of one pitch
    line_width_px: Annotated[int, Field(ge=3, le=15)]  # wider is no line
    line_contrast_ratio: Limit  # of what the ground's own grain gives
    max_line_length_px: Limit

    # the package's outline, where the picture shows it
    outline_step_grey: Annotated[float, Field(ge=0.0, le=255.0)]  # from background to package; 0: the picture has none
    max_field_offset_px: Limit  # middle of the ball field from the middle of the outline
    max_chip_px: Limit  # the outline from the straight line through it

    @model_validator(mode="after")
    def _ordered(self) -> PackageRulesFile:
        if not self.ground_percentile_pct < self.ball_percentile_pct:
            raise ValueError("ground_percentile_pct is not below ball_percentile_pct")
        if not self.min_ball_diameter_px < self.max_ball_diameter_px:
            raise ValueError("min_ball_diameter_px is not below max_ball_diameter_px")
        return self

    @property
    def limits(self) -> tuple[str, ...]:
        """Names of all parameters, to be counted in reports."""
        return PARAMETERS


PARAMETERS = tuple(name for name in PackageRulesFile.model_fields if name != "schema_version")
