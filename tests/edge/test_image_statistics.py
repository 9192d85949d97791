"""What a change of the picture does to the numbers, on drawn pictures."""

from __future__ import annotations

import math
from dataclasses import astuple

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge.board import Image
from edge.image_statistics import ImageProbe

pytestmark = pytest.mark.unit

SIZE = 400
IDENTITY = np.eye(3)
PLACES = np.array([[80.0, 80.0], [320.0, 320.0]])


def picture() -> Image:
    """Blocks of colour with fine print on half of them and noise all over."""
    rng = np.random.default_rng(0)
    blocks = rng.integers(60, 160, (8, 8, 3)).astype(np.float32)
    image = cv2.resize(blocks, (SIZE, SIZE), interpolation=cv2.INTER_NEAREST)
    print_ = cv2.GaussianBlur(rng.standard_normal((SIZE, SIZE)).astype(np.float32), (0, 0), 0.8) * 60
    print_[:, : SIZE // 2] = 0
    image += print_[..., None] + rng.normal(0, 2, (SIZE, SIZE, 1)).astype(np.float32)
    return np.clip(image, 0, 255).astype(np.uint8)


PICTURE = picture()
PROBE = ImageProbe(PICTURE, PLACES)


def gained(*bgr: float) -> Image:
    return np.clip(np.rint(PICTURE * np.array(bgr)), 0, 255).astype(np.uint8)


def test_the_reference_itself_is_level() -> None:
    found = PROBE.measure(PICTURE, IDENTITY)
    assert found.level == found.blue == found.red == 0.0
    assert found.noise == pytest.approx(math.log(2.0), abs=0.3)


def test_a_gain_is_read_off() -> None:
    for gain in (0.9, 0.98, 1.1):
        assert PROBE.measure(gained(gain, gain, gain), IDENTITY).level == pytest.approx(math.log(gain), abs=0.002)
    tinted = PROBE.measure(gained(1.0, 1.0, 1.04), IDENTITY)
    assert tinted.red == pytest.approx(math.log(1.04), abs=0.002)
    assert tinted.blue == pytest.approx(0.0, abs=0.002)


def test_defects_on_a_fifth_of_the_board_move_little() -> None:
    spoilt = PICTURE.copy()
    spoilt[:170, :170] = 255
    found = PROBE.measure(spoilt, IDENTITY)
    assert found.level == pytest.approx(0.0, abs=0.005)


def test_blur_lowers_focus_and_noise_raises_noise() -> None:
    before = PROBE.measure(PICTURE, IDENTITY)
    soft = PROBE.measure(cv2.GaussianBlur(PICTURE, (0, 0), 0.6).astype(np.uint8), IDENTITY)
    assert soft.focus < before.focus - 0.1
    rng = np.random.default_rng(1)
    loud = np.clip(PICTURE + rng.normal(0, 5, PICTURE.shape), 0, 255).astype(np.uint8)
    assert PROBE.measure(loud, IDENTITY).noise > before.noise + 0.3


def test_the_board_may_stand_elsewhere() -> None:
    move = np.array([[1.0, 0.0, 30.0], [0.0, 1.0, -20.0], [0.0, 0.0, 1.0]])
    moved = cv2.warpAffine(gained(0.95, 0.95, 0.95), move[:2], (SIZE, SIZE)).astype(np.uint8)
    assert PROBE.measure(moved, move).level == pytest.approx(math.log(0.95), abs=0.005)


@pytest.mark.parametrize("image", [np.zeros_like(PICTURE), np.full_like(PICTURE, 255), PICTURE[:20, :20]])
def test_pictures_that_say_nothing_give_no_level(image: Image) -> None:
    assert math.isnan(PROBE.measure(image, IDENTITY).level)


@given(arrays(np.float64, (3, 3), elements=st.floats(-1e6, 1e6)))
def test_no_homography_raises(homography: np.ndarray) -> None:
    found = PROBE.measure(PICTURE, homography)
    assert not any(math.isinf(number) for number in astuple(found))


def test_a_tiny_reference_has_no_numbers() -> None:
    tiny = PICTURE[:40, :40]
    found = ImageProbe(tiny, np.array([[20.0, 20.0]])).measure(tiny, IDENTITY)
    assert math.isnan(found.focus) or math.isfinite(found.focus)
