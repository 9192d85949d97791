"""Classical inspection of BGA packages by 36 parameters: balls found, measured and held against their grid and one
another; bridges, specks, foreign bodies and scratches between them; the package's outline.

Each measure has a limit in `rules.json`; the score is the worst value over its limit, so 1 is at a limit. Two looks,
reflected light and X-rays, are two sets of parameters. What is found has a kind and a place.
"""

from __future__ import annotations

import cv2
import numpy as np
from pydantic import ValidationError

from edge.board import Floats, Image
from edge.bundle import Bundle, BundleFault
from edge.references import Scorable, crops_of
from edge.scorers.batch import ScoreBatch
from edge.scorers.choice import EngineChoice
from edge.scorers.fault import ScorerFault
from edge.scorers.package_rules_file import PackageRulesFile
from edge.scorers.package_rules_kinds import KINDS, MEASURES
from edge.scorers.package_rules_measure import Gauged, gauge

PICTURE_PX = 256
MAP_CELL_PX = 4
MAX_SCORE = 1e3
DRAWN_FROM = 0.5  # of a limit: what is farther inside is not drawn on the map
_OF_KIND = np.array([[measure.kind == kind for measure in MEASURES] for kind in KINDS])


class PackageRulesScorer:
    """Scores pictures by a bundle's `rules.json`. Raises BundleFault when that holds no package rules, or when the
    contract's kinds are others."""

    def __init__(self, bundle: Bundle, choice: EngineChoice) -> None:
        """`choice` is taken like every scorer does; a board has few packages, and each takes a few milliseconds."""
        try:
            self._rules = PackageRulesFile.model_validate_json(bundle.model(choice.precision))
        except ValidationError as err:
            faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in err.errors(include_url=False))
            raise BundleFault(f"{bundle.folder}/rules.json: {faults}") from None
        contract = bundle.manifest.contract
        if contract.kinds and contract.kinds != KINDS:
            raise BundleFault(f"{bundle.folder}: kinds {contract.kinds}, package rules tell {KINDS}")
        if contract.crop_px != PICTURE_PX:
            raise BundleFault(f"{bundle.folder}: crop_px {contract.crop_px}, package rules measure {PICTURE_PX}")

    def embed(self, _crops: Image) -> Floats:
        """Rules of packages compare nothing: raises ScorerFault."""
        raise ScorerFault("rules of packages compare nothing and give no embedding")

    def score(self, inputs: Scorable) -> ScoreBatch:
        """(N, 256, 256, 3) uint8 BGR to score (N,), map (N, 64, 64) and kind (N, len(KINDS)), all in limits. Raises
        ScorerFault for pictures of another shape."""
        crops = crops_of(inputs)
        if crops.dtype != np.uint8 or crops.shape[1:] != (PICTURE_PX, PICTURE_PX, 3) or not len(crops):
            expected = f"uint8 (N, {PICTURE_PX}, {PICTURE_PX}, 3)"
            raise ScorerFault(f"crops: {crops.dtype} {crops.shape}, expected {expected}")
        return score_pictures(crops.astype(np.uint8, copy=False), self._rules)


def score_pictures(pictures: Image, rules: PackageRulesFile) -> ScoreBatch:
    """Score, map and kinds of (N, 256, 256, 3) uint8 BGR."""
    limits = limits_of(rules)
    found = [gauge(picture, rules) for picture in pictures]
    over = exceedance(np.stack([one.values for one in found]), limits)
    score = over.max(1)
    return ScoreBatch(
        score=score,
        map=np.stack([_drawn(one, limits, float(worst)) for one, worst in zip(found, score, strict=True)]),
        kind=np.where(_OF_KIND[None], over[:, None], 0).max(2).astype(np.float32),
    )


def limits_of(rules: PackageRulesFile) -> Floats:
    """The limit of each measure, (len(MEASURES),) float32."""
    return np.array([getattr(rules, measure.limit) for measure in MEASURES], np.float32)


def exceedance(values: Floats, limits: Floats) -> Floats:
    """Values (…, len(MEASURES)) in limits: 1 at a limit; MAX_SCORE at most."""
    return np.asarray(np.minimum(values / limits, np.float32(MAX_SCORE)), np.float32)


def _drawn(found: Gauged, limits: Floats, score: float) -> Floats:
    """Map (64, 64) of what was found, in limits; the worst is drawn last, and no grid is the whole picture's fault."""
    side = PICTURE_PX // MAP_CELL_PX
    if not len(found.places_px):
        return np.full((side, side), score, np.float32)
    heat = np.zeros((side, side), np.float32)
    over = exceedance(found.at_places, limits).max(1)
    radius = max(1, round(found.reach_px / MAP_CELL_PX))
    for k in np.argsort(over)[np.count_nonzero(over < DRAWN_FROM) :]:
        x, y = (found.places_px[k] / MAP_CELL_PX).tolist()
        cv2.circle(heat, (int(x), int(y)), radius, float(over[k]), -1)
    for k, part in found.parts:
        strength = min(part.amount / float(limits[k]), MAX_SCORE)
        x0, y0, width, height = part.box_px
        if strength >= DRAWN_FROM and width > 0:
            rows = slice(max(0, y0 // MAP_CELL_PX), -(-(y0 + height) // MAP_CELL_PX))
            columns = slice(max(0, x0 // MAP_CELL_PX), -(-(x0 + width) // MAP_CELL_PX))
            heat[rows, columns] = np.maximum(heat[rows, columns], np.float32(strength))
    return heat
