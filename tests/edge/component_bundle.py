"""Boards with drawn parts and a small, valid bundle of component rules, written without the workshop."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge.board import Image
from edge.crop import crop_squares
from edge.references import MAX_APPROVED, approved_pictures
from edge.scorers.component_rules import (
    EMBEDDING_SIZE,
    FEATURES,
    ComponentLimit,
    ComponentRulesFile,
    exceedance,
    measured,
    reduced,
)
from tests.edge.drawn import drawn_board
from tests.edge.rules_bundle import manifest_of_rules, write_files

CROP_PX, REGION_SCALE, SIZE_PX = 128, 1.25, 60
PARTS = {"CAP": (120, 110), "RES": (300, 250)}  # where they stand on `parts_board`
TABLE = "refdes,part_number,turns_deg,x,y,pitch\nC1,CAP,0,120,110,60\nR1,RES,0 180,300,250,60\n"
RULES = ComponentRulesFile(
    limits=(
        ComponentLimit(feature="template", unit=FEATURES["template"], typical=0.05, high=0.3),
        ComponentLimit(feature="worst_cell", unit=FEATURES["worst_cell"], typical=5.0, high=60.0),
    )
)


def parts_board(seed: int, *, without: str = "", turned: str = "") -> Image:
    """A board with a marked can and a banded bar; one of them left out, or turned by 180 degrees."""
    board = drawn_board(1)
    rng = np.random.default_rng(seed)
    for part, (x, y) in PARTS.items():
        half = SIZE_PX // 2
        board[y - half : y + half, x - half : x + half] = (60, 110, 30)
        if part != without:
            picture = _can() if part == "CAP" else _bar()
            picture = np.rot90(picture, 2) if part == turned else picture
            board[y - half + 5 : y + half - 5, x - half + 5 : x + half - 5] = picture
    noisy = board.astype(np.float64) + rng.normal(0, 4, board.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def part_crops(board: Image) -> Image:
    """The crops of both parts, (2, CROP_PX, CROP_PX, 3)."""
    centres = np.array(list(PARTS.values()), np.float64)
    return crop_squares(board, centres, np.full(2, REGION_SCALE * SIZE_PX), CROP_PX)


def write_component_bundle(folder: Path) -> Path:
    """The bundle; its golden crops are both parts, good and missing."""
    approved = np.stack([approved_pictures(crop[None], (0,)) for crop in part_crops(parts_board(1))])
    boards = (parts_board(2), parts_board(3, without="CAP"), parts_board(4, without="RES"))
    crops = np.concatenate([part_crops(board) for board in boards])
    part = np.tile(np.arange(2, dtype=np.int64), len(boards))
    vectors = reduced(approved.reshape(-1, *approved.shape[2:])).reshape(2, MAX_APPROVED, -1)
    score = exceedance(measured(reduced(crops), vectors[part]), RULES.limits)
    compared = np.repeat(part[:, None], MAX_APPROVED, axis=1)  # one approved picture each, over again
    golden = {"batch": crops, "score": score, "approved": approved[:, 0], "compared": compared}
    contract = {
        "crop_px": CROP_PX,
        "region_scale": REGION_SCALE,
        "channels": "bgr",
        "normalisation": "unit",
        "inputs": [
            _spec("crops", ["N", CROP_PX, CROP_PX, 3], "uint8"),
            _spec("references", ["N", MAX_APPROVED, EMBEDDING_SIZE], "float32"),
        ],
        "outputs": [_spec("score", ["N"], "float32"), _spec("embedding", ["N", EMBEDDING_SIZE], "float32")],
    }
    manifest = {**manifest_of_rules(), "family": "pth_component", "contract": contract}
    return write_files(folder, manifest, RULES.model_dump_json().encode(), golden)


def _spec(name: str, shape: list[object], dtype: str) -> dict[str, object]:
    return {"name": name, "shape": shape, "dtype": dtype, "meaning": name}


def _can() -> Image:
    side = SIZE_PX - 10
    picture = np.full((side, side, 3), (60, 110, 30), np.uint8)
    cv2.circle(picture, (side // 2, side // 2), side // 2 - 2, (40, 40, 40), -1)
    cv2.rectangle(picture, (2, 10), (12, side - 10), (220, 220, 220), -1)
    return picture


def _bar() -> Image:
    side = SIZE_PX - 10
    picture = np.full((side, side, 3), (60, 110, 30), np.uint8)
    cv2.rectangle(picture, (4, 14), (side - 4, side - 14), (140, 200, 230), -1)
    for x, colour in ((10, (20, 20, 160)), (20, (20, 20, 20)), (38, (200, 60, 40))):
        cv2.rectangle(picture, (x, 14), (x + 4, side - 14), colour, -1)
    return picture
