"""A file is a claim: numbers of one pad that contradict each other, and nominal values from those that agree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.paste.panel import Numbers

# Real files keep volume = area x height to their rounding: 3 decimals of a micrometre, whole um2, 7 digits of volume.
# Measured on both Koh Young samples (4,376 pads): nowhere beyond 1.03 of what these roundings add up to.
_HEIGHT_STEP_UM, _AREA_STEP_UM2, _VOLUME_DIGITS = 1e-3, 1.0, 1e-6
_SLACK = 1.5


def contradicting(volume_um3: Numbers, area_um2: Numbers, height_um: Numbers) -> NDArray[np.int64]:
    """Rows whose volume is not area times height. Rows with a NaN contradict nothing."""
    rounding = 0.5 * (_HEIGHT_STEP_UM * area_um2 + _AREA_STEP_UM2 * height_um + _VOLUME_DIGITS * volume_um3) + 5.0
    return np.flatnonzero(np.abs(volume_um3 - area_um2 * height_um) > _SLACK * rounding)


def nominal(volume_pct: Numbers, area_pct: Numbers, volume_um3: Numbers, area_um2: Numbers) -> tuple[Numbers, Numbers]:
    """(n,) aperture in mm2 and (n,) stencil thickness in um: area in um2 over area in per cent, and volume over volume
    in per cent over that area. NaN where nothing was measured, or the file gives only one of the two."""
    with np.errstate(divide="ignore", invalid="ignore"):
        aperture_um2 = area_um2 / (area_pct / 100.0)
        stencil_um = volume_um3 / (volume_pct / 100.0) / aperture_um2
    aperture_um2[~np.isfinite(aperture_um2)] = np.nan
    stencil_um[~np.isfinite(stencil_um)] = np.nan
    return aperture_um2 / 1e6, stencil_um
