"""A panel as a picture: each pad a square, coloured by how far its volume is from good prints. Regions of a verdict
are in this picture's pixels, so that findings are drawn like those of any board."""

from __future__ import annotations

import cv2
import numpy as np

from edge.board import Image
from edge.paste.learn import values_of
from edge.paste.panel import Numbers, PastePanel
from edge.paste.table import PadTable

LONG_SIDE_PX = 1_100
BORDER_PX = 40
MIN_PAD_PX, MAX_PAD_PX = 3, 24
FULL_COLOUR_Z = 8.0
Box = tuple[float, float, float, float]

BOARD_BGR = (44, 62, 40)
GOOD_BGR, EXCESS_BGR, LACK_BGR = (150, 165, 150), (60, 60, 235), (235, 150, 40)
UNMEASURED_BGR = (0, 0, 0)


class Drawing:
    """Where the pads of a table lie in their picture."""

    def __init__(self, table: PadTable) -> None:
        self._table = table
        width_mm, height_mm = np.ptp(table.x_mm), np.ptp(table.y_mm)
        self.px_per_mm = (LONG_SIDE_PX - 2 * BORDER_PX) / max(float(width_mm), float(height_mm), 1e-6)
        self.x_px: Numbers = (table.x_mm - table.x_mm.min()) * self.px_per_mm + BORDER_PX
        self.y_px: Numbers = (table.y_mm - table.y_mm.min()) * self.px_per_mm + BORDER_PX
        self.width_px, self.height_px = (round(float(v.max())) + BORDER_PX for v in (self.x_px, self.y_px))
        x0_mm, y0_mm, x1_mm, y1_mm = (float(f(mm)) for f in (np.min, np.max) for mm in (table.x_mm, table.y_mm))
        self.panel_mm: Box = (x0_mm, y0_mm, x1_mm, y1_mm)
        self.side_px = _pad_side(self.x_px, self.y_px)

    def paint(self, panel: PastePanel) -> Image:
        """(h, w, 3) uint8 BGR: red for a pad with more paste than it usually has beside the others of its board, blue
        for less, black where it was not measured. Raises PasteFault for a panel of other pads."""
        table = self._table
        z = (values_of(panel, table.pad)[:, 0] - table.mean_pct[:, 0]) / table.sigma_pct[:, 0]
        z = z - np.nanmedian(z)
        picture = np.full((self.height_px, self.width_px, 3), BOARD_BGR, np.uint8)
        half = self.side_px / 2
        for x, y, value in zip(self.x_px, self.y_px, z, strict=True):
            corner, other = (round(x - half), round(y - half)), (round(x + half), round(y + half))
            cv2.rectangle(picture, corner, other, pad_colour(float(value)), cv2.FILLED)
        return picture

    def box_px(self, box_mm: Box) -> Box:
        """A box x0, y0, x1, y1 in mm on the panel, in this picture's pixels."""
        origin_mm = np.array([*self.panel_mm[:2], *self.panel_mm[:2]])
        x0, y0, x1, y1 = ((np.array(box_mm) - origin_mm) * self.px_per_mm + BORDER_PX).tolist()
        return x0, y0, x1, y1


def _pad_side(x_px: Numbers, y_px: Numbers) -> float:
    """As large as the closest pads allow: the smaller of the usual steps between columns and between rows."""
    steps = [np.diff(np.unique(np.round(axis))) for axis in (x_px, y_px)]
    usual = [float(np.median(step)) for step in steps if len(step)]
    return float(np.clip(0.8 * min(usual, default=MAX_PAD_PX), MIN_PAD_PX, MAX_PAD_PX))


def pad_colour(z: float) -> tuple[int, int, int]:
    """BGR of a pad `z` sigmas from usual; NaN is one that was not measured."""
    if not np.isfinite(z):
        return UNMEASURED_BGR
    share = min(abs(z) / FULL_COLOUR_Z, 1.0)
    target = EXCESS_BGR if z > 0 else LACK_BGR
    b, g, r = (round((1 - share) * good + share * far) for good, far in zip(GOOD_BGR, target, strict=True))
    return b, g, r
