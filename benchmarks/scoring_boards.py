"""What each family's scoring is timed on: rendered boards with their places, cut as the family's station cuts them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.board import Floats, Image, Region
from edge.bundle import Contract
from edge.crop import crop_slices, crop_squares
from edge.paste.planes import BoardPads
from edge.paste.table import PadTable
from edge.paste.window import PasteWindow
from edge.references import Compared, Scorable
from export.simulator.components.board import reference_component_board
from export.simulator.components.stream import COMPONENT_BOARD
from export.simulator.datasets import draw_boards
from export.simulator.paste.difficulty import DIFFICULTIES
from export.simulator.paste.prints import print_run
from export.simulator.paste.product import paste_product
from export.simulator.paste.windows import product_table
from export.simulator.xray.packages.grid import OPTICAL_TYPES, PICTURE_PX, package_type
from export.simulator.xray.packages.package import draw_package
from export.simulator.xray.sets import draw_views

REFERENCE_ROWS = 16  # references of noise, over again: what they hold costs nothing
UNREACHED = 1e9  # a threshold
AXI_TYPE, AXI_SLICES, AXI_SEED = "AX-113", 6, 5
PANEL, PANELS, PANEL_SEED = "PP-100K", 12, 7
TRAY_SIDE, TRAY_SEED = 4, 11  # so many packages each way


class Places(Protocol):
    """A family's places."""

    @property
    def what(self) -> str:
        """One of them is called."""
        ...

    @property
    def n_whole(self) -> int:
        """Of a whole board."""
        ...

    def cut(self, contract: Contract, n: int) -> Scorable:
        """So many places as a scorer of this contract takes them, the board's over again where they do not suffice;
        all of the work a station does for a new board."""
        ...


def regions(n: int) -> tuple[Region, ...]:
    """As many regions for a verdict, with a threshold that nothing reaches."""
    return tuple(Region(refdes=f"P{k}", pin="", x_px=0.0, y_px=0.0, side_px=1.0, threshold=UNREACHED) for k in range(n))


@dataclass(kw_only=True)
class PicturePlaces:
    """Places in a picture by centre (P, 2) and the size (P,) they are known by."""

    what: str
    image: Image
    centres_px: NDArray[np.float64]
    sizes_px: NDArray[np.float64]
    n_whole: int
    _references: dict[tuple[int, ...], Floats] = field(default_factory=dict)

    def cut(self, contract: Contract, n: int) -> Scorable:
        """(n, crop_px, crop_px, 3) uint8 BGR, with references of noise where the contract compares."""
        order = np.arange(n) % len(self.sizes_px)
        sides = contract.region_scale * self.sizes_px[order]
        crops = crop_squares(self.image, self.centres_px[order], sides, contract.crop_px)
        return crops if len(contract.inputs) < 2 else Compared(crops, self._noise(contract, n))

    def _noise(self, contract: Contract, n: int) -> Floats:
        shape = (n, *map(int, contract.inputs[1].shape[1:]))
        if shape not in self._references:
            rows = np.random.default_rng(0).normal(0.0, 1.0, (REFERENCE_ROWS, *shape[1:])).astype(np.float32)
            self._references[shape] = rows[np.arange(n) % REFERENCE_ROWS]
        return self._references[shape]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlicePlaces:
    """The joints of an X-rayed board: each view's slices (h, w, C) uint8, and its boxes (P, 4) x0, y0, x1, y1."""

    what: str
    views: tuple[tuple[Image, NDArray[np.float64]], ...]
    n_whole: int

    def cut(self, contract: Contract, n: int) -> Scorable:
        """(n, crop_px, crop_px, C) uint8, one slice a channel."""
        crops, start, k = np.empty((n, contract.crop_px, contract.crop_px, AXI_SLICES), np.uint8), 0, 0
        while start < n:
            slices, boxes = self.views[k % len(self.views)]
            boxes, k = boxes[: n - start], k + 1
            sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1) * contract.region_scale
            part = crops[start : start + len(boxes)]
            crop_slices(slices, (boxes[:, :2] + boxes[:, 2:]) / 2, sides, contract.crop_px, part)
            start += len(boxes)
        return crops


@dataclass(kw_only=True)
class PanelPlaces:
    """The tiles of a panel of paste, whose last boards (N, P, 2) volume and area in per cent stand in a window."""

    what: str
    table: PadTable
    values_pct: NDArray[np.float64]
    n_whole: int
    _windows: dict[tuple[int, tuple[str, ...]], PasteWindow] = field(default_factory=dict)

    def cut(self, contract: Contract, n: int) -> Scorable:
        """(n, T, C, S, S) float32, after the panel's last board came in. Raises ValueError for a contract that has no
        window."""
        if contract.window is None:
            raise ValueError("this contract takes pictures, a panel of paste has none")
        spec = contract.window
        key = (spec.boards, spec.planes)
        if key not in self._windows:
            self._windows[key] = PasteWindow(self.table, spec.planes, spec.boards)
            for values in self.values_pct[:-1]:
                self._windows[key].push(BoardPads(self.table, values, None))
        window = self._windows[key]
        window.push(BoardPads(self.table, self.values_pct[-1], None))
        return window.values if n == self.table.n_tiles else window.values[np.arange(n) % self.table.n_tiles]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchFamily:
    """How a family is timed: its places, one at a time and in batches of `batch`, which a station of it may see."""

    places: Callable[[], Places]
    batch: int

    @property
    def batches(self) -> tuple[int, int]:
        """Both sizes."""
        return 1, self.batch


@functools.cache
def _joints() -> Places:
    _, board = next(iter(draw_boards(1, 1, defective_boards_frac=0.0)))
    return PicturePlaces(
        what="joint",
        image=board.image,
        centres_px=np.array([(p.x_px, p.y_px) for p in board.places]),
        sizes_px=np.array([p.pitch_px for p in board.places]),
        n_whole=500,  # the board's places over again
    )


@functools.cache
def _components() -> Places:
    board = reference_component_board(COMPONENT_BOARD)
    boxes = np.array([(p.x0_px, p.y0_px, p.x1_px, p.y1_px) for p in board.places])
    return PicturePlaces(
        what="component",
        image=board.image,
        centres_px=(boxes[:, :2] + boxes[:, 2:]) / 2,
        sizes_px=(boxes[:, 2:] - boxes[:, :2]).max(axis=1),
        n_whole=500,
    )


@functools.cache
def _panel() -> Places:
    product = paste_product(PANEL)
    run = print_run(product, PANELS, PANEL_SEED, DIFFICULTIES["line"], one_run=True)
    table = product_table(product, run)
    values = np.stack([run.volume_pct, run.area_pct], axis=-1)
    return PanelPlaces(what="tile of 1,000 pads", table=table, values_pct=values, n_whole=table.n_tiles)


@functools.cache
def _slices() -> Places:
    views = []
    for drawn in draw_views((AXI_TYPE,), 1, AXI_SEED, defect_rate=0.0, slices=AXI_SLICES):
        boxes = np.array([(j.roi.x0, j.roi.y0, j.roi.x1, j.roi.y1) for j in drawn.view.joints], np.float64)
        views.append((np.ascontiguousarray(np.moveaxis(drawn.view.slices, 0, -1)), boxes))
    return SlicePlaces(what="joint in slices", views=tuple(views), n_whole=sum(len(boxes) for _, boxes in views))


@functools.cache
def _packages() -> Places:
    """A tray in one picture: its station sees packages one by one, each a picture of its own."""
    names = [OPTICAL_TYPES[k % len(OPTICAL_TYPES)] for k in range(TRAY_SIDE**2)]
    images = [draw_package(package_type(name), (TRAY_SEED, k)).image for k, name in enumerate(names)]
    rows = [np.hstack(images[k : k + TRAY_SIDE]) for k in range(0, len(images), TRAY_SIDE)]
    middle = PICTURE_PX * np.arange(TRAY_SIDE) + (PICTURE_PX - 1) / 2
    return PicturePlaces(
        what="package",
        image=np.vstack(rows),
        centres_px=np.array([(x, y) for y in middle for x in middle]),
        sizes_px=np.full(TRAY_SIDE**2, float(PICTURE_PX)),
        n_whole=TRAY_SIDE**2,
    )


FAMILIES: dict[str, BenchFamily] = {
    "solder_joint": BenchFamily(places=_joints, batch=64),
    "pth_component": BenchFamily(places=_components, batch=64),
    "paste_print": BenchFamily(places=_panel, batch=16),
    "axi_joint": BenchFamily(places=_slices, batch=64),
    "bga_package": BenchFamily(places=_packages, batch=16),
}
