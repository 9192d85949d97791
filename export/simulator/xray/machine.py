"""The X-ray machine: a source tilted towards the board and stepped around it, a detector, and the slices it computes.

Heights are counted in **t**, pixels of parallax: how far a layer moves in a projection for its height over the plane
that all projections are registered on. One pixel of height is `tan(tilt)` of t.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One inline 3D X-ray machine. `_px` are pixels of the registered plane, `mu` is -ln(counts / bright counts).

    The defaults of the detector were measured on 16 real oblique projections of a BGA (README, "Measured"). Raises
    ValueError for a machine that cannot be.
    """

    name: str
    azimuths: int = 16  # projections, in equal steps around the board
    tilt_deg: float = 30.0
    bright_counts: float = 1500.0
    floor_frac: float = 0.103  # scattered light: with it, 11 to 12 % of the bright counts are left behind a ball
    blur_px: float = 1.0  # of the picture: focal spot and detector, Gaussian sigma
    noise_taps: tuple[tuple[float, ...], tuple[float, ...]] = (  # how neighbouring elements share noise, along x and y
        (0.13, 0.45, 1.0, 0.45, 0.13),
        (0.08, 0.26, 1.0, 0.26, 0.08),
    )
    shared_frac: float = 0.745  # of the constant noise; what comes with the quanta is shared wholly, so that noise
    # behind a ball is whiter than beside it, as in real projections
    noise_variance: tuple[float, float] = (110.0, 1.4)  # counts squared: constant, and per count
    resampling_px: float = 0.42  # what registering and shifting projections blurs, beyond one interpolation
    misregistration_px: float = 0.25  # standard deviation of each projection's place, x and y
    magnification_frac: float = 0.001  # standard deviation of each projection's size
    uneven_frac: float = 0.02  # standard deviation of the slow gain field
    window_mu: tuple[float, float] = (0.25, 2.3)  # what becomes white and black in a slice

    def __post_init__(self) -> None:
        if not 4 <= self.azimuths <= 64 or not 5.0 <= self.tilt_deg <= 60.0:
            raise ValueError(f"machine {self.name!r}: {self.azimuths} azimuths at {self.tilt_deg} degrees")
        if not 0.0 <= self.floor_frac < 1.0 or self.window_mu[0] >= self.window_mu[1] or self.bright_counts <= 0:
            raise ValueError(f"machine {self.name!r}: floor, window or bright field is out of range")

    @property
    def t_per_px(self) -> float:
        """Parallax of one pixel of height."""
        return math.tan(math.radians(self.tilt_deg))

    def path_px(self, thickness_t: float) -> float:
        """Pixels of path an oblique ray takes through a layer of that thickness."""
        return thickness_t / math.sin(math.radians(self.tilt_deg))


REFERENCE = Machine(name="reference")  # as the real projections were taken
TEST_MACHINE = "line-c"  # pictures of this one are kept for the split dev-test

MACHINES: Mapping[str, Machine] = MappingProxyType(
    {
        machine.name: machine
        for machine in (
            REFERENCE,
            Machine(name="line-a", azimuths=8, tilt_deg=30.0, blur_px=1.4, misregistration_px=0.5),
            Machine(name="line-b", azimuths=12, tilt_deg=27.0, blur_px=1.2, floor_frac=0.09, misregistration_px=0.4),
            Machine(name=TEST_MACHINE, azimuths=10, tilt_deg=32.0, blur_px=1.6, floor_frac=0.12),
        )
    }
)
