"""Whole boards of mounted components: how a `pth_component` bundle judges `ir-sensor-board`, component by component and
board by board (a board's score is its worst component's), with one approved picture a part and with five.

    python -m benchmarks.component_boards --bundle BUNDLE --data ir-sensor-board --split dev-test

The set does not say how a part may be turned: chip resistors and capacitors may be by 180 degrees, the rest may not.
`components_with_turns` writes that down as a data set of its own, which is also what such a bundle is trained on.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from edge.bundle import bundle_identity
from edge.references import Compared
from edge.scorers import EngineChoice
from export.metrics import auroc, auroc_interval
from export.scoring import ScoredSplit, SplitRequest, score_split, scores_of
from export.table_columns import column_of

TABLE, INDEX = "components.csv", "index.csv"
TURNED_PARTS = frozenset({"c1", "c2", "r1", "r2", "r3", "r_out", "r_pwr"})  # two equal ends: either way round is right
REFERENCES = (1, 5)
SCRATCH = "scratch"
RESULTS = Path(__file__).parent / "results" / "component_boards.json"

console = Console()
Figures = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Boards:
    """Whole pictures: names, the score of the worst component relative to its threshold, the set's own label, and what
    is wrong with each (component=kind)."""

    names: NDArray[np.str_]
    score: NDArray[np.float64]
    is_good: NDArray[np.bool_]
    defects: tuple[tuple[str, ...], ...]

    @property
    def only_scratched(self) -> NDArray[np.bool_]:
        """Boards with nothing wrong but scratches, which are on no component."""
        return np.array([bool(d) and all(one.endswith(f"={SCRATCH}") for one in d) for d in self.defects])


def run(bundle: Path, data: Path, split: str, out: Path, json_file: Path | None, threads: int = 2) -> Figures:
    """Score, print, draw the mistakes into `out`, write. Raises what `score_split` raises."""
    folder = components_with_turns(data, out / "data")
    engine = EngineChoice(engine="onnxruntime", precision="fp32", threads=threads)
    figures: Figures = {
        "command": f"python -m benchmarks.component_boards --bundle BUNDLE --data {data.name} --split {split}",
        "bundle": bundle_identity(bundle),
        "split": split,
        "references": {},
    }
    for n in REFERENCES:
        scored = score_split(bundle, SplitRequest(data=folder, table=TABLE, split=split, references=n), engine)
        figures["threshold"] = scored.threshold.value
        figures["references"][str(n)] = of_references = {
            "mounts": {mount: mount_figures(scored, mount) for mount in sorted(set(_column(scored, "mount")))},
            "turned_parts": turned_figures(scored),
            "boards": board_figures(boards_of(scored, data)),
        }
        draw_mistakes(scored, out / f"mistakes-{n}")
        _print(n, of_references)
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    return figures


def components_with_turns(data: Path, folder: Path) -> Path:
    """`data` as a data set whose table says how each part may be turned; the pictures stay where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = folder / "boards"
    if not pictures.exists():
        pictures.symlink_to((data / "boards").resolve(), target_is_directory=True)
    (folder / INDEX).write_bytes((data / INDEX).read_bytes())
    records = list(csv.DictReader((data / TABLE).open(encoding="utf-8")))
    with (folder / TABLE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*records[0], "turns_deg"])
        writer.writeheader()
        for record in records:
            writer.writerow({**record, "turns_deg": "0 180" if record["component"] in TURNED_PARTS else "0"})
    return folder


def mount_figures(scored: ScoredSplit, mount: str) -> Figures:
    """Components mounted so: areas with intervals over pictures, counts at the threshold, by part and label."""
    chosen = _column(scored, "mount") == mount
    good, bad = chosen & scored.is_good, chosen & ~scored.is_good
    pictures = np.unique(scored.boards, return_inverse=True)[1].astype(np.int64)
    interval = auroc_interval(scored.score[good], scored.score[bad], pictures[good], pictures[bad])
    return {
        "auroc": auroc(scored.score[good], scored.score[bad]),
        "auroc_lower": interval.lower,
        "auroc_upper": interval.upper,
        "good": _count(good, scored.called),
        "defects": _count(bad, scored.called),
        "by_label": {
            label: _count(bad & (scored.labels == label), scored.called) for label in sorted(set(scored.labels[bad]))
        },
        "false_calls_by_part": {
            part: _count(good & (scored.parts == part), scored.called) for part in sorted(set(scored.parts[good]))
        },
        "missed": _names(scored, bad & ~scored.called),
    }


def turned_figures(scored: ScoredSplit) -> Figures:
    """Good chip parts as they are and turned by 180 degrees: none of them may be called for the turn."""
    rows = np.flatnonzero(scored.is_good & np.isin(scored.parts, sorted(TURNED_PARTS)))
    if not isinstance(scored.inputs, Compared):
        raise TypeError(f"{scored.bundle.folder}: this bundle compares nothing")
    crops = np.ascontiguousarray(np.rot90(scored.inputs.crops[rows], 2, axes=(1, 2)))
    turned = scores_of(scored.scorer, Compared(crops, scored.inputs.references[rows]))
    called = turned > scored.thresholds[rows]
    return {
        "n": len(rows),
        "called": int(scored.called[rows].sum()),
        "called_turned": int(called.sum()),
        "called_only_turned": int((called & ~scored.called[rows]).sum()),
    }


def boards_of(scored: ScoredSplit, data: Path) -> Boards:
    """The pictures of the split, each by its worst component."""
    index = {r["path"]: r for r in csv.DictReader((data / INDEX).open(encoding="utf-8"))}
    relative = scored.score / scored.thresholds
    names = np.unique(scored.boards)
    return Boards(
        names=names,
        score=np.array([relative[scored.boards == name].max() for name in names], np.float64),
        is_good=np.array([index[name]["label"] == "normal" for name in names]),
        defects=tuple(tuple(d for d in index[name]["defects"].split(";") if d) for name in names),
    )


def board_figures(boards: Boards) -> Figures:
    """Areas over boards, with and without those that are only scratched, and the boards missed by what is on them."""
    called = boards.score > 1.0
    scratched = boards.only_scratched
    return {
        "good": _count(boards.is_good, called),
        "damaged": _count(~boards.is_good & ~scratched, called),
        "only_scratched": _count(~boards.is_good & scratched, called),
        "auroc": _area(boards, ~boards.is_good),
        "auroc_without_scratches": _area(boards, ~boards.is_good & ~scratched),
        "missed": [
            f"{Path(str(boards.names[i])).stem}: {'; '.join(boards.defects[i]) or 'not said'}"
            for i in np.flatnonzero(~boards.is_good & ~called)
        ],
    }


def draw_mistakes(scored: ScoredSplit, folder: Path) -> None:
    """Missed defects and false calls, each beside an approved picture's crop, as one picture a component."""
    for kind, rows in (
        ("missed", ~scored.is_good & ~scored.called),
        ("false-call", scored.is_good & scored.called),
    ):
        for i in np.flatnonzero(rows):
            folder.mkdir(parents=True, exist_ok=True)
            label = "" if scored.rows[i].is_good else f"-{scored.rows[i].label}"
            name = f"{kind}-{scored.parts[i]}{label}-{Path(scored.rows[i].path).stem}-{scored.score[i]:.2f}.png"
            cv2.imwrite(str(folder / name), cv2.resize(scored.crops[i], None, fx=3, fy=3))


def _area(boards: Boards, bad: NDArray[np.bool_]) -> float | None:
    if not (bad.any() and boards.is_good.any()):
        return None
    return auroc(boards.score[boards.is_good], boards.score[bad])


def _column(scored: ScoredSplit, name: str) -> NDArray[np.str_]:
    return np.array([column_of(row, name) for row in scored.rows])


def _count(chosen: NDArray[np.bool_], called: NDArray[np.bool_]) -> dict[str, int]:
    return {"n": int(chosen.sum()), "called": int((chosen & called).sum())}


def _names(scored: ScoredSplit, chosen: NDArray[np.bool_]) -> list[str]:
    return [
        f"{scored.parts[i]} {scored.rows[i].label} {Path(scored.rows[i].path).stem}" for i in np.flatnonzero(chosen)
    ]


def _print(n: int, figures: Figures) -> None:
    table = Table("", "AUROC (95 %)", "defects called", "good called", title=f"{n} approved picture(s) a part")
    for mount, m in figures["mounts"].items():
        area = f"{m['auroc']:.3f} ({m['auroc_lower']:.3f}–{m['auroc_upper']:.3f})"
        table.add_row(mount, area, _of(m["defects"]), _of(m["good"]))
        for label, count in m["by_label"].items():
            table.add_row(f"  {label}", "", _of(count), "")
    boards, turned = figures["boards"], figures["turned_parts"]
    areas = [boards["auroc"], boards["auroc_without_scratches"]]
    shown = " / ".join("-" if a is None else f"{a:.3f}" for a in areas)
    table.add_row("boards: all / without scratches", shown, _of(boards["damaged"]), _of(boards["good"]))
    table.add_row("boards: only scratched", "", _of(boards["only_scratched"]), "")
    table.add_row("good chips turned by 180°", "", "", f"{turned['called_turned']} of {turned['n']}")
    console.print(table)
    for what in (*(line for m in figures["mounts"].values() for line in m["missed"]), *boards["missed"]):
        console.print(f"missed: {what}", markup=False)


def _of(count: dict[str, int]) -> str:
    return f"{count['called']} of {count['n']}"


def main(
    bundle: Annotated[Path, typer.Option(help="A pth_component bundle.")],
    data: Annotated[Path, typer.Option(help="The folder ir-sensor-board.")],
    split: str = "dev-test",
    out: Annotated[Path, typer.Option(help="Where working files and mistakes go.")] = Path("out/component-boards"),
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = RESULTS,
) -> None:
    """Judge whole boards of mounted components."""
    run(bundle, data, split, out, json_file)


if __name__ == "__main__":
    typer.run(main)
