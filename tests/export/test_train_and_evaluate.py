"""`boardgate train` and `boardgate evaluate` from the command line on drawn joints, and what they refuse."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

torch = pytest.importorskip("torch", reason="needs_torch")

from edge.bundle import read_bundle  # noqa: E402
from edge.scorers import EngineChoice, load_scorer  # noqa: E402
from export.cli import app  # noqa: E402
from export.families.solder_joint.net import Autoencoder  # noqa: E402
from export.families.solder_joint.presets import PRESETS, Preset, Variant  # noqa: E402
from tests.export.helpers import write_joint_set  # noqa: E402

pytestmark = [pytest.mark.needs_torch]

EVALUATE_KEYS = {
    *("family", "bundle_sha256", "split", "n_good", "n_defect", "auroc", "average_precision", "threshold", "f1"),
    *("recall", "recall_lower", "false_call_ppm", "false_call_ppm_upper", "confidence", "per_label", "ms_per_region"),
}


def _tiny(*, beta: float, variational: bool) -> Variant:
    def build() -> Autoencoder:
        return Autoencoder((8, 8, 16, 16, 16), variational=variational, beta=beta)

    return Variant(build=build, scores=("recon", "elbo") if variational else ("recon",))


@pytest.fixture(scope="module", autouse=True)
def tiny_preset() -> object:
    """A preset small enough to train in a test; `drowned` has a KL weight that no network survives."""
    with pytest.MonkeyPatch.context() as patch:
        variants = {
            "cae": _tiny(beta=0.0, variational=False),
            "drowned": _tiny(beta=1e7, variational=True),
        }
        training = dataclasses.replace(PRESETS["fast"].training, epochs=16, batch=16)
        tiny = Preset(
            summary="for tests",
            variants=variants,
            default_variant="cae",
            channels="grey",
            normalisation="standardised",
            training=training,
        )
        patch.setitem(PRESETS, "tiny", tiny)
        yield


@pytest.fixture(scope="module")
def joint_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_joint_set(tmp_path_factory.mktemp("data") / "joints")


def _run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "200"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def _train(data: Path, out: Path, *more: object) -> tuple[int, str]:
    return _run(
        "train", "solder_joint", "--data", data, "--table", "joints.csv", "--preset", "tiny", "--out", out, *more
    )


@pytest.fixture(scope="module")
def bundle(joint_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bundles") / "joint.bundle"
    status, output = _train(joint_set, out)
    assert status == 0, output
    assert "collapse   no" in output
    return out


def test_trained_bundle_is_one_a_station_loads(bundle: Path) -> None:
    made = read_bundle(bundle)
    load_scorer(made, EngineChoice(threads=1))  # judges its own golden crops
    assert made.manifest.variant == "cae/recon"
    assert made.manifest.contract.region_scale == 1.5
    assert made.manifest.graphs["fp32"].parity.verdict_agreement_frac == 1.0
    assert made.threshold().choice.split == "val"
    assert made.threshold().choice.n_defect > 0


def test_evaluation_object_has_what_was_agreed(bundle: Path, joint_set: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    status, output = _run("evaluate", bundle, "--data", joint_set, "--table", "joints.csv", "--json", report)
    assert status == 0, output
    figures = json.loads(report.read_text())
    assert figures.keys() >= EVALUATE_KEYS
    assert figures["bundle_sha256"] == read_bundle(bundle).sha256
    assert figures["threshold"] == read_bundle(bundle).threshold().value
    assert set(figures["per_label"]) == {"bridge", "missing"}
    assert sum(label["n"] for label in figures["per_label"].values()) == figures["n_defect"]
    assert figures["n_left_out"] == {"near_defect": 2}
    assert set(figures["yardsticks"]) >= {"file size", "file format", "aspect", "mean colour", "sharpness", "PCA-8"}
    assert "bridge" in output
    assert "grey deviation" in output


def test_collapsed_training_leaves_no_bundle_and_says_why(joint_set: Path, tmp_path: Path) -> None:
    status, output = _train(joint_set, tmp_path / "b", "--variant", "drowned", "--epochs", 4)
    assert status == 1
    assert "refused" in output
    assert "collapsed or is not done" in output
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--preset", "huge"], "preset 'huge' is not one of"),
        (["--variant", "gan"], "preset 'tiny': variant 'gan' is not one of"),
        (["--score", "elbo"], "variant 'cae': score 'elbo' is not one of ['recon']"),
        (["--where", "view=side"], "no row matches view=side"),
        (["--normalisation", "loud"], "normalisation 'loud' is not one of"),
    ],
)
def test_wrong_requests_name_what_is_allowed(joint_set: Path, tmp_path: Path, more: list[str], said: str) -> None:
    status, output = _train(joint_set, tmp_path / "b", "--epochs", 1, *more)
    assert status == 1
    assert said in output
    assert not (tmp_path / "b").exists()


def test_broken_bundle_is_not_evaluated(bundle: Path, joint_set: Path, tmp_path: Path) -> None:
    broken = tmp_path / "b"
    shutil.copytree(bundle, broken)
    model = bytearray((broken / "model.onnx").read_bytes())
    model[100] ^= 1
    (broken / "model.onnx").write_bytes(bytes(model))
    status, output = _run("evaluate", broken, "--data", joint_set, "--table", "joints.csv")
    assert status == 1
    assert "model.onnx: hash" in output


@pytest.mark.parametrize("missing", ["torch", "sklearn"])
def test_missing_train_extra_is_one_clear_line(missing: str, joint_set: Path, bundle: Path) -> None:
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from export.cli import app\n"
        f"app({['evaluate' if missing == 'sklearn' else 'train']!r} + sys.argv[1:])"
    )
    arguments = {
        "torch": ["solder_joint", "--data", str(joint_set), "--out", "nowhere"],
        "sklearn": [str(bundle), "--data", str(joint_set)],
    }[missing]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert f"not installed: {missing}" in done.stderr
    assert "Traceback" not in done.stderr
