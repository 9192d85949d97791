"""How evenly the inspection runs: spread of its times, first board against the rest, memory over many boards, time from
start to the first verdict, size of an installation. Each figure beside what it is to reach.

Boards are the line twin's; the inspection, in a process that holds nothing else, is the one that ships.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.machine import machine
from edge.scorers.choice import EngineChoice
from export.demo_stations import as_jpeg, demo_recipe
from export.simulator.datasets import draw_boards

PICTURES = 20
SEED = 1000
SPREAD_BOARDS = 1_000  # over which the spread is asked for; memory is watched over all boards
SETTLING_BOARDS = 200  # before memory is asked to stand still: allocators fill their pools
ROOT = Path(__file__).resolve().parents[1]

console = Console(width=max(120, Console().width) if not Console().is_terminal else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure, what it is to reach at most, and whether it does. `reached` is None where it was not measured."""

    name: str
    value: float | None
    unit: str
    target: float

    @property
    def reached(self) -> bool | None:
        """At most the target."""
        return None if self.value is None else self.value <= self.target


def run(
    bundle: Path, out: Path, *, boards: int, takt_ms: int, engine: EngineChoice, install: bool, json_file: Path | None
) -> list[Figure]:
    """Measure, print a table and write `json_file` where one is given."""
    out.mkdir(parents=True, exist_ok=True)
    recipe, pictures = _recipe(out, bundle), _pictures(out)
    job = {"recipe": str(recipe), "pictures": [str(p) for p in pictures], "boards": boards, "takt_ms": takt_ms}
    started_ns = time.monotonic_ns()
    lines = _inspected(job | _plain(engine), boards)
    figures = _figures(lines, started_ns, _install_mib() if install else None)
    record = _record(figures, lines, f"boardgate bench jitter --boards {boards} --takt-ms {takt_ms}", _plain(engine))
    console.print(_table(record))
    if json_file is not None:
        json_file.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    return figures


def _plain(engine: EngineChoice) -> dict[str, Any]:
    return {"engine": engine.engine, "precision": engine.precision, "threads": engine.threads}


def _recipe(out: Path, bundle: Path) -> Path:
    shutil.rmtree(out / "recipe", ignore_errors=True)
    return demo_recipe(out / "recipe", bundle)


def _pictures(out: Path) -> list[Path]:
    paths = []
    for name, board in track(draw_boards(SEED, PICTURES), "rendering", total=PICTURES, console=console):
        path = out / f"{name}.jpg"
        path.write_bytes(as_jpeg(board.image))
        paths.append(path)
    return paths


def _inspected(job: dict[str, Any], boards: int) -> list[dict[str, Any]]:
    """A line a board. Raises CalledProcessError when the process did not get through."""
    command = [sys.executable, "-m", "benchmarks.jitter_child", json.dumps(job)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdout is not None
        lines = [json.loads(line) for line in track(child.stdout, "inspecting", total=boards, console=console)]
    if child.returncode or len(lines) != boards:
        raise subprocess.CalledProcessError(child.returncode, command[:3])
    return lines


def _figures(lines: list[dict[str, Any]], started_ns: int, install_mib: float | None) -> list[Figure]:
    spread = lines[1 : 1 + SPREAD_BOARDS]
    total = np.array([line["total_ms"] for line in spread])
    score = np.array([line["stages"]["score"] for line in spread if "score" in line["stages"]])  # some are out of time
    busy = np.array([line["processor_ms"] for line in spread])
    rss = np.array([line["rss_mb"] for line in lines])
    return [
        Figure(name="board: p99 / p50", value=_ratio(total), unit="times", target=1.5),
        Figure(name="scoring: p99 / p50", value=_ratio(score), unit="times", target=1.5),
        Figure(name="processor time of a board: p99 / p50", value=_ratio(busy), unit="times", target=1.5),
        Figure(
            name="first board / p50", value=lines[0]["total_ms"] / float(np.median(total)), unit="times", target=1.5
        ),
        Figure(name="memory growth over 1,000 boards", value=_growth_mb(rss), unit="MB", target=1.0),
        Figure(name="resident memory, most", value=float(rss.max()), unit="MB", target=300.0),
        Figure(name="start to first verdict", value=(lines[0]["decided_ns"] - started_ns) / 1e9, unit="s", target=3.0),
        Figure(name="base installation", value=install_mib, unit="MiB", target=380.0),
    ]


def _ratio(ms: np.ndarray) -> float:
    return float(np.quantile(ms, 0.99) / np.median(ms))


def _growth_mb(rss_mb: np.ndarray) -> float | None:
    """Slope of a straight line through resident memory once it has settled, MB for 1,000 boards."""
    settled = rss_mb[SETTLING_BOARDS:]
    if len(settled) < SETTLING_BOARDS:
        return None
    return float(np.polyfit(np.arange(len(settled)), settled, 1)[0] * 1_000)


def _install_mib() -> float:
    """Size on disk of a fresh environment with the base package alone, pip and setuptools taken off."""
    with tempfile.TemporaryDirectory(prefix="boardgate-install-") as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [f"{folder}/bin/python", "-m", "pip", "--disable-pip-version-check", "--quiet"]
        empty = _size_mib(Path(folder))
        subprocess.run([*pip, "install", "--constraint", str(ROOT / "constraints.txt"), str(ROOT)], check=True)
        return _size_mib(Path(folder)) - empty


def _size_mib(folder: Path) -> float:
    done = subprocess.run(["du", "-sk", str(folder)], check=True, capture_output=True, text=True)
    return int(done.stdout.split()[0]) / 1024


def _record(figures: list[Figure], lines: list[dict[str, Any]], command: str, engine: dict[str, Any]) -> dict[str, Any]:
    spread = lines[1 : 1 + SPREAD_BOARDS]
    stages = list(spread[0]["stages"])
    ms = {name: [line["stages"][name] for line in spread if name in line["stages"]] for name in stages}
    ms["total"] = [line["total_ms"] for line in spread]
    ms["processor"] = [line["processor_ms"] for line in spread]
    outcomes = [line["outcome"] for line in lines]
    return {
        "command": command,
        "on": "the line twin",
        "boards": len(lines),
        "engine": engine,
        "figures": [asdict(f) | {"reached": f.reached} for f in figures],
        "ms_p50_p99_max": {k: [float(np.quantile(v, q)) for q in (0.5, 0.99, 1.0)] for k, v in ms.items()},
        "first_ms": lines[0]["total_ms"],
        "rss_mb_first_settled_last": [lines[k]["rss_mb"] for k in (0, min(SETTLING_BOARDS, len(lines) - 1), -1)],
        "outcomes": {name: outcomes.count(name) for name in sorted(set(outcomes))},
        **machine(),
        "opencv_threads": cv2.getNumThreads(),
    }


def _table(record: dict[str, Any]) -> Table:
    table = Table(
        title=f"{record['boards']} boards of 50 joints, {record['engine']['engine']}, on the line twin",
        caption=f"load {record['load_1_min']}",
        title_justify="left",
    )
    table.add_column("figure")
    for column in ("measured", "to reach", ""):
        table.add_column(column, justify="right")
    for f in record["figures"]:
        value = "not measured" if f["value"] is None else f"{f['value']:.2f} {f['unit']}"
        mark = {True: "[green]yes[/]", False: "[red]no[/]", None: ""}[f["reached"]]
        table.add_row(f["name"], value, f"≤ {f['target']:g} {f['unit']}", mark)
    table.add_section()
    for stage, (p50, p99, most) in record["ms_p50_p99_max"].items():
        table.add_row(f"{stage}, ms p50 / p99 / max", f"{p50:.1f} / {p99:.1f} / {most:.1f}")
    return table
