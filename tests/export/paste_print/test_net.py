"""The paper's four networks: shapes, equations, order of decoding, and the deconvolution's other form."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs_torch")

from torch import nn  # noqa: E402

from export.families.paste_print.cells import ConvLSTMCell, CSTMCell, Memory  # noqa: E402
from export.families.paste_print.contract import SIDE_CELLS  # noqa: E402
from export.families.paste_print.deconvolution import PhaseConvolution, phases_of  # noqa: E402
from export.families.paste_print.net import PrintNet  # noqa: E402
from export.families.paste_print.presets import FAST_WIDTH, PAPER_WIDTH, PRESETS  # noqa: E402
from export.families.paste_print.score import ResidualScore  # noqa: E402

pytestmark = [pytest.mark.sweep, pytest.mark.needs_torch]

KINDS = {"crrn": (True, True), "crrn_na": (True, False), "crae": (False, True), "crae_na": (False, False)}
WIDTH, BOARDS = 4, 3


def net_of(kind: str = "crrn", seed: int = 0) -> PrintNet:
    torch.manual_seed(seed)
    memory, attention = KINDS[kind]
    made = PrintNet(WIDTH, memory=memory, attention=attention)
    with torch.no_grad():  # what begins at 0 must not hide in a test
        for cell in (*made.encoder, *made.decoder):
            for weights in (cell.peephole_input, cell.peephole_forget, cell.peephole_output):
                weights.normal_(0, 0.5)
            if isinstance(cell, CSTMCell):
                cell.cell_below.weight.normal_(0, 0.5)
    return made.eval()


def windows(n: int = 2, boards: int = BOARDS, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mask = (torch.rand(1, 1, 1, SIDE_CELLS, SIDE_CELLS, generator=generator) < 0.4).float()
    values = torch.randn(n, boards, 2, SIDE_CELLS, SIDE_CELLS, generator=generator) * mask
    return torch.cat([mask.expand(n, boards, -1, -1, -1), values], dim=2)


@pytest.mark.parametrize("channels", [(1, 1), (3, 4)])
def test_phases_are_the_transposed_convolution(channels: tuple[int, int]) -> None:
    torch.manual_seed(0)
    plain = nn.ConvTranspose2d(*channels, 5, stride=2, padding=2, output_padding=1)
    phases = PhaseConvolution(*channels)
    phases.take(plain)
    x = torch.randn(2, channels[0], 6, 7)
    for mode in (True, False):
        torch.testing.assert_close(nn.PixelShuffle(2)(phases.train(mode)(x)), plain(x))


def test_taps_that_a_5x5_kernel_lacks_stay_zero() -> None:
    torch.manual_seed(0)
    phases = PhaseConvolution(2, 3).train()
    optimiser = torch.optim.Adam(phases.parameters(), 0.1)
    for _ in range(3):
        optimiser.zero_grad()
        (phases(torch.randn(2, 2, 6, 6)) - 1).square().mean().backward()
        optimiser.step()
    unused = phases_of(torch.ones(2, 3, 5, 5)) == 0
    assert unused.sum() == 11 * 2 * 3
    assert (phases.weight[unused] == 0).all()
    assert (phases.weight[~unused] != 0).all()


def test_conv_lstm_is_equation_1() -> None:
    torch.manual_seed(0)
    cell = ConvLSTMCell(3, 6)
    with torch.no_grad():
        for weights in (cell.peephole_input, cell.peephole_forget, cell.peephole_output):
            weights.normal_()
    below, before = torch.randn(2, 3, 6, 6), Memory(torch.randn(2, 3, 6, 6), torch.randn(2, 3, 6, 6))
    got = cell(cell.below(below), below, before)
    i, f, g, o = (cell.below(below) + cell.before(before.hidden)).chunk(4, 1)
    i = torch.sigmoid(i + cell.peephole_input * before.cell)
    f = torch.sigmoid(f + cell.peephole_forget * before.cell)
    c = f * before.cell + i * torch.tanh(g)
    h = torch.sigmoid(o + cell.peephole_output * c) * torch.tanh(c)
    torch.testing.assert_close(got.cell, c)
    torch.testing.assert_close(got.hidden, h)


def test_cstm_mixes_both_memories_by_one_1x1_convolution() -> None:
    torch.manual_seed(0)
    cell = CSTMCell(3, 6)
    with torch.no_grad():
        cell.cell_below.weight.normal_()
        cell.cell_before.weight.normal_()
    below, before = torch.randn(2, 3, 6, 6), Memory(torch.randn(2, 3, 6, 6), torch.randn(2, 3, 6, 6))
    one = torch.cat([cell.cell_before.weight, cell.cell_below.weight], dim=1)
    expected = nn.functional.conv2d(torch.cat([before.cell, below], dim=1), one)
    torch.testing.assert_close(cell.kept(below, before), expected)


@pytest.mark.parametrize("cell", [ConvLSTMCell, CSTMCell])
def test_no_board_before_is_a_memory_of_zeros(cell: type[ConvLSTMCell]) -> None:
    torch.manual_seed(0)
    made = cell(3, 6)
    below, zeros = torch.randn(2, 3, 6, 6), torch.zeros(2, 3, 6, 6)
    for got, expected in zip(
        made(made.below(below), below, None), made(made.below(below), below, Memory(zeros, zeros)), strict=True
    ):
        torch.testing.assert_close(got, expected)


def test_an_untrained_cstm_is_a_conv_lstm() -> None:
    torch.manual_seed(0)
    plain, memory = ConvLSTMCell(3, 6), CSTMCell(3, 6)
    memory.load_state_dict(plain.state_dict(), strict=False)
    below, before = torch.randn(2, 3, 6, 6), Memory(torch.randn(2, 3, 6, 6), torch.randn(2, 3, 6, 6))
    torch.testing.assert_close(
        memory(memory.below(below), below, before).cell, plain(plain.below(below), below, before).cell
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_board_alone_is_the_last_of_all(kind: str) -> None:
    net, window = net_of(kind), windows()
    with torch.no_grad():
        every = net(window)
        torch.testing.assert_close(every[:, -1], net.last_board(window))
    assert every.shape == (2, BOARDS, 2, SIDE_CELLS, SIDE_CELLS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_learns(kind: str) -> None:
    net = net_of(kind).train()
    net.loss(windows()).backward()
    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_attention_of_a_board_reaches_the_next_and_comes_back() -> None:
    """Eq. 7 and 8: raised on the way in, lowered by the same map on the way out."""
    net, plain = net_of("crrn"), net_of("crrn_na")
    plain.load_state_dict(net.state_dict(), strict=False)
    window = windows()
    with torch.no_grad():
        assert not torch.allclose(net.last_board(window), plain.last_board(window), atol=1e-4)
        for look in net.attention:
            look.weight.zero_()
        torch.testing.assert_close(net(window), plain(window))


def test_decoding_goes_backwards_and_is_fed_the_board_after() -> None:
    net, window = net_of(), windows()
    other = window.clone()
    other[:, 1, 1:] += 3.0 * other[:, 1, :1]  # the truth of board 1 feeds the step that makes board 0
    with torch.no_grad():
        one, two = (net.reconstruct(window[:, :, 1:], fed, truth_frac=1.0) for fed in (window, other))
    torch.testing.assert_close(one[:, 1:], two[:, 1:])
    assert not torch.allclose(one[:, 0], two[:, 0], atol=1e-4)


def test_epsilon_is_the_share_of_true_inputs() -> None:
    net, window = net_of(), windows(n=24, boards=2)
    window = window[:1].expand(24, -1, -1, -1, -1)
    torch.manual_seed(3)
    with torch.no_grad():
        never, mixed, always = (net.reconstruct(window[:, :, 1:], window, frac)[:, 0] for frac in (0.0, 0.4, 1.0))
    taken = (mixed - always).abs().amax(dim=(1, 2, 3)) < (mixed - never).abs().amax(dim=(1, 2, 3))
    assert 3 <= int(taken.sum()) <= 17


def test_loss_is_of_pads_that_are_there() -> None:
    net, window = net_of(), windows()
    with torch.no_grad():
        before = net.loss(window, window[:, :, 1:])
        empty = window.clone()
        empty[:, :, 1:] += 5.0 * (1 - empty[:, :, :1])  # where no pad is nothing is asked
        torch.testing.assert_close(net.loss(empty, window[:, :, 1:]), before)
        gone = window.clone()
        gone[:, 0] = 0.0
        one, two = (net.loss(part, gone[:, :, 1:]) for part in (gone, window))
    assert not torch.allclose(one, two)
    assert torch.isfinite(net.loss(torch.zeros_like(window)))


def test_score_is_the_signed_residual_in_its_own_sigmas() -> None:
    net, window = net_of(), windows()
    net.residual_sigma.copy_(torch.tensor([0.5, 2.0]))
    with torch.no_grad():
        score, signed = ResidualScore(net)(window)
        residual = (window[:, -1, 1:] - net.last_board(window)) / torch.tensor([0.5, 2.0]).reshape(1, 2, 1, 1)
    larger = residual.gather(1, residual.abs().argmax(dim=1, keepdim=True))[:, 0]
    torch.testing.assert_close(signed, larger * window[:, -1, 0])
    torch.testing.assert_close(score, signed.abs().flatten(1).max(dim=1).values)
    assert (signed[window[:, -1, 0] == 0] == 0).all()


def test_excess_and_insufficient_keep_their_signs() -> None:
    net, window = net_of(), windows(n=1)
    pads = window[0, -1, 0].nonzero()
    (y0, x0), (y1, x1) = pads[10].tolist(), pads[-10].tolist()
    window[:, -1, 1, y0, x0] += 15.0
    window[:, -1, 2, y1, x1] -= 15.0
    with torch.no_grad():
        _, signed = ResidualScore(net)(window)
    assert signed[0, y0, x0] > 5
    assert signed[0, y1, x1] < -5


@pytest.mark.parametrize(("preset", "width"), [("paper", PAPER_WIDTH), ("fast", FAST_WIDTH)])
def test_presets_hold_the_four_networks(preset: str, width: int) -> None:
    row = PRESETS[preset]
    assert KINDS.keys() <= row.variants.keys()
    for name, (memory, attention) in KINDS.items():
        net = row.variants[name].build()
        assert isinstance(net.encoder[0], CSTMCell) == memory
        assert bool(len(net.attention)) == attention
        assert net.encoder[0].before.weight.shape == (4 * width, width, 5, 5)
