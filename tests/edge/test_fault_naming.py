"""Pictures of pad scores, where a fault lies, and how a graph's answers become a name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edge.board import Floats
from edge.bundle import BundleFault
from edge.paste.fault_namer import FaultCall, FaultNamer
from edge.paste.fault_naming import (
    CHANNELS,
    KINDS,
    OWN_CHANNELS,
    PAPER_CHANNELS,
    PICTURE_CELLS,
    fault_picture,
    fault_region,
    fault_regions,
    printer_map,
)
from edge.paste.learn import grid_of, table_of
from edge.paste.planes import BoardPads
from edge.paste.table import PadTable
from edge.scorers.fault import ScorerFault

pytestmark = pytest.mark.unit

SIDE, PITCH_MM, WIPE_EVERY, BOARDS = 40, 1.0, 5, 10
COUNTERS = tuple(range(100, 100 + BOARDS))


@pytest.fixture(scope="module")
def table() -> PadTable:
    """Pads 1 mm apart on 40 x 40 cells, two groups side by side, learned from 40 boards with two strokes."""
    rng = np.random.default_rng(3)
    col, row = (a.ravel() for a in np.meshgrid(np.arange(SIDE), np.arange(SIDE)))
    n = len(row)
    stroke = np.where(np.arange(40)[:, None] % 2, 3.0, -3.0) * np.linspace(-1, 1, n)
    values = 100 + rng.normal(0, 3, (40, n, 2)) + stroke[:, :, None]
    grid = grid_of((col + 0.5) * PITCH_MM, (row + 0.5) * PITCH_MM, PITCH_MM, SIDE)
    pads = np.array([f"U{k // 100}/{k}" for k in range(n)])
    return table_of(pads, values, list(range(40)), (np.arange(n) % 2).astype(np.int64), grid, WIPE_EVERY)


def maps_of(table: PadTable, scores: np.ndarray) -> Floats:
    """(T, tiles, S, S) of scores (T, P)."""
    maps = np.zeros((len(scores), table.n_tiles, SIDE, SIDE), np.float32)
    maps[:, table.tile, table.row, table.col] = scores
    return maps


def nothing(table: PadTable) -> np.ndarray:
    return np.zeros((BOARDS, len(table.pad)))


def channel(maps: Floats, table: PadTable, name: str, counters: Sequence[int | None] = COUNTERS) -> Floats:
    return fault_picture(maps, table, 3.0, counters, (name,))[0]


def test_paper_picture_is_pooled_over_boards_and_binary(table: PadTable) -> None:
    scores = nothing(table)
    scores[2, 0], scores[7, 0], scores[4, -1] = 3.5, -3.5, 2.9
    excess, insufficient = fault_picture(maps_of(table, scores), table, 3.0, COUNTERS, PAPER_CHANNELS)
    assert excess[0, 0] == 1.0
    assert insufficient[0, 0] == 1.0
    assert excess.sum() == insufficient.sum() == 1.0  # 2.9 is below the threshold


def test_picture_does_not_depend_on_the_size_of_the_panel(table: PadTable) -> None:
    scores = np.random.default_rng(0).normal(0, 1, (BOARDS, len(table.pad)))
    larger = replace(table, x_mm=7.0 * table.x_mm + 30, y_mm=4.0 * table.y_mm)
    pictures = [fault_picture(maps_of(table, scores), one, 3.0, COUNTERS) for one in (table, larger)]
    assert pictures[0].shape == (len(OWN_CHANNELS), PICTURE_CELLS, PICTURE_CELLS)
    assert pictures[0].dtype == np.float32
    np.testing.assert_array_equal(*pictures)


def test_a_blade_shows_on_its_own_stroke(table: PadTable) -> None:
    scores = nothing(table)
    strip = (table.x_mm > 10) & (table.x_mm < 15)
    scores[np.ix_(np.arange(BOARDS) % 2 == 1, strip)] = 2.0  # the last board's blade: 109
    maps = maps_of(table, scores)
    same, other = channel(maps, table, "same_stroke"), channel(maps, table, "other_stroke")
    assert same[:, 10].min() > 1.0
    assert np.abs(other).max() < 1e-6
    one_missing = (*COUNTERS[:3], COUNTERS[3] + 1, *(c + 1 for c in COUNTERS[4:]))  # a panel was taken off the line
    assert channel(maps, table, "other_stroke", one_missing).max() > 0.5
    assert np.abs(channel(maps, table, "other_stroke", (None,) * BOARDS)).max() < 1e-6  # then by place


def test_level_is_no_evidence_and_stands_by_itself(table: PadTable) -> None:
    scores = nothing(table) - 2.0 + 0.7 * (table.group == 1)  # a day's step, more on one group of apertures
    maps = maps_of(table, scores)
    for name in ("window", "recent", "last", "same_stroke", "other_stroke"):
        assert np.abs(channel(maps, table, name)).max() < 1e-6, name
    assert channel(maps, table, "level_last").max() < -0.25
    assert np.abs(channel(maps, table, "level_change")).max() == 0.0
    scores[-3:] -= 2.0
    assert channel(maps_of(table, scores), table, "level_change").max() == pytest.approx(-0.5)


def test_noise_of_many_pads_counts_no_more_than_that_of_sixteen(table: PadTable) -> None:
    scores = np.random.default_rng(1).normal(0, 1, (1, len(table.pad)))
    crowded = replace(table, x_mm=np.where(table.col < 4, table.x_mm, table.x_mm.max()))
    last = channel(maps_of(table, scores), crowded, "last", (1,))
    assert np.abs(last).max() * 4.0 < 4.5  # sigmas
    assert np.abs(last[:, -1]).std() < 0.5 * np.abs(last[:, :2]).std()


@pytest.mark.parametrize(
    ("kind", "box", "sign"),
    [
        ("support", (8, 12, 22, 24), 1.0),
        ("removed", (30, 3, 36, 9), -1.0),
        ("smear", (4, 30, 8, 37), -9.0),
        ("clamp", (0, 0, 40, 5), -1.0),
    ],
)
def test_region_is_where_the_fault_is(table: PadTable, kind: str, box: tuple[float, ...], sign: float) -> None:
    x0, y0, x1, y1 = box
    scores = np.random.default_rng(2).normal(0, 0.1, (BOARDS, len(table.pad)))
    inside = (table.x_mm > x0) & (table.x_mm < x1) & (table.y_mm > y0) & (table.y_mm < y1)
    scores[:, inside] += 2.0 * sign
    region = fault_region(maps_of(table, scores), table, kind)
    assert region is not None
    np.testing.assert_allclose((region.x0_mm, region.y0_mm, region.x1_mm, region.y1_mm), box, atol=2.6)


def test_regions_of_a_blade_and_of_patches(table: PadTable) -> None:
    scores = nothing(table)
    scores[np.ix_(np.arange(BOARDS) % 2 == 0, (table.x_mm > 20) & (table.x_mm < 24))] = 1.5
    (strip,) = fault_regions(maps_of(table, scores), table, "squeegee")
    assert strip.x1_mm - strip.x0_mm < 8.0
    assert strip.y1_mm - strip.y0_mm > 38.0
    scores = nothing(table)
    for x, depth in ((5, 2.0), (30, 3.0)):
        scores[:, np.hypot(table.x_mm - x, table.y_mm - 20) < 3] = -depth
    first, second = fault_regions(maps_of(table, scores), table, "removed")
    assert first.x0_mm > 20 > second.x1_mm  # the deeper one first


def test_no_region_where_nothing_is(table: PadTable) -> None:
    assert fault_region(maps_of(table, nothing(table)), table, "support") is None
    assert fault_region(maps_of(table, nothing(table) + 5.0), table, "none") is None
    with pytest.raises(ValueError, match="kind"):
        fault_regions(maps_of(table, nothing(table)), table, "gremlins")


def test_what_does_not_fit_is_refused(table: PadTable) -> None:
    maps = maps_of(table, nothing(table))
    with pytest.raises(ValueError, match="channels"):
        fault_picture(maps, table, 3.0, COUNTERS, ("excess", "vibes"))
    with pytest.raises(ValueError, match="counters"):
        fault_picture(maps, table, 3.0, COUNTERS[1:])
    with pytest.raises(ValueError, match="maps"):
        fault_picture(maps[:, :, :-1], table, 3.0, COUNTERS)
    with pytest.raises(ValueError, match="maps"):
        fault_picture(maps[:0], table, 3.0, ())


def test_printer_map_keeps_the_level_and_takes_the_stroke_away(table: PadTable) -> None:
    values = table.mean_pct - 2.0 * table.sigma_pct
    values[7] = np.nan
    for counter in (1000, 1001):
        usual = table.stroke_z[:, counter % 2] + table.wipe_z[:, counter % WIPE_EVERY]
        board = BoardPads(table, values + usual * table.sigma_pct, counter)
        score = printer_map(table, board)[table.tile, table.row, table.col]
        np.testing.assert_allclose(score, -2.0, atol=0.02)  # the pad that was not measured, too


def settings_bytes(**changes: Any) -> bytes:
    figure = {"value": 0.99, "lower": 0.98, "upper": 1.0}
    alarms = {"boards": 9000, "alarms": 0, "per_1000": 0.0, "per_1000_upper": 0.333}
    delay = {"runs": 10, "median_boards": 0.0, "p90_boards": None, "never_or_wrong": 2}
    evidence = {
        "data": "simulated",
        "seeds": {"train": 1},
        "macro_f1_windows": figure,
        "macro_f1_runs": figure,
        "false_alarms": {"clean": alarms},
        "delay": {**delay, "within_5_boards_frac": 0.8, "within_2_boards_frac": 0.7},
    }
    content = {
        "schema_version": 1,
        "classes": KINDS,
        "channels": ["recent", "level_last"],
        "boards": 10,
        "map_source": "printer",
        "pad_threshold": 4.0,
        "probability": 0.8,
        "boards_in_a_row": 2,
        "evidence": evidence,
    }
    return json.dumps({**content, **changes}).encode()


class Answers:
    """An engine that gives probabilities one after the other; the first is for the trial run."""

    def __init__(self, *answers: tuple[str, float]) -> None:
        self.answers = [("none", 1.0), *answers]

    def run(self, outputs: Sequence[str], feeds: dict[str, Floats]) -> Sequence[Floats]:
        assert outputs == ["probability"]
        assert feeds["picture"].shape == (1, 2, PICTURE_CELLS, PICTURE_CELLS)
        kind, p = self.answers.pop(0)
        probability = np.full((1, len(KINDS)), (1 - p) / (len(KINDS) - 1), np.float32)
        probability[0, KINDS.index(kind)] = p
        return [probability]


PICTURE = np.zeros((2, PICTURE_CELLS, PICTURE_CELLS), np.float32)


def test_a_name_is_said_once_enough_boards_in_a_row_show_it() -> None:
    answers = (
        *(("clamp", 0.9), ("clamp", 0.9), ("clamp", 0.9), ("clamp", 0.7), ("clamp", 0.9), ("smear", 0.9)),
        *(("smear", 0.85), ("none", 0.99), ("none", 0.99)),
    )
    namer = FaultNamer(b"graph", settings_bytes(), lambda graph: Answers(*answers))
    said = [namer.name(PICTURE) for _ in answers]
    assert [call.kind if call else None for call in said] == (
        [None, "clamp", "clamp", None, None, None, "smear", None, None]
    )
    assert said[1] == FaultCall("clamp", pytest.approx(0.9))


def test_reset_forgets_the_boards_before() -> None:
    namer = FaultNamer(b"graph", settings_bytes(), lambda graph: Answers(*[("clamp", 0.9)] * 4))
    assert namer.name(PICTURE) is None
    namer.reset()
    assert namer.name(PICTURE) is None
    assert namer.name(PICTURE) is not None


class Broken:
    def __init__(self, value: Floats | None, good: int = 0) -> None:
        self.value, self.good = value, good

    def run(self, outputs: Sequence[str], feeds: dict[str, Floats]) -> Sequence[Floats]:
        self.good -= 1
        if self.good >= 0:
            return [np.full((1, len(KINDS)), 1 / len(KINDS), np.float32)]
        if self.value is None:
            raise RuntimeError("no memory")
        return [self.value]


@pytest.mark.parametrize("value", [None, np.full((1, 7), np.nan, np.float32), np.zeros((1, 3), np.float32)])
def test_a_graph_without_an_answer_is_a_fault_never_a_name(value: Floats | None) -> None:
    with pytest.raises(BundleFault, match=r"namer\.onnx"):
        FaultNamer(b"graph", settings_bytes(), lambda graph: Broken(value))
    namer = FaultNamer(b"graph", settings_bytes(), lambda graph: Broken(value, good=1))
    with pytest.raises(ScorerFault):
        namer.name(PICTURE)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"classes": KINDS[::-1]}, "classes"),
        ({"channels": ["recent", "vibes"]}, "vibes"),
        ({"boards": 0}, "boards"),
        ({"probability": 0.2}, "probability"),
        ({"evidence": None}, "evidence"),
        ({"colour": "red"}, "colour"),
        ({"map_source": "camera"}, "map_source"),
    ],
)
def test_settings_that_cannot_be_used_are_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(BundleFault, match=named):
        FaultNamer(b"graph", settings_bytes(**changes), lambda graph: Answers())


def test_files_larger_than_any_namer_and_no_graph_are_refused() -> None:
    with pytest.raises(BundleFault, match="larger"):
        FaultNamer(b"x" * (5 * 1024 * 1024), settings_bytes(), lambda graph: Answers())
    with pytest.raises(BundleFault, match="ONNX Runtime refuses"):
        FaultNamer(b"not a graph", settings_bytes())


def test_every_channel_stays_bounded(table: PadTable) -> None:
    maps = maps_of(table, np.full((1, len(table.pad)), 1e6) * np.where(table.x_mm > 20, 1, -1))
    picture = fault_picture(maps, table, 3.0, (None,), tuple(CHANNELS))
    assert np.isfinite(picture).all()
    assert np.abs(picture).max() <= 6.0
