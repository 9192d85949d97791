"""Classical inspection of components: each crop held against approved pictures of its part, without anything learned.

What machines have had for decades: normalised cross-correlation with the approved picture over small shifts, colour and
brightness beside it, edges counted. The approved picture that correlates best is the one compared with; the score is
the worst exceedance of any limit, 1 at the limit and 0 at what is typical of good parts. Limits stand in `rules.json`.
"""

from __future__ import annotations

from typing import Annotated, Literal

import cv2
import numpy as np
from pydantic import Field, ValidationError, model_validator

from edge.board import Floats, Image
from edge.bundle import Bundle, BundleFault
from edge.references import Compared, Scorable
from edge.scorers.batch import ScoreBatch
from edge.scorers.choice import EngineChoice
from edge.scorers.fault import ScorerFault
from edge.settings import Settings

GREY_PX = 32  # side crops are reduced to before correlation
MARGIN_PX = 3  # a part may be shifted by so much: a tenth of the crop's side
CORE_PX = GREY_PX - 2 * MARGIN_PX
CELLS = 8  # colour is compared on so many cells each way
EMBEDDING_SIZE = GREY_PX**2 + 3 * CELLS**2
MAX_SCORE = 1e3
Feature = Literal["template", "colour", "worst_cell", "brightness", "edges"]

FEATURES: dict[Feature, str] = {
    "template": "1 - correlation with the approved picture, best of all shifts",
    "colour": "grey levels, RMS over cells, common brightness taken away",
    "worst_cell": "grey levels, the cell that differs most, common brightness taken away",
    "brightness": "grey levels, difference of the means",
    "edges": "logarithm of the ratio of mean gradients, absolute",
}
Finite = Annotated[float, Field(allow_inf_nan=False)]


class ComponentLimit(Settings):
    """How far a crop may be from its approved picture in one feature; `typical` is what good parts show."""

    feature: Feature
    unit: str
    typical: Finite
    high: Finite

    @model_validator(mode="after")
    def _ordered(self) -> ComponentLimit:
        if not self.typical < self.high:
            raise ValueError(f"{self.feature}: typical {self.typical} is not below high {self.high}")
        return self


class ComponentRulesFile(Settings):
    """`rules.json` of a bundle of component rules."""

    schema_version: Literal[1] = 1
    limits: Annotated[tuple[ComponentLimit, ...], Field(min_length=1, max_length=len(FEATURES))]

    @model_validator(mode="after")
    def _once(self) -> ComponentRulesFile:
        names = [limit.feature for limit in self.limits]
        if len(set(names)) != len(names):
            raise ValueError("a feature is limited twice")
        return self


class ComponentRulesScorer:
    """Scores crops by a bundle's `rules.json`. Raises BundleFault when that holds no component rules."""

    def __init__(self, bundle: Bundle, choice: EngineChoice) -> None:
        """`choice` is taken like every scorer does; the work of one board is too small to share out to threads."""
        try:
            self._rules = ComponentRulesFile.model_validate_json(bundle.model(choice.precision))
        except ValidationError as err:
            faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in err.errors(include_url=False))
            raise BundleFault(f"{bundle.folder}/rules.json: {faults}") from None
        self._crop_px = bundle.manifest.contract.crop_px

    def embed(self, crops: Image) -> Floats:
        """(N, h, w, 3) uint8 BGR to what is compared, (N, EMBEDDING_SIZE) float32."""
        if crops.dtype != np.uint8 or crops.shape[1:] != (self._crop_px, self._crop_px, 3) or not len(crops):
            expected = f"uint8 (N, {self._crop_px}, {self._crop_px}, 3)"
            raise ScorerFault(f"crops: {crops.dtype} {crops.shape}, expected {expected}")
        return reduced(crops)

    def score(self, inputs: Scorable) -> ScoreBatch:
        """Crops with their references to score (N,) float32 and no map. Raises ScorerFault."""
        if not isinstance(inputs, Compared):
            raise ScorerFault("component rules compare, and there is nothing to compare with")
        features = measured(self.embed(inputs.crops), inputs.references)
        return ScoreBatch(score=exceedance(features, self._rules.limits))


def reduced(crops: Image) -> Floats:
    """Crops (N, h, w, 3) uint8 BGR as a small grey picture and cells of colour, (N, EMBEDDING_SIZE) float32."""
    rows = np.empty((len(crops), EMBEDDING_SIZE), np.float32)
    for row, crop in zip(rows, crops, strict=True):
        grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
        row[: GREY_PX**2] = cv2.resize(grey, (GREY_PX, GREY_PX), interpolation=cv2.INTER_AREA).ravel()
        row[GREY_PX**2 :] = cv2.resize(crop, (CELLS, CELLS), interpolation=cv2.INTER_AREA).ravel()
    return rows


def measured(crops: Floats, references: Floats) -> Floats:
    """Reduced crops (N, E) and references (N, K, E) to features (N, len(FEATURES)), in their order."""
    grey, cells = _parts(crops)
    reference_grey, reference_cells = _parts(references)
    correlation = _correlation(grey, reference_grey)  # (N, K)
    best = np.argmax(correlation, axis=1)[:, None]
    beside_grey = np.take_along_axis(reference_grey, best[..., None, None], axis=1)[:, 0]
    beside_cells = np.take_along_axis(reference_cells, best[..., None, None, None], axis=1)[:, 0]
    step = grey.mean((1, 2)) - beside_grey.mean((1, 2))
    apart = cells - beside_cells
    apart = np.abs(apart - np.median(apart, axis=(1, 2, 3), keepdims=True)).mean(axis=3)
    return np.stack(
        [
            1.0 - np.take_along_axis(correlation, best, axis=1)[:, 0],
            np.sqrt((apart**2).mean((1, 2))),
            apart[:, 1:-1, 1:-1].max((1, 2)),
            np.abs(step),
            np.abs(np.log((_gradient(grey) + 1.0) / (_gradient(beside_grey) + 1.0))),
        ],
        axis=1,
    ).astype(np.float32)


def exceedance(features: Floats, limits: tuple[ComponentLimit, ...]) -> Floats:
    """Worst exceedance of any limit (N,) float32: 0 typical or better, 1 at a limit."""
    order = list(FEATURES)
    worst = np.zeros(len(features), np.float32)
    for limit in limits:
        over = (features[:, order.index(limit.feature)] - limit.typical) / (limit.high - limit.typical)
        worst = np.maximum(worst, over.astype(np.float32))
    return np.asarray(np.minimum(worst, np.float32(MAX_SCORE)), np.float32)


def _parts(rows: Floats) -> tuple[Floats, Floats]:
    """Grey (…, GREY_PX, GREY_PX) and cells (…, CELLS, CELLS, 3)."""
    grey = rows[..., : GREY_PX**2].reshape(*rows.shape[:-1], GREY_PX, GREY_PX)
    return grey, rows[..., GREY_PX**2 :].reshape(*rows.shape[:-1], CELLS, CELLS, 3)


def _correlation(grey: Floats, references: Floats) -> Floats:
    """Of the crop's middle, shifted by up to MARGIN_PX, with that of each reference; best of all shifts, (N, K)."""
    core = slice(MARGIN_PX, GREY_PX - MARGIN_PX)
    templates = _standardised(references[:, :, core, core])
    best = np.full(templates.shape[:2], -1.0, np.float32)
    for dy in range(2 * MARGIN_PX + 1):
        for dx in range(2 * MARGIN_PX + 1):
            window = _standardised(grey[:, None, dy : dy + CORE_PX, dx : dx + CORE_PX])
            np.maximum(best, np.einsum("nkp,njp->nk", templates, window), out=best)
    return best


def _standardised(pictures: Floats) -> Floats:
    """Rows of zero mean and length one, (N, K, CORE_PX ** 2); a flat picture correlates with nothing."""
    rows = pictures.reshape(*pictures.shape[:2], -1)
    rows = rows - rows.mean(axis=2, keepdims=True)
    length = np.linalg.norm(rows, axis=2, keepdims=True)
    return np.asarray(rows / np.maximum(length, 1.0), np.float32)


def _gradient(grey: Floats) -> Floats:
    """Mean absolute step between neighbours, (N,)."""
    steps = np.abs(np.diff(grey, axis=1)).mean((1, 2)) + np.abs(np.diff(grey, axis=2)).mean((1, 2))
    return np.asarray(steps, np.float32)
