"""Good boards of the line twin through the real inspection, as they are and under each disturbance: the numbers the
drift monitor sees, and the good joints called.

Every board of the twin is a laminate lot of its own (each colour of the solder mask +- 7 %) in a room of its own, so a
board differs from the next more than on a line that runs one lot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from edge.board import Board, Image
from edge.clock import SystemClock
from edge.inspection import Inspected, Inspection
from edge.recipe import read_recipe
from edge.scorers import EngineChoice
from export.demo_stations import demo_recipe
from export.simulator.board import render_board
from export.simulator.datasets import PART_NUMBER
from export.simulator.imaging import EASY, LINE, Imaging
from export.simulator.layout import header_board

SEED = 7_001
PATIENT_MS = 60_000  # a busy machine must not hold boards here: pictures are compared, not times

# One camera and one regulated lamp, as a station has them: only what the board brings varies, and 1 % of exposure.
STATION = replace(
    EASY,
    name="station",
    lamp_elevation_deg=(60.0, 60.0),
    lamp_azimuth_deg=(-120.0, -120.0),
    lamp_size=(0.10, 0.10),
    key=(0.7, 0.7),
    fill=(0.95, 0.95),
    ring=(0.3, 0.3),
    colour_cast=0.0,
    exposure=(0.99, 1.01),
    uneven_frac=(0.025, 0.025),
    glare_frac=(0.01, 0.01),
    vignette_frac=(0.025, 0.025),
    defocus_px=(0.35, 0.45),
)
IMAGINGS: Mapping[str, Imaging] = {imaging.name: imaging for imaging in (STATION, EASY, LINE)}


def gained(*bgr: float) -> Callable[[Image], Image]:
    """Each colour times its gain, as a lamp or a laminate lot changes it.

    Half a grey level of dither, since a lamp acts before the sensor counts: without it 2 % leave every level below 25
    where it was, which no lamp does.
    """
    factors = np.array(bgr, np.float32)

    def disturb(image: Image) -> Image:
        dither = np.random.default_rng(SEED).random(image.shape, np.float32) - np.float32(0.5)
        return np.clip(np.rint(image * factors + dither), 0, 255).astype(np.uint8)

    return disturb


def _blurred(image: Image) -> Image:
    return cv2.GaussianBlur(image, (0, 0), 0.5).astype(np.uint8, copy=False)


def shifted(x_px: int, y_px: int) -> Callable[[Image], Image]:
    """The whole picture moved, its border repeated."""

    def disturb(image: Image) -> Image:
        rolled = np.roll(image, (y_px, x_px), axis=(0, 1))
        if x_px:
            edge = slice(0, x_px) if x_px > 0 else slice(x_px, None)
            rolled[:, edge] = image[:, edge]
        if y_px:
            edge = slice(0, y_px) if y_px > 0 else slice(y_px, None)
            rolled[edge] = image[edge]
        return rolled

    return disturb


DISTURBANCES: Mapping[str, Callable[[Image], Image]] = {
    "lamp -2 %": gained(0.98, 0.98, 0.98),
    "gain +10 %": gained(1.1, 1.1, 1.1),
    "blur 0.5 px": _blurred,
    "shift 1 px": shifted(1, 0),
    "lot colour: green +3 %": gained(1.0, 1.03, 1.0),
}
CLEAN = "as it is"


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What came under one disturbance of the boards that were scored under every one. `numbers` (N, S) float64."""

    numbers: NDArray[np.float64]
    joints: int
    called: int  # all joints are good, so each is a false call
    held: int  # of all boards, those without a verdict on their joints


def look_at_twin(imaging: Imaging, n_boards: int, bundle: Path | None, folder: Path) -> dict[str, Looked]:
    """Inspect `n_boards` good boards under every disturbance with the demo's recipe, and with `bundle` if given."""
    made = read_recipe(demo_recipe(folder / "recipe", bundle) if bundle else demo_recipe(folder / "recipe"))
    recipe = replace(made, settings=made.settings.model_copy(update={"verdict_budget_ms": PATIENT_MS}))
    inspection = Inspection(recipe, EngineChoice(threads=1, maps=False), SystemClock())
    layout = header_board(PART_NUMBER)
    ways: dict[str, Callable[[Image], Image]] = {CLEAN: lambda image: image, **DISTURBANCES}
    seen: dict[str, list[Inspected]] = {name: [] for name in ways}
    for number in track(range(n_boards), f"boards, {imaging.name}", transient=True):
        picture = render_board(layout, {}, imaging, seed=SEED + number).image
        for name, disturb in ways.items():
            seen[name].append(inspection.inspect(board_of(f"D{number}", disturb(picture))))
    everywhere = [all(b.drift_numbers is not None for b in of_board) for of_board in zip(*seen.values(), strict=True)]
    return {name: _looked(boards, everywhere) for name, boards in seen.items()}


def board_of(board_id: str, image: Image) -> Board:
    """A board triggered now."""
    clock = SystemClock()
    return Board(
        uid=board_id,
        board_id=board_id,
        trigger_ns=clock.now_ns(),
        trigger_utc=clock.utc(),
        picture_path="",
        picture_sha256=hashlib.sha256(image.tobytes()).hexdigest(),
        image=image,
    )


def _looked(boards: list[Inspected], chosen: list[bool]) -> Looked:
    kept = [b for b, wanted in zip(boards, chosen, strict=True) if wanted]
    return Looked(
        numbers=np.array([b.drift_numbers for b in kept], np.float64),
        joints=sum(len(b.verdict.findings) for b in kept),
        called=sum(len(b.verdict.defects) for b in kept),
        held=sum(b.drift_numbers is None for b in boards),
    )
