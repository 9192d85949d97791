"""Training the paper's networks on a small stand-in of prints: it learns, it repeats, it does not copy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs_torch")

from export.families.paste_print import checkpoints  # noqa: E402
from export.families.paste_print.corruption import Corruption, corrupted, shortened  # noqa: E402
from export.families.paste_print.net import PrintNet  # noqa: E402
from export.families.paste_print.presets import FAST_TRAINING, recurrent_variants  # noqa: E402
from export.families.paste_print.recurrent_training import fit_recurrent, learn_residual_sigma  # noqa: E402
from export.families.paste_print.score import ResidualScore  # noqa: E402
from export.families.paste_print.window_check import WindowCheck, check_windows  # noqa: E402
from export.onnx import run_torch  # noqa: E402
from export.training_record import TrainingFault  # noqa: E402

pytestmark = [pytest.mark.sweep, pytest.mark.needs_torch]

WIDTH, BOARDS, REPEAT = 8, 3, 0.2
QUICK = replace(FAST_TRAINING, epochs=5, batch=4, learning_rate=1e-2, bfloat16=False)


def prints(n: int, seed: int) -> np.ndarray:
    """Boards whose pads all move together, by 1 sigma, and repeat to 0.2."""
    rng = np.random.default_rng(seed)
    made = np.zeros((n, BOARDS, 3, 48, 48), np.float32)
    made[:, :, 0] = np.random.default_rng(0).random((48, 48)) < 0.4
    level = rng.normal(size=(n, 1, 1, 1, 1))
    made[:, :, 1:] = (level + REPEAT * rng.normal(size=(n, BOARDS, 2, 48, 48))) * made[:, :, :1]
    return made


@pytest.fixture(scope="module")
def taught() -> PrintNet:
    torch.manual_seed(0)
    net = PrintNet(WIDTH, memory=True, attention=True)
    fit_recurrent(net, prints(48, 1), prints(8, 2), QUICK, seed=0)
    return net


def test_training_learns_the_boards_level_and_does_not_copy(taught: PrintNet) -> None:
    check = check_windows(taught, prints(16, 3))
    assert check.faults == []
    assert check.residual_sigma < 0.7 * check.plain_sigma
    assert check.copied_frac < 0.3


def test_residual_sigma_makes_clean_maps_of_unit_spread(taught: PrintNet) -> None:
    learn_residual_sigma(taught, prints(32, 4), 8)
    outputs = run_torch(ResidualScore(taught), prints(32, 4))
    spread = float(outputs.map[outputs.map != 0].std())
    assert 0.9 < spread < 1.5  # the larger of two channels


def test_the_same_seed_gives_the_same_weights_and_another_others() -> None:
    def taught_with(seed: int) -> dict[str, torch.Tensor]:
        torch.manual_seed(0)
        net = PrintNet(2, memory=False, attention=True)
        reports = []
        report = fit_recurrent(
            net, prints(6, 1), prints(2, 2), replace(QUICK, epochs=2), seed=seed, on_epoch=reports.append
        )
        assert [r.epoch for r in reports] == [1, 2] == list(range(1, report.epochs + 1))
        return net.state_dict()

    one, again, other = taught_with(5), taught_with(5), taught_with(6)
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_too_little_and_a_loss_that_blows_up_are_refused() -> None:
    net = PrintNet(2, memory=False, attention=False)
    with pytest.raises(TrainingFault, match="1 training and 2 validation windows"):
        fit_recurrent(net, prints(1, 1), prints(2, 2), QUICK, seed=0)
    broken = prints(4, 1)
    broken[:, :, 1:] = np.where(broken[:, :, :1] > 0, np.nan, 0)
    with pytest.raises(TrainingFault, match="training loss nan"):
        fit_recurrent(net, broken, prints(2, 2), QUICK, seed=0)


def test_corruption_leaves_cells_without_pads_and_the_last_board_alone() -> None:
    window = torch.from_numpy(prints(64, 1))
    settings = Corruption(noise_sigma=2.0, zero_frac=0.25, short_frac=0.5)
    torch.manual_seed(0)
    seen = corrupted(window, settings)
    pads = window[:, :, :1].expand_as(seen) > 0
    assert (seen[~pads] == 0).all()
    assert float((seen[pads] == 0).float().mean()) == pytest.approx(0.25, abs=0.01)
    deviation = (0.75 * seen - window[:, :, 1:])[pads & (seen != 0)].std()
    assert float((seen - window[:, :, 1:])[pads].mean()) == pytest.approx(0.0, abs=0.02)  # the level stays
    assert float(deviation) == pytest.approx(2.0 / 3**0.5, rel=0.2)
    short = shortened(window, settings)
    torch.testing.assert_close(short[:, -1], window[:, -1])
    missing = short[:, 0].abs().amax(dim=(1, 2, 3)) == 0
    assert 0.3 < float(missing.float().mean()) < 0.7


def test_a_network_that_copies_or_knows_nothing_makes_no_bundle() -> None:
    net = PrintNet(2, memory=False, attention=False).eval()
    window = prints(4, 1)
    net.last_board = lambda x: x[:, -1, 1:]  # type: ignore[method-assign]
    assert "hide defects" in check_windows(net, window).faults[0]
    net.last_board = lambda x: torch.zeros_like(x[:, -1, 1:])  # type: ignore[method-assign]
    assert "collapsed" in check_windows(net, window).faults[0]
    assert WindowCheck(residual_sigma=float("nan"), plain_sigma=1.0, copied_frac=0.0).faults


@pytest.mark.parametrize("variant", ["crrn_volume", "crae_na"])
def test_a_checkpoint_judges_as_the_network_it_came_from(tmp_path: Path, variant: str) -> None:
    torch.manual_seed(0)
    net = recurrent_variants(4)[variant].build().eval()
    net.residual_sigma.fill_(0.5)
    file = tmp_path / "net.pt"
    checkpoints.save(file, net, variant, 4)
    expected = run_torch(ResidualScore(net), prints(3, 1))
    signed, score = checkpoints.load(file)(prints(3, 1))
    np.testing.assert_array_equal(signed, expected.map)
    np.testing.assert_array_equal(score, expected.score)
    assert checkpoints.planes_of(file) == recurrent_variants(4)[variant].planes


def test_another_file_is_no_checkpoint(tmp_path: Path) -> None:
    torch.save({"state": {}}, tmp_path / "other.pt")
    with pytest.raises(checkpoints.CheckpointFault, match="expected a dictionary"):
        checkpoints.load(tmp_path / "other.pt")
