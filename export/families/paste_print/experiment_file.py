"""Options and result files of the experiments on paste: rows of a method come or are replaced, all others stay."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from export.families import one_of
from export.families.paste_print.experiment_methods import COMPARATORS, comparator_methods
from export.families.paste_print.experiment_runs import TEST_SEEDS, Line, Method
from export.faults import WorkshopFault

DATA = "simulated, calibrated on real boards"


class ExperimentFault(WorkshopFault):
    """A result file of other settings: what it says, what was asked for."""


def add_common(parser: argparse.ArgumentParser) -> None:
    """What every experiment asks for."""
    parser.add_argument("--json", type=Path, required=True, help="the result file, read first where it is there")
    parser.add_argument("--methods", nargs="+", default=list(COMPARATORS), help="comparators, or files of networks")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(TEST_SEEDS), help="test seeds")


def methods_of(line: Line, names: Sequence[str], *, counted: bool = True) -> list[Method]:
    """Comparators by name and networks by file. Raises UnknownName, CheckpointFault and BestFault."""
    files = [Path(name) for name in names if name.endswith(".pt")]
    own = [one_of({c: c for c in COMPARATORS}, name, "method") for name in names if not name.endswith(".pt")]
    methods = comparator_methods(line, own, counted=counted)
    if files:  # torch is loaded for networks only
        from export.families.paste_print.experiment_networks import network_method  # noqa: PLC0415

        methods += [network_method(file) for file in files]
    return methods


def merged(path: Path, module: str, settings: Mapping[str, Any], found: Mapping[str, list[dict[str, Any]]]) -> Any:
    """The file's content with the rows of `found`, those of other methods as they were. Raises ExperimentFault."""
    before: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    if before and before["settings"] != settings:
        raise ExperimentFault(f"{path}: made with {before['settings']}, asked for {dict(settings)}")
    parts = {name: list(before.get("found", {}).get(name, [])) for name in {*before.get("found", {}), *found}}
    for name, rows in found.items():
        again = {row["method"] for row in rows}
        parts[name] = [row for row in parts[name] if row["method"] not in again] + rows
    return {
        "command": f"python -m export.families.paste_print.{module}",
        "data": DATA,
        "settings": dict(settings),
        "found": {name: parts[name] for name in sorted(parts)},
    }


def write(path: Path, content: Mapping[str, Any]) -> None:
    """One row a line, so that changes can be read."""
    head = {name: value for name, value in content.items() if name != "found"}
    text = json.dumps(head, indent=1)[:-2] + ',\n "found": {\n'
    parts = [
        f"  {json.dumps(name)}: [\n" + ",\n".join(f"   {json.dumps(row)}" for row in rows) + "\n  ]"
        for name, rows in content["found"].items()
    ]
    path.write_text(text + ",\n".join(parts) + "\n }\n}\n", "utf-8")
