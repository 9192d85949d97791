"""The paper's networks: shapes, losses and scores against the paper's text and against torch's own operators."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs_torch")

from torch.nn import functional  # noqa: E402

from export.families import FAMILIES, UnknownName, load_family, one_of  # noqa: E402
from export.families.solder_joint.net import (  # noqa: E402
    Autoencoder,
    BicubicDouble,
    Reconstruction,
    kl_divergence,
    squared_error,
)
from export.families.solder_joint.presets import PAPER_WIDTHS, PRESETS  # noqa: E402
from export.families.solder_joint.scores import SCORES, ElboScore, ReconstructionScore  # noqa: E402

pytestmark = [pytest.mark.sweep, pytest.mark.needs_torch]

TINY = (4, 4, 4, 4, 4)


@pytest.mark.parametrize("side_px", [3, 8, 32])
def test_two_matrix_products_are_torchs_bicubic_upsampling(side_px: int) -> None:
    x = torch.randn(2, 3, side_px, side_px)
    expected = functional.interpolate(x, scale_factor=2, mode="bicubic", align_corners=False)
    torch.testing.assert_close(BicubicDouble(side_px)(x), expected, rtol=1e-5, atol=1e-5)


def test_paper_network_has_the_papers_parts() -> None:
    net = PRESETS["paper"].variants["beta_vae"].build()
    convolutions = [m for m in net.modules() if isinstance(m, torch.nn.Conv2d)]
    transposed = [m for m in net.modules() if isinstance(m, torch.nn.ConvTranspose2d)]
    assert [c.out_channels for c in convolutions] == [*PAPER_WIDTHS, 10, 10]
    assert [(t.in_channels, t.out_channels) for t in transposed] == [
        (10, 256), (256, 128), (128, 64), (64, 32), (32, 16), (16, 3),
    ]  # fmt: skip
    assert all(m.kernel_size == (3, 3) and m.stride == (1, 1) for m in (*convolutions, *transposed))
    assert sum(isinstance(m, torch.nn.MaxPool2d) for m in net.modules()) == 3
    assert sum(isinstance(m, BicubicDouble) for m in net.modules()) == 3
    assert isinstance(list(net.decoder.modules())[-1], torch.nn.Tanh)
    assert net.beta == 3.0
    out = net.eval()(torch.zeros(2, 3, 64, 64))
    assert out.picture.shape == (2, 3, 64, 64)
    assert out.mu.shape == out.logvar.shape == (2, 10, 8, 8)


def test_cae_has_one_bottleneck_convolution_and_no_kl() -> None:
    net = PRESETS["paper"].variants["cae"].build()
    assert net.logvar_head is None
    x = torch.randn(2, 3, 64, 64).clamp(-1, 1)
    net.eval()
    torch.testing.assert_close(net.loss(x), squared_error(net(x).picture, x).mean())
    assert PRESETS["paper"].variants["cae"].scores == ("recon",)


def test_kl_is_torchs_own() -> None:
    mu, logvar = torch.randn(3, 10, 8, 8), torch.randn(3, 10, 8, 8)
    posterior = torch.distributions.Normal(mu, torch.exp(0.5 * logvar))
    expected = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).sum(dim=(1, 2, 3))
    out = Reconstruction(picture=torch.zeros(3, 3, 64, 64), mu=mu, logvar=logvar)
    torch.testing.assert_close(kl_divergence(out), expected, rtol=1e-4, atol=1e-3)


def test_latent_is_sampled_in_training_and_repeatable_in_evaluation() -> None:
    net, x = Autoencoder(TINY, variational=True, beta=1.0), torch.zeros(4, 3, 64, 64)
    net.train()
    assert not torch.equal(net(x).picture, net(x).picture)
    net.eval()
    assert torch.equal(net(x).picture, net(x).picture)


def test_scores_are_the_loss_a_crop_in_evaluation() -> None:
    net = Autoencoder(TINY, variational=True, beta=3.0).eval()
    x = torch.rand(5, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        recon, error = ReconstructionScore(net)(x)
        elbo, _ = ElboScore(net)(x)
        torch.testing.assert_close(recon, squared_error(net(x).picture, x) / (3 * 64 * 64))
        torch.testing.assert_close(elbo.mean() * (3 * 64 * 64), net.loss(x), rtol=1e-4, atol=1e-4)
    assert error.shape == (5, 64, 64)
    torch.testing.assert_close(error.mean(dim=(1, 2)), recon)
    assert (elbo > recon).all()  # the KL only ever adds: higher is worse


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_preset_of_every_family_builds(family: str) -> None:
    recipe = load_family(family)
    for preset in recipe.PRESETS.values():
        assert preset.default_variant in preset.variants
        for variant in preset.variants.values():
            for score in variant.scores:
                assert recipe.scored(variant.build(), score) is not None


def test_unknown_names_say_what_there_is() -> None:
    known = r"\['axi_joint', 'bga_package', 'paste_print', 'pth_component', 'solder_joint'\]"
    with pytest.raises(UnknownName, match=f"family 'solder' is not one of {known}"):
        load_family("solder")
    with pytest.raises(UnknownName, match=r"\['distance', 'elbo', 'gradcon', 'recon', 'surprise'\]"):
        one_of(SCORES, "gradient", "score")


def test_wrong_number_of_widths_is_refused() -> None:
    with pytest.raises(ValueError, match="5 encoder convolutions"):
        Autoencoder((4, 4), variational=False, beta=0.0)


def test_upsampling_keeps_a_constant() -> None:
    # also at the borders, where a wrong extension would show
    np.testing.assert_allclose(BicubicDouble(8)(torch.ones(1, 1, 8, 8)).numpy(), 1.0, rtol=1e-6)
