"""The drift monitor: learns, says what drifts, how much, since when, forgets nothing over a restart, judges nothing."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.annotate import annotate
from edge.board import Outcome, Reason
from edge.drift import FLOORS, WATCHED, DriftMonitor, board_numbers, under_drift
from edge.drift_chart import CAP, REFERENCE_BOARDS, fresh_cusum, learn_reference
from edge.image_statistics import ImageStatistics
from edge.inspector import board_line
from edge.journal import JournalRow
from edge.mqtt_payloads import MAX_PAYLOAD_BYTES, verdict_batch
from edge.verdict_json import verdict_from_json, verdict_to_json
from tests.edge.helpers import finding, verdict

pytestmark = pytest.mark.unit

S = len(WATCHED)
LAMP = 0
Numbers = NDArray[np.float64]


def boards(n: int, seed: int = 0, spread: float = 0.02) -> Numbers:
    return spread * np.random.default_rng(seed).standard_normal((n, S))


def learned(path: Path | None = None, key: str = "k") -> DriftMonitor:
    monitor = DriftMonitor(path, key)
    for number, row in enumerate(boards(REFERENCE_BOARDS)):
        assert monitor.observe(f"L{number}", row) == ""
    assert monitor.reference is not None
    return monitor


def lamp_step(monitor: DriftMonitor, size: float, n: int, seed: int = 1) -> list[str]:
    said = []
    for number, row in enumerate(boards(n, seed)):
        row[LAMP] += size
        said.append(monitor.observe(f"S{number}", row))
    return said


def test_a_lamp_step_is_said_with_size_and_board() -> None:
    monitor = learned()
    assert set(lamp_step(monitor, 0.0, 100, seed=2)) == {""}
    said = lamp_step(monitor, math.log(0.96), 30)
    first = next(i for i, text in enumerate(said) if text)
    assert first < 20
    assert all(text.startswith("lamp -") and "; " not in text for text in said[first:])
    size = float(said[-1].split()[1])
    assert size == pytest.approx(-4.0, abs=1.5)
    assert any(said[-1].endswith(f"since board {b}") for b in ("S0", "S1", "S2", "S3"))


def test_the_alarm_ends_after_its_cause() -> None:
    monitor = learned()
    assert lamp_step(monitor, -0.06, 30)[-1]
    assert lamp_step(monitor, 0.0, 120, seed=3)[-1] == ""


def test_one_odd_board_is_no_drift() -> None:
    monitor = learned()
    assert monitor.observe("odd", np.full(S, 5.0)) == ""


def test_a_drift_too_small_to_matter_is_none() -> None:
    """A station whose lamp stands still to 0.01 % may move by 0.3 %."""
    monitor = DriftMonitor(None, "k")
    for row in boards(REFERENCE_BOARDS, spread=1e-4):
        monitor.observe("L", row)
    still = boards(1_000, seed=1, spread=1e-4)
    still[:, LAMP] += 0.003
    assert {monitor.observe("S", row) for row in still} == {""}


def test_a_board_that_could_not_be_looked_at_says_what_drifts() -> None:
    monitor = learned()
    said = lamp_step(monitor, -0.06, 30)[-1]
    seen = monitor.n_boards
    assert monitor.observe("torn", None) == said
    assert monitor.observe("torn", np.full(S, np.nan)) == said
    assert monitor.n_boards == seen


def test_a_number_that_is_often_missing_is_not_charted() -> None:
    rows = boards(REFERENCE_BOARDS)
    rows[::3, 1] = np.nan
    rows[:10, 2] = np.inf
    reference = learn_reference(rows, FLOORS)
    assert np.isnan(reference.centre[1])
    assert np.isfinite(np.delete(reference.centre, 1)).all()
    cusum = fresh_cusum((S,))
    for _ in range(100):
        cusum.step(np.full(S, 1.0), reference)
    assert not cusum.alarm[:, 1].any()
    assert cusum.alarm[0, 2]


def test_neighbours_that_are_alike_widen_the_spread() -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((REFERENCE_BOARDS, 500))
    walk = noise.copy()
    for i in range(1, len(walk)):
        walk[i] = 0.5 * walk[i - 1] + noise[i]
    spread = learn_reference(walk, np.zeros(500)).spread
    assert float(np.median(spread)) == pytest.approx(2.0, rel=0.1)  # 1 / (1 - r), the long-run deviation
    alone = learn_reference(noise, np.zeros(500)).spread
    assert 1.0 <= float(np.median(alone)) < 1.06


def test_outliers_move_neither_centre_nor_spread() -> None:
    rows = np.random.default_rng(0).standard_normal((REFERENCE_BOARDS, 1))
    spoilt = rows.copy()
    spoilt[::20] = 1e5
    a, b = learn_reference(rows, np.zeros(1)), learn_reference(spoilt, np.zeros(1))
    assert float(b.centre[0] - a.centre[0]) < 0.35
    assert float(b.spread[0] / a.spread[0]) < 1.5


any_number = st.floats(allow_nan=True, allow_infinity=True, width=64)


@settings(max_examples=60)
@given(rows=st.lists(st.lists(any_number, min_size=S, max_size=S), min_size=1, max_size=30), learn=st.booleans())
def test_no_number_raises_or_is_kept_as_nonsense(rows: list[list[float]], learn: bool) -> None:
    reference = learn_reference(np.array(rows if learn else boards(50).tolist()), FLOORS)
    cusum = fresh_cusum((S,))
    for row in rows:
        cusum.step(np.array(row), reference)
        assert np.isfinite(cusum.total).all()
        assert np.isfinite(cusum.size).all()
        assert (cusum.total >= 0).all()
        assert (cusum.total <= CAP).all()


@settings(max_examples=25)
@given(rows=st.lists(st.lists(any_number, min_size=S, max_size=S), min_size=1, max_size=20))
def test_a_monitor_takes_any_number(rows: list[list[float]]) -> None:
    monitor = DriftMonitor(None, "k")
    monitor._reference = learn_reference(boards(REFERENCE_BOARDS), FLOORS)  # as learned, without 300 boards a time
    for row in rows:
        assert isinstance(monitor.observe("B", np.array(row)), str)


@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize("hold", [False, True])
@pytest.mark.parametrize("drift", ["", "lamp -2.1 % since board A1043"])
def test_an_alarm_never_makes_a_pass(outcome: Outcome, hold: bool, drift: str) -> None:
    before = verdict(outcome=outcome)
    after = under_drift(before, drift, hold=hold)
    assert after.drift == drift
    if hold and drift and outcome is Outcome.PASS:
        assert (after.outcome, after.reason, after.detail) == (Outcome.UNDECIDED, Reason.DRIFT, drift)
    else:
        assert (after.outcome, after.reason, after.detail) == (before.outcome, before.reason, before.detail)
    assert after.findings == before.findings


def test_the_verdict_carries_it_and_old_journals_are_read() -> None:
    with_drift = under_drift(verdict(), "lamp -2.1 % since board A1043", hold=False)
    assert verdict_from_json(verdict_to_json(with_drift)) == with_drift
    old = json.loads(verdict_to_json(verdict()))
    del old["drift"]
    assert verdict_from_json(json.dumps(old)).drift == ""


def test_the_picture_and_the_log_line_say_it() -> None:
    image = np.zeros((300, 900, 3), np.uint8)
    plain, drifting = verdict(), under_drift(verdict(), "lamp -2.1 % since board A1043", hold=False)
    assert not np.array_equal(annotate(image, plain), annotate(image, drifting))
    assert board_line(drifting, 1).endswith("drift='lamp -2.1 % since board A1043'")
    assert "drift" not in board_line(plain, 1)


def test_a_full_batch_under_alarm_fits_its_message() -> None:
    findings = tuple(finding(9.123456, f"J{'9' * 10}-{i:020d}") for i in range(70))
    worst = under_drift(verdict("B" * 32, Outcome.FAIL, findings=findings, n_regions=70), "x" * 500, hold=False)
    rows = [JournalRow(seq=10**12 + i, decided_utc="2026-01-01T00:00:00.000Z", verdict=worst) for i in range(64)]
    batch = verdict_batch("e" * 16, rows, 10**12, 10**12 + 63)
    assert len(batch) <= MAX_PAYLOAD_BYTES
    assert json.loads(batch)["items"][0]["drift"] == "x" * 160


def test_scores_are_those_of_places_not_called() -> None:
    image = ImageStatistics(level=0.1, blue=0.0, red=0.0, focus=0.0, noise=0.0)
    good = [finding(0.5, f"J1-{i}") for i in range(9)]
    numbers = board_numbers(image, [*good, finding(50.0, "J1-10")])
    assert numbers[LAMP] == 0.1
    assert numbers[5:].tolist() == [-0.5, -0.5]
    assert np.isnan(board_numbers(image, [finding(2.0, f"J1-{i}") for i in range(9)])[5:]).all()
    mostly_called = [finding(0.5), *(finding(2.0, f"J2-{i}") for i in range(2))]
    assert np.isnan(board_numbers(image, mostly_called)[5:]).all(), "one place of three says nothing about good ones"
    assert np.isnan(board_numbers(image, [])[5:]).all()
    zero = board_numbers(image, [finding(-1e30, "J1-1", threshold=0.0)])
    assert np.isfinite(zero[5:]).all()


def test_nothing_is_forgotten_over_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "drift.json"
    half = DriftMonitor(path, "k")
    for row in boards(REFERENCE_BOARDS)[:100]:
        half.observe("L", row)
    half.save()
    again = DriftMonitor(path, "k")
    assert again.n_boards == 100
    for row in boards(REFERENCE_BOARDS)[100:]:
        again.observe("L", row)
    whole = learned()
    assert again.reference is not None
    assert whole.reference is not None
    np.testing.assert_array_equal(again.reference.centre, whole.reference.centre)
    said = lamp_step(again, -0.06, 30)
    lamp_step(whole, -0.06, 30)
    again.save()
    back = DriftMonitor(path, "k")
    assert back.drift == said[-1] == whole.drift
    assert lamp_step(back, -0.03, 40, seed=9) == lamp_step(whole, -0.03, 40, seed=9)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"k"', '"other"'),
        lambda text: json.dumps({**json.loads(text), "spread": [-1.0] * S}),
        lambda text: json.dumps({**json.loads(text), "centre": [0.0]}),
        lambda text: json.dumps({**json.loads(text), "n_boards": -1}),
        lambda text: text.replace('"total":0.0', '"total":1e999', 1),
        lambda text: json.dumps({**json.loads(text), "extra": 1}),
    ],
)
def test_a_state_that_does_not_fit_is_none(tmp_path: Path, spoil: object) -> None:
    path = tmp_path / "drift.json"
    learned(path).save()
    path.write_text(spoil(path.read_text()))  # type: ignore[operator]
    monitor = DriftMonitor(path, "k")
    assert monitor.reference is None
    assert monitor.n_boards == 0


def test_the_state_is_written_seldom_and_a_full_disk_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "there" / "drift.json"
    monitor = DriftMonitor(path, "k")
    second = 1_000_000_000
    monitor.save_when_due(0, idle=True)
    assert not path.exists(), "nothing to keep"
    monitor.observe("B", boards(1)[0])
    monitor.save_when_due(0, idle=False)
    first = path.read_text()
    monitor.observe("B", boards(1)[0])
    monitor.save_when_due(9 * second, idle=True)
    monitor.save_when_due(59 * second, idle=False)
    assert path.read_text() == first
    monitor.save_when_due(60 * second, idle=False)
    assert path.read_text() != first
    blocked = DriftMonitor(path / "not-a-folder" / "drift.json", "k")
    blocked.observe("B", boards(1)[0])
    blocked.save()
