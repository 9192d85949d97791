"""A report about boards of the line twin, and its picture for the docs: no real picture is in it.

    python -m export.report.twin_page [--out docs/report.png] [--page report.html] [--bundle BUNDLE]

Draws the boards, fits the rules inspector on their training half, and sets the bundle beside it on the held-out rest.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from export.demo_stations import BUNDLE
from export.report.browser import screenshot
from export.report.page import report
from export.rules_bundle import write_rules_bundle
from export.simulator.datasets import write_header_set

SEED = 20411  # boards that the demo's bundle never saw
BOARDS = 120
DEFECT_RATE = 0.03
WIDTH_PX, HEIGHT_PX = 1180, 2558


def twin_page(page: Path, bundle: Path, boards: int = BOARDS) -> Path:
    """Write the report of a bundle on boards drawn for it, beside rules fitted on the same set."""
    with tempfile.TemporaryDirectory() as scratch:
        data, rules = Path(scratch) / "line-twin", Path(scratch) / "rules"
        write_header_set(data, boards, SEED, defect_rate=DEFECT_RATE)
        write_rules_bundle(data, rules, table="joints.csv")
        command = ["boardgate", "report", bundle.name, "--compare", "rules", "--data", "line-twin"]
        command += ["--table", "joints.csv", "--out", page.name]
        return report([bundle, rules], data, out=page, table="joints.csv", command=command)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="A report about boards of the line twin, and its picture.")
    parser.add_argument("--out", type=Path, default=Path("docs/report.png"))
    parser.add_argument("--page", type=Path, default=None, help="Keep the page there.")
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        page = twin_page(arguments.page or Path(scratch) / "report.html", arguments.bundle)
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        print(screenshot(page, arguments.out, width_px=WIDTH_PX, height_px=HEIGHT_PX))


if __name__ == "__main__":
    main()
