"""Real or twin? Classifiers on 64 px patches of good balls. Near 0.5 they cannot tell; above 0.95 the twin is wrong."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from export.simulator.xray.stack import Floats

PATCH_PX = 64
DARK_MU = 1.3  # half way between board and ball
_COARSE_PX = 8
SHAPES = _COARSE_PX**2 + 2  # of the features; the rest is texture


def patch_features(mu: Floats, places: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """(n, 82) of the 64 px patches around balls in one slice: an 8 x 8 picture, each less the patch's mean; its mean
    and spread; and of what a blur of 1.5 px takes off: spread, skew, correlations, in the ball and beside it."""
    return np.array([_of_patch(mu, place) for place in places])


def fake_auc(
    real: NDArray[np.float64], twin: NDArray[np.float64], groups: NDArray[np.int64]
) -> dict[str, dict[str, float]]:
    """AUROC of telling twin from real by shape, by texture and by both, folds grouped by `groups` (real's then twin's),
    for a linear classifier and a small net."""
    parts = {"shape": slice(0, SHAPES), "texture": slice(SHAPES, None), "both": slice(None)}
    return {name: _aucs(real[:, part], twin[:, part], groups) for name, part in parts.items()}


def _aucs(real: NDArray[np.float64], twin: NDArray[np.float64], groups: NDArray[np.int64]) -> dict[str, float]:
    rows = np.concatenate([real, twin])
    is_twin = np.repeat([0, 1], [len(real), len(twin)])
    models = {
        "linear": make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000, class_weight="balanced")),
        "net": make_pipeline(
            StandardScaler(), MLPClassifier((16,), alpha=3.0, max_iter=3000, solver="lbfgs", random_state=0)
        ),
    }
    folds = GroupKFold(4)
    return {
        name: float(
            roc_auc_score(
                is_twin, cross_val_predict(model, rows, is_twin, groups=groups, cv=folds, method="predict_proba")[:, 1]
            )
        )
        for name, model in models.items()
    }


def _of_patch(mu: Floats, place: tuple[float, float]) -> NDArray[np.float64]:
    half = PATCH_PX // 2
    place = _centre(mu, place)
    x0, y0 = round(place[0]) - half, round(place[1]) - half
    patch = np.ascontiguousarray(mu[y0 : y0 + PATCH_PX, x0 : x0 + PATCH_PX], np.float32)
    coarse = cv2.resize(patch, (_COARSE_PX, _COARSE_PX), interpolation=cv2.INTER_AREA).ravel()
    fine = patch - cv2.GaussianBlur(patch, (0, 0), 1.5)
    rows, columns = np.mgrid[:PATCH_PX, :PATCH_PX] - half + 0.5
    out = np.hypot(rows, columns)
    texture = [value for area in (out < 18, (out > 20) & (out < 31)) for value in _texture(fine, area)]
    return np.concatenate([coarse - coarse.mean(), [patch.mean(), patch.std()], texture]).astype(np.float64)


def _texture(fine: Floats, area: NDArray[np.bool_]) -> list[float]:
    values = fine[area]
    spread = max(float(values.std()), 1e-9)
    beside = [float((fine * np.roll(fine, lag, axis))[area].mean()) / spread**2 for lag in (1, 2) for axis in (0, 1)]
    tails = [float(np.percentile(values, q)) / spread for q in (2, 98)]
    return [spread, float(((values / spread) ** 3).mean()), *beside, *tails]


def _centre(mu: Floats, place: tuple[float, float]) -> tuple[float, float]:
    """Where the ball really lies: the mean place of what is half dark around where it should."""
    reach = PATCH_PX // 2 + 10
    x0, y0 = round(place[0]) - reach, round(place[1]) - reach
    rows, columns = np.nonzero(mu[y0 : y0 + 2 * reach, x0 : x0 + 2 * reach] > DARK_MU)
    return float(columns.mean() + x0), float(rows.mean() + y0)
