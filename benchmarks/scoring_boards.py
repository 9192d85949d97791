"""What each family's scoring is timed on: a rendered board with its places, cut as the family cuts them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.board import Image, Region
from edge.bundle import Contract
from edge.lanes import crops_of_regions
from edge.references import Compared, Scorable
from export.simulator.components.board import reference_component_board
from export.simulator.components.stream import COMPONENT_BOARD
from export.simulator.datasets import draw_boards

BOARD_PLACES = 500  # of the board for "all told": the places there are, over again
REFERENCE_ROWS = 16  # references of noise, over again: what they hold costs nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchBoard:
    """A board in view: `image`, and places by centre (P, 2) and the size (P,) they are known by."""

    what: str  # a place is called
    image: Image
    centres_px: NDArray[np.float64]
    sizes_px: NDArray[np.float64]
    crop_px: int
    region_scale: float

    def regions(self, n: int) -> tuple[Region, ...]:
        """As many places, the board's over again, with a threshold that nothing reaches."""
        order = np.arange(n) % len(self.sizes_px)
        sides = self.region_scale * self.sizes_px
        return tuple(
            Region(
                refdes=f"P{k}",
                pin="",
                x_px=float(self.centres_px[k, 0]),
                y_px=float(self.centres_px[k, 1]),
                side_px=float(sides[k]),
                threshold=1e9,
            )
            for k in order
        )

    def cut(self, regions: tuple[Region, ...]) -> Image:
        """Their crops, (n, crop_px, crop_px, 3) uint8 BGR."""
        return crops_of_regions(self.image, regions, np.empty((len(regions), self.crop_px, self.crop_px, 3), np.uint8))


@functools.cache
def crops(family: str, n: int) -> Image:
    """The first `n` crops of a family's board, over again where they do not suffice."""
    board = BOARDS[family]()
    return board.cut(board.regions(n))


def scorable(contract: Contract) -> Callable[[Image], Scorable]:
    """Crops as a scorer of this contract takes them: with references of noise where it compares."""
    if len(contract.inputs) < 2:
        return lambda crops: crops
    shape = (REFERENCE_ROWS, *map(int, contract.inputs[1].shape[1:]))
    noise = np.random.default_rng(0).normal(0.0, 1.0, shape).astype(np.float32)
    rows = functools.cache(lambda n: noise[np.arange(n) % REFERENCE_ROWS])
    return lambda crops: Compared(crops, rows(len(crops)))


@functools.cache
def _joints() -> BenchBoard:
    _, board = next(iter(draw_boards(1, 1, defective_boards_frac=0.0)))
    return BenchBoard(
        what="joint",
        image=board.image,
        centres_px=np.array([(p.x_px, p.y_px) for p in board.places]),
        sizes_px=np.array([p.pitch_px for p in board.places]),
        crop_px=64,
        region_scale=1.5,
    )


@functools.cache
def _components() -> BenchBoard:
    board = reference_component_board(COMPONENT_BOARD)
    boxes = np.array([(p.x0_px, p.y0_px, p.x1_px, p.y1_px) for p in board.places])
    return BenchBoard(
        what="component",
        image=board.image,
        centres_px=(boxes[:, :2] + boxes[:, 2:]) / 2,
        sizes_px=(boxes[:, 2:] - boxes[:, :2]).max(axis=1),
        crop_px=128,
        region_scale=1.25,
    )


BOARDS: dict[str, Callable[[], BenchBoard]] = {"solder_joint": _joints, "pth_component": _components}
