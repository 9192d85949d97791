"""Real photographs through the real station: which joints are called right, which boards are held, and every mistake
as a picture. The pictures are those of `tht-header-joints`, hand-held, each of a part of the board.

Every board of that set carries defects, so on the whole board only FAIL is right. To see good boards too, each header
is judged as a product of its own: a recipe with that header's pins alone, good wherever its pins are.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import cv2
from rich.console import Console
from rich.progress import track
from rich.table import Table

from edge.annotate import annotate
from edge.board import Outcome, Verdict
from edge.bundle import bundle_identity
from edge.journal import JournalReader
from edge.recipe_new import new_recipe
from export.simulator.line import LineTwin

UNSCORED = ("near_defect", "uncertain")
WINDOW_MS = 10_000
BUDGET_MS = 5_000
MAX_PICTURES = 3  # a kind of mistake

console = Console()


@dataclass(slots=True)
class Tally:
    """What came of one recipe's boards."""

    name: str
    places: int
    boards: Counter[tuple[str, str]] = field(default_factory=Counter)  # (truth, outcome or reason)
    joints: Counter[tuple[str, str]] = field(default_factory=Counter)  # (label, called)
    total_ms: list[float] = field(default_factory=list)


def run(data: Path, bundle: Path, reference: str, split: str, out: Path, json_path: Path | None) -> list[Tally]:
    """Judge every picture of `split` with the whole board's recipe and with each header's; print, draw, write."""
    rows = list(csv.DictReader((data / "joints.csv").open(encoding="utf-8")))
    headers = sorted({r["site"].split("_")[0] for r in rows})
    truth: dict[str, dict[str, str]] = {}
    for row in rows:
        if row["split"] == split:
            truth.setdefault(row["path"], {})[row["site"].replace("_", "-")] = row["label"]
    tallies = []
    for name, chosen in [("whole board", headers), *((h, [h]) for h in headers)]:
        recipe = _recipe(data, rows, reference, bundle, chosen, out / "recipes" / name.replace(" ", "-"))
        verdicts = _gate(recipe, data, sorted(truth), out / "lines" / name.replace(" ", "-"))
        tallies.append(_tally(name, chosen, truth, verdicts))
        _draw_mistakes(data, chosen, truth, verdicts, out / "mistakes" / name.replace(" ", "-"))
    _print(tallies, split)
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        command = f"boardgate bench boards --bundle BUNDLE --data {data.name} --reference {reference} --split {split}"
        figures = {"command": command, "bundle": bundle_identity(bundle), "recipes": [_as_json(t) for t in tallies]}
        json_path.write_text(json.dumps(figures, indent=1) + "\n")
    return tallies


def _recipe(
    data: Path, rows: list[dict[str, str]], reference: str, bundle: Path, headers: list[str], folder: Path
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    places = folder / "places.csv"
    with places.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["site", "x", "y", "pitch"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(r for r in rows if r["path"] == reference and r["site"].split("_")[0] in headers)
    new_recipe(
        reference=data / reference,
        places=places,
        bundle=bundle,
        out=folder / "recipe",
        recipe_id="header-" + "-".join(headers)[:40],
        part_number="tht-header",
        verdict_budget_ms=BUDGET_MS,
        picture="",
    )
    return folder / "recipe"


def _gate(recipe: Path, data: Path, pictures: list[str], folder: Path) -> dict[str, Verdict]:
    with LineTwin(folder, recipe, window_ms=WINDOW_MS) as line:
        for path in track(pictures, f"{folder.name}", console=console, transient=True):
            line.gate_board(Path(path).stem, (data / path).read_bytes())
    stored = {r.verdict.board_id: r.verdict for r in JournalReader(line.station.journal).all_verdicts()}
    return {path: stored[Path(path).stem] for path in pictures}


def _truth_of(labels: dict[str, str], headers: list[str]) -> tuple[str, dict[str, str]]:
    """The board's truth for these headers (good, defective, not in view), and the labels of its joints."""
    joints = {site: label for site, label in labels.items() if site.split("-")[0] in headers}
    bad = any(label in ("bridge", "missing") for label in joints.values())
    return ("defective" if bad else "good" if joints else "not in view"), joints


def _tally(name: str, headers: list[str], truth: dict[str, dict[str, str]], verdicts: dict[str, Verdict]) -> Tally:
    tally = Tally(name=name, places=max((v.n_regions for v in verdicts.values()), default=0))
    for path, verdict in verdicts.items():
        board, joints = _truth_of(truth[path], headers)
        called = verdict.outcome.value if verdict.outcome is not Outcome.UNDECIDED else f"held: {verdict.reason.value}"
        tally.boards[board, called] += 1
        tally.total_ms.append(verdict.total_ms)
        for finding in verdict.findings:
            label = joints.get(finding.region.name, "not labelled")
            tally.joints[label, "defect" if finding.is_defect else "good"] += 1
    return tally


def _draw_mistakes(
    data: Path, headers: list[str], truth: dict[str, dict[str, str]], verdicts: dict[str, Verdict], folder: Path
) -> None:
    """Annotated pictures: escapes, false calls, and boards held, a few of each."""
    drawn: Counter[str] = Counter()
    for path, verdict in verdicts.items():
        board, joints = _truth_of(truth[path], headers)
        kinds = []
        if verdict.outcome is Outcome.PASS and board == "defective":
            kinds.append("escape")
        if any(f.is_defect and joints.get(f.region.name) == "normal" for f in verdict.findings):
            kinds.append("false-call")
        if any(not f.is_defect and joints.get(f.region.name) in ("bridge", "missing") for f in verdict.findings):
            kinds.append("missed-joint")
        if verdict.outcome is Outcome.UNDECIDED:
            kinds.append(f"held-{verdict.reason.value}")
        for kind in kinds:
            drawn[kind] += 1
            if drawn[kind] <= MAX_PICTURES:
                folder.mkdir(parents=True, exist_ok=True)
                image = cv2.imread(str(data / path))
                cv2.imwrite(str(folder / f"{kind}-{Path(path).stem}.png"), annotate(image, verdict))


def _print(tallies: list[Tally], split: str) -> None:
    table = Table(title=f"Real photographs of {split} through the station: boards")
    outcomes = sorted({called for t in tallies for _, called in t.boards})
    for column in ("recipe", "places", "truth", *outcomes):
        table.add_column(column, justify="left" if column in ("recipe", "truth") else "right")
    for t in tallies:
        for truth in ("good", "defective", "not in view"):
            counts = [t.boards[truth, o] for o in outcomes]
            if any(counts):
                table.add_row(t.name, str(t.places), truth, *map(str, counts))
        table.add_section()
    console.print(table)
    table = Table(title="Joints of the whole board")
    for column in ("label", "called good", "called defect"):
        table.add_column(column, justify="left" if column == "label" else "right")
    for label in ("normal", "bridge", "missing", *UNSCORED, "not labelled"):
        good, bad = (tallies[0].joints[label, called] for called in ("good", "defect"))
        if good + bad:
            table.add_row(label, str(good), str(bad))
    console.print(table)


def _as_json(tally: Tally) -> dict[str, object]:
    return {
        "recipe": tally.name,
        "places": tally.places,
        "boards": {f"{truth} → {called}": n for (truth, called), n in sorted(tally.boards.items())},
        "joints": {f"{label} → {called}": n for (label, called), n in sorted(tally.joints.items())},
        "median_total_ms": round(sorted(tally.total_ms)[len(tally.total_ms) // 2], 1) if tally.total_ms else None,
    }
