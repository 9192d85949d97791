"""The real failing board: what a rule of one board must find, and what it may call besides."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from edge.paste.panel import PasteFault
from export.families.paste_print.experiment_real_board import (
    BOTTOM,
    FOLDER,
    TOP,
    called_pads,
    gaussian_limit,
    own_board_z,
    read_real_board,
)

pytestmark = pytest.mark.unit


@pytest.mark.needs_data
def test_the_wiped_pads_are_called_and_few_good_ones(data_dir: Path) -> None:
    board = read_real_board(data_dir / FOLDER / TOP)
    called = called_pads(board, gaussian_limit(len(board.values)))
    assert board.is_wiped.sum() == 17
    assert called[board.is_wiped].all()
    assert called[board.is_good].mean() <= 0.002


@pytest.mark.needs_data
def test_volume_alone_misses_the_smear(data_dir: Path) -> None:
    board = read_real_board(data_dir / FOLDER / TOP)
    volume = np.abs(own_board_z(board.values, board.group))[:, 0]
    assert (volume[board.is_wiped] > gaussian_limit(len(volume), 1)).sum() < 12


@pytest.mark.needs_data
def test_the_other_side_was_not_wiped(data_dir: Path) -> None:
    board = read_real_board(data_dir / FOLDER / BOTTOM)
    called = called_pads(board, gaussian_limit(len(board.values)))
    assert not board.is_wiped.any()
    assert called.mean() < 0.01


def test_a_limit_is_passed_by_one_gaussian_pad_in_a_hundred_boards() -> None:
    limit = gaussian_limit(1, n_values=1)
    assert limit == pytest.approx(2.5758, abs=1e-3)  # 1 % two-sided
    assert gaussian_limit(2_000) > gaussian_limit(1_000) > gaussian_limit(1_000, 1)


def test_a_group_tells_its_own_level_and_spread_while_half_of_it_is_good() -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(80.0, 6.0, (400, 3))
    values[200:] += 20.0  # another group
    values[:50] = 0.0  # a quarter empty
    z = own_board_z(values, np.repeat([0, 1], 200))
    assert (z[:50] < -4).all()
    assert abs(np.median(z[200:])) < 1e-9
    assert 0.8 < z[200:].std() < 1.2
    assert np.abs(own_board_z(np.full((8, 3), 50.0), np.zeros(8, np.int64))).max() == 0  # no spread, no division by 0


def test_a_table_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "board.csv.gz"
    path.write_bytes(gzip.compress(b"volume_pct\nmuch\n"))
    with pytest.raises(PasteFault, match="could not convert"):
        read_real_board(path)
    path.write_bytes(gzip.compress(b"volume_pct\n"))
    with pytest.raises(PasteFault, match="0 pads"):
        read_real_board(path)
