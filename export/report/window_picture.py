"""What is no picture, as one: a window of boards as its last board, a cell a pad, red for more than usual, blue for
less; a joint in slices as its slices side by side."""

from __future__ import annotations

import cv2
import numpy as np

from edge.board import Floats, Image
from edge.bundle import Contract
from edge.paste.drawing import BOARD_BGR, pad_colour
from export.graph_inputs import MASK

CELL_PX = 4
SLICES_ACROSS = 3


def window_picture(window: Floats, planes: tuple[str, ...]) -> Image:
    """(4 S, 4 S, 3) uint8 BGR of a window (T, C, S, S): its first plane that is no mask."""
    last = window[-1]
    measured = last[planes.index(MASK)] > 0 if MASK in planes else np.ones(last.shape[1:], bool)
    value = last[next(k for k, name in enumerate(planes) if name != MASK)]
    picture = np.full((*measured.shape, 3), BOARD_BGR, np.uint8)
    for row, col in np.argwhere(measured):
        picture[row, col] = pad_colour(float(value[row, col]))
    return np.asarray(cv2.resize(picture, None, fx=CELL_PX, fy=CELL_PX, interpolation=cv2.INTER_NEAREST), np.uint8)


def pictures_of(inputs: Image | Floats, contract: Contract) -> Image:
    """(N, h, w, 3) uint8 BGR: crops as they are, slices in rows of SLICES_ACROSS, windows drawn."""
    if contract.n_slices is not None:
        return slices_side_by_side(np.asarray(inputs, np.uint8))
    if contract.window is None:
        return np.asarray(inputs, np.uint8)
    return np.stack([window_picture(np.asarray(one, np.float32), contract.window.planes) for one in inputs])


def slices_side_by_side(crops: Image) -> Image:
    """(N, rows h, SLICES_ACROSS w, 3) uint8 BGR of crops (N, h, w, C), one slice a channel, the lowest first."""
    n, height, width, slices = crops.shape
    rows = -(-slices // SLICES_ACROSS)
    cells = np.zeros((n, rows * SLICES_ACROSS, height, width), np.uint8)
    cells[:, :slices] = np.moveaxis(crops, -1, 1)
    grid = cells.reshape(n, rows, SLICES_ACROSS, height, width).swapaxes(2, 3)
    grey = grid.reshape(n, rows * height, SLICES_ACROSS * width, 1)
    return np.repeat(grey, 3, axis=3)
