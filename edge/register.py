"""Bringing a picture onto the recipe's reference: where is every place of the recipe in this picture?

Promises a homography that enough spread-out features of both pictures agree on and that a camera in front of a flat
board can produce, or `NotRegistered` saying what came and what is needed; it never guesses. Pictures may show a part of
the board, at another angle, scale and turn. Deterministic: the same two pictures give the same result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.appearance import Appearance
from edge.board import Image
from edge.recipe import Place, RegistrationSettings

Points = NDArray[np.float64]  # (N, 2) x and y in pixels
Descriptors = NDArray[np.float32]  # (N, D), unit length

# Longest side at which features are looked for. On 720 px header pictures, 560 px costs 73 ms of processor time and
# 720 px 106 ms; the 95th percentile of the centre error is 0.18 of a pitch, and 0.15 at 720 px. At 480 px the weakest
# picture keeps 10 inliers instead of 22, beside 8 of the strongest wrong board.
WORK_PX = 560
# The reference is described once, so it may be described better: a close-up fills up on what a wide view has little of.
REFERENCE_FEATURES_FACTOR = 2
MAX_DISTANCE_RATIO = 0.85  # nearest to second nearest (Lowe's test); looser than his 0.8, since matches are mutual
INLIER_PX = 3.0  # at the working size
MIN_MATCHES = 8  # a homography has 8 degrees of freedom; 4 exact matches would fit anything
RANSAC_CONFIDENCE = 0.999
RANSAC_MAX_ITERATIONS = 5_000
SCALE_RANGE = (0.2, 5.0)  # picture pixels per reference pixel; beyond it features no longer carry over
MAX_SCALE_RATIO = 4.0  # nearest to farthest inlier: a board seen more obliquely than that cannot be inspected
# Area the inliers span, of the area where picture and reference overlap: at least 0.09 in 70 real pictures, mostly 0.5.
MIN_SPREAD_FRAC = 0.04
IN_VIEW_TOLERANCE_FRAC = 0.05  # of a place's side that may lie outside the picture; border pixels are repeated there
MIN_DETERMINANT = 1e-12


class NotRegistered(Exception):
    """The picture cannot be brought onto the reference: what came, and what is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """`homography` (3, 3) float64 takes reference to picture pixels. `rms_px` is in pixels at the working size."""

    homography: NDArray[np.float64]
    n_inliers: int
    rms_px: float
    likeness: float  # see edge.appearance


@dataclass(frozen=True, slots=True, kw_only=True)
class _Features:
    points: Points  # in pixels of the full picture
    descriptors: Descriptors
    scale_frac: float  # working size / full size


class Registrar:
    """Registers pictures to one reference, whose features are computed once. Not for several threads at a time."""

    def __init__(self, reference: Image, settings: RegistrationSettings) -> None:
        """Raises NotRegistered when the reference itself has too few features to be recognised by."""
        self._settings = settings
        self._shape = reference.shape[:2]
        self._appearance = Appearance(reference)
        self._reference = _features(reference, settings.method, REFERENCE_FEATURES_FACTOR * settings.max_features)
        if len(self._reference.points) < 2 * settings.min_inliers:
            raise NotRegistered(
                f"the reference picture has {len(self._reference.points)} features, at least "
                f"{2 * settings.min_inliers} are needed: take a sharper or better lit one"
            )

    def register(self, image: Image) -> Registration:
        """Find the reference in `image` (h, w, 3) uint8 BGR. Raises NotRegistered; never returns a doubtful fit."""
        found = _features(image, self._settings.method, self._settings.max_features)
        if len(found.points) < self._settings.min_inliers:
            raise NotRegistered(
                f"{len(found.points)} features in the picture, at least {self._settings.min_inliers} needed: "
                "blank, saturated or out of focus"
            )
        reference_points, picture_points = _matches(self._reference, found, self._settings.method)
        if len(picture_points) < MIN_MATCHES:
            raise NotRegistered(f"{len(picture_points)} features resemble the reference's: not this recipe's board")
        homography, inliers = _robust_fit(reference_points, picture_points, INLIER_PX / found.scale_frac)
        self._check(homography, reference_points[inliers], picture_points[inliers], image.shape[:2])
        rms_px = _rms_px(homography, reference_points[inliers], picture_points[inliers]) * found.scale_frac
        if rms_px > self._settings.max_rms_px:
            raise NotRegistered(
                f"features disagree by {rms_px:.2f} px rms, at most {self._settings.max_rms_px} allowed"
            )
        likeness = self._appearance.likeness(image, homography)
        if likeness < self._settings.min_likeness:
            raise NotRegistered(
                f"{int(inliers.sum())} features agree, but the pictures do not: likeness {likeness:.2f}, at least "
                f"{self._settings.min_likeness} needed: another product"
            )
        return Registration(homography=homography, n_inliers=int(inliers.sum()), rms_px=rms_px, likeness=likeness)

    def _check(
        self, homography: NDArray[np.float64], reference: Points, picture: Points, shape: tuple[int, ...]
    ) -> None:
        """Enough inliers, and a mapping that a camera in front of a flat board can produce."""
        if len(picture) < self._settings.min_inliers:
            raise NotRegistered(
                f"{len(picture)} features agree with the reference, at least {self._settings.min_inliers} needed: "
                "not this recipe's board, or too blurred"
            )
        outline = _corners(self._shape)
        if fault := _shape_fault(homography, outline):
            raise NotRegistered(f"the reference would appear {fault}: no view of a flat board")
        scales = _local_scales(homography, reference)
        low, high = float(scales.min()), float(scales.max())
        if not (SCALE_RANGE[0] <= low and high <= SCALE_RANGE[1] and high <= MAX_SCALE_RATIO * low):
            raise NotRegistered(
                f"the board appears at {low:.2f} to {high:.2f} times the reference's scale; allowed are "
                f"{SCALE_RANGE[0]} to {SCALE_RANGE[1]}, and {MAX_SCALE_RATIO} between near and far"
            )
        spread = _spread_frac(homography, outline, picture, shape)
        if spread < MIN_SPREAD_FRAC:
            raise NotRegistered(
                f"the features that agree span {spread:.1%} of the board in view, at least {MIN_SPREAD_FRAC:.0%} "
                "needed: a like part on another board, or most of this one hidden"
            )


def project(
    registration: Registration, places: Sequence[Place], shape: tuple[int, ...]
) -> list[tuple[Place, float, float, float]]:
    """The places that lie in a picture of `shape` (h, w, …), in the given order, as (place, x_px, y_px, side_px) there.

    The side grows with the local scale (square root of the Jacobian's determinant), the square stays upright. A place
    is in view when no more than `IN_VIEW_TOLERANCE_FRAC` of its side, its margin not counted, lies outside the picture.
    """
    if not places:
        return []
    points = np.array([(p.x_px, p.y_px) for p in places], np.float64)
    centres = _mapped(registration.homography, points)
    sides = np.array([p.side_px for p in places]) * _local_scales(registration.homography, points)
    margins = np.array([p.margin_frac for p in places])
    reach = ((0.5 - IN_VIEW_TOLERANCE_FRAC - margins) * sides)[:, None]
    far = np.array([shape[1] - 0.5, shape[0] - 0.5])  # the picture's edges lie half a pixel outside its pixel centres
    in_view = np.isfinite(sides) & ((centres - reach >= -0.5) & (centres + reach <= far)).all(axis=1)
    return [
        (place, float(x), float(y), float(side))
        for place, (x, y), side, seen in zip(places, centres, sides, in_view, strict=True)
        if seen
    ]


def _features(image: Image, method: str, max_features: int) -> _Features:
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    scale = min(1.0, WORK_PX / max(grey.shape))
    if scale < 1.0:
        size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    keypoints, raw = _detector(method, max_features).detectAndCompute(grey, None)
    if raw is None or not len(keypoints):
        return _Features(points=np.empty((0, 2)), descriptors=np.empty((0, 1), np.float32), scale_frac=scale)
    factors = np.array([image.shape[1] / grey.shape[1], image.shape[0] / grey.shape[0]])
    points = (np.array([k.pt for k in keypoints], np.float64) + 0.5) * factors - 0.5
    return _Features(points=points, descriptors=_unit_descriptors(raw, method), scale_frac=scale)


def _detector(method: str, max_features: int) -> cv2.Feature2D:
    if method == "sift":
        return cv2.SIFT.create(nfeatures=max_features)
    return cv2.ORB.create(nfeatures=max_features, fastThreshold=7)  # 7: soft pictures have few corners above 20


def _unit_descriptors(raw: NDArray[Any], method: str) -> Descriptors:
    """Descriptors whose dot product is their likeness: SIFT by the Hellinger kernel (RootSIFT, Arandjelovic and
    Zisserman 2012), ORB's bits as signs, so that the product falls linearly with the Hamming distance."""
    if method == "sift":
        sums = raw.sum(axis=1, keepdims=True, dtype=np.float32)
        return np.asarray(np.sqrt(raw / np.maximum(sums, 1e-6)), np.float32)
    signs = np.unpackbits(raw.astype(np.uint8, copy=False), axis=1).astype(np.float32) * 2 - 1
    return np.asarray(signs / np.sqrt(signs.shape[1]), np.float32)


def _matches(reference: _Features, found: _Features, method: str) -> tuple[Points, Points]:
    """Features that are each other's nearest, and clearly nearer than the second: (M, 2) in reference, in picture."""
    likeness = found.descriptors @ reference.descriptors.T
    rows = np.arange(len(likeness))
    nearest = likeness.argmax(axis=1)
    best = likeness[rows, nearest]
    mutual = likeness.argmax(axis=0)[nearest] == rows
    likeness[rows, nearest] = -2.0
    second = likeness.max(axis=1)
    # 1 - likeness is half the squared distance of unit vectors, but linear in the Hamming distance.
    ratio = MAX_DISTANCE_RATIO**2 if method == "sift" else MAX_DISTANCE_RATIO
    kept = mutual & (1.0 - best < ratio * (1.0 - second))
    return reference.points[nearest[kept]], found.points[kept]


def _robust_fit(reference: Points, picture: Points, inlier_px: float) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The homography most matches agree on, scaled to a last entry of 1, and which matches those are (M,) bool."""
    cv2.setRNGSeed(0)  # the sampling is random, the verdict must not be
    homography, mask = cv2.findHomography(
        reference,
        picture,
        cv2.USAC_MAGSAC,
        inlier_px,
        maxIters=RANSAC_MAX_ITERATIONS,
        confidence=RANSAC_CONFIDENCE,
    )
    usable = homography is not None and np.isfinite(homography).all() and abs(homography[2, 2]) > MIN_DETERMINANT
    if not usable:
        raise NotRegistered(f"no common view explains the {len(picture)} features that resemble the reference's")
    return np.asarray(homography / homography[2, 2], np.float64), mask.ravel() > 0


def _shape_fault(homography: NDArray[np.float64], outline: Points) -> str:
    """What is impossible about the image of the reference's outline; empty when nothing is.

    In front of the camera (w > 0) at all corners and orientation kept (determinant > 0): then the image is convex too.
    """
    if np.linalg.det(homography) <= MIN_DETERMINANT:
        return "mirrored"
    w = outline @ homography[2, :2] + homography[2, 2]
    if w.min() <= 0.0:
        return "folded"
    return ""


def _spread_frac(homography: NDArray[np.float64], outline: Points, picture: Points, shape: tuple[int, ...]) -> float:
    """Area of the inliers' hull over the area of the reference's image inside the picture."""
    seen = _mapped(homography, outline).astype(np.float32)
    overlap, _ = cv2.intersectConvexConvex(seen, _corners(shape).astype(np.float32))
    hull = cv2.contourArea(cv2.convexHull(picture.astype(np.float32)))
    return float(hull / overlap) if overlap > 0 else 0.0


def _local_scales(homography: NDArray[np.float64], points: Points) -> NDArray[np.float64]:
    """Picture pixels per reference pixel: sqrt(det J), where det J = det H / w**3. NaN behind the camera."""
    w = points @ homography[2, :2] + homography[2, 2]
    area = np.linalg.det(homography) / np.where(w > 0, w, np.nan) ** 3
    return np.asarray(np.sqrt(np.where(area > 0, area, np.nan)), np.float64)


def _mapped(homography: NDArray[np.float64], points: Points) -> Points:
    return np.asarray(cv2.perspectiveTransform(points[None], homography)[0], np.float64)


def _rms_px(homography: NDArray[np.float64], reference: Points, picture: Points) -> float:
    off = _mapped(homography, reference) - picture
    return float(np.sqrt((off**2).sum(axis=1).mean()))


def _corners(shape: tuple[int, ...]) -> Points:
    height, width = shape[0], shape[1]
    return np.array([(0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1)], np.float64)
