"""Does a verdict hold when nothing changes, and when next to nothing does?

Identical input through every way of calling a scorer (again, freshly loaded, in other batches, in another order, with
other thread counts) must give no other verdict; the same call twice must give the same bits. Then the pictures change
by one grey level, all pixels up, all down, or each by chance, as files that are read, cut and scored again; at most
0.5 % of verdicts may turn, over all changes. The threshold is the bundle's own; the labels are not looked at.
"""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from calibration.bounds import upper_bound_frac
from edge.board import Floats, Image
from edge.bundle import Bundle, read_bundle
from edge.scorers import EngineChoice, Scorer, checked_scores, load_scorer
from export.datasets import DataSet, Row, contract_crops, read_data_set, read_picture
from export.grey_levels import NOISE_SEEDS, noisy, shifted

ALLOWED_FRAC = 0.005  # of verdicts, under one grey level
BATCHES = (1, 7, 64)
THREADS = (1, 2, 4)
Change = Callable[[Image], Image]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Scores of the same crops called another way, against the first call. `bits_differ` counts scores."""

    way: str
    bits_differ: int
    max_abs_difference: float
    flips: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GreyLevel:
    """Verdicts against those of the unchanged pictures. `*_score_change`: absolute, in units of the score."""

    change: str
    flips: int
    flip_frac: float
    flip_frac_upper: float  # exact, one-sided, 95 %
    median_score_change: float
    max_score_change: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Flips:
    """One bundle on one set. `flip_frac` is over all changed judgements; `ever_flipped` counts places."""

    bundle: str  # preset and variant
    bundle_sha256: str
    data: str
    where: list[str]
    split: str
    n: int
    threshold: float
    calls: list[Call]
    changes: list[GreyLevel]
    flip_frac: float
    ever_flipped: int
    kept: bool  # no flip on identical input, the same call the same bits, at most ALLOWED_FRAC under one grey level


def run(
    bundles: Sequence[Path],
    data: Path,
    *,
    table: str | None = None,
    split: str = "dev-test",
    where: Sequence[str] = (),
    json_file: Path | None = None,
) -> list[Flips]:
    """Measure each bundle, print a table, add the figures to `json_file` where one is given (same set: replaced)."""
    rows_of = read_data_set(data, table, where)
    results = [measure(folder, rows_of, split, where) for folder in bundles]
    Console().print(*(_table(result) for result in results), sep="\n")
    if json_file is not None:
        options = [f"--data {data}", *([f"--table {table}"] if table else []), *(f"--where {w}" for w in where)]
        _write(json_file, results, " ".join(["boardgate bench flips", *(b.name for b in bundles), *options]))
    return results


def measure(folder: Path, data: DataSet, split: str, where: Sequence[str]) -> Flips:
    """One bundle, all ways. Raises BundleFault, ScorerFault, DataFault."""
    bundle = read_bundle(folder)
    rows, threshold = data.split(split), bundle.threshold().value
    crops = contract_crops(data.folder, rows, bundle.manifest.contract)
    scorer = load_scorer(bundle, EngineChoice())
    first = checked_scores(scorer, crops).score
    calls = _calls(bundle, scorer, crops, first, threshold)
    changes, turned = _changes(bundle, scorer, data, rows, first, threshold)
    flip_frac = float(turned.mean())
    steady = not any(c.flips for c in calls) and not calls[0].bits_differ
    return Flips(
        bundle=f"{bundle.manifest.preset} {bundle.manifest.variant}",
        bundle_sha256=bundle.sha256,
        data=data.folder.resolve().name,
        where=list(where),
        split=split,
        n=len(rows),
        threshold=threshold,
        calls=calls,
        changes=changes,
        flip_frac=flip_frac,
        ever_flipped=int(turned.any(axis=0).sum()),
        kept=steady and flip_frac <= ALLOWED_FRAC,
    )


def _calls(bundle: Bundle, scorer: Scorer, crops: Image, first: Floats, threshold: float) -> list[Call]:
    """`first` was one call of all crops in order. The first entry of the result is that call, repeated."""
    back = np.arange(len(crops))[::-1]
    ways: dict[str, Callable[[], Floats]] = {
        "again": lambda: checked_scores(scorer, crops).score,
        "freshly loaded": lambda: checked_scores(load_scorer(bundle, EngineChoice()), crops).score,
        "in reverse order": lambda: checked_scores(scorer, np.ascontiguousarray(crops[back])).score[back],
    }
    for size in BATCHES:
        ways[f"in batches of {size}"] = functools.partial(_in_batches, scorer, crops, size)
    for threads in THREADS:
        other = load_scorer(bundle, EngineChoice(threads=threads))
        ways[f"with {threads} threads"] = functools.partial(_in_batches, other, crops, len(crops))
    return [_call(way, score(), first, threshold) for way, score in ways.items()]


def _in_batches(scorer: Scorer, crops: Image, size: int) -> Floats:
    return np.concatenate([checked_scores(scorer, crops[i : i + size]).score for i in range(0, len(crops), size)])


def _call(way: str, score: Floats, first: Floats, threshold: float) -> Call:
    return Call(
        way=way,
        bits_differ=int((score.view(np.uint32) != first.view(np.uint32)).sum()),
        max_abs_difference=float(np.abs(score - first).max()),
        flips=int(((score > threshold) != (first > threshold)).sum()),
    )


def _changes(
    bundle: Bundle, scorer: Scorer, data: DataSet, rows: tuple[Row, ...], first: Floats, threshold: float
) -> tuple[list[GreyLevel], NDArray[np.bool_]]:
    """Each change's figures, and which verdicts turned (changes, N)."""
    changes: dict[str, Change] = {
        "+1 everywhere": functools.partial(shifted, levels=1),
        "-1 everywhere": functools.partial(shifted, levels=-1),
    }
    changes |= {f"-1, 0 or +1 by chance, {seed}": functools.partial(noisy, levels=1, seed=seed) for seed in NOISE_SEEDS}
    figures, turned = [], []
    for name, change in changes.items():
        score = checked_scores(scorer, _changed_crops(bundle, data.folder, rows, change)).score
        flips = (score > threshold) != (first > threshold)
        moved = np.abs(score - first)
        figures.append(
            GreyLevel(
                change=name,
                flips=int(flips.sum()),
                flip_frac=float(flips.mean()),
                flip_frac_upper=upper_bound_frac(int(flips.sum()), len(flips)),
                median_score_change=float(np.median(moved)),
                max_score_change=float(moved.max()),
            )
        )
        turned.append(flips)
    return figures, np.array(turned)


def _changed_crops(bundle: Bundle, folder: Path, rows: tuple[Row, ...], change: Change) -> Image:
    """The rows' crops from changed pictures, which are written losslessly and read as the unchanged ones are."""
    with tempfile.TemporaryDirectory(prefix="boardgate-flips-") as scratch:
        for path in {row.path for row in rows}:
            ok, png = cv2.imencode(".png", change(read_picture(folder / path)), [cv2.IMWRITE_PNG_COMPRESSION, 1])
            if not ok:
                raise ValueError(f"{path}: OpenCV cannot encode the changed picture")
            target = Path(scratch) / path  # OpenCV goes by content, not by the name's ending
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(png.tobytes())
        return contract_crops(Path(scratch), rows, bundle.manifest.contract)


def _table(result: Flips) -> Table:
    verdict = "[green]kept[/]" if result.kept else "[red]not kept[/]"
    where = " ".join(result.where)
    table = Table(
        title=f"{result.bundle} on {result.data} {where} {result.split}: {result.n} places, "
        f"threshold {result.threshold:.6g}: {verdict}",
        title_justify="left",
        caption=f"{100 * result.flip_frac:.2f} % of verdicts turn under one grey level (allowed "
        f"{100 * ALLOWED_FRAC:g} %); {result.ever_flipped} places ever",
        caption_justify="left",
    )
    table.add_column("same places")
    for column in ("verdicts turned", "at most, 95 %", "other bits", "score change, median", "max"):
        table.add_column(column, justify="right")
    for call in result.calls:
        table.add_row(call.way, str(call.flips), "", str(call.bits_differ), "", f"{call.max_abs_difference:.2g}")
    for c in result.changes:
        share = f"{100 * c.flip_frac_upper:.2f} %"
        figures = (f"{c.median_score_change:.2g}", f"{c.max_score_change:.2g}")
        table.add_row(f"grey level {c.change}", str(c.flips), share, "", *figures)
    return table


def _write(json_file: Path, results: list[Flips], command: str) -> None:
    old = json.loads(json_file.read_text("utf-8"))["results"] if json_file.exists() else []
    mine = {_identity(asdict(r)) for r in results}
    kept = [r for r in old if _identity(r) not in mine]
    results_now = [*kept, *({**asdict(r), "command": command} for r in results)]
    commands = list(dict.fromkeys(str(r["command"]) for r in results_now))
    record = {"command": " ; ".join(commands), "allowed_frac": ALLOWED_FRAC, "results": results_now}
    json_file.write_text(json.dumps(record, indent=2) + "\n", "utf-8")


def _identity(result: dict[str, object]) -> tuple[str, ...]:
    return tuple(str(result[k]) for k in ("bundle", "data", "where", "split"))
