"""Cutting squares: the right pixels, at the right place and size, however many and however near the border."""

from __future__ import annotations

import numpy as np
import pytest

from edge.crop import MAX_TILE_ROWS, crop_squares
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


def test_more_squares_than_one_remap_takes() -> None:
    n = MAX_TILE_ROWS // 8 + 3
    image = _ramp(100, 100)
    centres = np.stack([np.linspace(20, 80, n), np.full(n, 50.0)], axis=1)
    crops = crop_squares(image, centres, np.full(n, 8.0), 8)
    assert np.allclose(crops[..., 0].mean(axis=(1, 2)), centres[:, 0], atol=0.6)


def test_no_squares_is_an_empty_batch() -> None:
    assert crop_squares(_ramp(50, 50), np.empty((0, 2)), np.empty(0), 64).shape == (0, 64, 64, 3)
