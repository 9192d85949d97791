"""Pixels to graph input: the fast way gives what the words say, in a buffer or not, however many crops."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bundle import Contract
from edge.families.solder_joint import BLOCK_CROPS, STANDARDISED_SCALE, graph_input

pytestmark = pytest.mark.unit

MAX_DIFFERENCE = 5e-6  # of graph units: single precision, summed in another order


def _contract(channels: str, normalisation: str) -> Contract:
    return Contract.model_validate(
        {
            "crop_px": 16,
            "region_scale": 1.5,
            "channels": channels,
            "normalisation": normalisation,
            "inputs": (),
            "outputs": (),
        }
    )


def _plain(crop: np.ndarray, contract: Contract) -> np.ndarray:
    """One crop in double precision, as the contract's words have it."""
    grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
    planes = [grey] * 3 if contract.channels == "grey" else [crop[..., k] for k in range(3)]
    if contract.normalisation == "unit":
        return np.stack([p / 127.5 - 1.0 for p in planes])
    return np.stack([(p - p.mean()) * STANDARDISED_SCALE / max(float(p.std()), 1.0) for p in planes])


@pytest.mark.parametrize("channels", ["bgr", "grey"])
@pytest.mark.parametrize("normalisation", ["unit", "standardised"])
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 2 * BLOCK_CROPS + 1),
    low=st.integers(0, 254),
    span=st.integers(1, 255),
)
def test_any_crops_are_those_of_the_plain_way(
    channels: str, normalisation: str, seed: int, n: int, low: int, span: int
) -> None:
    """Noise of any brightness and contrast, one grey level and none at all included."""
    contract = _contract(channels, normalisation)
    crops = np.random.default_rng(seed).integers(low, min(256, low + span), (n, 16, 16, 3), np.uint8)
    tensor = graph_input(crops, contract)
    assert tensor.shape == (n, 3, 16, 16)
    assert tensor.dtype == np.float32
    for k in {0, n // 2, n - 1}:
        assert np.abs(tensor[k] - _plain(crops[k], contract)).max() <= MAX_DIFFERENCE


def test_a_crop_does_not_depend_on_its_neighbours_or_place() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (2 * BLOCK_CROPS + 5, 16, 16, 3), np.uint8)
    contract = _contract("bgr", "standardised")
    whole = graph_input(crops, contract)
    for k in (0, BLOCK_CROPS - 1, BLOCK_CROPS, len(crops) - 1):
        assert np.array_equal(graph_input(crops[k : k + 1], contract)[0], whole[k])


def test_a_buffer_is_filled_and_one_of_another_shape_refused() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), np.uint8)
    contract, buffer = _contract("bgr", "unit"), np.zeros((8, 3, 16, 16), np.float32)
    assert np.shares_memory(graph_input(crops, contract, buffer[:5]), buffer)
    assert np.array_equal(buffer[:5], graph_input(crops, contract))
    assert not buffer[5:].any()
    with pytest.raises(ValueError, match="expected contiguous float32"):
        graph_input(crops, contract, buffer)
