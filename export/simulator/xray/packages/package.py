"""One picture of one package, good or with a defect; the same arguments give the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from export.simulator.components.errors import Severity
from export.simulator.xray.packages.defects import PackageDefect, spoil, unspoilt
from export.simulator.xray.packages.grid import PICTURE_PX, Look, PackageType, good_balls
from export.simulator.xray.packages.optical_look import optical_picture
from export.simulator.xray.packages.xray_look import xray_picture


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagePicture:
    """`image` (256, 256, 3) uint8 BGR; a good one has no `defect`, and a box of zeros. `decidable` is False where the
    look can hardly show the defect: a crack in an X-ray."""

    image: NDArray[np.uint8]
    defect: PackageDefect | None
    severity: Severity | None
    box_px: tuple[int, int, int, int]
    decidable: bool

    @property
    def label(self) -> str:
        """`good` or the defect's name."""
        return "good" if self.defect is None else self.defect.value


def draw_package(
    package: PackageType,
    seed: Sequence[int],
    defect: PackageDefect | None = None,
    severity: Severity = Severity.PLAIN,
) -> PackagePicture:
    """A picture of a package. Raises ValueError for a defect that the look cannot show."""
    rng = np.random.default_rng(list(seed))
    balls = good_balls(package, rng)
    spoilt = unspoilt(balls) if defect is None else spoil(package, balls, defect, severity, rng)
    if package.look is Look.OPTICAL:
        image, move = optical_picture(package, spoilt, rng)
    else:
        grey, move = xray_picture(package, spoilt, rng)
        image = np.repeat(grey[..., None], 3, axis=2)
    return PackagePicture(
        image=image,
        defect=defect,
        severity=None if defect is None else severity,
        box_px=_moved(spoilt.box_px, move),
        decidable=not (package.look is Look.XRAY and defect is PackageDefect.CRACK),
    )


def _moved(box_px: tuple[int, int, int, int], move: NDArray[np.float32]) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = box_px
    if x0 >= x1:
        return box_px
    corners = np.array([[(x0, y0), (x1, y0), (x1, y1), (x0, y1)]], np.float32)
    seen = np.clip(cv2.perspectiveTransform(corners, move)[0], 0, PICTURE_PX)
    low, high = np.floor(seen.min(0)).astype(int), np.ceil(seen.max(0)).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])
