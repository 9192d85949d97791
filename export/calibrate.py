"""`boardgate calibrate`: a bundle and a data set in, the same bundle with thresholds that carry a promise out.

Every precision of the bundle gets its own threshold from its own scores, computed by the station's own scorer. The rows
that choose are one split, or the earlier boards of it; the rows that say how good the choice is are another split, or
the later boards. Nothing is ever measured on what chose.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from calibration.bounds import DEFAULT_CONFIDENCE
from calibration.choice import calls_of, choose, measure
from calibration.limits import Ask, PromiseFault
from calibration.line_figures import DEFAULT_PREVALENCE_PPM, Counts, LineFigures, line_figures
from calibration.lot import Lot
from edge.board import Floats
from edge.bundle import Bundle, read_bundle
from edge.scorers import EngineChoice, Scorer, check_golden, load_scorer
from edge.thresholds import EngineName, Precision, Threshold
from export.bundle import check_target
from export.calibration_rows import Rows, board_of, check_splits, cut_rows, defect_labels
from export.datasets import VAL_SPLIT, DataSet, read_data_set
from export.scoring import scores_of
from export.thresholds import with_thresholds, write_thresholds

TOOL = "boardgate calibrate"
DEFAULT_RECALL_FRAC = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """One precision: the threshold before and after, and the figures of the new one on the checking rows, by places;
    None where nothing was there to check on."""

    before: float
    threshold: Threshold
    figures: LineFigures | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationReport:
    """What was chosen, from what, and the bundle it is in."""

    identity: str
    out: Path
    bundle: str  # variant, for people
    data: str
    ask: Ask
    prevalence_ppm: float
    precisions: dict[Precision, Calibrated]
    notes: tuple[str, ...]


def calibrate(
    bundle_folder: Path,
    data_folder: Path,
    out: Path,
    *,
    table: str | None = None,
    split: str = VAL_SPLIT,
    where: Sequence[str] = (),
    check_split: str | None = None,
    hold_out_frac: float | None = None,
    recall: float | None = DEFAULT_RECALL_FRAC,
    false_call_ppm: float | None = None,
    confidence: float = DEFAULT_CONFIDENCE,
    prevalence_ppm: float = DEFAULT_PREVALENCE_PPM,
    per_part: bool = False,
    accept_weaker: bool = False,
    precisions: Sequence[Precision] | None = None,
    engine: EngineName = "onnxruntime",
    threads: int = 2,
) -> CalibrationReport:
    """Choose thresholds on `split` and write the bundle with them to `out`, which may be the bundle's own folder.

    Figures come from `check_split`, or from the later boards of `split` that hold `hold_out_frac` of its rows; from
    nothing where neither is named. `precisions` None: all the bundle has; others keep the threshold they have.

    Raises PromiseFault when the data cannot carry what is asked (unless `accept_weaker`), SplitFault, DataFault,
    BundleFault, ScorerFault, BundleWriteFault.
    """
    check_target(out)
    ask = Ask(recall_frac=recall, false_call_ppm=false_call_ppm, confidence=confidence, per_part=per_part)
    bundle = read_bundle(bundle_folder)
    check_splits(bundle, split, check_split, hold_out_frac)
    data = read_data_set(data_folder, table, where)
    choosing, checking = cut_rows(data, bundle, split, check_split, hold_out_frac)
    job = _Job(bundle=bundle, data=data, choosing=choosing, checking=checking, ask=ask, prevalence_ppm=prevalence_ppm)
    chosen: dict[Precision, Calibrated] = {}
    scores: dict[Precision, Floats] = {}
    faults = []
    for precision in precisions or bundle.precisions:
        scorer = load_scorer(bundle, EngineChoice(engine=engine, precision=precision, threads=threads))
        scores[precision] = scores_of(scorer, choosing.inputs(scorer))
        try:
            chosen[precision] = job.calibrated(precision, scorer, scores[precision], accept_weaker)
        except PromiseFault as fault:
            faults.append(f"{precision}: {fault}")
    if faults:
        raise PromiseFault(_refusal(ask, choosing.name, faults))
    thresholds = {precision: one.threshold for precision, one in chosen.items()}
    identity = write_thresholds(bundle, thresholds, out, tool=TOOL, rows=choosing, scores=scores)
    return CalibrationReport(
        identity=identity,
        out=out,
        bundle=f"{bundle.manifest.preset} {bundle.manifest.variant}",
        data=data_folder.resolve().name,
        ask=ask,
        prevalence_ppm=prevalence_ppm,
        precisions=chosen,
        notes=(*_notes(chosen, choosing, checking), *parting_notes(read_bundle(out))),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What is the same for every precision."""

    bundle: Bundle
    data: DataSet
    choosing: Rows
    checking: Rows | None
    ask: Ask
    prevalence_ppm: float

    def calibrated(self, precision: Precision, scorer: Scorer, score: Floats, accept_weaker: bool) -> Calibrated:
        """The threshold of one precision from its scores of the choosing rows (N,). Raises PromiseFault, and
        BundleFault when the golden check would fail at the new threshold, to which its tolerance is relative."""
        choice = choose(
            self.choosing.lot(score),
            # a device may score otherwise by so much and still pass the golden check: the promise holds there too
            dataclasses.replace(self.ask, margin_frac=self.bundle.manifest.graphs[precision].golden_tolerance),
            split=self.choosing.name,
            data_sha256=self.choosing.sha256,
            labels=defect_labels(self.data),
            accept_weaker=accept_weaker,
        )
        threshold, figures = choice, None
        if self.checking is not None:
            lot = self.checking.lot(scores_of(scorer, self.checking.inputs(scorer)))
            measured = measure(choice, lot, split=self.checking.name, data_sha256=self.checking.sha256)
            threshold = Threshold(value=choice.value, by_part=choice.by_part, choice=choice.choice, measured=measured)
            figures = _figures(lot, threshold, self.prevalence_ppm)
        check_golden(with_thresholds(self.bundle, {precision: threshold}, {}), scorer, precision)
        return Calibrated(before=self.bundle.threshold(precision).value, threshold=threshold, figures=figures)


def _figures(lot: Lot, threshold: Threshold, prevalence_ppm: float) -> LineFigures:
    calls = calls_of(lot, threshold)
    called, found = calls.good().score, calls.defects().score
    counts = Counts(n_good=len(called), false_calls=int(called.sum()), n_defect=len(found), caught=int(found.sum()))
    return line_figures(counts, prevalence_ppm=prevalence_ppm, confidence=threshold.choice.confidence)


def _refusal(ask: Ask, split: str, faults: list[str]) -> str:
    asked = [f"recall {ask.recall_frac:g}"] if ask.recall_frac is not None else []
    asked += [f"false calls of {ask.false_call_ppm:g} ppm at most"] if ask.false_call_ppm is not None else []
    head = f"{' and '.join(asked)} at {100 * ask.confidence:g} % confidence cannot be promised from {split}:"
    tail = "--accept-weaker writes the strongest promise there is"
    return "\n  ".join([head, *(line for fault in faults for line in fault.splitlines()), tail])


def _notes(chosen: dict[Precision, Calibrated], choosing: Rows, checking: Rows | None) -> list[str]:
    notes = []
    for promise in next(iter(chosen.values())).threshold.choice.promises:
        if promise.n_boards is not None and 0 < promise.n_boards < promise.n_units:
            notes.append(
                f"{promise.name}: {promise.n_units} places ({promise.n_rows} pictures) on {promise.n_boards} boards: "
                "the promise takes places as independent, and is about defects as these boards have them"
            )
    if not any(board_of(row) for row in choosing.rows):
        notes.append("the table names no boards: nobody can tell whether a split cuts through one")
    if checking is None:
        notes.append("nothing was measured on other data: name a check split, or a share of the boards to hold out")
    return notes


def parting_notes(bundle: Bundle) -> list[str]:
    """A note for each precision that passes what FP32 calls: both keep their promise, by other defects."""
    found = {name: graph.parity for name, graph in bundle.manifest.graphs.items()}
    return [
        f"{name} passes {parity.lost_defects} of {parity.n} places that are defects and that fp32 calls: "
        "each precision keeps its promise by its own threshold"
        for name, parity in found.items()
        if parity.lost_defects
    ]
