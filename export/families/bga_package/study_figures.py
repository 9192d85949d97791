"""What is counted of a method's answers: recall per kind and strength at 1 % false calls, accuracy after binarising,
and the physical defect sites of the real tiles.

Thresholds come from good pictures that are not judged. Intervals are exact two-sided ones of counts of pictures.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.bounds import lower_bound_frac, upper_bound_frac
from edge.board import Floats
from export.families.bga_package.study_data import GOOD, UNTOUCHED_WAY, Judged
from export.families.bga_package.study_methods import Answers
from export.metrics import auroc

FALSE_CALL_FRAC = 0.01
KIND_OF = {  # what a twin's or a real label, or a kind of the rules, is to the net that tells kinds apart
    "missing": "missing",
    "bridge": "bridge",
    "undersized": "size",
    "oversized": "size",
    "shifted": "shifted",
    "foreign": "foreign",
    "splatter": "splatter",
    "crack": "scratch_crack",
    "scratch": "scratch_crack",
}
BOX_MARGIN_PX = 8  # one place of the map
HISTOGRAM_BINS = 48
GROUPS = ("known", "unseen")  # part numbers that were learned from, and others
STRENGTHS = ("plain", "fair", "limit")

Json = dict[str, Any]


def threshold_of(good: Floats) -> float:
    """The 99th percentile of good scores; a score above it is a call."""
    return float(np.quantile(good, 1.0 - FALSE_CALL_FRAC, method="higher"))


def rate(hits: int, n: int) -> Json:
    """A share with its exact two-sided 95 % interval."""
    if not n:
        return {"n": 0, "hits": 0}
    return {
        "hits": hits,
        "n": n,
        "lower": lower_bound_frac(hits, n, 0.975),
        "upper": upper_bound_frac(hits, n, 0.975),
    }


def twin_figures(judged: Judged, answers: Answers, val_good: Floats, kinds: tuple[str, ...]) -> Json:
    """Of the twin's packages: false calls, and per kind AUROC and what is found at each strength when 1 % of the good
    ones are called, part numbers known and unseen each by themselves."""
    score, good = answers.score, judged.label == GOOD
    threshold = threshold_of(val_good)
    called = score > threshold
    of_group = {group: judged.group == group for group in GROUPS}
    above = np.zeros(len(score), np.bool_)  # what good ones of its own group would give: a property of the ranking
    for group in of_group.values():
        above |= group & (score > threshold_of(score[good & group]))
    found: Json = {}
    for label in sorted(set(judged.label) - {GOOD}):
        of = judged.label == label
        found[label] = {
            "auroc": {name: auroc(score[good & group], score[of & group]) for name, group in of_group.items()},
            "strengths": {
                strength: {
                    name: _called_of(above, of & group & (judged.strength == strength))
                    for name, group in of_group.items()
                }
                for strength in STRENGTHS
            },
            "at_threshold": _called_of(called, of),
        }
    figures: Json = {
        "threshold": threshold,
        "val_good": len(val_good),
        "auroc": {name: auroc(score[good & group], score[~good & group]) for name, group in of_group.items()},
        "false_calls": {name: _called_of(called, good & group) for name, group in of_group.items()},
        "kinds": found,
    }
    if kinds and answers.kind is not None:
        figures["named"] = named_right(judged, answers.kind, called & ~good, kinds)
    if answers.map is not None:
        figures["located"] = located(judged, answers.map, called & ~good)
    return figures


def _called_of(called: NDArray[np.bool_], of: NDArray[np.bool_]) -> Json:
    return rate(int((called & of).sum()), int(of.sum()))


def named_right(judged: Judged, kind: Floats, called: NDArray[np.bool_], kinds: tuple[str, ...]) -> Json:
    """Of the defects that were called, how many by their kind; by label, and which else they were called."""
    names = np.array([KIND_OF.get(name, name) for name in kinds])  # the rules have finer ones
    told = names[kind.argmax(axis=1)]
    table: Json = {}
    for label in sorted(set(judged.label[called])):
        of = told[called & (judged.label == label)]
        table[label] = {str(name): int((of == name).sum()) for name in sorted(set(of))}
    right = sum(counts.get(KIND_OF[label], 0) for label, counts in table.items())
    return {**rate(right, int(called.sum())), "told": table}


def located(judged: Judged, maps: Floats, called: NDArray[np.bool_]) -> Json:
    """Of the defects that were called, how many have the map's greatest place in their box, or one place beside it."""
    by = judged.crops.shape[1] / maps.shape[1]
    hits = 0
    for k in np.flatnonzero(called):
        row, column = np.unravel_index(int(maps[k].argmax()), maps[k].shape)
        x, y = (column + 0.5) * by, (row + 0.5) * by
        x0, y0, x1, y1 = judged.boxes[k] + np.array([-1, -1, 1, 1]) * BOX_MARGIN_PX
        hits += bool(x0 <= x < x1 and y0 <= y < y1)
    return rate(hits, int(called.sum()))


def paper_figures(good: Floats, made: dict[str, Floats], val_good: Floats) -> Json:
    """The poster's experiment: scores of good packages and of those made defective its way, and the two told apart by a
    threshold from validation."""
    threshold = threshold_of(val_good)
    ways = {
        name: {"auroc": auroc(good, score), "called": rate(int((score > threshold).sum()), len(score))}
        for name, score in made.items()
    }
    defects = np.concatenate([score for name, score in made.items() if name != UNTOUCHED_WAY])
    caught, false_calls = int((defects > threshold).sum()), int((good > threshold).sum())
    n = len(defects) + len(good)
    precision = caught / max(caught + false_calls, 1)
    recall = caught / len(defects)
    return {
        "ways": ways,
        "accuracy": rate(caught + len(good) - false_calls, n),
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / max(precision + recall, 1e-12),
        "false_calls": rate(false_calls, len(good)),
        "densities": densities({GOOD: good, **made}, threshold),
    }


def densities(scores: dict[str, Floats], threshold: float) -> Json:
    """Histograms of log scores on common edges, as counts, for the figure."""
    every = np.log10(np.maximum(np.concatenate(list(scores.values())), 1e-9))
    edges = np.linspace(float(every.min()), float(every.max()) + 1e-6, HISTOGRAM_BINS + 1)
    return {
        "log10_edges": [round(float(edge), 5) for edge in edges],
        "log10_threshold": float(np.log10(max(threshold, 1e-9))),
        "counts": {
            name: np.histogram(np.log10(np.maximum(score, 1e-9)), edges)[0].tolist() for name, score in scores.items()
        },
    }


def real_figures(
    judged: Judged, answers: Answers, val_good: Floats, val_group: NDArray[np.str_], kinds: tuple[str, ...]
) -> Json:
    """Of real tiles: AUROC of each kind at each magnification against all good validation tiles of it, and whether each
    physical site is found, which is when any of its tiles is called. False calls are of judged tiles alone."""
    threshold = threshold_of(val_good)
    score, good = answers.score, judged.label == GOOD
    called = score > threshold
    sites: Json = {}
    for label in sorted(set(judged.label) - {GOOD}):
        for view in sorted(set(judged.group)):
            of = (judged.label == label) & (judged.group == view)
            if not of.any():
                continue
            among = np.concatenate([score[good & (judged.group == view)], val_good[val_group == view]])
            sites[f"{label}, {view}"] = {
                "auroc": auroc(among, score[of]),
                "tiles": int(of.sum()),
                "tiles_called": int(called[of].sum()),
                "found": bool(called[of].any()),
            }
    figures: Json = {
        "threshold": threshold,
        "val_good": len(val_good),
        "false_calls": {view: _called_of(called, good & (judged.group == view)) for view in sorted(set(judged.group))},
        "sites": sites,
    }
    if kinds and answers.kind is not None and (called & ~good).any():
        figures["named"] = named_right(judged, answers.kind, called & ~good, kinds)
    return figures
