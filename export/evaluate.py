"""How good is a bundle? Scored exactly as a station would score, at the bundle's own threshold, beside trivial cues and
PCA.

Works on any bundle a station can load, learned or rules; torch is not needed. Nothing is chosen on the data evaluated.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Group
from rich.table import Table
from rich.text import Text

from calibration.bounds import lower_bound_frac
from edge.board import Floats, Image
from edge.bundle import Bundle, Contract, read_bundle
from edge.families import FAMILIES as STATION_FAMILIES
from edge.scorers import Scorer, checked_scores, load_scorer
from export.cues import cue_auroc, trivial_cues
from export.datasets import TRAIN_SPLIT, DataSet, Row, contract_crops, read_data_set, units_of
from export.metrics import (
    auroc,
    auroc_interval,
    average_precision,
    counts_at,
    recall_at_false_call_frac,
)
from export.pca import YARDSTICK_COMPONENTS, fit_pca

TIMING_BATCH = 64
TIMING_ROUNDS = 5
DEFAULT_THREADS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Rows, their crops (N, h, w, 3) uint8 BGR and their scores (N,) float32, in one order."""

    rows: tuple[Row, ...]
    crops: Image
    score: Floats

    @property
    def labels(self) -> NDArray[np.str_]:
        """(N,)."""
        return np.array([row.label for row in self.rows])

    @property
    def is_good(self) -> NDArray[np.bool_]:
        """(N,)."""
        return np.array([row.is_good for row in self.rows])

    @property
    def units(self) -> NDArray[np.int64]:
        """The physical place behind each row, as a number, (N,)."""
        return units_of(self.rows)

    @property
    def defect_kinds(self) -> list[str]:
        """The labels of defects there are."""
        return sorted({row.label for row in self.rows if not row.is_good})


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelReport:
    """One kind of defect against all good rows. `n_units` different physical places stand behind the `n` rows."""

    n: int
    n_units: int
    auroc: float
    auroc_lower: float
    auroc_upper: float
    recall: float
    recall_lower: float
    recall_at_1_percent_false_calls: float
    recall_at_5_percent_false_calls: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One bundle on one split. The JSON report is this record, field by field."""

    family: str
    bundle_sha256: str
    variant: str
    preset: str
    seed: int
    input: str  # channels and normalisation of the contract
    data: str
    where: list[str]
    split: str
    n_good: int
    n_good_units: int
    n_defect: int
    n_left_out: dict[str, int]
    auroc: float | None
    average_precision: float | None
    threshold: float
    f1: float | None
    recall: float | None
    recall_lower: float | None
    false_call_ppm: float
    false_call_ppm_upper: float
    confidence: float
    pictures: int
    pictures_without_false_call_frac: float
    per_label: dict[str, LabelReport]
    ms_per_region: float
    yardsticks: dict[str, dict[str, float]]  # cue or "PCA-8" -> label -> AUROC

    def to_json(self) -> dict[str, object]:
        """A plain object for `json.dumps`."""
        return asdict(self)


def evaluate(
    bundle_folder: Path,
    data_folder: Path,
    *,
    table: str | None = None,
    split: str = "dev-test",
    where: Sequence[str] = (),
    threads: int = DEFAULT_THREADS,
) -> Evaluation:
    """Score a split with a bundle. Raises BundleFault, ScorerFault or DataFault."""
    bundle = read_bundle(bundle_folder)
    scorer = load_scorer(bundle, threads)
    data = read_data_set(data_folder, table, where)
    rows = data.split(split)
    data.normals(split)  # raises where there is no good place to compare with
    crops = contract_crops(data.folder, rows, bundle.manifest.contract)
    scored = Scored(rows=rows, crops=crops, score=checked_scores(scorer, crops).score)
    is_good, threshold = scored.is_good, bundle.thresholds.threshold
    good, defect = scored.score[is_good], scored.score[~is_good]
    counts = counts_at(threshold, good, defect)
    pictures = {row.path for row in rows if row.is_good}
    stopped = {row.path for row, s in zip(rows, scored.score, strict=True) if row.is_good and s > threshold}
    return Evaluation(
        family=bundle.manifest.family,
        bundle_sha256=bundle.sha256,
        variant=bundle.manifest.variant,
        preset=bundle.manifest.preset,
        seed=bundle.manifest.seed,
        input=f"{bundle.manifest.contract.channels} {bundle.manifest.contract.normalisation}",
        data=data.folder.resolve().name,
        where=list(where),
        split=split,
        n_good=counts.n_good,
        n_good_units=len(set(scored.units[is_good])),
        n_defect=counts.n_defect,
        n_left_out=data.left_out.get(split, {}),
        auroc=auroc(good, defect) if counts.n_defect else None,
        average_precision=average_precision(good, defect) if counts.n_defect else None,
        threshold=threshold,
        f1=counts.f1,
        recall=counts.recall,
        recall_lower=counts.recall_lower,
        false_call_ppm=counts.false_call_ppm,
        false_call_ppm_upper=counts.false_call_ppm_upper,
        confidence=counts.confidence,
        pictures=len(pictures),
        pictures_without_false_call_frac=1.0 - len(stopped) / len(pictures),
        per_label={kind: _label_report(scored, kind, threshold) for kind in scored.defect_kinds},
        ms_per_region=_ms_per_region(scorer, crops),
        yardsticks=_yardsticks(bundle, data, scored),
    )


def _label_report(scored: Scored, kind: str, threshold: float) -> LabelReport:
    is_good, chosen = scored.is_good, scored.labels == kind
    good, defect = scored.score[is_good], scored.score[chosen]
    interval = auroc_interval(good, defect, scored.units[is_good], scored.units[chosen])
    caught = int((defect > threshold).sum())
    return LabelReport(
        n=len(defect),
        n_units=len(set(scored.units[chosen])),
        auroc=auroc(good, defect),
        auroc_lower=interval.lower,
        auroc_upper=interval.upper,
        recall=caught / len(defect),
        recall_lower=lower_bound_frac(caught, len(defect)),
        recall_at_1_percent_false_calls=recall_at_false_call_frac(good, defect, 0.01),
        recall_at_5_percent_false_calls=recall_at_false_call_frac(good, defect, 0.05),
    )


def _yardsticks(bundle: Bundle, data: DataSet, scored: Scored) -> dict[str, dict[str, float]]:
    """AUROC by label of every trivial cue and of PCA, which needs good training rows and is left out without them."""
    train_crops = None
    if train_rows := [row for row in data.rows if row.split == TRAIN_SPLIT and row.is_good]:
        train_crops = contract_crops(data.folder, train_rows, bundle.manifest.contract)
    values = trivial_cues(data.folder, scored.rows, scored.crops, train_crops)
    if train_crops is not None and len(train_crops) > YARDSTICK_COMPONENTS:
        values |= _pca_scores(bundle, train_crops, scored.crops)
    good = scored.is_good
    return {
        name: {kind: cue_auroc(cue[good], cue[scored.labels == kind]) for kind in scored.defect_kinds}
        for name, cue in values.items()
    }


def _pca_scores(bundle: Bundle, train_crops: Image, crops: Image) -> dict[str, Floats]:
    """PCA's reconstruction errors: on grey standardised crops, and on the bundle's own input where that differs.

    The second is the harder yardstick for a model that sees colour or brightness: it sees them too.
    """
    own: Contract = bundle.manifest.contract
    honest = own.model_copy(update={"channels": "grey", "normalisation": "standardised"})
    inputs = {f"PCA-{YARDSTICK_COMPONENTS}": honest}
    if own != honest:
        inputs[f"PCA-{YARDSTICK_COMPONENTS} on {own.channels} {own.normalisation}"] = own
    graph_input = STATION_FAMILIES[bundle.manifest.family].graph_input
    return {
        name: fit_pca(graph_input(train_crops, contract)).reconstruction_error(graph_input(crops, contract))
        for name, contract in inputs.items()
    }


def _ms_per_region(scorer: Scorer, crops: Image) -> float:
    """Median over a few rounds of one batch, pre-processing included, the first round apart."""
    batch = np.resize(crops, (TIMING_BATCH, *crops.shape[1:]))
    times = []
    for _ in range(TIMING_ROUNDS + 1):
        started = time.perf_counter_ns()
        checked_scores(scorer, batch)
        times.append((time.perf_counter_ns() - started) / 1e6 / TIMING_BATCH)
    return statistics.median(times[1:])


def tables(report: Evaluation) -> Group:
    """The report for people."""
    return Group(_model_table(report), _yardstick_table(report), *(Text(line, style="dim") for line in _notes(report)))


def _model_table(report: Evaluation) -> Table:
    table = Table(title=f"{report.preset} {report.variant} on {report.data} {report.split}", title_justify="left")
    for column in (
        "label",
        "rows",
        "places",
        "AUROC",
        "95 % interval",
        "recall",
        "at least",
        "recall at 1 / 5 %",
    ):
        table.add_column(column, justify="left" if column == "label" else "right")
    for label, row in report.per_label.items():
        table.add_row(
            label,
            str(row.n),
            str(row.n_units),
            f"{row.auroc:.3f}",
            f"{row.auroc_lower:.3f} to {row.auroc_upper:.3f}",
            f"{row.recall:.3f}",
            f"{row.recall_lower:.3f}",
            f"{row.recall_at_1_percent_false_calls:.2f} / {row.recall_at_5_percent_false_calls:.2f}",
        )
    if report.auroc is not None:
        total = (
            str(report.n_defect),
            "",
            f"{report.auroc:.3f}",
            "",
            f"{report.recall:.3f}",
            f"{report.recall_lower:.3f}",
        )
        table.add_row("all defects", *total, "", style="bold")
    return table


def _yardstick_table(report: Evaluation) -> Table:
    table = Table(title="What knows nothing about solder reaches (AUROC)", title_justify="left")
    table.add_column("yardstick")
    for label in report.per_label:
        table.add_column(label, justify="right")
    for name, values in report.yardsticks.items():
        cells = []
        for label, row in report.per_label.items():
            beaten = row.auroc > values[label]
            cells.append(f"{values[label]:.3f}" if beaten else f"[red]{values[label]:.3f} not cleared[/red]")
        table.add_row(name, *cells)
    return table


def _notes(report: Evaluation) -> list[str]:
    left_out = ", ".join(f"{n} {label}" for label, n in sorted(report.n_left_out.items())) or "none"
    percent = f"{100 * report.confidence:g} %"
    f1 = "no defects" if report.f1 is None else f"F1 {report.f1:.3f}"
    return [
        f"{report.n_good} good rows of {report.n_good_units} places; left out: {left_out}",
        f"threshold {report.threshold:.6g} (the bundle's own): {f1}, false calls {report.false_call_ppm:,.0f} ppm, "
        f"at most {report.false_call_ppm_upper:,.0f} ppm at {percent}; "
        f"{100 * report.pictures_without_false_call_frac:.0f} % of {report.pictures} pictures without one",
        f"{report.ms_per_region:.2f} ms per region in batches of {TIMING_BATCH}, pre-processing included",
        "AUROC intervals draw physical places anew; bounds on recall and false calls take rows as independent",
    ]
