"""What nobody can beat on pads drawn anew on every board: the likelihood ratio of one board's two values, with level,
mean, stroke, wipe and repeat noise of every pad known exactly, and mu too (Neyman and Pearson).

Of pads that stay the same, and of faults with a shape, more can be found: earlier boards and neighbours tell.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.paste.panel import Numbers
from export.families.paste_print.best_injection import SPREAD
from export.families.paste_print.experiment_metrics import ByRun


def bound_auprc(
    noise_z: Numbers, correlation: float, mu: float, ratio: float, seed: int = 0, boards: int = 200
) -> float:
    """Average precision of the likelihood ratio over `boards` of P pads with repeat noise (P, 2) in table sigmas, whose
    volume and area go together by `correlation`; a `ratio` of pads is moved by mu +- 0.1 table sigmas in both."""
    rng = np.random.default_rng(seed)
    hit = rng.random((boards, len(noise_z))) < ratio
    own = rng.standard_normal((2, *hit.shape))
    area = correlation * own[0] + np.sqrt(1 - correlation**2) * own[1]
    values = np.stack([own[0], area], axis=-1) * noise_z
    values = values + (hit * rng.normal(mu, SPREAD, hit.shape))[..., None]
    ratio_log = _log_likelihood(values, noise_z, correlation, mu, SPREAD)
    ratio_log = ratio_log - _log_likelihood(values, noise_z, correlation, 0.0, 0.0)
    return ByRun([ratio_log.astype(np.float32)], [hit]).auprc()


def noise_correlation(left: Numbers) -> float:
    """Of volume with area in what is left of good boards (N, P, 2), each pad's own mean taken away."""
    off = left - left.mean(axis=0)
    within = off / np.maximum(off.std(axis=0), 1e-9)
    return float((within[..., 0] * within[..., 1]).mean())


def _log_likelihood(
    values: Numbers, noise_z: Numbers, correlation: float, mean: float, spread: float
) -> NDArray[np.float64]:
    """(N, P) of a Gaussian around `mean` in both, without what is the same for every mean and spread."""
    cross = correlation * noise_z.prod(axis=1) + spread**2
    a, b = (noise_z**2 + spread**2).T
    determinant = a * b - cross**2
    x, y = values[..., 0] - mean, values[..., 1] - mean
    distance = (b * x * x - 2 * cross * x * y + a * y * y) / determinant
    return np.asarray(-0.5 * (distance + np.log(determinant)))
