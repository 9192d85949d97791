"""An evaluation by group: each class of defects, each part number, and what there is none of. Nobody is dropped."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibration.bounds import lower_bound_frac
from calibration.line_figures import line_figures
from export.datasets import GOOD_LABELS
from export.evaluation import LabelReport, PartReport
from export.metrics import Interval, auroc, auroc_interval, counts_of, place_counts, recall_at_false_call_frac
from export.scoring import ScoredSplit
from export.table_columns import parts_of

ANY_DEFECT = "any defect"  # how a promise over all classes together is labelled


def label_report(scored: ScoredSplit, kind: str) -> LabelReport:
    """One kind of defect, of which there is at least one row. Raises ValueError where there is none."""
    is_good, chosen, called = scored.is_good, scored.labels == kind, scored.called
    good, defect = scored.score[is_good], scored.score[chosen]
    interval = resampled_interval(scored, chosen)
    caught = int(called[chosen].sum())
    places = place_counts(called[chosen], is_good[chosen], scored.units[chosen])
    if interval is None:
        raise ValueError(f"label {kind!r} has no rows")
    return LabelReport(
        n=len(defect),
        n_units=places.n_defect,
        caught=caught,
        auroc=auroc(good, defect),
        auroc_lower=interval.lower,
        auroc_upper=interval.upper,
        recall=caught / len(defect),
        recall_lower=lower_bound_frac(caught, len(defect)),
        recall_lower_places=lower_bound_frac(places.caught, places.n_defect),
        recall_at_1_percent_false_calls=recall_at_false_call_frac(good, defect, 0.01),
        recall_at_5_percent_false_calls=recall_at_false_call_frac(good, defect, 0.05),
    )


def part_reports(scored: ScoredSplit) -> dict[str, PartReport]:
    """Empty where the table has no part numbers. One that only other splits or the thresholds know is in it too, and
    says that there is nothing to say."""
    known = {*parts_of(scored.data.rows), *scored.threshold.by_part} - {""}
    return {part: _part_report(scored, part) for part in sorted(known)}


def _part_report(scored: ScoredSplit, part: str) -> PartReport:
    chosen = scored.parts == part
    called, is_good = scored.called[chosen], scored.is_good[chosen]
    rows = line_figures(counts_of(called, is_good))
    places = line_figures(place_counts(called, is_good, scored.units[chosen]))
    return PartReport(
        threshold=scored.threshold.of_part(part),
        n_good=rows.counts.n_good,
        n_defect=rows.counts.n_defect,
        caught=rows.counts.caught,
        false_calls=rows.counts.false_calls,
        recall=rows.recall,
        recall_lower=rows.recall_lower,
        recall_lower_places=places.recall_lower,
        false_call_ppm=rows.false_call_ppm,
        false_call_ppm_upper=rows.false_call_ppm_upper,
        false_call_ppm_upper_places=places.false_call_ppm_upper,
        unsaid=list(rows.unsaid),
    )


def resampled_interval(scored: ScoredSplit, chosen: NDArray[np.bool_]) -> Interval | None:
    """Of the chosen defects against the good rows; None where there are none."""
    if not chosen.any():
        return None
    good, units = scored.is_good, scored.units
    return auroc_interval(scored.score[good], scored.score[chosen], units[good], units[chosen])


def labels_without_defects(scored: ScoredSplit) -> list[str]:
    """Kinds of defect that other splits or the threshold's evidence know, and of which there is none here."""
    known = {row.label for row in scored.data.rows}
    known |= {promise.label for promise in scored.threshold.choice.promises}
    return sorted(known - {row.label for row in scored.rows} - GOOD_LABELS - {ANY_DEFECT})
