"""A BGA package part number: where its balls are, which are left out, and what it looks like.

Everything follows from the part number's name. Lengths are pixels of the 256 px picture.
"""

from __future__ import annotations

import enum
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PICTURE_PX = 256
OPTICAL_TYPES = tuple(f"PO-{number}" for number in range(401, 413))
XRAY_TYPES = tuple(f"PX-{number}" for number in range(501, 513))


class Look(enum.Enum):
    """What took the picture."""

    XRAY = "xray"
    OPTICAL = "optical"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageType:
    """A part number. `places_px` (n, 2) x and y of its balls' centres as designed, `diameter_px` of a ball."""

    name: str
    look: Look
    pitch_px: float
    diameter_px: float
    places_px: NDArray[np.float64]

    @property
    def key(self) -> int:
        """Seeds what belongs to the part number."""
        return zlib.crc32(self.name.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Balls:
    """The balls of one picture: `places_px` (n, 2), `radii_px` (n,), `present` (n,) bool."""

    places_px: NDArray[np.float64]
    radii_px: NDArray[np.float64]
    present: NDArray[np.bool_]


def package_type(name: str) -> PackageType:
    """The part number of that name: OPTICAL_TYPES or XRAY_TYPES. Raises ValueError for another name."""
    if name in OPTICAL_TYPES:
        return _optical(name)
    if name in XRAY_TYPES:
        return _xray(name)
    raise ValueError(f"package type is {name!r}, expected one of {', '.join((*OPTICAL_TYPES, *XRAY_TYPES))}")


def good_balls(package: PackageType, rng: np.random.Generator) -> Balls:
    """Balls as they come: placed to 1 to 2 % of the pitch, sized to 2 to 3 %."""
    n = len(package.places_px)
    return Balls(
        places_px=package.places_px + rng.normal(0.0, 0.012 * package.pitch_px, (n, 2)),
        radii_px=package.diameter_px / 2 * np.clip(rng.normal(1.0, 0.022, n), 0.93, 1.07),
        present=np.ones(n, np.bool_),
    )


def _optical(name: str) -> PackageType:
    """The whole package: 5 to 14 rows in the picture, some part numbers with balls left out in the middle."""
    rng = np.random.default_rng([zlib.crc32(name.encode()), 1])
    rows = int(rng.integers(5, 15))
    pitch = float((PICTURE_PX - rng.uniform(14.0, 26.0)) / rows)
    first = (PICTURE_PX - pitch * (rows - 1)) / 2
    grid = np.array([(x, y) for y in range(rows) for x in range(rows)], np.float64)
    from_middle = np.abs(grid - (rows - 1) / 2).max(axis=1)
    keep = np.ones(len(grid), bool)
    if rows >= 7 and rng.random() < 0.3:
        ring = int(rng.integers(2, max(3, rows // 2 - 1)))
        keep = (from_middle > (rows - 1) / 2 - ring) | ((from_middle < 1.1) & bool(rng.random() < 0.5))
    keep &= ~((grid == 0).all(axis=1) & bool(rng.random() < 0.5))  # no ball at the corner of pin 1
    return PackageType(
        name=name,
        look=Look.OPTICAL,
        pitch_px=pitch,
        diameter_px=pitch * float(rng.uniform(0.52, 0.65)),
        places_px=first + pitch * grid[keep],
    )


def _xray(name: str) -> PackageType:
    """A piece of a package, 3 to 16 balls and what is cut through at the rim."""
    rng = np.random.default_rng([zlib.crc32(name.encode()), 1])
    pitch = float(rng.uniform(62.0, 125.0))
    offset = rng.uniform(0.2, 0.8, 2) * pitch
    steps = range(-1, int(PICTURE_PX / pitch) + 2)
    places = np.array([(offset[0] + pitch * x, offset[1] + pitch * y) for y in steps for x in steps])
    keep = rng.random(len(places)) > (0.08 if rng.random() < 0.3 else 0.0)
    inside = ((places > 0.3 * pitch) & (places < PICTURE_PX - 0.3 * pitch)).all(axis=1)
    return PackageType(
        name=name,
        look=Look.XRAY,
        pitch_px=pitch,
        diameter_px=pitch * float(rng.uniform(0.62, 0.70)),
        places_px=places[keep | inside],
    )
