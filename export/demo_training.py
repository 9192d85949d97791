"""How the bundle of the demo is made, from nothing but the line twin: `python -m export.demo_training`.

One rendered set teaches, another chooses the thresholds (its `val` boards) and says how good they are (its `dev-test`
boards). About ten minutes on two cores.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from rich.console import Console

from export.calibrate import calibrate
from export.demo_stations import BUNDLE
from export.simulator.datasets import DEV_TEST, VAL, write_header_set
from export.to_bundle import write
from export.workshop import TrainRequest, train

TEACHING_SEED, TEACHING_BOARDS = 11, 80
CALIBRATION_SEED, CALIBRATION_BOARDS = 12, 240
DIFFICULTY = "line"
DEFECT_RATE = 0.05
FALSE_CALL_PPM = 10_000.0  # fewer would cost recall: low solder is hard to see, and a demo shows both kinds of mistake

console = Console(stderr=True)


def make_demo_bundle(out: Path, work: Path) -> str:
    """Render, train, export, calibrate; returns the bundle's identity."""
    console.print("rendering boards …")
    write_header_set(work / "set-line", TEACHING_BOARDS, TEACHING_SEED, DIFFICULTY)
    write_header_set(work / "set-limits", CALIBRATION_BOARDS, CALIBRATION_SEED, DIFFICULTY, DEFECT_RATE)
    console.print("training …")
    request = TrainRequest(
        family="solder_joint", data=work / "set-line", table="joints.csv", preset="best", bfloat16=True
    )
    write(train(request), work / "bundle", say=console.print)
    report = calibrate(
        work / "bundle",
        work / "set-limits",
        out,
        table="joints.csv",
        split=VAL,
        check_split=DEV_TEST,
        recall=None,
        false_call_ppm=FALSE_CALL_PPM,
    )
    return report.identity


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(make_demo_bundle(BUNDLE, Path(folder)))
