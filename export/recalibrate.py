"""`boardgate recalibrate`: what reviewed calls would change, and the changed bundle when told to apply it.

The choice's own rows are scored again and must be the rows the evidence names, so that the promise is worked out from
what it was made from. The locked regression set is a data set of defects this threshold must go on catching.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration.bounds import lower_bound_frac, upper_bound_frac
from calibration.choice import calls_of
from calibration.lot import GOOD, Lot
from calibration.reviews import WRONG_FRAC, ClassEvidence, Move, Review, ReviewFault, class_evidence, propose
from calibration.splits import SplitFault
from edge.bundle import Bundle, read_bundle
from edge.scorers import EngineChoice, check_golden, load_scorer
from edge.thresholds import PPM, Choice, EngineName, Precision, Promise, Reviews, Threshold
from export.bundle import check_target
from export.calibration_rows import Rows, cut_rows, rows_of
from export.datasets import VAL_SPLIT, read_data_set
from export.review_file import Reviewed, ReviewFile, read_reviews, with_scores
from export.scoring import scores_of
from export.thresholds import with_thresholds, write_thresholds

TOOL = "boardgate recalibrate"
UNSAID = "not said"


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedSet:
    """A data set whose defects must stay caught."""

    data: Path
    table: str | None = None
    split: str = VAL_SPLIT
    where: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecalibrationReport:
    """What would change, or has: `identity` is the written bundle's, empty where nothing was written."""

    precision: Precision
    move: Move
    threshold: Threshold
    reviews: int
    overruled: int
    not_in_journal: int
    of_other_bundles: int
    reviewed_lost: dict[str, int]  # called before and not after: "defect bridge", "false call", …
    reviewed_gained: dict[str, int]  # escapes that would be called now
    places: int  # the journal's
    places_lost: int  # of the journal's: called before and not after
    places_gained: int
    locked_caught: tuple[int, int] | None  # pictures of the locked set, before and after
    locked_defects: int
    identity: str


def recalibrate(
    bundle_folder: Path,
    out: Path,
    *,
    journal: Path,
    reviews: Path,
    data_folder: Path,
    table: str | None = None,
    split: str = VAL_SPLIT,
    where: Sequence[str] = (),
    hold_out_frac: float | None = None,
    locked: LockedSet | None = None,
    precision: Precision = "fp32",
    engine: EngineName = "onnxruntime",
    threads: int = 2,
    wrong_frac: float = WRONG_FRAC,
    apply: bool = False,
) -> RecalibrationReport:
    """Work out the threshold the reviews lead to; with `apply`, write the bundle with it to `out`.

    `data_folder` to `hold_out_frac` name the rows the threshold was chosen on, as `boardgate calibrate` was told them.
    Raises ReviewFault, ReviewFileFault, SplitFault when those are other rows, DataFault, BundleFault, ScorerFault.
    """
    check_target(out)
    bundle = read_bundle(bundle_folder)
    old = bundle.threshold(precision)
    file = read_reviews(reviews)
    reviewed = with_scores(file, journal, bundle.sha256)
    rows, _ = cut_rows(read_data_set(data_folder, table, where), bundle, split, None, hold_out_frac)
    if rows.sha256 != old.choice.data_sha256:
        raise SplitFault(
            f"{data_folder} {rows.name} is {rows.sha256[:12]}…, the threshold was chosen on {old.choice.split} "
            f"{old.choice.data_sha256[:12]}…: name those rows"
        )
    scorer = load_scorer(bundle, EngineChoice(engine=engine, precision=precision, threads=threads))
    scores = scores_of(scorer, rows.inputs(scorer))
    lot = rows.lot(scores)
    locked_rows = _locked_rows(bundle, locked)
    locked_lot = None if locked_rows is None else locked_rows.lot(scores_of(scorer, locked_rows.inputs(scorer)))
    _check_judged_here(bundle, precision, reviewed)
    evidence = class_evidence(old.choice, lot, reviewed.reviews, wrong_frac)
    margin_frac = bundle.manifest.graphs[precision].golden_tolerance
    move = propose(old.value, evidence, reviewed.reviews, locked_lot, margin_frac)
    threshold = old if move.direction == "stay" else moved_threshold(old, move, evidence, lot, file, reviewed)
    check_golden(with_thresholds(bundle, {precision: threshold}, {}), scorer, precision)
    identity = ""
    if apply and move.direction != "stay":
        identity = write_thresholds(
            bundle, {precision: threshold}, out, tool=TOOL, rows=rows, scores={precision: scores}
        )
    return _report(precision, move, threshold, file, reviewed, locked_lot, identity)


def moved_threshold(
    old: Threshold, move: Move, evidence: Sequence[ClassEvidence], lot: Lot, file: ReviewFile, reviewed: Reviewed
) -> Threshold:
    """The threshold with its evidence after a move. What was measured at the old one does not hold and goes.

    A higher threshold calls fewer good places, so the bound on false calls that it was chosen with still holds; for a
    lower one it is worked out again from the choice's good places, which had no say in the move.
    """
    made = Threshold.model_construct(value=move.after, by_part={})
    calls, is_good = calls_of(lot, made), lot.label == GOOD
    called = int(calls.good().score.sum())
    choice = old.choice
    counted = called if move.direction == "lower" else max(called, choice.false_call_units)
    upper_ppm = PPM * upper_bound_frac(counted, choice.n_good_units, choice.confidence)
    short = [] if choice.kept else [choice.shortfall]
    kept = choice.kept
    if choice.method == "both" and upper_ppm > (choice.target_false_call_ppm or PPM) and choice.kept:
        kept, short = (
            False,
            [f"false calls: escapes took the threshold down to where {upper_ppm:,.0f} ppm are possible"],
        )
    promises = {one.promise.label: _promise_after(one, move.after) for one in evidence}
    said = Counter(review.said for review in reviewed.reviews)
    return Threshold(
        value=move.after,
        choice=Choice(
            **(
                dict(choice)
                | {
                    "kept": kept,
                    "shortfall": "\n".join(short),
                    "false_call_units": counted,
                    "false_call_ppm": PPM * float(calls.score[is_good].mean(dtype=np.float64)),
                    "false_call_ppm_upper": upper_ppm,
                    "promises": tuple(promises.get(p.label, p) for p in choice.promises),
                    "reviews": Reviews(
                        sha256=file.sha256,
                        last_utc=file.last_utc,
                        n_true_defects=said["defect"],
                        n_false_calls=said["false_call"],
                        n_escapes=said["escape"],
                        previous_value=move.before,
                    ),
                }
            )
        ),
    )


def _check_judged_here(bundle: Bundle, precision: Precision, reviewed: Reviewed) -> None:
    """The journal does not name the precision; its thresholds tell. A recipe may tighten some, so the highest
    counts."""
    own = bundle.threshold(precision).value
    judged_at = reviewed.highest_threshold
    others = [p for p in bundle.precisions if p != precision and bundle.threshold(p).value == judged_at]
    if judged_at is not None and judged_at != own and (others or judged_at > own):
        raise ReviewFault(
            f"the station judged at {judged_at:.6g}, which is {' and '.join(others) or 'no precision of this bundle'}; "
            f"{precision} has {own:.6g}"
        )


def _promise_after(one: ClassEvidence, threshold: float) -> Promise:
    defects = one.defects
    misses = one.misses_allowed(len(defects))
    return Promise(
        **(
            dict(one.promise)
            | {
                "n_rows": one.promise.n_rows - one.promise.n_units + len(defects),
                "n_units": len(defects),
                "caught_units": int((defects > threshold).sum()),
                "misses_units": misses,
                "recall_lower": lower_bound_frac(len(defects) - misses, len(defects), one.promise.confidence),
            }
        )
    )


def _locked_rows(bundle: Bundle, locked: LockedSet | None) -> Rows | None:
    if locked is None:
        return None
    data = read_data_set(locked.data, locked.table, locked.where)
    return rows_of(locked.split, data, data.split(locked.split), bundle)


def _report(
    precision: Precision,
    move: Move,
    threshold: Threshold,
    file: ReviewFile,
    reviewed: Reviewed,
    locked: Lot | None,
    identity: str,
) -> RecalibrationReport:
    low, high = sorted((move.before, move.after))
    between = int(((reviewed.scores > low) & (reviewed.scores <= high)).sum())
    crossing = Counter(_kind(r) for r in reviewed.reviews if low < r.score <= high)
    raised = move.direction == "raise"
    defects = np.empty(0, np.float32) if locked is None else locked.score[locked.label != GOOD]
    return RecalibrationReport(
        precision=precision,
        move=move,
        threshold=threshold,
        reviews=len(reviewed.reviews),
        overruled=file.overruled,
        not_in_journal=reviewed.not_in_journal,
        of_other_bundles=reviewed.of_other_bundles,
        reviewed_lost=dict(crossing) if raised else {},
        reviewed_gained={} if raised else dict(crossing),
        places=len(reviewed.scores),
        places_lost=between if raised else 0,
        places_gained=0 if raised else between,
        locked_caught=None
        if locked is None
        else (int((defects > move.before).sum()), int((defects > move.after).sum())),
        locked_defects=len(defects),
        identity=identity,
    )


def _kind(review: Review) -> str:
    if review.said == "false_call":
        return "false call"
    return f"{review.said}, {review.label or UNSAID}"
