"""How hard a set of X-ray joints is: named, frozen settings. A set is a setting, its board types and a seed.

`LINE` is the one figures are reported on. It was set to bring the paper's 3D-CNN near what the paper reports while
a small residual network does far better on the same joints (`export.simulator.xray.tune`; README, "Tuning").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from export.simulator.difficulties import named_difficulty

Span = tuple[float, float]

# Slices of a view: counts of the paper's Table IV, and the flat mix for training on rare counts.
TRUE_SLICE_MIX = (763, 1_694, 7_576, 466_029, 41_345, 945)
FLAT_SLICE_MIX = (5, 8, 12, 45, 22, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difficulty:
    """The knobs. `_frac` are shares from 0 to 1 of what the name says; spans are drawn evenly. Raises ValueError."""

    name: str
    severities: tuple[float, float, float] = (0.60, 0.30, 0.10)  # of defects: plain, fair, at the limit
    defect_contrast: float = 1.0  # 1: defects as drawn; less: nearer to a joint that is barely good
    marginal_frac: float = 0.12  # of good joints, those barely good: the paper's "good" are a machine's false calls
    near_short_frac: float = 0.01  # of good joints, those from which solder runs part of the way to a neighbour
    label_noise_frac: float = 0.0005  # of joints, those the specialist called wrongly
    noise_gain: float = 1.0  # of the variance of the counts
    contrast_gain: Span = (0.96, 1.04)  # of the slices' grey scale, per board
    gamma: Span = (0.97, 1.05)
    shading_frac: float = 0.02  # slow change of brightness over a slice, standard deviation
    clutter_gain: float = 1.0  # how much copper and how many parts lie above and below the joints
    specks_frac: float = 0.02  # of joints, those with a bead of solder beside them
    height_jitter_t: float = 1.5  # standard deviation of a slice's height, per board and slice
    warp_t: Span = (0.0, 3.0)  # height change across a view
    seams_frac: float = 0.2  # of views, those put together from tiles with grey levels of their own
    jpeg_frac: float = 0.5  # of views, those that went through JPEG
    jpeg_quality: tuple[int, int] = (75, 95)
    roi_shift_frac: float = 0.03  # standard deviation, of the ROI's side
    wrong_roi_views_frac: float = 0.01  # of views, those whose ROIs are all wrong in one way
    wrong_roi_joints_frac: float = 0.003
    slice_mix: tuple[int, ...] = TRUE_SLICE_MIX

    def __post_init__(self) -> None:
        fractions = {name: getattr(self, name) for name in self.__dataclass_fields__ if name.endswith("_frac")}
        wrong = {name: value for name, value in fractions.items() if not 0.0 <= value <= 1.0}
        if wrong:
            raise ValueError(f"difficulty {self.name!r}: from 0 to 1, not {wrong}")
        if len(self.severities) != 3 or min(self.severities) < 0 or sum(self.severities) <= 0:
            raise ValueError(f"difficulty {self.name!r}: severities {self.severities} are three shares")
        if len(self.slice_mix) != 6 or min(self.slice_mix) < 0 or sum(self.slice_mix) <= 0:
            raise ValueError(f"difficulty {self.name!r}: slice_mix {self.slice_mix} has a count for 1 to 6 slices")
        if not 0.05 <= self.defect_contrast <= 1.5 or self.noise_gain < 0 or self.clutter_gain < 0:
            raise ValueError(f"difficulty {self.name!r}: defect_contrast 0.05 to 1.5, gains not negative")


EASY = Difficulty(
    name="easy",
    severities=(0.8, 0.2, 0.0),
    marginal_frac=0.05,
    near_short_frac=0.0,
    label_noise_frac=0.0,
    noise_gain=0.5,
    contrast_gain=(0.98, 1.02),
    gamma=(0.98, 1.02),
    shading_frac=0.01,
    clutter_gain=0.4,
    height_jitter_t=0.5,
    warp_t=(0.0, 1.0),
    wrong_roi_views_frac=0.0,
    wrong_roi_joints_frac=0.0,
    slice_mix=(0, 0, 0, 1, 0, 0),
)
LINE = Difficulty(name="line")
LINE_FLAT = Difficulty(name="line-flat-slices", slice_mix=FLAT_SLICE_MIX)
LINE_WRONG_ROI = Difficulty(name="line-wrong-roi", wrong_roi_views_frac=0.24)  # as curated from the real project
DIFFICULTIES: Mapping[str, Difficulty] = MappingProxyType(
    {one.name: one for one in (EASY, LINE, LINE_FLAT, LINE_WRONG_ROI)}
)


def difficulty_of(difficulty: Difficulty | str) -> Difficulty:
    """A difficulty, or the one of that name. Raises ValueError for a name nobody gave."""
    return named_difficulty(difficulty, DIFFICULTIES)
