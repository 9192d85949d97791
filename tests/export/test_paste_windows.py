"""Windows of boards in the workshop: from a folder of machine files to what a graph, a rule and a report take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.bundle import WindowSpec, read_bundle
from edge.scorers import EngineChoice, load_scorer
from export.datasets import DataFault, read_data_set
from export.evaluate import evaluate
from export.inputs import contract_inputs
from export.paste_rules_bundle import VARIANTS, rules_contract
from export.report.window_picture import CELL_PX, pictures_of, window_picture
from export.rules_bundle import write_rules_bundle
from export.simulator.paste.sets import write_paste_set
from export.windows import prints_of, windows_at

SIDE = 48
SPEC = WindowSpec(boards=10, planes=("mask", "volume", "area"))


@pytest.fixture(scope="module")
def prints_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prints") / "set"
    write_paste_set(folder, 160, seed=5)
    return folder


def test_a_window_holds_the_boards_before_it_in_the_same_run(prints_set: Path) -> None:
    prints = prints_of(prints_set, SIDE)
    first = [k for k, before in enumerate(prints.before) if before is None]
    assert len(first) > 3
    for start in first[1:3]:
        windows = windows_at(prints, [start, start + 1], SPEC)
        there = windows[:, :, 0].any(axis=(2, 3))
        assert there.sum(axis=1).tolist() == [1, 2]
        assert there[:, -1].all()
        np.testing.assert_array_equal(windows[1, -2], windows[0, -1])


def test_what_is_added_to_the_last_board_alone_is_there_alone(prints_set: Path) -> None:
    prints = prints_of(prints_set, SIDE)
    table, raised = prints.table, np.zeros((len(prints.table.pad), 2))
    raised[7] = 3.0
    plain, moved = (windows_at(prints, [20], SPEC, last_z=z)[0] for z in (None, raised))
    change = moved - plain
    assert not change[:-1].any()
    np.testing.assert_allclose(change[-1, 1, table.row[7], table.col[7]], 3.0, atol=1e-4)
    assert np.count_nonzero(change[-1, 1]) == 1


def test_a_set_without_its_machine_is_refused(prints_set: Path, tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_bytes((prints_set / "index.csv").read_bytes())
    with pytest.raises(DataFault, match=r"machine\.toml"):
        prints_of(tmp_path, SIDE)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_comparator_becomes_a_bundle_that_a_station_loads(variant: str, prints_set: Path, tmp_path: Path) -> None:
    write_rules_bundle(prints_set, tmp_path / "bundle", family="paste_print", variant=variant)
    bundle = read_bundle(tmp_path / "bundle")
    assert bundle.manifest.contract == rules_contract(places=False, variant=variant)
    assert len(bundle.golden_batch) <= 8
    rows = read_data_set(prints_set).split("val")[:2]
    windows = contract_inputs(prints_set, rows, bundle.manifest.contract)
    batch = load_scorer(bundle, EngineChoice()).score(np.asarray(windows, np.float32))
    assert batch.map is not None
    np.testing.assert_array_equal(batch.score, np.abs(batch.map).max(axis=(1, 2)))


def test_an_evaluation_of_windows_has_no_cues_of_pictures(prints_set: Path, tmp_path: Path) -> None:
    write_rules_bundle(prints_set, tmp_path / "bundle", family="paste_print")
    report = evaluate(tmp_path / "bundle", prints_set)
    assert report.yardsticks == {}
    assert report.input == "planes per_pad"
    assert report.n_good > 10


def test_a_window_is_drawn_a_cell_a_pad() -> None:
    window = np.zeros((2, 3, 8, 8), np.float32)
    window[-1, 0, 2, 3] = window[-1, 0, 5, 5] = 1.0
    window[-1, 1, 2, 3], window[-1, 1, 5, 5] = 9.0, -9.0
    picture = window_picture(window, SPEC.planes)
    assert picture.shape == (8 * CELL_PX, 8 * CELL_PX, 3)
    red, blue = picture[2 * CELL_PX, 3 * CELL_PX], picture[5 * CELL_PX, 5 * CELL_PX]
    assert red[2] > red[0]
    assert blue[0] > blue[2]
    contract = rules_contract(places=False, variant="pad")
    np.testing.assert_array_equal(pictures_of(window[None], contract)[0], picture)
