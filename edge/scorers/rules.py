"""Classical inspection of joint crops: measured features, each held against limits a process engineer sets.

The features are those of the literature before learned models: brightness and highlight percentages, solder area,
barycentre, roundness and extent, fill of the gaps where bridges form, dome or open hole at the centre, and normalised
cross-correlation with pictures of good joints. The score is the worst exceedance of any limit: 1.0 is at the limit, 0
is typical. What the limits are stands in `rules.json`; how they are found is the workshop's business.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, field_validator, model_validator

from edge.board import Floats, Image
from edge.bundle import Bundle, BundleFault
from edge.references import Scorable, crops_of
from edge.scorers.batch import ScoreBatch
from edge.scorers.choice import EngineChoice
from edge.scorers.fault import ScorerFault
from edge.settings import Settings

MAX_TEMPLATES = 64
MAX_SCORE = 1e3  # a limit next to the typical value must not make a score the float32 verdict record cannot tell apart
DIRECTIONS = 8  # in which a neighbour's solder is looked for
CENTRE_RADIUS, RING_RADII, JOINT_RADIUS = 0.13, (0.20, 0.36), 0.42  # in pitches: lead tip, fillet, what may be solder
GAP_RADII, GAP_HALF_WIDTH = (0.44, 0.58), 0.16  # in pitches: midway to the neighbour, bare on a good joint
HIGHLIGHT = 225.0  # of 255
TEMPLATE_PX = 16  # side crops are reduced to before correlation
TEMPLATE_MARGIN_PX = 2  # cut off each side, so that a template may be shifted by as much
SHIFTS_PX = (-1, 0, 1)  # at TEMPLATE_PX: +-0.1 of a pitch, about what registration leaves
TEMPLATE_SIDE_PX = TEMPLATE_PX - 2 * TEMPLATE_MARGIN_PX

# name -> unit. Metal is the smallest of the three channels, in which solder is bright and coloured board is dark, taken
# from 0 at the crop's 10th percentile to 1 at its 95th; solder is metal above one half.
FEATURES: dict[str, str] = {
    "brightness": "grey level",
    "contrast": "grey level, standard deviation",
    "highlight": "fraction of joint pixels at 225 or brighter",
    "metal_range": "grey level, 10th to 95th percentile of metal",
    "centre_metal": "metal at the lead's tip",
    "ring_metal": "metal on the fillet",
    "dome": "metal at the tip minus metal on the fillet",
    "centre_darkest": "metal, 10th percentile at the tip",
    "solder_area": "fraction of the joint's disc",
    "solder_outside": "fraction of the crop outside the joint's disc",
    "gap_fill": "fraction of the fullest gap that is solder",
    "gap_metal": "metal in the brightest gap",
    "gap_imbalance": "metal, brightest minus median gap",
    "reach": "pitches from the centre to the far end of the joint's own solder",
    "own_area": "fraction of the crop that is the joint's own solder",
    "offset": "pitches from the place to the solder's barycentre",
    "elongation": "ratio of the solder's principal axes",
    "solidity": "solder's area over its hull's",
    "edges": "grey level per pixel, mean gradient on the joint",
    "colour": "saturation on the joint, 0 to 1",
    "template": "1 - correlation with the most alike good joint",
}


Finite = Annotated[float, Field(allow_inf_nan=False)]


class Limit(Settings):
    """What one feature may be. At least one bound; `typical` lies inside, and is where the score of this limit is 0."""

    feature: str
    unit: str
    typical: Finite
    low: Finite | None = None
    high: Finite | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Limit:
        if self.feature not in FEATURES:
            raise ValueError(f"{self.feature!r} is not one of {sorted(FEATURES)}")
        if self.low is None and self.high is None:
            raise ValueError(f"{self.feature}: has neither a low nor a high bound")
        if (self.low is not None and not self.low < self.typical) or (
            self.high is not None and not self.typical < self.high
        ):
            raise ValueError(f"{self.feature}: typical {self.typical} is not between {self.low} and {self.high}")
        return self


class RulesFile(Settings):
    """`rules.json`: the limits, and good joints as pictures for the `template` feature (base64 of raw grey bytes)."""

    schema_version: Literal[1] = 1
    pitch_frac: Annotated[float, Field(gt=0.1, le=1.0)]  # of the crop's side: 1 / the contract's region_scale
    limits: Annotated[tuple[Limit, ...], Field(min_length=1, max_length=len(FEATURES))]
    templates: Annotated[tuple[str, ...], Field(max_length=MAX_TEMPLATES)] = ()

    @field_validator("templates")
    @classmethod
    def _decodable(cls, templates: tuple[str, ...]) -> tuple[str, ...]:
        for i, text in enumerate(templates):
            try:
                n = len(base64.b64decode(text, validate=True))
            except (binascii.Error, ValueError):
                raise ValueError(f"template {i} is not base64") from None
            if n != TEMPLATE_SIDE_PX**2:
                raise ValueError(f"template {i} has {n} pixels, not {TEMPLATE_SIDE_PX} x {TEMPLATE_SIDE_PX}")
        return templates

    @model_validator(mode="after")
    def _template_has_templates(self) -> RulesFile:
        names = [limit.feature for limit in self.limits]
        if len(set(names)) != len(names):
            raise ValueError("a feature is limited twice")
        if "template" in names and not self.templates:
            raise ValueError("limits the feature 'template' but has no templates")
        return self

    def template_pixels(self) -> Image:
        """The templates, (K, TEMPLATE_SIDE_PX, TEMPLATE_SIDE_PX) uint8 grey."""
        raw = b"".join(base64.b64decode(t) for t in self.templates)
        pixels: Image = np.frombuffer(raw, np.uint8).reshape(-1, TEMPLATE_SIDE_PX, TEMPLATE_SIDE_PX)
        return pixels


class RulesScorer:
    """Scores crops by a bundle's `rules.json`. Raises BundleFault when that is not a set of rules for its contract."""

    def __init__(self, bundle: Bundle, choice: EngineChoice) -> None:
        """`choice` is taken like every scorer does; the work of one board is too small to share out to threads."""
        try:
            self._rules = RulesFile.model_validate_json(bundle.model(choice.precision))
        except ValidationError as err:
            faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in err.errors(include_url=False))
            raise BundleFault(f"{bundle.folder}/rules.json: {faults}") from None
        self._crop_px = bundle.manifest.contract.crop_px
        self._gauge = Gauge(self._rules.pitch_frac, self._crop_px, self._rules.template_pixels())

    def embed(self, crops: Image) -> Floats:
        """Rules of joints compare nothing: raises ScorerFault."""
        raise ScorerFault("rules of joints compare nothing and give no embedding")

    def score(self, inputs: Scorable) -> ScoreBatch:
        """(N, h, w, 3) uint8 BGR to score (N,) float32 and no map. Raises ScorerFault for crops of another size."""
        crops = crops_of(inputs)
        if not len(crops):
            raise ScorerFault("no crops to score")
        if crops.dtype != np.uint8 or crops.shape[1:] != (self._crop_px, self._crop_px, 3):
            raise ScorerFault(
                f"crops: {crops.dtype} {crops.shape}, expected uint8 (N, {self._crop_px}, {self._crop_px}, 3)"
            )
        return ScoreBatch(score=exceedance(self._gauge.measure(np.asarray(crops, np.uint8)), self._rules.limits))


def exceedance(measured: Floats, limits: Sequence[Limit]) -> Floats:
    """Worst exceedance of any limit (N,) float32, from all features (N, F): 0 typical, 1 at a limit."""
    worst = np.zeros(len(measured), np.float32)
    order = list(FEATURES)
    for limit in limits:
        off = measured[:, order.index(limit.feature)] - np.float32(limit.typical)
        if limit.high is not None:
            worst = np.maximum(worst, off / np.float32(limit.high - limit.typical))
        if limit.low is not None:
            worst = np.maximum(worst, -off / np.float32(limit.typical - limit.low))
    return np.asarray(np.minimum(worst, np.float32(MAX_SCORE)), np.float32)


class Gauge:
    """Measures the features of crops of one size. Windows and templates are prepared once."""

    def __init__(self, pitch_frac: float, crop_px: int, templates: Image) -> None:
        """`templates` (K, TEMPLATE_SIDE_PX, TEMPLATE_SIDE_PX) uint8 grey, K may be 0."""
        self._pitch_px = pitch_frac * crop_px
        axis = (np.arange(crop_px, dtype=np.float32) - (crop_px - 1) / 2) / np.float32(self._pitch_px)
        x, y = np.meshgrid(axis, axis)  # in pitches from the centre
        radius = np.hypot(x, y)
        joint = radius <= JOINT_RADIUS
        self._joint = joint.ravel()
        self._centre_indices = np.flatnonzero(radius.ravel() <= CENTRE_RADIUS)
        ring = (radius >= RING_RADII[0]) & (radius <= RING_RADII[1])
        self._windows = _mean_weights([joint, ~joint, radius <= CENTRE_RADIUS, ring, *_gaps(x, y)])
        self._joint_weights = self._windows[:, 0]
        self._templates = (
            _standardised(templates.reshape(len(templates), -1).astype(np.float32)) if len(templates) else None
        )

    def measure(self, crops: Image) -> Floats:
        """(N, h, w, 3) uint8 BGR to (N, len(FEATURES)) float32, columns in the order of FEATURES."""
        n, side = len(crops), crops.shape[1]
        tall = cv2.cvtColor(crops.reshape(n * side, side, 3), cv2.COLOR_BGR2GRAY)
        grey8: Image = tall.reshape(n, side, side).astype(np.uint8, copy=False)
        grey = grey8.reshape(n, -1).astype(np.float32)
        metal, metal_range = _metal(crops)
        solder = metal > 0.5
        # Means over windows as matrix products: columns joint, outside, tip, ring, then the gaps.
        metal_in, solder_in = metal @ self._windows, solder.astype(np.float32) @ self._windows
        gap_metal = np.sort(metal_in[:, 4:], axis=1)
        values = {
            "brightness": grey @ self._joint_weights,
            "contrast": _deviation(grey),
            "highlight": (grey >= HIGHLIGHT).astype(np.float32) @ self._joint_weights,
            "metal_range": metal_range,
            "centre_metal": metal_in[:, 2],
            "ring_metal": metal_in[:, 3],
            "dome": metal_in[:, 2] - metal_in[:, 3],
            "centre_darkest": np.percentile(metal[:, self._centre_indices], 10, axis=1),
            "solder_area": solder_in[:, 0],
            "solder_outside": solder_in[:, 1],
            "gap_fill": solder_in[:, 4:].max(axis=1),
            "gap_metal": gap_metal[:, -1],
            "gap_imbalance": gap_metal[:, -1] - gap_metal[:, DIRECTIONS // 2],
            **self._shapes(solder.reshape(n, side, side)),
            "edges": self._edges(grey8),
            "colour": self._colour(crops),
            "template": self._unlikeness(grey8),
        }
        return np.stack([np.asarray(values[name], np.float32) for name in FEATURES], axis=1)

    def _shapes(self, solder: NDArray[np.bool_]) -> dict[str, Floats]:
        """Of the joint's own solder: the connected piece with most pixels in the joint's disc."""
        rows = np.array([self._shape(mask) for mask in solder.astype(np.uint8)], np.float32).reshape(-1, 5)
        names = ("reach", "own_area", "offset", "elongation", "solidity")
        return {name: rows[:, i] for i, name in enumerate(names)}

    def _shape(self, mask: Image) -> tuple[float, float, float, float, float]:
        _, pieces = cv2.connectedComponents(mask, connectivity=4)
        counts = np.bincount(pieces.ravel()[self._joint], minlength=2)
        counts[0] = 0
        if not counts.any():
            return 0.0, 0.0, JOINT_RADIUS, 1.0, 1.0  # no solder at all: the areas' limits say so
        own = (pieces == int(counts.argmax())).astype(np.uint8)
        moments = cv2.moments(own, binaryImage=True)
        area = moments["m00"]
        centre = (mask.shape[0] - 1) / 2
        offset = np.hypot(moments["m10"] / area - centre, moments["m01"] / area - centre) / self._pitch_px
        spread, skew = moments["mu20"] + moments["mu02"], moments["mu20"] - moments["mu02"]
        root = np.hypot(skew, 2 * moments["mu11"])
        elongation = np.sqrt((spread + root + area) / (spread - root + area))  # + area: a line is one pixel wide
        outlines, _ = cv2.findContours(own, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        hull = cv2.convexHull(max(outlines, key=len))
        reach = float(np.hypot(hull[:, 0, 0] - centre, hull[:, 0, 1] - centre).max()) / self._pitch_px
        # A hull through pixel centres is half a pixel short all round; its perimeter / 2 + 1 makes that good (Pick).
        hull_area = cv2.contourArea(hull) + cv2.arcLength(hull, True) / 2 + 1
        return reach, area / mask.size, float(offset), float(elongation), float(area / hull_area)

    def _edges(self, grey8: Image) -> Floats:
        slopes = np.zeros(grey8.shape, np.float32)
        slopes[:, :, 1:-1] = _difference(grey8[:, :, 2:], grey8[:, :, :-2])
        slopes[:, 1:-1] += _difference(grey8[:, 2:], grey8[:, :-2])
        return np.asarray(slopes.reshape(len(slopes), -1) @ self._joint_weights / 4, np.float32)

    def _colour(self, crops: Image) -> Floats:
        planes = [crops[..., i].reshape(len(crops), -1).astype(np.float32) for i in range(3)]
        means = np.stack([plane @ self._joint_weights for plane in planes], axis=1)
        top = np.maximum(means.max(axis=1), 1.0)
        return np.asarray((top - means.min(axis=1)) / top, np.float32)

    def _unlikeness(self, grey8: Image) -> Floats:
        if self._templates is None:
            return np.zeros(len(grey8), np.float32)
        best = np.full(len(grey8), -1.0, np.float32)
        small = template_source(grey8)
        for dy in SHIFTS_PX:
            for dx in SHIFTS_PX:
                patches = _standardised(_window(small, dx, dy).reshape(len(small), -1).astype(np.float32))
                best = np.maximum(best, (patches @ self._templates.T).max(axis=1))
        return np.asarray(1.0 - best, np.float32)


def template_source(grey8: Image) -> Image:
    """Grey crops (N, h, h) uint8 at the size templates are cut from, (N, TEMPLATE_PX, TEMPLATE_PX) uint8."""
    n, side, _ = grey8.shape
    if side % TEMPLATE_PX == 0:  # whole blocks: all crops in one call, and no pixel of one reaches into the next
        tall = cv2.resize(grey8.reshape(n * side, side), (TEMPLATE_PX, n * TEMPLATE_PX), interpolation=cv2.INTER_AREA)
        return tall.reshape(n, TEMPLATE_PX, TEMPLATE_PX).astype(np.uint8, copy=False)
    size = (TEMPLATE_PX, TEMPLATE_PX)
    return np.stack([cv2.resize(g, size, interpolation=cv2.INTER_AREA) for g in grey8]).astype(np.uint8, copy=False)


def template_window(small: Image) -> Image:
    """The unshifted window of `template_source`'s pictures, (N, TEMPLATE_SIDE_PX, TEMPLATE_SIDE_PX) uint8."""
    return np.ascontiguousarray(_window(small, 0, 0))


def _window(small: Image, dx: int, dy: int) -> Image:
    x, y = TEMPLATE_MARGIN_PX + dx, TEMPLATE_MARGIN_PX + dy
    return small[:, y : y + TEMPLATE_SIDE_PX, x : x + TEMPLATE_SIDE_PX]


def _standardised(vectors: Floats) -> Floats:
    """Rows to zero mean and unit length; a flat row to zeros, which correlate with nothing."""
    centred = vectors - vectors.mean(axis=1, keepdims=True)
    length = np.sqrt((centred * centred).sum(axis=1, keepdims=True))
    return np.asarray(np.where(length > 1e-3, centred / np.maximum(length, 1e-3), 0.0), np.float32)


def _metal(crops: Image) -> tuple[Floats, Floats]:
    """(N, h*w) from 0 to 1, and the range in grey levels (N,) it was stretched from."""
    blue, green, red = (crops[..., i] for i in range(3))  # ten times as fast as the minimum along the last axis
    darkest = np.minimum(np.minimum(blue, green), red).reshape(len(crops), -1)
    k_low, k_high = int(0.10 * darkest.shape[1]), int(0.95 * darkest.shape[1])
    ranked = np.partition(darkest, (k_low, k_high), axis=1)
    low = ranked[:, k_low, None].astype(np.float32)
    span = np.maximum(ranked[:, k_high, None].astype(np.float32) - low, 8.0)  # 8: noise of a blank crop is no solder
    metal = np.clip((darkest.astype(np.float32) - low) / span, 0.0, 1.0)
    return np.asarray(metal, np.float32), np.asarray(span[:, 0], np.float32)


def _deviation(vectors: Floats) -> Floats:
    mean = vectors.mean(axis=1)
    squares = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64) / vectors.shape[1]
    return np.asarray(np.sqrt(np.maximum(squares - mean.astype(np.float64) ** 2, 0.0)), np.float32)


def _difference(a: Image, b: Image) -> Image:
    return np.maximum(a, b) - np.minimum(a, b)


def _gaps(x: Floats, y: Floats) -> list[NDArray[np.bool_]]:
    """The window midway to a neighbour in each of DIRECTIONS directions."""
    windows = []
    for k in range(DIRECTIONS):
        angle = 2 * np.pi * k / DIRECTIONS
        along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        windows.append((along >= GAP_RADII[0]) & (along <= GAP_RADII[1]) & (np.abs(across) <= GAP_HALF_WIDTH))
    return windows


def _mean_weights(windows: list[NDArray[np.bool_]]) -> Floats:
    """(h*w, K): vectors of pixels times this give the mean over each window, 0 for one with no pixel."""
    columns = [w.ravel() / max(1, int(w.sum())) for w in windows]
    return np.ascontiguousarray(np.stack(columns, axis=1), np.float32)
