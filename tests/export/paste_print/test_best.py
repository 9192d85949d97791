"""`best`: planes made for training are the station's, faults are what they are called, a training learns, the graph
scores as torch does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch", reason="needs_torch")

from edge.bundle import Contract, TensorSpec, WindowSpec  # noqa: E402
from edge.paste.learn import grid_of, table_of  # noqa: E402
from edge.paste.planes import BoardPads, board_planes  # noqa: E402
from edge.paste.table import PadTable  # noqa: E402
from export.families.paste_print import best_checkpoint  # noqa: E402
from export.families.paste_print.best_bound import bound_auprc, noise_correlation  # noqa: E402
from export.families.paste_print.best_checkpoint import BestFault, load, save  # noqa: E402
from export.families.paste_print.best_injection import KINDS, SHAPES, Injection, Injector, Places  # noqa: E402
from export.families.paste_print.best_lessons import CleanRuns, Lessons  # noqa: E402
from export.families.paste_print.best_net import PasteNet, SignedScore  # noqa: E402
from export.families.paste_print.best_planes import PLANES, window_planes, z_of  # noqa: E402
from export.families.paste_print.best_residuals import residuals_of  # noqa: E402
from export.families.paste_print.best_teaching import BestTraining, fit_best  # noqa: E402
from export.onnx import check_graph, onnx_from_torch, run_onnx, run_torch  # noqa: E402
from export.training_record import EpochReport, TrainingFault  # noqa: E402

pytestmark = [pytest.mark.sweep, pytest.mark.needs_torch]

SIDE, BOARDS = 24, 5


def good_values(rng: np.random.Generator, n_boards: int, n_pads: int) -> np.ndarray:
    """(N, P, 2) per cent: pads of their own mean and noise, boards of their own level, two strokes."""
    volume = 90 + rng.normal(0, 5, n_pads) + rng.normal(0, 6, (n_boards, 1))
    volume = volume + np.where(np.arange(n_boards)[:, None] % 2, 1.0, -1.0)
    noise = rng.normal(0, 2, (n_boards, n_pads))
    area = 100 + 0.3 * (volume - 90) + 0.3 * noise + rng.normal(0, 0.7, noise.shape)
    return np.stack([volume + noise, area], axis=-1)


@pytest.fixture(scope="module")
def table() -> PadTable:
    """600 pads in two tiles, three aperture groups."""
    rng = np.random.default_rng(0)
    cells = rng.permutation(2 * SIDE * SIDE)[:600]
    x_mm, y_mm = (cells % (2 * SIDE)).astype(float), (cells // (2 * SIDE)).astype(float)
    x_mm[:2], y_mm[:2] = (0.0, 2 * SIDE - 1.0), (0.0, 0.0)
    grid = grid_of(x_mm + 0.5, y_mm + 0.5, 1.0, SIDE)
    pads = np.array([f"R{k}/1" for k in range(600)])
    return table_of(pads, good_values(rng, 60, 600), list(range(60)), np.arange(600) % 3, grid, 5)


@pytest.fixture(scope="module")
def runs(table: PadTable) -> list[CleanRuns]:
    """120 good boards in two runs."""
    z = z_of(table, good_values(np.random.default_rng(1), 120, 600))
    return [CleanRuns(table=table, z=z, counter=np.arange(120), start=np.repeat([0, 70], [70, 50]))]


def bound_table_noise() -> np.ndarray:
    return np.column_stack([np.linspace(0.2, 0.5, 300), np.linspace(0.3, 0.9, 300)])


def windows_of(runs: list[CleanRuns], ends: tuple[int, ...]) -> np.ndarray:
    at = np.array(ends)[:, None] + np.arange(1 - BOARDS, 1)
    run = runs[0]
    return window_planes(run.table, run.z[at], run.counter[at], np.ones(at.shape, bool))


def contract() -> Contract:
    return Contract(
        crop_px=SIDE,
        region_scale=1.0,
        channels="planes",
        normalisation="per_pad",
        window=WindowSpec(boards=BOARDS, planes=PLANES),
        inputs=(
            TensorSpec(name="window", shape=("N", BOARDS, len(PLANES), SIDE, SIDE), dtype="float32", meaning="planes"),
        ),
        outputs=(
            TensorSpec(name="score", shape=("N",), dtype="float32", meaning="worst"),
            TensorSpec(name="map", shape=("N", SIDE, SIDE), dtype="float32", meaning="signed"),
        ),
    )


def test_planes_for_training_are_the_station_s(table: PadTable, runs: list[CleanRuns]) -> None:
    z = runs[0].z[[3, 8]].copy()
    z[1, :40] -= 30.0  # clipped
    names = (*PLANES, "area", "wipe")
    made = window_planes(table, z[:, None], np.array([[3], [8]]), np.ones((2, 1), bool), names)
    for k, counter in enumerate((3, 8)):
        pct = z[k].astype(np.float64) * table.sigma_pct + table.mean_pct
        station = board_planes(table, BoardPads(table, pct, counter), names)
        np.testing.assert_allclose(made.reshape(2, 2, *made.shape[1:])[k, :, 0], station, atol=2e-5)


def test_boards_that_are_not_there_are_zero(table: PadTable, runs: list[CleanRuns]) -> None:
    present = np.array([[False, True]])
    made = window_planes(table, runs[0].z[None, :2], np.array([[0, 1]]), present)
    assert not made[:, 0].any()
    assert made[:, 1].any()


def test_a_group_s_level_comes_out_in_the_pad_s_own_sigmas(table: PadTable, runs: list[CleanRuns]) -> None:
    windows = torch.from_numpy(windows_of(runs, (30,)))
    left = residuals_of(windows)
    of_board = table.mean_pct[:, 0] + runs[0].z[30, :, 0] * table.sigma_pct[:, 0]
    medians = np.array([np.median(of_board[table.group == k]) for k in range(3)])
    expected = (medians - table.group_mean_pct[:, 0])[table.group] / table.sigma_pct[:, 0]
    got = (left.group_level + windows[:, :, 4:5])[:, -1, 0].numpy()[table.tile, table.row, table.col]
    np.testing.assert_allclose(got, expected, atol=0.02)


@pytest.mark.parametrize("kind", SHAPES)
def test_a_region_covers_pads_and_leaves_pads(kind: str, table: PadTable) -> None:
    places = Places.of(table, np.full((600, 2), 0.3))
    shares = [SHAPES[kind](np.random.default_rng(k), places) for k in range(20)]
    assert all(share.shape == (600,) for share in shares)
    assert np.min(shares) >= 0
    assert np.max(shares) <= 1
    covered = np.mean([share.mean() for share in shares])
    assert 0.55 < covered < 0.95 if kind == "most" else 0.01 < covered < 0.5


def test_what_is_left_out_is_never_drawn(table: PadTable) -> None:
    places = Places.of(table, np.full((600, 2), 0.3))
    only_pads = frozenset(KINDS) - {"pads", "none"} | {"smear"}
    injector = Injector(places=places, boards=BOARDS, without=only_pads)
    rng = np.random.default_rng(0)
    drawn = [injector.draw(rng, np.arange(BOARDS) % 2) for _ in range(60)]
    assert {one.kind for one in drawn} == {"pads", "none"}
    assert all(not one.fault_z.any() for one in drawn if one.kind == "none")


def test_the_last_board_s_faults_are_the_truth_and_drift_is_none() -> None:
    fault = np.zeros((BOARDS, 4, 2), np.float32)
    fault[-1, 0, 0], fault[-1, 1, 1], fault[-1, 2, 0], fault[0, 3] = 1.0, -1.0, 0.15, 5.0
    one = Injection(fault_z=fault, drift_z=np.full((BOARDS, 4, 2), 2.0, np.float32), kind="pads")
    assert one.target(np.full((4, 2), 0.3)).tolist() == [1, -1, 2, 0]


def test_the_bound_rises_with_strength_and_falls_with_correlation() -> None:
    noise = bound_table_noise()
    weak, strong = (bound_auprc(noise, 0.5, mu, 0.1, boards=20) for mu in (0.5, 1.5))
    assert 0.1 < weak < strong < 1.0
    assert bound_auprc(noise, 0.0, 0.5, 0.1, boards=20) > weak
    assert bound_auprc(noise, 0.5, 1e-6, 0.1, boards=20) == pytest.approx(0.1, abs=0.03)


def test_volume_and_area_of_good_boards_go_together() -> None:
    both = np.random.default_rng(0).multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], (200, 30))
    assert noise_correlation(both * [2.0, 0.1] + [5.0, 7.0]) == pytest.approx(0.5, abs=0.05)


def test_lessons_are_the_same_for_a_seed(runs: list[CleanRuns]) -> None:
    first, again, other = (Lessons(runs, BOARDS, seed).draw(6) for seed in (0, 0, 1))
    assert np.array_equal(first.window, again.window)
    assert np.array_equal(first.target, again.target)
    assert not np.array_equal(first.window, other.window)
    assert first.window.shape == (6, BOARDS, len(PLANES), SIDE, SIDE)
    assert first.target.shape == (6, SIDE, SIDE)
    assert not first.target[first.window[:, -1, 0] == 0].any()


def test_a_run_of_boards_too_short_is_refused(table: PadTable) -> None:
    with pytest.raises(TrainingFault, match="at least 50 boards"):
        CleanRuns(table=table, z=np.zeros((9, 600, 2), np.float32), counter=np.arange(9), start=np.zeros(9, int))


def test_the_graph_scores_as_torch_does(runs: list[CleanRuns]) -> None:
    torch.manual_seed(0)
    scored = SignedScore(PasteNet(BOARDS)).eval()
    windows = windows_of(runs, (20, 33, 40))
    windows[1, :-1] = 0  # one board is there
    windows[2, -1] = 0  # the last is not
    model = onnx_from_torch(scored, contract())
    check_graph(onnx.load_from_string(model), contract())
    graph, network = run_onnx(model, windows), run_torch(scored, windows)
    assert graph.map is not None
    assert network.map is not None
    np.testing.assert_allclose(graph.map, network.map, atol=2e-4)
    np.testing.assert_allclose(graph.score, np.abs(graph.map).max(axis=(1, 2)), atol=1e-6)
    assert np.isfinite(graph.map).all()
    assert not graph.map[windows[:, -1, 0] == 0].any()


def test_a_short_training_finds_what_is_plain(runs: list[CleanRuns], tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = PasteNet(BOARDS)
    settings = BestTraining(epochs=2, steps=25, batch=6, learning_rate=5e-3, weight_decay=1e-3, bfloat16=False)
    reports: list[EpochReport] = []
    only_pads = frozenset(KINDS) - {"pads", "none"}
    report = fit_best(net, runs, runs, settings, seed=0, on_epoch=reports.append, without=only_pads)
    assert reports == list(report.history)
    save(tmp_path / "best.pt", net, seed=0, without=("smear",))
    scorer = load(tmp_path / "best.pt")
    assert scorer.without == ("smear",)
    assert scorer.planes == PLANES
    run, at = runs[0], np.arange(30, 35)
    z = run.z[at][None].copy()
    hit = np.arange(0, 600, 10)
    z[:, :, hit] += 5.0
    windows = window_planes(run.table, z, run.counter[at][None], np.ones((1, BOARDS), bool))
    signed = scorer(windows)[0][run.table.tile, run.table.row, run.table.col]
    good = np.setdiff1d(np.arange(600), hit)
    assert np.median(signed[hit]) > np.quantile(np.abs(signed[good]), 0.99)


def test_what_is_no_checkpoint_or_no_window_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.pt").write_bytes(b"no")
    with pytest.raises(BestFault, match="no checkpoint of best"):
        load(tmp_path / "no.pt")
    scorer = best_checkpoint.Scorer(SignedScore(PasteNet(BOARDS)).eval(), 0, ())
    with pytest.raises(BestFault, match="expected"):
        scorer(np.zeros((1, BOARDS, 3, SIDE, SIDE), np.float32))
