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
    operators,
    run_onnx,
    run_torch,
    tidy,
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


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        ("recon", {"Conv", "LeakyRelu", "MatMul", "MaxPool", "Mul", "ReduceMean", "Sub", "Tanh"}),
        ("elbo", {"Add", "Conv", "Exp", "LeakyRelu", "MatMul", "MaxPool", "Mul", "ReduceMean"}),
    ],
)
def test_graph_has_few_and_plain_operators(models: dict[str, bytes], score: str, expected: set[str]) -> None:
    found = operators(onnx_library.load_from_string(models[score]))
    assert expected <= found.keys() <= expected | {"ReduceSum", "Sub", "Tanh"}
    assert "Pow" not in found


def test_graph_tells_nothing_of_the_machine_it_was_made_on(models: dict[str, bytes]) -> None:
    for model in models.values():
        assert b"site-packages" not in model
        assert b".py" not in model
        assert {e.key for n in onnx_library.load_from_string(model).graph.node for e in n.metadata_props} == {
            "pkg.torch.onnx.name_scopes"
        }


def test_tidying_changes_no_score(models: dict[str, bytes]) -> None:
    model = onnx_library.load_from_string(models["elbo"])
    again = tidy(model)
    assert again == model  # it was tidy
    (spare,) = [onnx_library.numpy_helper.from_array(np.zeros(3, np.float32), "spare")]
    model.graph.initializer.append(spare)
    assert tidy(model) == again


def add_constant_node(model: onnx_library.ModelProto) -> None:
    weight = next(n for n in model.graph.node if n.op_type == "Conv").input[1]
    model.graph.node.insert(0, onnx_library.helper.make_node("Tanh", [weight], ["folded"], "unfolded"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: setattr(m, "ir_version", 9), "IR version 9, allowed is 10"),
        (lambda m: setattr(m.opset_import[0], "version", 19), "opsets {'': 19}, only the plain opset 18"),
        (add_constant_node, "compute constants: fold them"),
    ],
)
def test_graph_of_another_making_is_refused(models: dict[str, bytes], change: object, message: str) -> None:
    model = onnx_library.load_from_string(models["recon"])
    change(model)  # type: ignore[operator]
    with pytest.raises(ExportFault, match=message):
        check_graph(model, CONTRACT)


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


class NormWithActivation(torch.nn.BatchNorm2d):
    """As in networks from elsewhere: a norm that also clips."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).clamp(0.0, 6.0)


def test_a_norm_that_does_more_is_not_folded_away() -> None:
    torch.manual_seed(0)
    block = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), NormWithActivation(4)).eval()
    x = torch.randn(2, 3, 8, 8) * 20
    with torch.no_grad():
        torch.testing.assert_close(deployable(block)(x), block(x))
    assert block(x).max() == 6.0
