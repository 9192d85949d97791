"""How long SPI machine files take: one panel of 100,000 pads parsed, and a table of six million rows summarised.

Both files are made from a seed, in the formats the machines write; nothing of a real file is in them. Each measurement
runs in a process of its own, so that its memory is its own.

    python -m benchmarks.paste_files --rows 6000000 --json benchmarks/results/paste_files.json
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edge.capture.readers.paste import read_panel
from edge.capture.readers.paste_settings import PasteFileSettings

BUDGETS = {"panel_parse_s": 2.0, "table_summary_s": 120.0, "table_peak_mib": 2048.0}
SUB_BOARDS, PADS_A_SUB_BOARD = 8, 389  # as on the line whose table the format is from: 3,112 pads a panel
SHORT_PANEL, SHORT_PADS = 3, 2_987  # the panel that stops early, and how far it gets
REPEATS = 5
PANEL_NAME = "BG00000120200921120010.csv"
_TABLE_HEADER = (
    "PanelID,FigureID,Date,Time,ComponentID,PinNumber,PadID,PadType,Volume(%),Height(um),Area(%),OffsetX(%),"
    "OffsetY(%),SizeX,SizeY,Volume(um3),Area(um2),Shape(um),PosX(mm),PosY(mm),Result"
)
_PANEL_HEAD = (
    "             BARCODE  INDEX     DATE     S.TIME    E.TIME   CYCLE             JOB        RESULT       USER"
    "          LOTINFO        MACHINE        ",
    "                BG000001 24857 09/21/2020   12:00:00  12:00:08      8             PP-TOP     GOOD           SV"
    "              KOHYOUNG",
    "Component ID,Volume(%),Height(um),Area(%),OffsetX(%),OffsetY(%),Volume(um3),Area(um2),Result,PinNumber,"
    "Pad Verification,Shape,Library_Name,Vol_Min(%),Vol_Max(%),Height_Low(um),Height_High(um),Area_Min(%),"
    "Area_Max(%),OffsetX_Error(mm),OffsetY_Error(mm),PosX(mm),PosY(mm),",
)


def write_table(path: Path, rows: int, seed: int) -> None:
    """A table of `rows` pads, panel after panel, one of which stops early."""
    rng = np.random.default_rng(seed)
    pads = SUB_BOARDS * PADS_A_SUB_BOARD
    aperture_um2 = np.tile(rng.uniform(1e5, 3e6, PADS_A_SUB_BOARD), SUB_BOARDS)
    places = rng.uniform(0, 200, (pads, 2))
    fixed = [
        f"C{k % PADS_A_SUB_BOARD // 2},{k % 2 + 1},{k + 1},0" for k in range(pads)
    ]  # PadID counts over the whole panel
    with path.open("w", encoding="ascii", newline="") as file:
        file.write(_TABLE_HEADER + "\n")
        written = panel = 0
        while written < rows:
            n = min(rows - written, SHORT_PADS if panel == SHORT_PANEL else pads)
            title = f"2631904{panel:04d}00520102844"
            area, height = rng.normal(95, 4, pads), rng.normal(115, 5, pads)
            um2 = np.round(area * aperture_um2 / 100)
            volume = um2 * np.round(height, 3)
            columns = (volume / aperture_um2 / 1.2, height, area, rng.normal(0, 1, pads), rng.normal(0, 1, pads))
            lines = [
                f"{title},{k // PADS_A_SUB_BOARD + 1},9/20/2019,11:16:02,{fixed[k]},{v:.3f},{h:.3f},{a:.3f},{ox:.3f},"
                f"{oy:.3f},0.77,0.47,{um3:.7g},{u:.0f},44.4,{x:.1f},{y:.1f},GOOD\n"
                for k, v, h, a, ox, oy, um3, u, (x, y) in zip(
                    range(n),
                    *(c.tolist() for c in columns),
                    volume.tolist(),
                    um2.tolist(),
                    places.tolist(),
                    strict=False,
                )
            ]
            file.writelines(lines)
            written, panel = written + n, panel + 1


def write_panel(path: Path, pads: int, seed: int) -> None:
    """One panel of a Koh Young machine, three pads in ten without a name."""
    rng = np.random.default_rng(seed)
    aperture_um2 = rng.uniform(1e5, 3e6, pads)
    area, height = rng.normal(95, 4, pads), rng.normal(115, 5, pads)
    um2 = np.round(area * aperture_um2 / 100)
    volume = um2 * np.round(height, 3)
    names = [("1:", "", "PART4") if k % 10 < 3 else (f"1:C{k // 8}_01", f"{k % 8 + 1}", "") for k in range(pads)]
    columns = (volume / aperture_um2 / 1.2, height, area, volume, um2)
    lines = [
        f"{name},{v:.3f},{h:.3f},{a:.3f},0.562,-1.391,{um3:.0f},{u:.0f},GOOD,{pin},,65.8um,{library},45,200,60,230,60,"
        f"170,0.18,0.18,{k % 300 * 1.2:.3f},{k // 300 * 1.2:.3f},"
        for k, (name, pin, library), v, h, a, um3, u in zip(
            range(pads), names, *(c.tolist() for c in columns), strict=True
        )
    ]
    path.write_bytes("".join(f"{line}\r\n" for line in (*_PANEL_HEAD, *lines, "")).encode("ascii"))


def parse_panel(path: Path) -> dict[str, object]:
    """Seconds to parse one panel, the bytes already in memory as the watched folder has them."""
    data, settings = path.read_bytes(), PasteFileSettings(format="koh_young_csv", date_order="mdy")
    wall_s, cpu_s = [], []
    for _ in range(REPEATS):
        wall, cpu = time.perf_counter(), time.process_time()
        panel = read_panel(data, PANEL_NAME, settings)
        wall_s.append(time.perf_counter() - wall)
        cpu_s.append(time.process_time() - cpu)
    return {
        "pads": len(panel),
        "doubts": len(panel.faults),
        "mib": round(len(data) / 2**20, 1),
        "first_s": round(wall_s[0], 3),
        "median_s": round(float(np.median(wall_s)), 3),
        "median_cpu_s": round(float(np.median(cpu_s)), 3),
    }


def summarise_table(path: Path) -> dict[str, object]:
    """Seconds and memory to summarise one table."""
    from export.paste_files.summary import summarise  # noqa: PLC0415 - the other child does without it

    settings = PasteFileSettings(format="spi_table", date_order="mdy")
    wall, cpu = time.perf_counter(), time.process_time()
    summary = summarise(path, settings)
    return {
        "rows": summary.n_rows,
        "panels": len(summary.panels),
        "refused": len(summary.refused),
        "unexpected": summary.unexpected(),
        "mib": round(path.stat().st_size / 2**20, 1),
        "wall_s": round(time.perf_counter() - wall, 1),
        "cpu_s": round(time.process_time() - cpu, 1),
    }


CHILDREN: dict[str, Callable[[Path], dict[str, object]]] = {"panel": parse_panel, "table": summarise_table}


def _child(what: str, path: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.paste_files", "--child", what, str(path)]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, Any] = json.loads(out)
    return found


def run(rows: int, pads: int, seed: int, json_path: Path | None) -> dict[str, Any]:
    """Make both files in a temporary folder, measure, and write the figures."""
    with tempfile.TemporaryDirectory() as folder:
        panel, table = Path(folder) / PANEL_NAME, Path(folder) / "table.csv"
        write_panel(panel, pads, seed)
        write_table(table, rows, seed)
        figures = {"panel": _child("panel", panel), "table": _child("table", table)}
    from benchmarks.machine import machine  # noqa: PLC0415 - sooner, it would count as a child's memory

    measured: dict[str, Any] = {
        "panel_parse_s": figures["panel"]["median_s"],
        "table_summary_s": figures["table"]["wall_s"],
        "table_peak_mib": figures["table"]["peak_mib"],
    }
    result: dict[str, Any] = {
        "command": f"python -m benchmarks.paste_files --rows {rows} --pads {pads} --seed {seed}",
        "made": "synthetic files of a seed, in the formats of real machines",
        "machine": machine(),
        **figures,
        "budgets": {name: {"measured": measured[name], "allowed": BUDGETS[name]} for name in BUDGETS},
    }
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    return result


def main() -> int:
    """0 when every budget is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=6_000_000)
    parser.add_argument("--pads", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", nargs=2, metavar=("WHAT", "FILE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        what, path = given.child
        figures = dict(CHILDREN[what](Path(path)))
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({**figures, "peak_mib": round(peak_mib, 1)}))
        return 0
    result = run(given.rows, given.pads, given.seed, given.json)
    print(json.dumps(result, indent=2))
    return int(any(row["measured"] > row["allowed"] for row in result["budgets"].values()))


if __name__ == "__main__":
    sys.exit(main())
