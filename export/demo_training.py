"""How the bundles of the demo are made, from nothing but the line twin: `python -m export.demo_training [FAMILY...]`.

One rendered set of joints teaches, another chooses the thresholds (its `val` boards) and says how good they are (its
`dev-test` boards): about ten minutes on two cores. The set of components does all three with its own splits, and its
network begins with ImageNet weights where they are installed: about fifteen minutes. Panels of paste take twenty, and
the namer of printer's faults is trained beside them; X-rayed joints and packages some fifteen each.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from edge.bundle import NAMER_GRAPH, NAMER_SETTINGS, read_bundle
from export.bundle import parts_of, write_bundle
from export.calibrate import calibrate
from export.demo_axi import AXI_BUNDLE
from export.demo_packages import PACKAGE_BUNDLE
from export.demo_paste import PASTE_BUNDLE
from export.demo_stations import BUNDLE, COMPONENT_BUNDLE
from export.families.paste_print.namer_study import main as name_faults
from export.simulator.components.sets import write_component_set
from export.simulator.datasets import DEV_TEST, VAL, write_header_set
from export.simulator.paste.sets import write_paste_set
from export.simulator.xray.packages.sets import write_package_set
from export.simulator.xray.sets import write_joint_set
from export.to_bundle import write
from export.workshop import TrainRequest, train

TEACHING_SEED, TEACHING_BOARDS = 11, 80
CALIBRATION_SEED, CALIBRATION_BOARDS = 12, 240
PASTE_SEED, PASTE_BOARDS, PASTE_FAULT_RATE = 5, 800, 0.5
COMPONENT_SEED, COMPONENT_BOARDS, COMPONENT_DEFECT_RATE = 3, 240, 0.2
AXI_SEED, AXI_BOARDS_PER_TYPE = 1, 8
AXI_LIMITS_SEED, AXI_LIMITS_BOARDS_PER_TYPE = 2, 6
PACKAGE_SEED, PACKAGES = 1, 1_700
LIMITS_PACKAGE_SEED, LIMITS_PACKAGES, LIMITS_DEFECT_RATE = 2, 3_000, 0.2
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
    return _calibrated(work / "bundle", work / "set-limits", out, request.table)


def make_component_bundle(out: Path, work: Path) -> str:
    """The same for components; returns the bundle's identity."""
    console.print("rendering boards …")
    data = work / "twin-parts"
    write_component_set(data, COMPONENT_BOARDS, COMPONENT_SEED, DIFFICULTY, COMPONENT_DEFECT_RATE)
    console.print("training …")
    request = TrainRequest(family="pth_component", data=data, table="components.csv", preset="best")
    write(train(request), work / "bundle", say=console.print)
    return _calibrated(work / "bundle", data, out, request.table)


def make_paste_bundle(out: Path, work: Path) -> str:
    """The same for solder paste, with a namer of the printer's faults; returns the bundle's identity."""
    console.print("printing panels …")
    data = work / "twin-prints"
    write_paste_set(data, PASTE_BOARDS, PASTE_SEED, DIFFICULTY, PASTE_FAULT_RATE)
    console.print("training …")
    request = TrainRequest(family="paste_print", data=data, preset="best")
    write(train(request), work / "bundle", all_precisions=False, say=console.print)
    name_faults(["--json", str(work / "namer.json"), "--out", str(work / "namer"), "--rows", "own"])
    files = (work / "namer" / NAMER_GRAPH).read_bytes(), (work / "namer" / NAMER_SETTINGS).read_bytes()
    return write_bundle(out, replace(parts_of(read_bundle(work / "bundle")), namer=files))


def make_axi_bundle(out: Path, work: Path) -> str:
    """The same for X-rayed joints; returns the bundle's identity."""
    console.print("looking through boards …")
    write_joint_set(work / "twin-axi", AXI_BOARDS_PER_TYPE, AXI_SEED, DIFFICULTY)
    write_joint_set(work / "set-limits", AXI_LIMITS_BOARDS_PER_TYPE, AXI_LIMITS_SEED, DIFFICULTY)
    console.print("training …")
    request = TrainRequest(family="axi_joint", data=work / "twin-axi", table="joints.csv", preset="best", bfloat16=True)
    write(train(request), work / "bundle", say=console.print)
    # `val` chose the epoch; the limits are from types that neither it nor `train` has.
    return _calibrated(work / "bundle", work / "set-limits", out, request.table, DEV_TEST, None, hold_out_frac=0.5)


def make_package_bundle(out: Path, work: Path) -> str:
    """The same for BGA packages; returns the bundle's identity."""
    console.print("rendering packages …")
    write_package_set(work / "twin-packages", PACKAGES, PACKAGE_SEED, "optical")
    write_package_set(work / "set-limits", LIMITS_PACKAGES, LIMITS_PACKAGE_SEED, "optical", LIMITS_DEFECT_RATE)
    console.print("training …")
    request = TrainRequest(family="bga_package", data=work / "twin-packages", preset="best", bfloat16=True)
    write(train(request), work / "bundle", all_precisions=False, say=console.print)
    return _calibrated(work / "bundle", work / "set-limits", out, request.table)


def _calibrated(
    bundle: Path,
    data: Path,
    out: Path,
    table: str | None,
    split: str = VAL,
    check_split: str | None = DEV_TEST,
    hold_out_frac: float | None = None,
) -> str:
    """The bundle with thresholds from boards of a split of `data`, in `out`; returns its identity."""
    report = calibrate(
        bundle,
        data,
        out,
        table=table,
        split=split,
        check_split=check_split,
        hold_out_frac=hold_out_frac,
        recall=None,
        false_call_ppm=FALSE_CALL_PPM,
    )
    return report.identity


MAKERS = {
    "solder_joint": (make_demo_bundle, BUNDLE),
    "pth_component": (make_component_bundle, COMPONENT_BUNDLE),
    "paste_print": (make_paste_bundle, PASTE_BUNDLE),
    "axi_joint": (make_axi_bundle, AXI_BUNDLE),
    "bga_package": (make_package_bundle, PACKAGE_BUNDLE),
}

if __name__ == "__main__":
    for family in sys.argv[1:] or MAKERS:
        make, target = MAKERS[family]
        with tempfile.TemporaryDirectory() as folder:
            print(make(target, Path(folder)))
