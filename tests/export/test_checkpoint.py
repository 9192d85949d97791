"""A network kept as a checkpoint exports to the bundle it would have become, and to no other."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs_torch")

from edge.bundle import read_bundle  # noqa: E402
from edge.scorers import EngineChoice, load_scorer  # noqa: E402
from export.checkpoint import RECORD, WEIGHTS, CheckpointFault, read_checkpoint  # noqa: E402
from export.families.solder_joint.net import Autoencoder  # noqa: E402
from export.families.solder_joint.presets import PRESETS, Preset, Variant  # noqa: E402
from export.to_bundle import write  # noqa: E402
from export.workshop import Trained, TrainRequest, keep, train, trained_before  # noqa: E402
from tests.export.helpers import write_joint_set  # noqa: E402

pytestmark = [pytest.mark.sweep, pytest.mark.needs_torch]


def _narrow() -> Autoencoder:
    return Autoencoder((8, 8, 16, 16, 16), variational=False, beta=0.0)


@pytest.fixture(scope="module")
def joint_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_joint_set(tmp_path_factory.mktemp("data") / "joints")


@pytest.fixture(scope="module")
def trained(joint_set: Path) -> object:
    with pytest.MonkeyPatch.context() as patch:
        training = dataclasses.replace(PRESETS["fast"].training, epochs=12, batch=16)
        variants = {"cae": Variant(build=_narrow, scores=("recon",))}
        tiny = Preset(
            summary="for tests",
            variants=variants,
            default_variant="cae",
            channels="grey",
            normalisation="standardised",
            training=training,
        )
        patch.setitem(PRESETS, "tiny", tiny)
        yield train(TrainRequest(family="solder_joint", data=joint_set, table="joints.csv", preset="tiny"))


@pytest.fixture
def checkpoint(trained: Trained, tmp_path: Path) -> Path:
    keep(trained, tmp_path / "joint.checkpoint")
    return tmp_path / "joint.checkpoint"


def test_exported_from_a_checkpoint_is_the_same_graph(
    trained: Trained, checkpoint: Path, joint_set: Path, tmp_path: Path
) -> None:
    at_once = read_bundle(tmp_path / "a", write(trained, tmp_path / "a"))
    later = read_bundle(tmp_path / "b", write(trained_before(checkpoint, joint_set), tmp_path / "b"))
    assert at_once.precisions == later.precisions
    assert set(at_once.precisions) | set(at_once.manifest.refused) == {"fp32", "fp16", "int8", "int8-cpu"}
    for precision in later.precisions:
        np.testing.assert_array_equal(at_once.golden_score(precision), later.golden_score(precision))
        assert at_once.threshold(precision) == later.threshold(precision)
        if precision != "int8-cpu" or at_once.manifest.engine == "onnx":
            load_scorer(later, EngineChoice(precision=precision, threads=1))


def test_other_weights_are_refused(checkpoint: Path) -> None:
    data = bytearray((checkpoint / WEIGHTS).read_bytes())
    data[len(data) // 2] ^= 1
    (checkpoint / WEIGHTS).write_bytes(data)
    with pytest.raises(CheckpointFault, match="hash"):
        read_checkpoint(checkpoint)


def test_other_data_is_refused(checkpoint: Path, joint_set: Path, tmp_path: Path) -> None:
    changed = Path(shutil.copytree(joint_set, tmp_path / "changed"))
    lines = (changed / "joints.csv").read_text().splitlines()
    kept = [line for k, line in enumerate(lines) if k != 1]
    (changed / "joints.csv").write_text("\n".join(kept) + "\n")
    with pytest.raises(CheckpointFault, match="not those"):
        trained_before(checkpoint, changed)


def test_weights_of_another_network_are_refused(checkpoint: Path, joint_set: Path) -> None:
    record = json.loads((checkpoint / RECORD).read_text())
    (checkpoint / RECORD).write_text(json.dumps(record | {"preset": "fast"}))
    with pytest.raises(CheckpointFault, match="not the weights of fast cae"):
        trained_before(checkpoint, joint_set)


def test_a_folder_of_something_else_is_left_alone(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.jpg").write_bytes(b"dear")
    with pytest.raises(CheckpointFault, match="is no checkpoint"):
        keep(trained, tmp_path / "pictures")
    assert (tmp_path / "pictures" / "a.jpg").read_bytes() == b"dear"
