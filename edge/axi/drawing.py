"""A board's X-ray views as one picture, side by side, each as its middle slice. Regions of a verdict are in this
picture's pixels, so that findings are drawn like those of any board."""

from __future__ import annotations

import math
from collections.abc import Mapping

import cv2
import numpy as np

from edge.axi.board import AxiBoard
from edge.axi.recipe import ViewSettings
from edge.board import Image

MAX_SIDE_PX = 2_400  # of the whole picture
GAP_PX = 12
LABEL_PX = 22
GROUND_BGR, LABEL_BGR, WRONG_BGR = (30, 30, 30), (230, 230, 230), (0, 150, 255)
Box = tuple[float, float, float, float]


class AxiDrawing:
    """Where the views of a recipe lie in their picture."""

    def __init__(self, views: Mapping[str, ViewSettings]) -> None:
        columns = math.ceil(math.sqrt(len(views)))
        rows = math.ceil(len(views) / columns)
        width = max(view.width_px for view in views.values())
        height = max(view.height_px for view in views.values())
        self.scale = min(1.0, MAX_SIDE_PX / (columns * width), MAX_SIDE_PX / (rows * height))
        step_x, step_y = round(width * self.scale) + GAP_PX, round(height * self.scale) + GAP_PX + LABEL_PX
        self._origin = {
            name: (GAP_PX + (k % columns) * step_x, LABEL_PX + (k // columns) * step_y) for k, name in enumerate(views)
        }
        self.width_px, self.height_px = GAP_PX + columns * step_x, rows * step_y

    def box_px(self, view: str, box_px: Box) -> Box:
        """A box x0, y0, x1, y1 of a view, in this picture's pixels."""
        x, y = self._origin[view]
        x0, y0, x1, y1 = (value * self.scale for value in box_px)
        return x + x0, y + y0, x + x1, y + y1

    def paint(self, board: AxiBoard, wrong: Mapping[str, str]) -> Image:
        """(h, w, 3) uint8 BGR, with the regions that are wrong and why, by the joint's name."""
        picture = np.full((self.height_px, self.width_px, 3), GROUND_BGR, np.uint8)
        for view in board.views:
            if view.name in self._origin:
                self._paint_view(picture, view.name, np.ascontiguousarray(view.slices[:, :, (view.n_slices - 1) // 2]))
        for joint in board.joints:
            name = board.views[joint.view].name
            if joint.name in wrong and name in self._origin:
                x0, y0, x1, y1 = (round(value) for value in self.box_px(name, joint.box_px))
                cv2.rectangle(picture, (x0, y0), (x1, y1), WRONG_BGR, 2)
                text = f"{joint.name}: wrong region"
                cv2.putText(picture, text, (x0, y0 - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.4, WRONG_BGR, 1, cv2.LINE_AA)
        return picture

    def _paint_view(self, picture: Image, name: str, grey: Image) -> None:
        size = (max(1, round(grey.shape[1] * self.scale)), max(1, round(grey.shape[0] * self.scale)))
        small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        x, y = self._origin[name]
        room = picture[y : y + size[1], x : x + size[0]]
        room[:] = small[: room.shape[0], : room.shape[1], None]
        cv2.putText(picture, name, (x, y - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.5, LABEL_BGR, 1, cv2.LINE_AA)
