"""The experiments on paste: what is judged, by which figures, and that the figures can tell a good way from none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge.board import Floats
from export.families import UnknownName
from export.families.paste_print.experiment_faults import CLEAN_BEFORE, Fault, Tally, add_draw, all_faults, row_of
from export.families.paste_print.experiment_faults import experiment as fault_experiment
from export.families.paste_print.experiment_file import ExperimentFault, merged, methods_of, write
from export.families.paste_print.experiment_metrics import ByRun, interval, ratio
from export.families.paste_print.experiment_pads import (
    Condition,
    condition_row,
    conditions,
    drawn_delta,
    scored_condition,
)
from export.families.paste_print.experiment_runs import (
    TEST_SEEDS,
    TRAIN_SEED,
    VALIDATION_SEED,
    Line,
    Method,
    days,
    ends_of,
    line_of,
    pad_scores,
    threshold_of,
)
from export.simulator.paste import printer_fault

unit = pytest.mark.unit
sweep = pytest.mark.sweep


@pytest.fixture(scope="module")
def line() -> Line:
    return line_of()


def volume_alone(windows: Floats) -> Floats:
    return np.asarray(windows[:, -1, 1], np.float32)


VOLUME = Method(name="volume", planes=("mask", "volume"), map=volume_alone)


@unit
def test_seeds_of_training_validation_and_test_are_apart() -> None:
    assert len({TRAIN_SEED, VALIDATION_SEED, *TEST_SEEDS}) == 2 + len(TEST_SEEDS)
    assert len(TEST_SEEDS) >= 3


@unit
def test_precision_and_recall_are_those_of_the_scores() -> None:
    rng = np.random.default_rng(3)
    truth = [rng.random(4000) < 0.2 for _ in range(3)]
    telling = [np.asarray(t * 3.0 + rng.normal(size=4000), np.float32) for t in truth]
    told = ByRun(telling, truth)
    nothing = ByRun([rng.normal(size=4000).astype(np.float32) for _ in truth], truth)
    assert told.auprc() > 0.95
    assert nothing.auprc() == pytest.approx(0.2, abs=0.03)
    assert nothing.best_f1() == pytest.approx(2 * 0.2 / 1.2, abs=0.03)  # calling everything: F1 of the share alone
    assert told.precision_at([0.5, 1.0])[0] > told.precision_at([0.5, 1.0])[1]
    low, high = interval(told.auprc, 3)
    assert low <= told.auprc() <= high


@unit
def test_precision_agrees_with_the_textbook() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(4)
    truth = rng.random(3000) < 0.3
    scores = (truth + rng.normal(size=3000)).astype(np.float32)
    assert ByRun([scores], [truth]).auprc() == pytest.approx(sklearn.average_precision_score(truth, scores), abs=0.01)


@unit
def test_a_ratio_has_an_interval_over_runs_and_nothing_has_none() -> None:
    value, low, high = ratio(np.array([1.0, 3.0]), np.array([10.0, 10.0]))
    assert (value, low, high) == (0.2, 0.1, 0.3)
    assert ratio(np.zeros(2), np.zeros(2)) == [None, None, None]


@unit
def test_one_good_board_in_a_hundred_passes_the_threshold() -> None:
    scores = np.zeros((1000, 5), np.float32)
    scores[:, 2] = -np.arange(1000)
    assert (np.abs(scores).max(axis=1) > threshold_of(scores)).sum() == 10


@unit
def test_every_window_is_a_draw_of_its_own() -> None:
    rng = np.random.default_rng(0)
    fixed = drawn_delta(rng, Condition(5.0, 0.1, True), 30, 500) != 0
    assert all((fixed[k : k + 10] == fixed[k]).all() for k in (0, 10, 20))
    assert (fixed[0] != fixed[10]).any()
    redrawn = drawn_delta(rng, Condition(-5.0, 0.5, False), 20, 500)
    assert (redrawn <= 0).all()
    assert ((redrawn[0] != 0) != (redrawn[1] != 0)).any()
    assert {c.mu for c in conditions()} == {5.0, -5.0, 1.5, -1.5, 2.0, -2.0, 3.0, -3.0}


@sweep
def test_a_large_move_is_found_and_its_sign_matters(line: Line) -> None:
    condition = Condition(5.0, 0.1, True)
    scores, added = scored_condition(line, [VOLUME], days(line, 301, 2, 30), condition)
    row = condition_row("volume", condition, scores["volume"], added, 3.5)
    assert row["auprc"][0] > 0.9
    assert row["recall"][0] > 0.7
    turned = condition_row("volume", condition, [-s for s in scores["volume"]], added, 3.5)
    assert turned["recall"][0] < 0.05


@sweep
def test_shuffling_changes_what_depends_on_order_only(line: Line) -> None:
    run = days(line, 301, 1, 30)[0]
    ewma = methods_of(line, ["pad", "ewma"])
    ends = ends_of(run, 10)
    plain = pad_scores(line, run, ewma, ends)
    mixed = pad_scores(line, run, ewma, ends, shuffle=np.random.default_rng(1))
    assert np.array_equal(plain["pad"], mixed["pad"])
    assert not np.allclose(plain["ewma"], mixed["ewma"])
    uncounted = pad_scores(line, run, ewma, ends, counted=False)
    assert np.array_equal(plain["pad"], uncounted["pad"])
    assert not np.allclose(plain["ewma"], uncounted["ewma"])


@unit
def test_boards_are_counted_from_the_first_that_moves_a_pad_by_a_sigma(line: Line) -> None:
    fault = printer_fault(np.random.default_rng(2), line.product, "support", 60, 3.0, line.table)
    onset = int(np.flatnonzero((np.abs(fault.delta_z[:, :, 0]) >= 1).any(axis=1))[0])
    ends = np.arange(10, 80)
    scores = np.zeros((70, len(line.product)), np.float32)
    scores[ends >= CLEAN_BEFORE + onset + 4] = 9.0 * fault.mask
    scores[0, np.flatnonzero(~fault.mask)[0]] = -9.0  # one false pad before
    tally = Tally()
    case = Fault("support", 3.0)
    add_draw(tally, scores, ends, fault, case, 4.0)
    row = row_of("drawn", case, tally, "")
    assert row["boards_until_found"][0] == 5
    assert row["found_frac"] == 1
    assert row["false_pads_before_per_panel"][0] == pytest.approx(1 / (10 + onset), abs=1e-4)
    assert row["false_pads_beside_per_panel"][0] == 0
    wrong = Tally()
    add_draw(wrong, -scores, ends, fault, case, 4.0)
    row = row_of("wrong sign", case, wrong, "")
    assert row["recall"][0] == 0
    assert row["boards_until_found"][0] is None


@sweep
def test_drift_has_no_defective_pads_and_a_smear_is_found_at_once(line: Line) -> None:
    methods = methods_of(line, ["pad_level"])
    rows = fault_experiment(line, methods, days(line, 301, 2), [Fault("drift", 1.0), Fault("smear", 1.0)], every=5)
    drift, smear = rows
    assert drift["recall"] == [None, None, None]
    assert drift["called_pads_per_panel"][0] < 0.5
    assert smear["recall"][0] > 0.8
    assert {fault.kind for fault in all_faults()} >= {"squeegee", "support", "removed", "kneading", "smear", "drift"}


@unit
def test_rows_of_other_methods_stay_and_other_settings_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    write(path, merged(path, "experiment_pads", {"seeds": [1]}, {"rows": [{"method": "a", "x": 1}]}))
    write(path, merged(path, "experiment_pads", {"seeds": [1]}, {"rows": [{"method": "b", "x": 2}]}))
    write(path, merged(path, "experiment_pads", {"seeds": [1]}, {"rows": [{"method": "a", "x": 3}]}))
    assert json.loads(path.read_text())["found"]["rows"] == [{"method": "b", "x": 2}, {"method": "a", "x": 3}]
    with pytest.raises(ExperimentFault, match="asked for"):
        merged(path, "experiment_pads", {"seeds": [2]}, {"rows": []})


@unit
def test_a_method_nobody_has_is_named(line: Line) -> None:
    with pytest.raises(UnknownName, match="method 'cusum'"):
        methods_of(line, ["cusum"])
