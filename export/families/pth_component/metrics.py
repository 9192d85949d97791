"""Figures of merit for pairs, as the paper has them: is this pair conform?

A pair is an anchor with its positive (conform) or with its negative. The paper's positive class is *conformity*: its
precision falls with every defect that passed, its recall with every good component called, so that a recall of 1.0 with
a precision of 0.65 is a network that lets half of the defects pass. `escape_frac` says that outright.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve
from torch import nn

from edge.board import Floats, Image
from export.families.pth_component.triplets import Triplets
from export.metrics import auroc, average_precision

CHUNK = 64
YARDSTICK_PX = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class PairDistances:
    """Euclidean distances of N triplets' embeddings, (N,) float32 each."""

    positive: Floats
    negative: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFigures:
    """Tables 4 and 5, one row's half: pairs decided at a threshold chosen on other pairs. `tp` conform pairs called
    conform, `fp` negatives that passed. Areas and the equal error rate are of the ranking alone."""

    threshold: float
    accuracy: float
    precision: float
    recall: float
    escape_frac: float  # of negatives
    tp: int
    fp: int
    fn: int
    tn: int
    auroc: float
    average_precision: float
    equal_error_frac: float


@torch.no_grad()
def embeddings_of(network: nn.Module, inputs: Floats) -> Floats:
    """(N, 3, 128, 128) float32 to (N, E), in evaluation mode, in chunks."""
    network.eval()
    return torch.cat([network(torch.from_numpy(inputs[i : i + CHUNK])) for i in range(0, len(inputs), CHUNK)]).numpy()


def pair_distances(anchor: Floats, positive: Floats, negative: Floats) -> PairDistances:
    """From embeddings (N, E)."""
    return PairDistances(
        positive=np.linalg.norm(anchor - positive, axis=1).astype(np.float32),
        negative=np.linalg.norm(anchor - negative, axis=1).astype(np.float32),
    )


def pixel_distances(triplets: Triplets) -> PairDistances:
    """What no network is needed for: distances of grey, standardised, 32 x 32 pictures."""
    return pair_distances(*(_thumbnails(crops) for crops in (triplets.anchor, triplets.positive, triplets.negative)))


def best_threshold(pairs: PairDistances) -> float:
    """The distance at or below which a pair is called conform, for the greatest accuracy on these pairs: midway between
    two distances, so that it is no pair's own."""
    distances = np.concatenate([pairs.positive, pairs.negative]).astype(np.float64)
    conform = np.arange(len(distances)) < len(pairs.positive)
    order = np.argsort(distances, kind="stable")
    right = np.concatenate([[0], np.cumsum(np.where(conform[order], 1, -1))])  # calls right, less a constant
    ordered = np.concatenate([[0.0], distances[order], [distances.max() * 2.0]])
    best = int(np.argmax(right))
    return float((ordered[best] + ordered[best + 1]) / 2.0)


def pair_figures(pairs: PairDistances, threshold: float) -> PairFigures:
    """Decide every pair at a threshold. Precision of no conform call at all is 0."""
    tp, fp = int((pairs.positive <= threshold).sum()), int((pairs.negative <= threshold).sum())
    fn, tn = len(pairs.positive) - tp, len(pairs.negative) - fp
    return PairFigures(
        threshold=threshold,
        accuracy=(tp + tn) / (tp + tn + fp + fn),
        precision=tp / max(1, tp + fp),
        recall=tp / (tp + fn),
        escape_frac=fp / (fp + tn),
        tp=tp,
        fp=fp,
        fn=fn,
        tn=tn,
        auroc=auroc(pairs.positive, pairs.negative),
        average_precision=_conform_precision(pairs),
        equal_error_frac=_equal_error(pairs),
    )


def curves(pairs: PairDistances) -> dict[str, dict[str, list[float]]]:
    """Figure 5a and b: ROC and precision-recall of conformity, as lists for a JSON file."""
    labels, similarity = _conformity(pairs)
    false_rate, true_rate, _ = roc_curve(labels, similarity)
    precision, recall, _ = precision_recall_curve(labels, similarity)
    return {
        "roc": {"false_positive_frac": false_rate.tolist(), "true_positive_frac": true_rate.tolist()},
        "precision_recall": {"precision": precision.tolist(), "recall": recall.tolist()},
    }


def _conformity(pairs: PairDistances) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    labels = np.concatenate([np.ones(len(pairs.positive), np.int64), np.zeros(len(pairs.negative), np.int64)])
    return labels, -np.concatenate([pairs.positive, pairs.negative])


def _conform_precision(pairs: PairDistances) -> float:
    return average_precision(-pairs.negative, -pairs.positive)


def _equal_error(pairs: PairDistances) -> float:
    false_rate, true_rate, _ = roc_curve(*_conformity(pairs))
    nearest = int(np.argmin(np.abs(false_rate - (1 - true_rate))))
    return float((false_rate[nearest] + 1 - true_rate[nearest]) / 2)


def _thumbnails(crops: Image) -> Floats:
    small = [
        cv2.resize(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), (YARDSTICK_PX,) * 2, interpolation=cv2.INTER_AREA)
        for crop in crops
    ]
    flat = np.stack(small).reshape(len(crops), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    return flat / np.maximum(flat.std(axis=1, keepdims=True), np.float32(1.0))
