"""Drift that is not called a defect: how seldom the monitor alarms without a cause, how soon with one, and whether a
change of light, focus or place floods the line with false calls. Boards are of the line twin, joints also real ones.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.drift_picture import PicturedRun, draw_runs
from benchmarks.drift_real import LOOSE_FRAC, SPLIT, WHERE, Called, call_real_joints
from benchmarks.drift_twin import CLEAN, DISTURBANCES, IMAGINGS, SEED, Looked, board_of, look_at_twin
from calibration.drift_design import cusum_arl
from calibration.drift_simulation import SHAPES, Delays, FalseAlarms, detection_delays, false_alarms
from edge.clock import SystemClock
from edge.drift import FLOORS, FOUND_IN_100_BOARDS, WATCHED, DriftMonitor
from edge.drift_chart import CAP, CLIP, LIMIT, REFERENCE_BOARDS, SLACK
from edge.inspection import Inspection
from edge.recipe import read_recipe
from edge.scorers import EngineChoice
from export.demo_stations import demo_recipe
from export.simulator.board import reference_board
from export.simulator.datasets import PART_NUMBER
from export.simulator.layout import header_board

STATIONS, BOARDS_EACH = 200, 10_000
DELAY_STATIONS = 400
RAMP_BOARDS = 200
LINE_BOARDS_FRAC = 0.25  # that imaging is looked at for its spread and its false calls; no chart finds 2 % in it
RUN_BEFORE, RUN_AFTER = 150, 150  # boards of a pictured run between learning and the cause, and after it
PICTURED = {"lamp -2 %": "lamp", "blur 0.5 px": "focus"}
TIMING_ROUNDS = 300

console = Console()


def run(
    out: Path, boards: int, data: Path | None, bundles: Mapping[str, Path], json_path: Path | None, picture: Path | None
) -> dict[str, object]:
    """Simulate, look, measure; print the tables, write the figures and the picture, and return the figures."""
    cv2.setNumThreads(1)
    alarms = {name: _false_alarms(name) for name in SHAPES}
    _print_alarms(alarms)
    looked = {
        name: look_at_twin(imaging, math.ceil(boards * (LINE_BOARDS_FRAC if name == "line" else 1)), None, out / name)
        for name, imaging in IMAGINGS.items()
    }
    twin_alarms = {name: _twin_false_alarms(of[CLEAN]) for name, of in looked.items()}
    delays = {name: _delays(of) for name, of in looked.items()}
    _print_delays(looked, twin_alarms, delays)
    real = {name: call_real_joints(data, folder) for name, folder in bundles.items()} if data is not None else {}
    _print_calls(looked, real)
    cost = _cost(out)
    console.print(f"per board: {cost['measure_ms_min']:.2f} ms to measure, {cost['observe_ms_min']:.3f} ms to chart")
    figures: dict[str, object] = {
        "command": f"boardgate bench drift --boards {boards} --data ../shared/data/tht-header-joints "
        + " ".join(f"--bundle {name}=…" for name in bundles),
        "where": "simulated numbers, boards of the line twin, and good val close-up joints of tht-header-joints",
        "chart": _chart(),
        "false_alarms_simulated": {name: _plain(asdict(a)) for name, a in alarms.items()},
        "twin": {
            name: {
                "boards": len(of[CLEAN].numbers),
                "spread": dict(zip(_words(), np.round(of[CLEAN].numbers.std(axis=0, ddof=1), 5).tolist(), strict=True)),
                "false_alarms": _plain(asdict(twin_alarms[name])),
                "delays": {cause: _plain(asdict(d)) for cause, d in delays[name].items()},
                "good_joints_called": {
                    cause: {"joints": lo.joints, "called": lo.called, "held_boards": lo.held}
                    for cause, lo in of.items()
                },
            }
            for name, of in looked.items()
        },
        "real_good_joints": {"split": SPLIT, "where": WHERE, "bundles": _real_plain(real)},
        "cost": cost,
    }
    if picture is not None:
        figures["pictured_delay_boards"] = draw_runs(picture, _pictured_runs(looked["station"]))
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    return figures


def _words() -> list[str]:
    return [w.word for w in WATCHED]


def _chart() -> dict[str, object]:
    return {
        "reference_boards": REFERENCE_BOARDS,
        "k": SLACK,
        "h": LIMIT,
        "cap": CAP,
        "clip": CLIP,
        "floors": {w.word: w.floor for w in WATCHED},
        "arl0_one_side_one_number_exact": round(cusum_arl(SLACK, LIMIT)),
        "arl1_exact_by_shift_in_spreads": {str(d): round(cusum_arl(SLACK, LIMIT, d), 1) for d in (0.5, 0.75, 1, 2)},
        "shift_found_in_100_boards_in_spreads": FOUND_IN_100_BOARDS,
    }


def _false_alarms(shape: str) -> FalseAlarms:
    draw = SHAPES[shape]
    return false_alarms(draw, stations=STATIONS, boards=BOARDS_EACH, n_numbers=len(WATCHED), seed=SEED)


def _twin_false_alarms(looked: Looked) -> FalseAlarms:
    """Stations whose boards are drawn from the twin's, with the twin's own relations between the numbers."""
    numbers = looked.numbers
    return false_alarms(
        lambda rng, shape: numbers[rng.integers(len(numbers), size=shape[:2])],
        stations=STATIONS,
        boards=BOARDS_EACH,
        n_numbers=len(WATCHED),
        seed=SEED,
        floor=FLOORS,
    )


def _delays(of: dict[str, Looked]) -> dict[str, Delays]:
    clean = of[CLEAN].numbers
    found = {}
    for cause in DISTURBANCES:
        changed = of[cause].numbers
        found[cause] = detection_delays(clean, changed, FLOORS, stations=DELAY_STATIONS, seed=SEED)
    slow = of["lamp -2 %"].numbers
    found[f"lamp -2 % over {RAMP_BOARDS} boards"] = detection_delays(
        clean, slow, FLOORS, stations=DELAY_STATIONS, seed=SEED, ramp_boards=RAMP_BOARDS
    )
    return found


def _pictured_runs(of: dict[str, Looked]) -> list[PicturedRun]:
    rng = np.random.default_rng(SEED)
    clean, runs = of[CLEAN].numbers, []
    for cause, word in PICTURED.items():
        changed = of[cause].numbers
        before = clean[rng.integers(len(clean), size=REFERENCE_BOARDS + RUN_BEFORE)]
        numbers = np.concatenate([before, changed[rng.integers(len(changed), size=RUN_AFTER)]])
        runs.append(PicturedRun(title=cause, word=word, numbers=numbers, cause_at=len(before)))
    return runs


def _cost(out: Path) -> dict[str, float]:
    """Milliseconds of the picture's and the chart's part of a board, on the reference picture."""
    inspection = Inspection(read_recipe(demo_recipe(out / "cost")), EngineChoice(threads=1, maps=False), SystemClock())
    image = reference_board(header_board(PART_NUMBER)).image
    stages = [
        sum(s.ms for s in inspection.inspect(board_of("T", image)).verdict.stages if s.stage == "drift")
        for _ in range(TIMING_ROUNDS // 10)
    ]
    numbers = inspection.inspect(board_of("T", image)).drift_numbers
    monitor, times = DriftMonitor(None, ""), []
    for number in range(REFERENCE_BOARDS + TIMING_ROUNDS):
        started = time.perf_counter()
        monitor.observe(f"B{number}", numbers)
        times.append((time.perf_counter() - started) * 1e3)
    charted = times[REFERENCE_BOARDS:]
    return {
        "measure_ms_median": round(float(np.median(stages)), 3),
        "measure_ms_min": round(min(stages), 3),
        "observe_ms_median": round(float(np.median(charted)), 4),
        "observe_ms_min": round(min(charted), 4),
        "learn_ms": round(times[REFERENCE_BOARDS - 1], 3),
    }


def _print_alarms(alarms: Mapping[str, FalseAlarms]) -> None:
    table = Table(title=f"No cause: {STATIONS} stations of {BOARDS_EACH:,} boards, each with its own learned reference")
    for column in ("numbers", "alarms per 10,000 boards", "ARL0, boards", "95 %"):
        table.add_column(column, justify="left" if column == "numbers" else "right")
    for name, a in alarms.items():
        table.add_row(name, f"{a.per_10_000:.2f}", f"{a.arl0:,.0f}", f"{a.arl0_lower:,.0f} to {a.arl0_upper:,.0f}")
    console.print(table)


def _print_delays(
    looked: Mapping[str, dict[str, Looked]],
    alarms: Mapping[str, FalseAlarms],
    delays: Mapping[str, dict[str, Delays]],
) -> None:
    table = Table(title=f"On the line twin: boards from the cause to the alarm, {DELAY_STATIONS} stations each")
    for column in ("imaging (lamp spread)", "cause", "mean (95 %)", "median", "p95", "within 100"):
        table.add_column(column, justify="left" if column in ("imaging (lamp spread)", "cause") else "right")
    for name, by_cause in delays.items():
        spread = looked[name][CLEAN].numbers[:, 0].std(ddof=1)
        a = alarms[name]
        note = f"{name} ({spread:.1%})"
        table.add_row(note, "none", f"ARL0 {a.arl0:,.0f} ({a.arl0_lower:,.0f} to {a.arl0_upper:,.0f})", "", "", "")
        for cause, d in by_cause.items():
            mean = f"{d.mean:.1f} ({d.mean_lower:.1f} to {d.mean_upper:.1f})"
            table.add_row("", cause, mean, f"{d.median:.0f}", f"{d.p95:.0f}", f"{d.within_100_frac:.1%}")
    console.print(table)


def _print_calls(looked: Mapping[str, dict[str, Looked]], real: Mapping[str, dict[str, Called]]) -> None:
    table = Table(title="Good joints called at the bundle's own threshold, and times as many as without the cause")
    table.add_column("boards, bundle")
    for cause in (CLEAN, *DISTURBANCES):
        table.add_column(cause, justify="right")
    for name, of in looked.items():
        table.add_row(f"twin {name}, demo", *_times([(seen.called, seen.joints) for seen in of.values()]))
    for name, calls in real.items():
        table.add_row(f"real val, {name}", *_times([(c.called, c.joints) for c in calls.values()]))
        table.add_row(f"  at {LOOSE_FRAC:.0%} called", *_times([(c.called_of_loose, c.joints) for c in calls.values()]))
    console.print(table)


def _times(counts: Sequence[tuple[float, int]]) -> list[str]:
    clean, joints = counts[0]
    return [f"{clean:g} of {joints}"] + [f"{n:g} ({n / clean:.2f}x)" if clean else f"{n:g}" for n, _ in counts[1:]]


def _real_plain(real: Mapping[str, dict[str, Called]]) -> dict[str, dict[str, object]]:
    return {name: {cause: asdict(c) for cause, c in calls.items()} for name, calls in real.items()}


def _plain(values: dict[str, float]) -> dict[str, float | None]:
    """Rounded, and null for what has no finite value."""
    return {k: (round(v, 3) if math.isfinite(v) else None) for k, v in values.items()}
