"""GradCon: the constraint in training against numbers worked out by hand, and the score's operators against gradients
that torch takes in two other ways."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch", reason="needs_torch")

from torch import Tensor, nn  # noqa: E402

from edge.board import Floats  # noqa: E402
from edge.bundle import read_bundle  # noqa: E402
from edge.scorers import EngineChoice, load_scorer  # noqa: E402
from export.collapse import CollapseCheck  # noqa: E402
from export.families.solder_joint.contract import contract  # noqa: E402
from export.families.solder_joint.gradcon import ConstrainedAutoencoder  # noqa: E402
from export.families.solder_joint.gradcon_operators import GAIN, GradConOperators  # noqa: E402
from export.families.solder_joint.gradcon_score import GAMMA, GradConScore  # noqa: E402
from export.families.solder_joint.net import Autoencoder, squared_error  # noqa: E402
from export.families.solder_joint.presets import PRESETS, Variant  # noqa: E402
from export.families.solder_joint.recipe import float_scopes, scored  # noqa: E402
from export.graph_inputs import onnx_session  # noqa: E402
from export.onnx import deployable, onnx_from_torch, operators, run_onnx, run_torch  # noqa: E402
from export.quantize.fp16 import fp16_graph  # noqa: E402
from export.quantize.graph import load_typed, quantisable_layers  # noqa: E402
from export.to_bundle import write  # noqa: E402
from export.training_record import TrainingFault  # noqa: E402
from export.workshop import TrainRequest, keep, train, trained_before  # noqa: E402
from tests.export.helpers import good_inputs, write_joint_set  # noqa: E402

pytestmark = [pytest.mark.sweep, pytest.mark.needs_torch]

TINY = (4, 6, 8, 8, 8)
KINDS = {"cae": (False, 0.0), "vae": (True, 1.0), "beta_vae": (True, 3.0)}
NETS = [f"{kind} {state}" for kind in KINDS for state in ("random", "trained")]
SCORE_RTOL = 1e-4
COSINE_ATOL = 2e-5
MAX_NODES = 130
OPERATORS = {
    *("Conv", "LeakyRelu", "MaxPool", "MatMul", "Tanh", "Sub", "Mul", "Add", "ReduceMean"),
    *("Greater", "Where", "Reshape", "Transpose", "Concat", "Sqrt", "Div"),
}


def crops(n: int, seed: int) -> Floats:
    """(n, 3, 64, 64) float32 in [-1, 1]: smooth bumps with noise, so that channels and crops differ."""
    noise = np.random.default_rng(seed).normal(0, 0.2, (n, 3, 64, 64)).astype(np.float32)
    return (good_inputs(n, seed) + noise).clip(-1, 1)


def network(name: str) -> ConstrainedAutoencoder:
    """A tiny net: of a few steps with the constraint, or with every weight, statistic and average at random."""
    kind, state = name.split()
    variational, beta = KINDS[kind]
    torch.manual_seed(0)
    net = ConstrainedAutoencoder(TINY, variational=variational, beta=beta)
    if state == "trained":
        steps(net, 10)
    else:
        randomise(net)
    return net.eval()


def steps(net: ConstrainedAutoencoder, n: int) -> list[list[Tensor]]:
    """Train for `n` steps, the last four of them with the constraint; the gradients of J with respect to the decoder's
    weights in those."""
    optimiser = torch.optim.Adam(net.parameters(), lr=3e-3)
    net.train()
    taken = []
    for k in range(n):
        if k == n - 4:
            net.hold_statistics()
            net.train()
        optimiser.zero_grad()
        net.loss(torch.from_numpy(crops(6, 100 + k))).backward()
        taken.append([weight.grad.clone() for weight in net.decoder_weights()])
        optimiser.step()
    return taken[-4:]


def randomise(net: ConstrainedAutoencoder) -> None:
    """First weights; scales of both signs, shifts, statistics of a few crops, and averages that no training gave."""
    with torch.no_grad():
        for norm in (module for module in net.modules() if isinstance(module, nn.BatchNorm2d)):
            norm.weight.uniform_(0.5, 1.5).mul_(torch.randn_like(norm.weight).sign())
            norm.bias.normal_(0, 0.3)
        for average in net.averages():
            average.normal_()
        net.steps.fill_(1)
        net.train()
        for seed in range(20):
            net(torch.from_numpy(crops(6, 200 + seed)))
    net.hold_statistics()
    net.train()


@pytest.fixture(scope="module")
def nets() -> dict[str, ConstrainedAutoencoder]:
    return {name: network(name) for name in NETS}


def oracle_cosines(net: ConstrainedAutoencoder, x: Floats) -> Floats:
    """Cosine of each crop and decoder layer, (N, 6) float64, by vmap of grad over the unfolded network."""
    names = [f"decoder.{name}" for name, layer in net.decoder.named_modules() if isinstance(layer, nn.ConvTranspose2d)]
    rest = {**dict(net.named_parameters()), **dict(net.named_buffers())}
    weights = {f"{name}.weight": rest.pop(f"{name}.weight") for name in names}

    def error(of: dict[str, Tensor], crop: Tensor) -> Tensor:
        out = torch.func.functional_call(net, {**rest, **of}, (crop[None],))
        return squared_error(out.picture, crop[None]).sum()

    gradients = torch.func.vmap(torch.func.grad(error), in_dims=(None, 0))(weights, torch.from_numpy(x))
    found = []
    for name, average in zip(weights, net.averages(), strict=True):
        g, a = gradients[name].detach().flatten(1).double(), average.flatten().double()
        found.append((g @ a / (g.norm(dim=1) * a.norm())).numpy())
    return np.stack(found, axis=1)


def layer_cosines(module: GradConOperators, x: Floats) -> Floats:
    """Cosine of each crop and decoder layer, (N, 6), as the operators have them."""
    seen: list[Floats] = [np.empty(0)] * len(module.backward.gradients)

    def keep(k: int) -> Callable[..., None]:
        def hook(layer: nn.Module, inputs: object, output: tuple[Tensor, Tensor]) -> None:
            seen[k] = (output[0] / output[1].sqrt()).flatten().numpy()

        return hook

    hooks = [layer.register_forward_hook(keep(k)) for k, layer in enumerate(module.backward.gradients)]
    with torch.no_grad():
        module(torch.from_numpy(x))
    for hook in hooks:
        hook.remove()
    return np.stack(seen, axis=1)


# training


def test_average_is_the_running_mean_of_the_gradients_of_j() -> None:
    torch.manual_seed(0)
    net = ConstrainedAutoencoder(TINY, variational=True, beta=3.0)
    taken = steps(net, 6)
    assert net.steps.tolist() == [4] * 6
    for k, average in enumerate(net.averages()):
        expected = torch.stack([step[k] for step in taken]).mean(dim=0)
        torch.testing.assert_close(average, expected, rtol=1e-5, atol=1e-6 * float(expected.abs().max()))


def test_held_statistics_stay_whatever_training_does() -> None:
    net, x = ConstrainedAutoencoder(TINY, variational=True, beta=1.0), torch.from_numpy(crops(4, 0))
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    before = [norm.running_mean.clone() for norm in norms]
    net.loss(x).backward()
    after = [norm.running_mean.clone() for norm in norms]
    assert not any(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    net.hold_statistics()
    net.train()
    net.loss(x).backward()
    for norm, mean in zip(norms, after, strict=True):
        norm.reset_running_stats()
        assert torch.equal(norm.running_mean, mean)
    assert net.training
    assert net.steps.tolist() == [1] * 6  # gradients before are of another kind and not averaged


def test_loss_is_elbo_at_first_and_then_has_the_constraint() -> None:
    net, x = ConstrainedAutoencoder(TINY, variational=False, beta=0.0), torch.from_numpy(crops(4, 0))
    torch.testing.assert_close(net.loss(x), squared_error(net(x).picture, x).mean())
    randomise(net)
    error = squared_error(net(x).picture, x).mean()
    gradients = torch.autograd.grad(error, net.decoder_weights())
    pairs = [(g.numpy().ravel(), a.numpy().ravel()) for g, a in zip(gradients, net.averages(), strict=True)]
    cosine = np.mean([g @ a / np.linalg.norm(g) / np.linalg.norm(a) for g, a in pairs])
    assert float(net.loss(x).detach()) == pytest.approx(float(error.detach()) - 0.03 * 3 * 64 * 64 * cosine, rel=1e-5)
    with torch.no_grad():
        in_validation = net.loss(x)
    assert float(in_validation) == pytest.approx(float(net.loss(x).detach()))
    assert not in_validation.requires_grad


def test_constraint_is_differentiated_through_the_gradient() -> None:
    net = network("cae random").double()
    x = torch.from_numpy(crops(3, 0)).double()
    weight = net.decoder_weights()[2]
    (gradient,) = torch.autograd.grad(net.loss(x), weight)
    (of_elbo,) = torch.autograd.grad(Autoencoder.loss(net, x), weight)
    direction = gradient - of_elbo  # along what the constraint adds
    direction /= direction.norm()
    step, losses = 1e-7, []
    for sign in (1.0, -1.0):
        with torch.no_grad():
            weight += sign * step * direction
        losses.append(float(net.loss(x).detach()))
        with torch.no_grad():
            weight -= sign * step * direction
    assert (losses[0] - losses[1]) / (2 * step) == pytest.approx(float((gradient * direction).sum()), rel=1e-3)


def test_network_without_an_average_has_no_score() -> None:
    net = ConstrainedAutoencoder(TINY, variational=False, beta=0.0).eval()
    with pytest.raises(TrainingFault, match="two epochs at least"):
        GradConScore(net)(torch.zeros(1, 3, 64, 64))


def test_average_travels_with_the_weights() -> None:
    net = network("vae trained")
    other = ConstrainedAutoencoder(TINY, variational=True, beta=1.0)
    other.load_state_dict(net.state_dict())
    other.eval()
    x = torch.from_numpy(crops(3, 5))
    torch.testing.assert_close(GradConScore(other)(x)[0], GradConScore(net)(x)[0])


# score


@pytest.mark.parametrize("name", NETS)
def test_operators_give_autograds_scores_in_every_batch(nets: dict[str, ConstrainedAutoencoder], name: str) -> None:
    module, x = GradConScore(nets[name]), crops(17, 7)
    expected = run_torch(module, x)
    for n in range(1, 18):
        with torch.no_grad():
            score, error = module.operators(torch.from_numpy(x[:n]))
        np.testing.assert_allclose(score.numpy(), expected.score[:n], rtol=SCORE_RTOL)
        np.testing.assert_allclose(error.numpy(), expected.map[:n], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", NETS)
def test_each_layers_cosine_is_that_of_an_independent_gradient(
    nets: dict[str, ConstrainedAutoencoder], name: str
) -> None:
    x = crops(9, 11)
    expected = oracle_cosines(nets[name], x)
    assert np.ptp(expected, axis=0).min() > 100 * COSINE_ATOL  # crops differ in every layer, or this proves nothing
    np.testing.assert_allclose(
        layer_cosines(GradConOperators(nets[name], GAMMA), x), expected, rtol=0, atol=COSINE_ATOL
    )
    mean = GradConScore(nets[name]).cosines(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(mean, expected.mean(axis=1), rtol=0, atol=COSINE_ATOL)


def _without_scale(module: GradConOperators) -> None:
    for layer in module.backward.gradients:
        layer.unfold.weight.copy_(GAIN * (layer.unfold.weight != 0))


def _kernels_not_turned(module: GradConOperators) -> None:
    for layer in module.backward.to_inputs:
        layer.convolution.weight.copy_(layer.convolution.weight.flip(2, 3))


def _relu_for_leaky(module: GradConOperators) -> None:
    for layer in module.backward.to_inputs:
        layer.slope = 0.0


def _wrong_border(module: GradConOperators) -> None:
    for layer in module.backward.to_inputs:
        if layer.u is not None:
            layer.u[0] = layer.u[1]


def _taps_transposed(module: GradConOperators) -> None:
    for layer in module.backward.gradients:
        layer.unfold.weight.copy_(layer.unfold.weight.transpose(2, 3).clone())


def _statistics_of_another_epoch(module: GradConOperators) -> None:
    module.decoder[2].layer[0].weight.mul_(1.01)


WRONG = (
    *(_without_scale, _kernels_not_turned, _relu_for_leaky, _wrong_border, _taps_transposed),
    _statistics_of_another_epoch,
)


@pytest.mark.parametrize("spoil", WRONG)
def test_wrong_operators_are_found(nets: dict[str, ConstrainedAutoencoder], spoil: Callable[..., None]) -> None:
    x = crops(6, 7)
    for name in ("beta_vae random", "beta_vae trained"):
        module = GradConOperators(nets[name], GAMMA)
        with torch.no_grad():
            spoil(module)
        close = np.abs(layer_cosines(module, x) - oracle_cosines(nets[name], x)) <= 2 * COSINE_ATOL
        assert not close.all()


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_fold_shows_in_the_score(nets: dict[str, ConstrainedAutoencoder], kind: str) -> None:
    module, x = GradConScore(nets[f"{kind} trained"]), crops(6, 7)
    expected = run_torch(module, x).score
    with torch.no_grad():
        _without_scale(module.operators)
        score = module.operators(torch.from_numpy(x))[0].numpy()
    assert np.abs(score / expected - 1).max() > SCORE_RTOL


def test_score_is_reconstruction_and_gamma_times_the_constraint(nets: dict[str, ConstrainedAutoencoder]) -> None:
    net, x = nets["vae trained"], crops(5, 3)
    recon = run_torch(scored(net, "recon"), x)
    got = run_torch(scored(net, "gradcon"), x)
    literal = recon.score + 0.12 * -oracle_cosines(net, x).mean(axis=1)
    np.testing.assert_allclose(got.score - 0.12, literal, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(got.map, recon.map)
    assert (got.score > 0).all()


def test_perfect_reconstruction_has_a_score() -> None:
    net = network("cae random")
    with torch.no_grad():
        last = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)][-1]
        last.weight.zero_()
        last.bias.zero_()
    x = np.zeros((2, 3, 64, 64), np.float32)
    module = GradConScore(net)
    with torch.no_grad():
        got = module.operators(torch.from_numpy(x))[0].numpy()
    np.testing.assert_allclose(got, run_torch(module, x).score)
    np.testing.assert_allclose(got, GAMMA)


# graph


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A net and its graph."""

    net: ConstrainedAutoencoder
    model: bytes


@pytest.fixture(scope="module", params=["cae trained", "vae random", "beta_vae trained"])
def exported(request: pytest.FixtureRequest, nets: dict[str, ConstrainedAutoencoder]) -> Exported:
    net = nets[request.param]
    shape = contract(channels="bgr", normalisation="unit", places=True)
    return Exported(net=net, model=onnx_from_torch(scored(net, "gradcon"), shape))


def test_graph_gives_autograds_scores_in_every_batch(exported: Exported) -> None:
    session, x = onnx_session(exported.model, threads=1), crops(17, 21)
    expected = run_torch(scored(exported.net, "gradcon"), x)
    for n in range(1, 18):
        score, error = session.run(["score", "map"], {"crops": x[:n]})
        np.testing.assert_allclose(score, expected.score[:n], rtol=SCORE_RTOL)
        np.testing.assert_allclose(error, expected.map[:n], rtol=1e-3, atol=1e-6)


def test_graph_scores_a_perfect_reconstruction(exported: Exported) -> None:
    model = onnx.load_from_string(exported.model)
    for tensor in model.graph.initializer:  # black to black: no difference, and no gradient to have a direction
        if tensor.name.startswith("operators.decoder.5.layer.0"):
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.zeros(tensor.dims, np.float32), tensor.name))
    session = onnx_session(model.SerializeToString(), threads=1)
    score, error = session.run(["score", "map"], {"crops": np.zeros((2, 3, 64, 64), np.float32)})
    np.testing.assert_allclose(score, GAMMA)
    assert not error.any()


def test_graph_is_small_and_of_few_operators(exported: Exported) -> None:
    loaded = onnx.load_from_string(exported.model)
    assert len(loaded.graph.node) <= MAX_NODES
    assert set(operators(loaded)) == OPERATORS


def test_backward_pass_can_be_told_from_the_forward_pass(exported: Exported) -> None:
    (scope,) = float_scopes("gradcon")
    nodes = onnx.load_from_string(exported.model).graph.node
    inside = [node for node in nodes if any(f".{scope}" in entry.value for entry in node.metadata_props)]
    assert {"Where", "Sqrt", "Greater", "Div"} <= {node.op_type for node in inside}
    assert sum(node.op_type == "Conv" for node in inside) == 6 + 5  # an unfolding a layer, five ways back
    assert sum(node.op_type == "Conv" for node in nodes if node not in inside) == 6 + 6
    assert not {"LeakyRelu", "MaxPool", "Tanh"} & {node.op_type for node in inside}


def test_half_precision_is_for_the_forward_pass_alone(exported: Exported) -> None:
    scopes, x = float_scopes("gradcon"), crops(17, 21)
    assert len(quantisable_layers(load_typed(exported.model), scopes)) == 6 + 6
    half = run_onnx(fp16_graph(exported.model, scopes), x).score
    np.testing.assert_allclose(half, run_onnx(exported.model, x).score, rtol=0, atol=0.0023 * GAMMA + 1e-3)


def test_folded_copy_scores_as_the_network(nets: dict[str, ConstrainedAutoencoder]) -> None:
    module, x = scored(nets["beta_vae trained"], "gradcon"), crops(4, 1)
    before = run_torch(module, x).score
    np.testing.assert_allclose(run_torch(deployable(module), x).score, before, rtol=SCORE_RTOL)
    np.testing.assert_array_equal(run_torch(module, x).score, before)  # the original is left as it was


def test_held_networks_learn_from_mu_and_no_sample() -> None:
    net = ConstrainedAutoencoder(TINY, variational=True, beta=3.0)
    x = torch.from_numpy(crops(4, 1))
    assert not torch.equal(net.train()(x).picture, net(x).picture)
    net.hold_statistics()
    held = net.train()(x)
    assert torch.equal(held.picture, net(x).picture)
    assert torch.equal(held.picture, net.eval()(x).picture)


def test_constrained_variants_are_in_both_presets_of_the_paper() -> None:
    for preset in ("paper", "fast"):
        for kind in KINDS:
            constrained, plain = (PRESETS[preset].variants[f"{kind}{end}"] for end in ("_gradcon", ""))
            assert constrained.scores == ("gradcon", *plain.scores)
            assert isinstance(constrained.build(), ConstrainedAutoencoder)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> str:
    """A preset small enough to train in a test, where nobody asks whether three epochs are enough."""
    sound = CollapseCheck(network_error=0.0, line_error=1.0, yardstick_error=1.0, score_mean=1.0, score_spread=1.0)
    monkeypatch.setattr("export.teaching.check_collapse", lambda **given: sound)
    fast = PRESETS["fast"]
    build = partial(ConstrainedAutoencoder, TINY, variational=False, beta=0.0)
    variants = {"cae_gradcon": Variant(build=build, scores=("gradcon", "recon"))}
    training = dataclasses.replace(fast.training, epochs=3, batch=16)
    row = dataclasses.replace(fast, variants=variants, default_variant="cae_gradcon", training=training)
    monkeypatch.setitem(PRESETS, "tiny", row)
    return "tiny"


def test_training_ends_in_a_bundle_that_a_station_loads(tiny: str, tmp_path: Path) -> None:
    data = write_joint_set(tmp_path / "joints")
    rates: list[float] = []
    request = TrainRequest(family="solder_joint", data=data, table="joints.csv", preset=tiny)
    trained = train(request, lambda epoch: rates.append(epoch.learning_rate))
    assert rates == [1e-2, 1e-2, 1e-3]  # free, then constrained
    write(trained, tmp_path / "bundle", all_precisions=False)
    made = read_bundle(tmp_path / "bundle")
    assert made.manifest.variant == "cae_gradcon/gradcon"
    assert made.manifest.graphs["fp32"].parity.max_abs_score_difference <= SCORE_RTOL * made.threshold().value
    load_scorer(made, EngineChoice(threads=1))  # judges its own golden crops
    keep(trained, tmp_path / "checkpoint")
    again = scored(trained_before(tmp_path / "checkpoint", data).network, "gradcon")
    x = trained.samples.val[:4]
    np.testing.assert_array_equal(run_torch(again, x).score, run_torch(scored(trained.network, "gradcon"), x).score)
