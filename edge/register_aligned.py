"""Registering a picture that its machine cut and turned itself, one package that fills it: what is left is a small
shift and turn, found by correlation. Features are no help there: every ball of a package looks like the next.

Measured on rendered packages of 256 px, good and defective, 288 of twelve part numbers, up to 4 px and 1.3 degrees
off: 3 to 5 ms, likeness 0.87 and more in the optical look, 0.48 and more in X-ray; of other part numbers below 0.25,
but up to 0.94 where their grid is the same. Two things it cannot see: a part number that differs by nothing but its
print, and a picture cut off by a whole pitch of many balls, where only the rim differs. The machine is trusted for
both.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.appearance import Appearance
from edge.board import Floats, Image
from edge.crop import crop_squares
from edge.recipe import Place, RegistrationSettings
from edge.register import NotRegistered, Registration

WORK_PX = 256  # longest side at which pictures are correlated
SMOOTHING_SIGMA_PX = 2.0  # a ball off by its radius still overlaps itself
MAX_ITERATIONS, MIN_STEP = 50, 1e-4
MAX_SHIFT_FRAC, MAX_TURN_DEG = 0.06, 6.0  # of the longest side; farther off, the machine has cut something else


class AlignedRegistrar:
    """Registers pictures to one reference, which is prepared once. Not for several threads at a time."""

    def __init__(self, reference: Image, settings: RegistrationSettings) -> None:
        self._settings = settings
        self._shape = reference.shape
        self._appearance = Appearance(reference)
        self._scale = min(1.0, WORK_PX / max(reference.shape[:2]))
        self._reference = self._small(reference)

    def register(self, image: Image) -> Registration:
        """Find the shift and turn of `image` (h, w, 3) uint8 BGR, of the reference's size. Raises NotRegistered."""
        if image.shape != self._shape:
            raise NotRegistered(f"a picture of {image.shape[1]} x {image.shape[0]}, the reference has another size")
        try:
            _, found = cv2.findTransformECC(
                self._reference,
                self._small(image),
                np.eye(2, 3, dtype=np.float32),
                cv2.MOTION_EUCLIDEAN,
                (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, MAX_ITERATIONS, MIN_STEP),
            )
        except cv2.error:
            raise NotRegistered(
                "no shift and turn makes it resemble the reference: blank, or another product"
            ) from None
        homography = self._full_size(np.asarray(found, np.float64))
        self._check(homography)
        likeness = self._appearance.likeness(image, homography)
        if likeness < self._settings.min_likeness:
            raise NotRegistered(
                f"likeness {likeness:.2f} to the reference, at least {self._settings.min_likeness} needed: another "
                "product, or not aligned"
            )
        return Registration(homography=homography, n_inliers=0, rms_px=0.0, likeness=likeness)

    def _check(self, homography: NDArray[np.float64]) -> None:
        height, width = self._shape[:2]
        middle = np.array([width / 2, height / 2, 1.0])
        shift_frac = float(np.hypot(*(homography @ middle - middle)[:2])) / max(width, height)
        turn_deg = float(np.degrees(np.arctan2(homography[1, 0], homography[0, 0])))
        if shift_frac > MAX_SHIFT_FRAC or abs(turn_deg) > MAX_TURN_DEG:
            raise NotRegistered(
                f"shifted by {shift_frac:.1%} of its side and turned by {turn_deg:.1f} degrees, at most "
                f"{MAX_SHIFT_FRAC:.0%} and {MAX_TURN_DEG:g} allowed"
            )

    def _small(self, image: Image) -> Floats:
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        size = (round(image.shape[1] * self._scale), round(image.shape[0] * self._scale))
        small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        return np.asarray(cv2.GaussianBlur(small, (0, 0), SMOOTHING_SIGMA_PX), np.float32)

    def _full_size(self, found: NDArray[np.float64]) -> NDArray[np.float64]:
        """From pixels of the small pictures to those of the full ones, pixel centres at whole numbers in both."""
        to_small = np.array(
            [[self._scale, 0, (self._scale - 1) / 2], [0, self._scale, (self._scale - 1) / 2], [0, 0, 1]]
        )
        homography: NDArray[np.float64] = np.linalg.inv(to_small) @ np.vstack([found, [0.0, 0.0, 1.0]]) @ to_small
        return homography


def straightened(image: Image, registration: Registration) -> Image:
    """A registered picture (h, w, 3) uint8 as its reference lies, turned back and moved; what is not in it repeats its
    rim. A place's square is upright, and a turn of one degree moves a package's corner by 3 of 256 pixels."""
    size = image.shape[1], image.shape[0]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    lies = cv2.warpPerspective(image, registration.homography, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return lies.astype(np.uint8, copy=False)


def crops_on_reference(
    image: Image, registration: Registration, places: Sequence[Place], crop_px: int, out: Image | None = None
) -> Image:
    """The places' squares of a registered picture as they lie on the reference, (N, crop_px, crop_px, 3) uint8, into
    `out` where one is given: what is compared with approved pictures place by place."""
    centres = np.array([(place.x_px, place.y_px) for place in places], np.float64).reshape(-1, 2)
    sides = np.array([place.side_px for place in places], np.float64)
    return crop_squares(straightened(image, registration), centres, sides, crop_px, out)
