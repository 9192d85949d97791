"""The autoencoder at half the resolution: what it keeps of the paper, what stands at full resolution, its graph."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch", reason="needs_torch")

from torch.nn import functional  # noqa: E402

from export.families.solder_joint.contract import contract  # noqa: E402
from export.families.solder_joint.half_net import HALF_WIDTHS, HalfAutoencoder  # noqa: E402
from export.families.solder_joint.net import LATENT_CHANNELS, kl_divergence, squared_error  # noqa: E402
from export.families.solder_joint.presets import BETA, PRESETS  # noqa: E402
from export.families.solder_joint.recipe import scored  # noqa: E402
from export.onnx import onnx_from_torch, run_onnx, run_torch  # noqa: E402
from export.quantize.graph import load_typed, quantisable_layers  # noqa: E402

pytestmark = [pytest.mark.sweep, pytest.mark.needs_torch]

KINDS = ("cae", "vae", "beta_vae")


@pytest.fixture(scope="module")
def net() -> HalfAutoencoder:
    """A β-VAE whose BatchNorm has seen something, so that a fold by wrong statistics would show."""
    torch.manual_seed(0)
    made = HalfAutoencoder(HALF_WIDTHS, variational=True, beta=BETA).train()
    with torch.no_grad():
        for _ in range(3):
            made(torch.rand(8, 3, 64, 64) * 2 - 1)
    return made.eval()


def test_latent_and_loss_are_the_papers(net: HalfAutoencoder) -> None:
    x = torch.rand(3, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        out = net(x)
        assert out.picture.shape == x.shape
        assert out.mu.shape == out.logvar.shape == (3, LATENT_CHANNELS, 8, 8)
        expected = (squared_error(out.picture, x) + BETA * kl_divergence(out)).mean()
        torch.testing.assert_close(net.loss(x), expected)


def test_nothing_learned_draws_at_full_resolution(net: HalfAutoencoder) -> None:
    shapes = []
    hooks = [
        layer.register_forward_hook(lambda _m, _x, y: shapes.append(tuple(y.shape[1:])))
        for layer in net.modules()
        if isinstance(layer, torch.nn.Conv2d)
    ]
    with torch.no_grad():
        net(torch.zeros(1, 3, 64, 64))
    for hook in hooks:
        hook.remove()
    assert max(side for _, side, _ in shapes) == 32
    assert shapes[0] == (16, 32, 32)
    assert shapes[-1] == (3, 32, 32)


def test_the_picture_is_the_half_one_doubled(net: HalfAutoencoder) -> None:
    z = torch.randn(2, LATENT_CHANNELS, 8, 8)
    with torch.no_grad():
        drawn = net.decoder[:-2](z)
        doubled = functional.interpolate(drawn, scale_factor=2, mode="bicubic", align_corners=False)
        torch.testing.assert_close(net.decoder(z), torch.tanh(doubled), rtol=1e-4, atol=1e-5)


def test_scores_of_the_graph_are_the_networks(net: HalfAutoencoder) -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (5, 3, 64, 64)).astype(np.float32)
    for score in ("recon", "elbo"):
        module = scored(net, score)
        graph = onnx_from_torch(module, contract(channels="bgr", normalisation="unit", places=True))
        here, there = run_torch(module, x), run_onnx(graph, x)
        np.testing.assert_allclose(there.score, here.score, rtol=1e-5)
        np.testing.assert_allclose(there.map, here.map, atol=1e-5)
        assert not {"Resize", "ConvTranspose", "DepthToSpace"} & {
            n.op_type for n in onnx.load_from_string(graph).graph.node
        }
        assert len(quantisable_layers(load_typed(graph))) == (8 if score == "recon" else 9)


def test_the_preset_has_the_three_of_them() -> None:
    for name in KINDS:
        variant = PRESETS["half"].variants[name]
        built = variant.build()
        assert isinstance(built, HalfAutoencoder)
        assert (built.logvar_head is None) == (variant.scores == ("recon",))


def test_wrong_number_of_widths_is_refused() -> None:
    with pytest.raises(ValueError, match="got 5, the network has 3"):
        HalfAutoencoder((4, 4, 4, 4, 4), variational=False, beta=0.0)
