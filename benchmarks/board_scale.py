"""A large board, from decoded picture to verdict: 3,000 joints in a picture of 26 megapixels, time by stage.

The board is a panel of 64 small boards of the line twin, no two of one layout, photographed together; 60 of them are
inspected, 50 joints each. What is simulated: boards and camera. What is measured is the inspection that ships,
registration included.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.machine import machine
from edge.board import Board, Image, Verdict
from edge.clock import SystemClock
from edge.inspection import Inspection
from edge.process import quiet_garbage
from edge.recipe import read_recipe
from edge.recipe_new import new_recipe
from edge.scorers import EngineChoice
from export.simulator.board import render_board
from export.simulator.datasets import DEFECTS, draw_defects
from export.simulator.imaging import REFERENCE
from export.simulator.layout import header_board

TILES_A_SIDE, INSPECTED_TILES = 8, 60
TILE_PX = 640
SIDE_PX = TILES_A_SIDE * TILE_PX
PICTURES = 3  # different boards, taken in turn
DEFECT_RATE = 0.002
TARGET_MS, AIM_MS = 1_500.0, 300.0
BUDGET_MS = 60_000  # nothing is cut short here: times are measured, not kept
SEED = 3000

console = Console()


def run(bundle: Path, out: Path, *, n_boards: int, engine: EngineChoice, json_file: Path | None) -> dict[str, Any]:
    """Measure, print a table and write `json_file` where one is given."""
    source, files = rendered(out)
    recipe = panel_recipe(source, out / "recipe", bundle)
    pictures = [cv2.imread(str(file), cv2.IMREAD_COLOR).astype(np.uint8, copy=False) for file in files]
    inspection = Inspection(read_recipe(recipe), engine, SystemClock())
    quiet_garbage()
    figures = _figures(list(_inspected(inspection, pictures, n_boards)), n_boards, engine)
    console.print(_table(figures))
    if json_file is not None:
        json_file.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    return figures


def rendered(folder: Path) -> tuple[Path, list[Path]]:
    """The recipe of the panel, its reference and 3,000 places, and PICTURES photographs of panels. Rendering takes two
    minutes, so what an earlier run left in `folder` is taken."""
    recipe, files = folder / "recipe-source", [folder / f"panel-{k}.png" for k in range(PICTURES)]
    if not all(file.is_file() for file in files):
        recipe.mkdir(parents=True, exist_ok=True)
        reference, panels, pins = _draw()
        cv2.imwrite(str(recipe / "reference.png"), reference)
        with (recipe / "places.csv").open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["refdes", "pin", "x", "y", "pitch"])
            rows.writerows(pins)
        for number, (path, panel) in enumerate(zip(files, panels, strict=True)):
            cv2.imwrite(str(path), _photograph(panel, number))
    return recipe, files


def panel_recipe(source: Path, out: Path, bundle: Path) -> Path:
    """The recipe of the panel with this bundle. Made anew."""
    shutil.rmtree(out, ignore_errors=True)
    new_recipe(
        reference=source / "reference.png",
        places=source / "places.csv",
        bundle=bundle,
        out=out,
        recipe_id="panel-3000",
        part_number="BG-PANEL",
        verdict_budget_ms=BUDGET_MS,
    )
    return out


def _draw() -> tuple[Image, list[Image], list[tuple[str, str, str, str, str]]]:
    """The flat reference, the flat panels, and the places as rows of a table: a layout after the other, since the
    artwork of each is what takes long."""
    reference, *panels = (np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8) for _ in range(1 + PICTURES))
    rows = []
    for tile in track(range(TILES_A_SIDE**2), "rendering 64 small boards", console=console):
        layout = header_board(f"BG-P{tile:02d}")
        clean = render_board(layout, {}, REFERENCE, seed=0)
        x0_px, y0_px = _put(reference, tile, clean.image)
        scale = TILE_PX / clean.image.shape[0]
        for place in clean.places if tile < INSPECTED_TILES else ():
            x_px, y_px = x0_px + (place.x_px + 0.5) * scale - 0.5, y0_px + (place.y_px + 0.5) * scale - 0.5
            pitch = f"{place.pitch_px * scale:.3f}"
            rows.append((f"B{tile:02d}{place.refdes}", place.pin, f"{x_px:.3f}", f"{y_px:.3f}", pitch))
        for number, panel in enumerate(panels):
            rng = np.random.default_rng([SEED, number, tile])
            states = draw_defects(layout, DEFECTS, DEFECT_RATE, rng)
            _put(panel, tile, render_board(layout, states, REFERENCE, seed=int(rng.integers(2**31))).image)
    return reference, panels, rows


def _put(panel: Image, tile: int, picture: Image) -> tuple[int, int]:
    x0_px, y0_px = tile % TILES_A_SIDE * TILE_PX, tile // TILES_A_SIDE * TILE_PX
    small = cv2.resize(picture, (TILE_PX, TILE_PX), interpolation=cv2.INTER_AREA)
    panel[y0_px : y0_px + TILE_PX, x0_px : x0_px + TILE_PX] = small
    return x0_px, y0_px


def _photograph(panel: Image, number: int) -> Image:
    """The panel as a camera over a conveyor sees it: turned, shifted and tilted a little, noisy."""
    rng = np.random.default_rng([SEED, number])
    picture = cv2.warpPerspective(panel, _view(rng), (SIDE_PX, SIDE_PX), borderMode=cv2.BORDER_REPLICATE)
    noise = np.empty(picture.shape, np.int8)
    cv2.setRNGSeed(number)
    cv2.randn(noise, 0, 2)
    return cv2.add(picture, noise, dtype=cv2.CV_8U).astype(np.uint8, copy=False)


def _view(rng: np.random.Generator) -> NDArray[np.float64]:
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float32) * SIDE_PX
    moved = corners + rng.uniform(-0.004, 0.004, corners.shape).astype(np.float32) * SIDE_PX
    return np.asarray(cv2.getPerspectiveTransform(corners, moved), np.float64)


def _inspected(inspection: Inspection, pictures: list[Image], n_boards: int) -> Iterator[tuple[Verdict, float]]:
    """Each verdict, and the milliseconds of processor time all threads took for it."""
    clock = SystemClock()
    for number in track(range(n_boards), "inspecting", console=console):
        board = Board(
            uid=f"panel-{number}",
            board_id=f"panel-{number}",
            trigger_ns=clock.now_ns(),
            trigger_utc=clock.utc(),
            picture_path="",
            picture_sha256="0" * 64,
            image=pictures[number % len(pictures)],
        )
        busy_ns = time.process_time_ns()
        verdict = inspection.inspect(board).verdict
        yield verdict, (time.process_time_ns() - busy_ns) / 1e6


def _figures(inspected: list[tuple[Verdict, float]], n_boards: int, engine: EngineChoice) -> dict[str, Any]:
    verdicts = [verdict for verdict, _ in inspected]
    stages = [{s.stage: s.ms for s in v.stages} for v in verdicts]
    totals = [v.total_ms for v in verdicts]
    n_scored = [len(v.findings) for v in verdicts]
    return {
        "command": f"boardgate bench board-scale --boards {n_boards}",
        "on": "the line twin",
        "megapixels": round(SIDE_PX**2 / 1e6, 1),
        "places": verdicts[0].n_regions,
        "fewest_scored": min(n_scored),
        "outcomes": sorted({v.outcome.value for v in verdicts}),
        "boards": n_boards,
        "engine": f"{engine.engine} {engine.precision}",
        "threads": engine.threads,
        "total_ms": _quantiles(totals[1:]),
        "first_ms": totals[0],
        "processor_ms": _quantiles([busy_ms for _, busy_ms in inspected[1:]]),
        "stages_ms": {name: _quantiles([s.get(name, 0.0) for s in stages[1:]]) for name in stages[0]},
        "us_a_joint_without_registration": 1e3
        * float(np.median([v.total_ms - s.get("register", 0.0) for v, s in zip(verdicts[1:], stages[1:], strict=True)]))
        / max(1, min(n_scored)),
        "target_ms": TARGET_MS,
        "aim_ms": AIM_MS,
        **machine(),
    }


def _quantiles(values: list[float]) -> dict[str, float]:
    return {
        "p50": float(np.median(values)),
        "p99": float(np.quantile(values, 0.99)),
        "max": max(values),
        "min": min(values),
    }


def _table(figures: dict[str, Any]) -> Table:
    title = f"{figures['places']} joints, {figures['megapixels']} megapixels, {figures['engine']}, "
    caption = f"on the line twin; to reach {TARGET_MS:.0f} ms, aim {AIM_MS:.0f} ms; load {os.getloadavg()[0]:.1f}"
    table = Table(title=f"{title}{figures['threads']} threads", caption=caption, title_justify="left")
    table.add_column("stage")
    for column in ("p50 ms", "p99 ms", "max ms", "min ms"):
        table.add_column(column, justify="right")
    for name, q in (
        *figures["stages_ms"].items(),
        ("picture to verdict", figures["total_ms"]),
        ("processor time, all threads", figures["processor_ms"]),
    ):
        table.add_row(name, *(f"{q[k]:.1f}" for k in ("p50", "p99", "max", "min")))
    table.add_row("first board", f"{figures['first_ms']:.1f}")
    table.add_row("µs a joint, all but registration", f"{figures['us_a_joint_without_registration']:.0f}")
    return table
