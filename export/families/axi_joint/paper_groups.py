"""Test joints by what they are: how regions, slices and severities change what is caught and called. The columns are
the twin's own truth; they sort figures here and reach no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.datasets import Row
from export.families.axi_joint.labels import ROI_OK, Mask, column, defective, roi_faults
from export.families.axi_joint.paper_metrics import (
    PREVALENCES,
    Judged,
    at_threshold,
    fpr_at_recall,
    of_called_true,
    rate,
)
from export.metrics import auroc

Cell = dict[str, Any]
WRONG_ROI_SHARES = (0.01, 0.24)  # of views: a well-kept line, and the real project
MIN_EACH = 5  # joints of each kind below which an AUROC is not stated


def group_figures(
    rows: Sequence[Row], judged: Judged, spoilt: Judged, thresholds: dict[str, float], floor: str
) -> Cell:
    """Figures of groups at every threshold; the ones that need one threshold take that called `floor`. `spoilt` are
    joints in wrong regions."""
    faults = np.array(roi_faults(rows))
    right = faults == ROI_OK
    severity, marginal, visible = (np.array([column(row, c) for row in rows]) for c in _COLUMNS)
    slices, labels = np.array([row.n_slices for row in rows]), np.array([row.label for row in rows])
    types = np.array([column(row, "board_type") for row in rows])
    called = judged.score > thresholds[floor]
    bad = judged.defective
    return {
        "right_regions": _figures(judged.of(right), thresholds),
        "right_regions_by_truth": _figures(_by_truth(rows, judged).of(right), thresholds),
        "by_slices": {str(n): _figures(judged.of(slices == n), thresholds) for n in np.unique(slices)},
        "by_board_type": {str(t): _figures(judged.of(types == t), thresholds) for t in np.unique(types)},
        "recall_by_severity": _rates(called, bad & right, severity),
        "recall_by_label": _rates(called, bad & right, labels),
        "recall_visible": {
            name: rate(called[bad & right & of])
            for name, of in (("in a slice", visible != ""), ("in none", visible == ""))
        },
        "fpr_barely_good": _rates(called, ~bad & right, marginal),
        "wrong_regions": [_with_wrong(judged.of(right), spoilt, thresholds, share) for share in WRONG_ROI_SHARES],
        "prevalence": [
            {"prevalence": p, "of_calls_true": _precision(judged.of(right), thresholds, p)} for p in PREVALENCES
        ],
    }


_COLUMNS = ("severity", "marginal", "visible_in")


def roi_figures(
    rows: Sequence[Row], roi: NDArray[np.floating], wrong_rows: Sequence[Row], wrong_roi: NDArray[np.floating]
) -> Cell:
    """How wrong regions are told from the test's right ones: AUROC over all faults, and what share of each is found
    above 0.5. `found_at_one_percent` is read off: of the test's own right regions one in a hundred is called wrong."""
    right = roi[np.array(roi_faults(rows)) == ROI_OK]
    faults = np.array(roi_faults(wrong_rows))
    everything = np.ones(len(faults), bool)
    return {
        "auroc": _auroc(right, wrong_roi),
        "false_alarms": rate(right > 0.5),
        "found": rate(wrong_roi > 0.5),
        "found_at_one_percent": rate(wrong_roi > float(np.quantile(right, 0.99))),
        "found_by_fault": _rates(wrong_roi > 0.5, everything, faults),
    }


def _figures(judged: Judged, thresholds: dict[str, float]) -> Cell:
    good, bad = judged.score[~judged.defective], judged.score[judged.defective]
    enough = min(len(good), len(bad)) >= MIN_EACH
    return {
        "n_good": len(good),
        "n_defective": len(bad),
        "auroc": _auroc(good, bad),
        "fpr_at_recall": {name: fpr_at_recall(judged, float(name)) for name in thresholds} if enough else None,
        "at": {name: at_threshold(judged, value) for name, value in thresholds.items()},
    }


def _by_truth(rows: Sequence[Row], judged: Judged) -> Judged:
    """The same joints by what the twin drew, without the specialist's slips."""
    truth = np.array([column(row, "truth") not in ("normal", "") for row in rows])
    return Judged(score=judged.score, defective=truth, board=judged.board)


def _with_wrong(right: Judged, spoilt: Judged, thresholds: dict[str, float], share: float) -> Cell:
    """Recall and FPR where `share` of the joints have wrong regions: rates of right and of wrong ones, weighted."""
    figures: Cell = {"share": share, "n_wrong": len(spoilt.score)}
    for name, threshold in thresholds.items():
        cells = [at_threshold(judged, threshold) for judged in (right, spoilt)]
        rates = {of: [cell[of]["frac"] for cell in cells] for of in ("recall", "fpr")}
        figures[name] = {
            of: None if None in pair else (1 - share) * pair[0] + share * pair[1] for of, pair in rates.items()
        }
    return figures


def _precision(judged: Judged, thresholds: dict[str, float], prevalence: float) -> dict[str, Cell]:
    """What share of calls is true, and at least how much, should recall be at its interval's lower end and false calls
    at their upper one."""
    made: dict[str, Cell] = {}
    for name, threshold in thresholds.items():
        cell = at_threshold(judged, threshold)
        recall, fpr = cell["recall"], cell["fpr"]
        ends = {"value": (recall["frac"], fpr["frac"]), "at_least": (recall["lower"], fpr["upper"])}
        made[name] = {k: None if None in of else of_called_true(*of, prevalence) for k, of in ends.items()}
    return made


def _rates(called: Mask, among: Mask, names: NDArray[Any]) -> dict[str, Cell]:
    return {str(name): rate(called[among & (names == name)]) for name in np.unique(names[among])}


def _auroc(good: NDArray[np.floating], bad: NDArray[np.floating]) -> float | None:
    return auroc(good, bad) if min(len(good), len(bad)) >= MIN_EACH else None


def judged_rows(rows: Sequence[Row], score: NDArray[np.floating]) -> Judged:
    """Rows with their scores (N,) as figures are made of."""
    boards = np.unique([column(row, "board") for row in rows], return_inverse=True)[1].astype(np.int64)
    return Judged(score=score, defective=defective(rows), board=boards)
