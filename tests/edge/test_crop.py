"""Cutting squares: the right pixels, at the right place and size, however many and however near the border."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.crop import BLOCK_CROPS, SUBPIXELS, crop_slices, crop_squares
from tests.edge.drawn import drawn_board

pytestmark = pytest.mark.unit


def _ramp(height: int, width: int) -> np.ndarray:
    """Blue grows with x, green with y: a crop says where it was cut."""
    ramp = np.zeros((height, width, 3), np.uint8)
    ramp[..., 0] = np.arange(width)[None, :]
    ramp[..., 1] = np.arange(height)[:, None]
    return ramp


def test_a_square_of_its_own_size_is_copied() -> None:
    image = drawn_board(3)
    crop = crop_squares(image, np.array([[100 + 15.5, 50 + 15.5]]), np.array([32.0]), 32)
    assert np.array_equal(crop[0], image[50:82, 100:132])


def test_places_and_sizes_are_kept_in_order() -> None:
    centres = np.array([[60.0, 40.0], [100.0, 120.0], [30.0, 90.0]])
    sides = np.array([20.0, 64.0, 40.0])
    crops = crop_squares(_ramp(160, 200), centres, sides, 16)
    assert crops.shape == (3, 16, 16, 3)
    for crop, centre, side in zip(crops, centres, sides, strict=True):
        assert crop[..., 0].mean() == pytest.approx(centre[0], abs=0.6)
        assert crop[..., 1].mean() == pytest.approx(centre[1], abs=0.6)
        assert float(crop[0, -1, 0]) - float(crop[0, 0, 0]) == pytest.approx(side * 15 / 16, abs=1.6)


def test_a_large_square_is_averaged_and_not_sampled() -> None:
    """A fine checkerboard becomes grey, not a pattern that was never there."""
    checker = (np.indices((512, 512)).sum(axis=0) % 2 * 255).astype(np.uint8)
    crop = crop_squares(np.dstack([checker] * 3), np.array([[255.5, 255.5]]), np.array([400.0]), 32)
    assert crop.std() < 6
    assert crop.mean() == pytest.approx(127.5, abs=3)


def test_outside_the_picture_its_border_is_repeated() -> None:
    crops = crop_squares(_ramp(100, 100), np.array([[0.0, 50.0], [99.0, 50.0]]), np.array([20.0, 20.0]), 20)
    assert (crops[0, :, :9, 0] == 0).all()
    assert (crops[1, :, -9:, 0] == 99).all()


def test_more_squares_than_one_block_holds() -> None:
    n = 2 * BLOCK_CROPS + 3
    image = _ramp(100, 100)
    centres = np.stack([np.linspace(20, 80, n), np.full(n, 50.0)], axis=1)
    crops = crop_squares(image, centres, np.full(n, 8.0), 8)
    assert np.allclose(crops[..., 0].mean(axis=(1, 2)), centres[:, 0], atol=0.6)


def test_no_squares_is_an_empty_batch() -> None:
    assert crop_squares(_ramp(50, 50), np.empty((0, 2)), np.empty(0), 64).shape == (0, 64, 64, 3)


def _plain(image: np.ndarray, centre: np.ndarray, side: float, out_px: int) -> np.ndarray:
    """One crop, pixel by pixel as the words say it: halve while too large, round to 1/32 pixel, interpolate."""
    for _ in range(max(0, int(np.floor(np.log2(max(side, 1.0) / out_px))))):
        image, centre, side = cv2.pyrDown(image), centre / 2, side / 2
    offset = ((np.arange(out_px) + 0.5) / out_px - 0.5) * side
    x, y = (np.rint((c + offset) * SUBPIXELS) / SUBPIXELS for c in centre)
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    rows = [np.clip(y0 + k, 0, image.shape[0] - 1) for k in (0, 1)]
    columns = [np.clip(x0 + k, 0, image.shape[1] - 1) for k in (0, 1)]
    right, down = (x - x0)[None, :, None], (y - y0)[:, None, None]
    top, bottom = (image[row][:, columns[0]] * (1 - right) + image[row][:, columns[1]] * right for row in rows)
    return np.asarray(top * (1 - down) + bottom * down)


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 2 * BLOCK_CROPS + 1),
    out_px=st.sampled_from([8, 17, 32, 64]),
    largest=st.floats(5.0, 300.0),
)
def test_any_squares_are_those_of_the_plain_way(seed: int, n: int, out_px: int, largest: float) -> None:
    """Inside, across the border and far outside; small and large; on noise, where a wrong pixel would show. One grey
    level is what rounding may differ by."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (70, 90, 3), np.uint8)
    centres, sides = rng.uniform(-60, 150, (n, 2)), rng.uniform(4.0, largest, n)
    crops = crop_squares(image, centres, sides, out_px)
    for k in {0, n // 2, n - 1}:
        plain = _plain(image, centres[k], sides[k], out_px)
        assert np.abs(crops[k] - plain).max() <= 1.0


def test_rounding_of_positions_is_below_what_a_camera_sees() -> None:
    """Against exact interpolation of a drawn board: two grey levels at most, of 255."""
    image = drawn_board(3)
    centres = np.random.default_rng(0).uniform(60, 300, (40, 2))
    crops = crop_squares(image, centres, np.full(40, 50.0), 64)
    offset = ((np.arange(64) + 0.5) / 64 - 0.5) * 50.0
    for crop, (x_px, y_px) in zip(crops, centres, strict=True):
        xs, ys = np.meshgrid((x_px + offset).astype(np.float32), (y_px + offset).astype(np.float32))
        exact = cv2.remap(image.astype(np.float32), xs, ys, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        slope = max(np.abs(np.diff(image.astype(int), axis=k)).max() for k in (0, 1))
        assert np.abs(crop - exact).max() <= 1 + 2 * slope / (2 * SUBPIXELS)
        assert np.abs(crop - exact).mean() < 0.5


def test_crops_go_into_a_buffer_that_is_given() -> None:
    image, centres, sides = drawn_board(3), np.array([[60.0, 60.0], [200.0, 150.0]]), np.array([40.0, 180.0])
    buffer = np.zeros((2, 32, 32, 3), np.uint8)
    assert crop_squares(image, centres, sides, 32, out=buffer) is buffer
    assert np.array_equal(buffer, crop_squares(image, centres, sides, 32))


@pytest.mark.parametrize("shape", [(3, 32, 32, 3), (2, 16, 16, 3), (2, 32, 32)])
def test_a_buffer_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected contiguous uint8 \(2, 32, 32, 3\)"):
        crop_squares(drawn_board(3), np.full((2, 2), 60.0), np.full(2, 40.0), 32, out=np.zeros(shape, np.uint8))


def _slices(height: int, width: int, n: int) -> np.ndarray:
    return np.random.default_rng(4).integers(1, 256, (height, width, n), np.uint8)


def test_slices_of_their_own_size_are_copied_and_missing_ones_are_nothing() -> None:
    slices, out = _slices(90, 80, 4), np.full((1, 32, 32, 6), 7, np.uint8)
    crop_slices(slices, np.array([[20 + 15.5, 30 + 15.5]]), np.array([32.0]), 32, out)
    assert np.array_equal(out[0, ..., :4], slices[30:62, 20:52])
    assert not out[..., 4:].any()


def test_slices_are_zero_outside_their_picture_as_the_paper_pads_them() -> None:
    slices, out = _slices(40, 40, 2), np.full((1, 32, 32, 6), 7, np.uint8)
    crop_slices(slices, np.array([[-0.5, -0.5]]), np.array([32.0]), 32, out)
    assert np.array_equal(out[0, 16:, 16:, :2], slices[:16, :16])
    assert not out[0, :16].any()
    assert not out[0, :, :16].any()


def test_more_slices_than_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="3 slices, expected 1 to 2"):
        crop_slices(_slices(40, 40, 3), np.zeros((1, 2)), np.ones(1), 8, np.zeros((1, 8, 8, 2), np.uint8))
