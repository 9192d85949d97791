"""The real header joints, cut and scaled here, give the floors their own README states: these are the right crops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.board import Floats, Image
from edge.families.solder_joint import graph_input
from export.cues import cue_auroc, trivial_cues
from export.datasets import Row, contract_crops, read_data_set
from export.metrics import auroc
from export.pca import fit_pca

pytest.importorskip("torch", reason="needs_torch")

from export.families.solder_joint.contract import contract

pytestmark = [pytest.mark.needs_data, pytest.mark.needs_torch]

CONTRACT = contract(channels="grey", normalisation="standardised", places=True)
WITHIN = 0.015  # the README has two digits, and its crops were cut by another program


@pytest.fixture(scope="module")
def folder(data_dir: Path) -> Path:
    return data_dir / "tht-header-joints"


@pytest.fixture(scope="module")
def rows(folder: Path) -> tuple[Row, ...]:
    return read_data_set(folder, "joints.csv", ["view=closeup"]).split("dev-test")


@pytest.fixture(scope="module")
def crops(folder: Path, rows: tuple[Row, ...]) -> Image:
    return contract_crops(folder, rows, CONTRACT)


def test_counts_are_the_readmes(folder: Path, rows: tuple[Row, ...]) -> None:
    labels = [row.label for row in rows]
    assert {label: labels.count(label) for label in set(labels)} == {"normal": 170, "bridge": 116, "missing": 41}
    data = read_data_set(folder, "joints.csv", ["view=closeup"])
    assert data.left_out["dev-test"] == {"near_defect": 28, "uncertain": 1}


@pytest.mark.parametrize(("label", "floor"), [("bridge", 0.92), ("missing", 0.61)])
def test_grey_deviation_reaches_its_floor(
    folder: Path, rows: tuple[Row, ...], crops: Image, label: str, floor: float
) -> None:
    cue = trivial_cues(folder, rows, crops, None)["grey deviation"]
    labels = np.array([row.label for row in rows])
    assert cue_auroc(cue[labels == "normal"], cue[labels == label]) == pytest.approx(floor, abs=WITHIN)


@pytest.mark.parametrize(("label", "floor"), [("bridge", 0.84), ("missing", 0.81)])
def test_pca_8_reaches_its_floor(folder: Path, rows: tuple[Row, ...], crops: Image, label: str, floor: float) -> None:
    train = read_data_set(folder, "joints.csv", ["view=closeup"]).normals("train")
    pca = fit_pca(_grey(contract_crops(folder, train, CONTRACT)), 8)
    error = pca.reconstruction_error(_grey(crops))
    labels = np.array([row.label for row in rows])
    assert auroc(error[labels == "normal"], error[labels == label]) == pytest.approx(floor, abs=WITHIN)


def _grey(crops: Image) -> Floats:
    return graph_input(crops, CONTRACT)[:, :1]
