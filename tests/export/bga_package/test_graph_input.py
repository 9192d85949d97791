"""Pixels in, graph input out: grey as OpenCV makes it, scaled as the contract says."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from edge.families.bga_package import STANDARDISED_SCALE, graph_input

pytestmark = pytest.mark.unit

CROPS = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3)).astype(np.uint8)


def contract(normalisation: str) -> SimpleNamespace:
    return SimpleNamespace(normalisation=normalisation)


def test_frac_is_grey_over_255() -> None:
    made = graph_input(CROPS, contract("frac"))
    assert (made.shape, made.dtype) == ((3, 1, 16, 16), np.float32)
    for crop, plane in zip(CROPS, made, strict=True):
        np.testing.assert_allclose(plane[0], cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY) / 255, atol=1e-6)


def test_standardised_does_not_see_the_lamp() -> None:
    made = graph_input(CROPS, contract("standardised"))
    np.testing.assert_allclose(made.mean(axis=(1, 2, 3)), 0.0, atol=1e-5)
    np.testing.assert_allclose(made.std(axis=(1, 2, 3)), STANDARDISED_SCALE, rtol=1e-4)
    flat = graph_input(np.full((1, 8, 8, 3), 77, np.uint8), contract("standardised"))
    np.testing.assert_array_equal(flat, 0.0)


def test_it_fills_what_it_is_given_and_refuses_another_shape() -> None:
    out = np.full((3, 1, 16, 16), 9.0, np.float32)
    assert graph_input(CROPS, contract("frac"), out) is out
    np.testing.assert_array_equal(out, graph_input(CROPS, contract("frac")))
    assert graph_input(CROPS[:0], contract("frac")).shape == (0, 1, 16, 16)
    with pytest.raises(ValueError, match="expected contiguous float32"):
        graph_input(CROPS, contract("frac"), np.empty((3, 3, 16, 16), np.float32))
