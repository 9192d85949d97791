"""The networks of `bga_package`: shapes, losses, scores that are what they say, and graphs that score as torch does."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs_torch")

from edge.board import Floats  # noqa: E402
from edge.bundle import Contract  # noqa: E402
from edge.references import MAX_APPROVED  # noqa: E402
from export.families import UnknownName  # noqa: E402
from export.families.bga_package.compared_net import EMBEDDING_SIZE, ComparedNet  # noqa: E402
from export.families.bga_package.contract import INPUT_PX, contract  # noqa: E402
from export.families.bga_package.defect_net import DefectNet, DefectScore, evidence  # noqa: E402
from export.families.bga_package.linear import cosine_scores, fit_line  # noqa: E402
from export.families.bga_package.net import CosineScore, Vae, cosine_distance, kl_divergence, squared_error  # noqa: E402
from export.families.bga_package.presets import PRESETS  # noqa: E402
from export.families.bga_package.recipe import scored  # noqa: E402
from export.families.bga_package.tolerances import TORCH_ONNX_FRAC  # noqa: E402
from export.graph_inputs import onnx_session  # noqa: E402
from export.onnx import onnx_from_torch  # noqa: E402

pytestmark = [pytest.mark.sweep, pytest.mark.needs_torch]

GRAPHS = [("fast", "tiny"), ("best", "places"), ("best", "compared")]


def noise(n: int, seed: int, side: int = INPUT_PX) -> Floats:
    return np.random.default_rng(seed).uniform(0, 1, (n, 1, side, side)).astype(np.float32)


def agreed(preset: str, variant: str) -> Contract:
    row = PRESETS[preset]
    return contract(channels=row.channels, normalisation=row.normalisation, places=False, variant=row.variants[variant])


def told(crops: Floats, network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A graph's inputs by name: the crops, and for one that compares something to hold them against."""
    inputs = {"crops": torch.from_numpy(crops)}
    if isinstance(network, ComparedNet):
        some = np.random.default_rng(9).normal(0, 1, (len(crops), MAX_APPROVED, EMBEDDING_SIZE))
        inputs["references"] = torch.from_numpy(some.astype(np.float32))
    return inputs


def busy(network: torch.nn.Module) -> torch.nn.Module:
    """With BatchNorm statistics that are not the first ones, or folding them would prove nothing."""
    torch.manual_seed(1)
    with torch.no_grad():
        for seed in range(2):
            network.train()(*told(noise(2, seed, getattr(network, "side_px", INPUT_PX)), network).values())
    return network.eval()


@pytest.mark.parametrize(("preset", "variant"), GRAPHS)
def test_the_graph_scores_as_torch_does(preset: str, variant: str) -> None:
    row = PRESETS[preset].variants[variant]
    torch.manual_seed(0)
    network = busy(row.build())
    module = scored(network, row.scores[0]).eval()
    session = onnx_session(onnx_from_torch(module, agreed(preset, variant)), 1)  # with all of its checks
    for n in (1, 3):
        inputs = told(noise(n, seed=n), network)
        with torch.no_grad():
            expected = [value.numpy() for value in module(*inputs.values())]
        got = session.run(None, {name: values.numpy() for name, values in inputs.items()})
        assert [value.shape for value in got] == [value.shape for value in expected]
        for mine, theirs in zip(got, expected, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=TORCH_ONNX_FRAC, atol=1e-6)


def test_every_variant_has_a_contract() -> None:
    for name, preset in PRESETS.items():
        for variant, row in preset.variants.items():
            made = agreed(name, variant)
            assert made.outputs[1].shape == ("N", row.map_px, row.map_px)
            assert made.kinds == row.kinds
            assert made.onto_approved == (variant == "compared") == (len(made.inputs) == 2)
    assert len(agreed("best", "places").kinds) == 7
    with pytest.raises(UnknownName, match="channels 'bgr'"):
        contract(channels="bgr", normalisation="frac", places=True, variant=PRESETS["paper"].variants["vae"])


def test_what_is_approved_is_compared_place_by_place() -> None:
    """The order of approved pictures says nothing, nor how often all of them come; what differs does, and where."""
    torch.manual_seed(0)
    net = busy(ComparedNet())
    x, approved = torch.from_numpy(noise(1, 3)), torch.from_numpy(noise(2, 4))
    with torch.no_grad():
        references = net.embed(approved)[None]
        odds, own = net(x, references)
        torch.testing.assert_close(own, net.embed(x), rtol=0, atol=0)
        torch.testing.assert_close(net(x, references[:, [1, 0, 1, 0]])[0], odds)
        lessons = net.of_lessons(x, approved, torch.tensor([[0, 1]]))
        torch.testing.assert_close(lessons, odds)
        other = references.view(1, 2, -1, 32, 32).clone()
        other[..., 5, 7] += 3.0
        changed = net(x, other.flatten(2))[0] - odds
    assert float(changed[..., 4:7, 6:9].abs().max()) > 10 * float(changed[..., 20:, 20:].abs().max())


def test_the_latent_is_a_sample_in_training_and_its_mean_at_a_station() -> None:
    torch.manual_seed(0)
    net = busy(Vae((4, 8), 5, side_px=16))
    x = torch.from_numpy(noise(2, 3, 16))
    with torch.no_grad():
        torch.testing.assert_close(net(x).picture, net(x).picture, rtol=0, atol=0)
        net.train()
        assert not torch.equal(net(x).picture, net(x).picture)


def test_the_loss_is_squared_error_and_kl() -> None:
    torch.manual_seed(0)
    net = busy(Vae((4, 8), 5, side_px=16))
    x = torch.from_numpy(noise(3, 3, 16))
    with torch.no_grad():
        out = net(x)
        prior = torch.distributions.Normal(0.0, 1.0)
        posterior = torch.distributions.Normal(out.mu, torch.exp(0.5 * out.logvar))
        kl = torch.distributions.kl_divergence(posterior, prior).sum(dim=1)
        torch.testing.assert_close(kl_divergence(out), kl)
        expected = ((out.picture - x) ** 2).sum(dim=(1, 2, 3)) + kl
        torch.testing.assert_close(net.loss(x), expected.mean())


def test_a_larger_picture_is_averaged_down_first() -> None:
    net = Vae((4, 8), 5, side_px=16).eval()
    x = torch.from_numpy(noise(1, 0, 32))
    with torch.no_grad():
        small = torch.nn.functional.avg_pool2d(x, 2)
        out = net(small)
        torch.testing.assert_close(
            net.loss(x), 4 * squared_error(out.picture, small).mean() + kl_divergence(out).mean()
        )
    with pytest.raises(ValueError, match="must halve"):
        Vae((4, 8), 5, side_px=18)
    with pytest.raises(ValueError, match="does not divide"):
        CosineScore(net, map_px=5)


def test_cosine_distance_keeps_its_digits() -> None:
    rows = np.random.default_rng(0).uniform(0.2, 1.0, (4, 4096))
    near = rows * (1 + 1e-3 * np.random.default_rng(1).standard_normal(rows.shape))
    exact = 1 - (rows * near).sum(1) / np.linalg.norm(rows, axis=1) / np.linalg.norm(near, axis=1)
    got = cosine_distance(torch.from_numpy(rows).float(), torch.from_numpy(near).float()).numpy()
    np.testing.assert_allclose(got, exact, rtol=1e-2)
    np.testing.assert_allclose(cosine_distance(torch.eye(2), torch.eye(2).flip(0)).numpy(), 1.0, rtol=1e-5)


def test_the_score_is_of_the_worst_place() -> None:
    torch.manual_seed(0)
    net = busy(DefectNet())
    with torch.no_grad():
        x = torch.from_numpy(noise(2, 5))
        logits = net(x).double()
        score, places, kinds = DefectScore(net)(x)
    odds = logits.exp()
    torch.testing.assert_close(places.double(), torch.log1p(odds.sum(dim=1)), rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(score, places.amax(dim=(1, 2)), rtol=0, atol=0)
    torch.testing.assert_close(kinds.double(), torch.log1p(odds.amax(dim=(2, 3))), rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(evidence(torch.tensor([[200.0, 0.0]]), (1,)), torch.tensor([200.0]))


def test_the_rim_of_a_defect_does_not_count() -> None:
    torch.manual_seed(0)
    net = DefectNet().eval()
    torch.nn.init.zeros_(net.head.bias)  # not sure of anything, so that every place costs
    x, marks = torch.from_numpy(noise(1, 0)), torch.zeros(1, 7, 32, 32)
    marks[0, 2, 10:12, 10:12] = 1
    everywhere, rim = torch.ones(1, 32, 32), torch.ones(1, 32, 32)
    rim[0, 9:13, 9:13] = marks[0, 2, 9:13, 9:13]
    with torch.no_grad():
        assert net.loss(x, marks, rim) < net.loss(x, marks, everywhere)


def test_the_line_finds_what_it_cannot_draw() -> None:
    good = np.repeat(noise(6, 0, 16), 4, axis=0) + 0.001 * noise(24, 1, 16)
    line = fit_line(good, components=5)
    scores = cosine_scores(line, np.concatenate([good[:2], noise(2, 9, 16)]))
    assert scores[:2].max() < 1e-4
    assert scores[2:].min() > 1e-2
    assert np.isfinite(cosine_scores(line, np.zeros((1, 1, 16, 16), np.float32))).all()
