"""Is what lies under a registration really the reference's board? Features of one maker's boards agree in lettering,
holes and outline even when the boards are different; the pictures themselves then do not.

Both pictures are brought to a small common size, stripped of slow shading, and compared cell by cell. The likeness is
the median correlation of the cells that hold anything: 0.55 to 0.98 on 19 registered real photographs (train and val of
the header set, 720 px, hand-held), 0.78 to 0.96 on rendered ones, below 0.03 on rendered boards of four other products
that feature matching alone had accepted with 24 to 41 inliers.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.board import Floats, Image

SIDE_PX = 360  # longest side of the common size
CELL_PX = 24
SHADING_SIGMA_PX = 6.0
SMOOTHING_SIGMA_PX = 1.0
MIN_CONTRAST = 4.0  # grey levels; a cell with less holds no pattern to compare
MIN_CELLS = 12  # less of the board in view is too little to recognise it by


class Appearance:
    """The reference's look, prepared once."""

    def __init__(self, reference: Image) -> None:
        height, width = reference.shape[:2]
        scale = SIDE_PX / max(height, width)
        self._size = (round(width * scale), round(height * scale))
        self._to_small = np.array([[scale, 0, 0.5 * scale - 0.5], [0, scale, 0.5 * scale - 0.5], [0, 0, 1.0]])
        small = cv2.resize(cv2.cvtColor(reference, cv2.COLOR_BGR2GRAY), self._size, interpolation=cv2.INTER_AREA)
        self._cells = _cells(_pattern(small))
        self._has_pattern = self._cells.std(axis=1) >= MIN_CONTRAST

    def likeness(self, image: Image, homography: NDArray[np.float64]) -> float:
        """Median correlation (-1 to 1) of the cells in view; 0 where fewer than MIN_CELLS are.

        `image` (h, w, 3) uint8 BGR; `homography` (3, 3) takes reference to picture pixels.
        """
        to_small = self._to_small @ np.linalg.inv(homography)
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        warped = cv2.warpPerspective(grey, to_small, self._size)
        in_view = cv2.warpPerspective(np.full(grey.shape, 255, np.uint8), to_small, self._size)
        chosen = self._has_pattern & (_cells(in_view.astype(np.float32)).min(axis=1) == 255)
        if int(chosen.sum()) < MIN_CELLS:
            return 0.0
        return float(np.median(_correlation(self._cells[chosen], _cells(_pattern(warped))[chosen])))


def _pattern(grey: NDArray[np.uint8] | cv2.typing.MatLike) -> Floats:
    """What is left of a picture without slow shading and without noise."""
    smooth = cv2.GaussianBlur(np.asarray(grey, np.float32), (0, 0), SMOOTHING_SIGMA_PX)
    return np.asarray(smooth - cv2.GaussianBlur(smooth, (0, 0), SHADING_SIGMA_PX), np.float32)


def _cells(picture: Floats) -> Floats:
    """(h, w) to (number of whole cells, pixels of a cell)."""
    rows, columns = picture.shape[0] // CELL_PX, picture.shape[1] // CELL_PX
    whole = picture[: rows * CELL_PX, : columns * CELL_PX]
    cells = whole.reshape(rows, CELL_PX, columns, CELL_PX).swapaxes(1, 2)
    return np.asarray(cells.reshape(rows * columns, CELL_PX * CELL_PX), np.float32)


def _correlation(a: Floats, b: Floats) -> NDArray[np.float64]:
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray((a * b).sum(axis=1) / np.maximum(norm, 1e-6), np.float64)
