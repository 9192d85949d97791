"""The exported graph: same scores as the network, nothing in it that a station's engines dislike."""

from __future__ import annotations

import numpy as np
import onnx as onnx_library
import pytest

torch = pytest.importorskip("torch", reason="needs_torch")

from export.families.solder_joint.contract import contract  # noqa: E402
from export.families.solder_joint.net import Autoencoder  # noqa: E402
from export.families.solder_joint.scores import SCORES  # noqa: E402
from export.families.solder_joint.tolerances import TORCH_ONNX_FRAC  # noqa: E402
from export.onnx import (  # noqa: E402
    ExportFault,
    check_graph,
    deployable,
    naive_onnx_from_torch,
    onnx_from_torch,
    run_onnx,
    run_torch,
)
from tests.export.helpers import good_inputs  # noqa: E402

pytestmark = [pytest.mark.sweep, pytest.mark.needs_torch]

CONTRACT = contract(channels="grey", normalisation="standardised", places=True)


RECONSTRUCTIONS = ("elbo", "recon")  # the scores an autoencoder has


@pytest.fixture(scope="module")
def net() -> Autoencoder:
    """A tiny network whose BatchNorm statistics are not the initial ones, or folding them would prove nothing."""
    torch.manual_seed(0)
    made = Autoencoder((4, 6, 8, 8, 8), variational=True, beta=3.0)
    made.train()
    with torch.no_grad():
        for seed in range(3):
            made(torch.from_numpy(good_inputs(8, seed)))
    return made.eval()


@pytest.fixture(scope="module")
def models(net: Autoencoder) -> dict[str, bytes]:
    return {name: onnx_from_torch(score(net), CONTRACT) for name, score in SCORES.items() if name in RECONSTRUCTIONS}


@pytest.mark.parametrize("score", RECONSTRUCTIONS)
@pytest.mark.parametrize("n", [1, 3, 70])
def test_graph_scores_as_the_network(net: Autoencoder, models: dict[str, bytes], score: str, n: int) -> None:
    crops = good_inputs(n, seed=7)
    expected, got = run_torch(SCORES[score](net), crops), run_onnx(models[score], crops)
    np.testing.assert_allclose(got.score, expected.score, rtol=TORCH_ONNX_FRAC)
    np.testing.assert_allclose(got.map, expected.map, rtol=1e-3, atol=1e-6)


def test_graph_has_only_plain_nodes(models: dict[str, bytes]) -> None:
    nodes = {n.op_type for n in onnx_library.load_from_string(models["recon"]).graph.node}
    assert nodes <= {"Conv", "LeakyRelu", "MatMul", "MaxPool", "ReduceMean", "Tanh", "Sub", "Mul", "Pow"}


def test_folding_changes_nothing_and_leaves_the_original(net: Autoencoder) -> None:
    module = SCORES["recon"](net)
    before = run_torch(module, good_inputs(4)).score
    np.testing.assert_allclose(run_torch(deployable(module), good_inputs(4)).score, before, rtol=1e-5)
    assert any(isinstance(m, torch.nn.BatchNorm2d) for m in net.modules())


def test_plain_export_is_refused_by_the_check(net: Autoencoder) -> None:
    naive = onnx_library.load_from_string(naive_onnx_from_torch(SCORES["recon"](net), CONTRACT))
    with pytest.raises(ExportFault, match="ConvTranspose"):
        check_graph(naive, CONTRACT)


def test_graph_that_breaks_the_contract_is_refused(models: dict[str, bytes]) -> None:
    model = onnx_library.load_from_string(models["recon"])
    other = CONTRACT.model_copy(update={"outputs": CONTRACT.outputs[:1]})
    with pytest.raises(ExportFault, match="outputs: the graph has"):
        check_graph(model, other)
