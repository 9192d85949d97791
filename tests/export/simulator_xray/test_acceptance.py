"""The twin beside real pictures: what can be checked in seconds; `export.simulator.xray.acceptance` does all."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from export.simulator.xray.acceptance import PROFILE_T, noises, profiles, voids
from export.simulator.xray.checks.features import joint_crop, joint_features
from export.simulator.xray.checks.measures import ball_profile, patch_noise
from export.simulator.xray.checks.page import page_with
from export.simulator.xray.checks.reference_scene import Scene, reference_scene
from export.simulator.xray.roi import Roi, RoiFault

ROOT = Path(__file__).resolve().parents[3]
RESULTS = ROOT / "benchmarks/results"


@pytest.fixture(scope="module")
def scene() -> Scene:
    return reference_scene(4, PROFILE_T)


@pytest.mark.needs_data
def test_balls_have_the_real_ones_profiles_at_four_heights(data_dir: Path, scene: Scene) -> None:
    result = profiles(data_dir, scene)
    assert result["holds"], result["rows"]


@pytest.mark.needs_data
def test_profiles_of_another_height_do_not_pass(data_dir: Path, scene: Scene) -> None:
    """The check can fail: slices in the wrong order."""
    turned = dataclasses.replace(scene, mu=scene.mu[::-1])
    assert not profiles(data_dir, turned)["holds"]


@pytest.mark.needs_data
def test_noise_is_the_real_machines(data_dir: Path, scene: Scene) -> None:
    result = noises(data_dir, scene)
    assert result["holds"], result["rows"]


@pytest.mark.needs_data
def test_white_noise_does_not_pass(data_dir: Path, scene: Scene) -> None:
    rng = np.random.default_rng(0)
    flat = np.median(scene.counts, axis=(1, 2), keepdims=True) * np.ones_like(scene.counts)
    noisy = flat + rng.normal(0, 37, scene.counts.shape)
    loud = dataclasses.replace(scene, counts=np.where(scene.counts < 400, scene.counts, noisy).astype(np.float32))
    assert not noises(data_dir, loud)["holds"]


@pytest.mark.sweep
def test_voids_show_and_fade_as_real_ones_do() -> None:
    """Of 0.15 of the diameter, the smallest that was measured: round voids of that size would not show."""
    result = voids(1, fractions=(0.15,))
    assert result["holds"], result["rows"]


@pytest.mark.unit
def test_measures_know_what_they_cannot_measure() -> None:
    with pytest.raises(ValueError, match="not of a ball"):
        ball_profile(np.linspace(0.0, 1.0, 52))
    with pytest.raises(ValueError, match="whole"):
        patch_noise(np.zeros((10, 10)), [(5.0, 5.0)])
    noise = patch_noise(np.random.default_rng(0).normal(5.0, 2.0, (60, 60)), [(20.0, 20.0), (40.0, 40.0)])
    assert noise.deviation == pytest.approx(2.0, rel=0.15)
    assert abs(noise.correlation_1px) < 0.2


@pytest.mark.unit
def test_crops_are_the_papers() -> None:
    """1.5 times the longer side around the region's centre, zeros beyond the picture."""
    slices = np.full((2, 100, 100), 200, np.uint8)
    slices[:, 60:80, 60:100] = 50
    roi = Roi(x0=60, y0=60, x1=100, y1=80, fault=RoiFault.OK)
    crop = joint_crop(slices, roi, 60)
    assert crop.shape == (2, 60, 60)
    assert crop[0, 30, 30] == 50
    assert crop[0, 5, 30] == 200
    assert crop[0, 30, 59] == 0
    features = joint_features(slices, roi)
    assert features.shape == (6 * 26,)
    assert (features[2 * 26 :] == features[-1]).all()  # slices that are not there
    assert np.isfinite(features).all()


@pytest.mark.unit
def test_the_page_shows_the_stored_figures() -> None:
    page = (ROOT / "export/simulator/xray/README.md").read_text("utf-8")
    assert page_with(page, RESULTS) == page, "run: checks.page, see the README"
    with pytest.raises(ValueError, match="lacks <!-- acceptance"):
        page_with("no marks", RESULTS)
