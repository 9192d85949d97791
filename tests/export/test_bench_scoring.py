"""`boardgate bench scoring` runs: every family's places and rules, one network through all ways, the record and its
table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.scoring import BUDGET_S, Taken, _Timing, _whole_board, run
from benchmarks.scoring_boards import FAMILIES
from benchmarks.scoring_rules import fitted_rules
from benchmarks.scoring_table import scoring_table
from benchmarks.scoring_ways import RULES, Way, engines
from edge.families import FAMILIES as STATION_FAMILIES
from edge.references import crops_of
from export.families import UnknownName

pytestmark = [pytest.mark.sweep, pytest.mark.needs_torch]


def test_every_family_of_the_station_is_timed() -> None:
    assert FAMILIES.keys() == STATION_FAMILIES.keys()


@pytest.mark.parametrize("family", FAMILIES)
def test_places_are_cut_as_often_as_asked_and_judged_by_rules(family: str) -> None:
    contract, score = fitted_rules(family)
    places, n = FAMILIES[family].places(), FAMILIES[family].batch + 1
    inputs = places.cut(contract, n)
    pixels = crops_of(inputs)
    assert len(inputs) == n
    assert pixels.reshape(n, -1).std(axis=1).min() > 0, "a place shows nothing"
    batch = score(inputs)
    assert batch.score.shape == (n,)
    assert np.isfinite(batch.score).all()
    way = Way(family=family, network=RULES, precision="", engine="", flops=0, contract=contract, score=score)
    timing = _whole_board(way, places, rounds=1)
    timing.take(0)
    assert timing.taken[0].wall_us > 0
    assert timing.places == places.n_whole


def test_one_network_goes_all_ways_and_into_the_record(tmp_path: Path) -> None:
    json_file, picture = tmp_path / "scoring.json", tmp_path / "scoring.png"
    costs = run(presets=("best",), threads=1, rounds=2, json_file=json_file, picture=picture)
    named = {(c.network, c.precision, c.engine) for c in costs}
    wanted = {("best/surprise", p, e) for p in ("fp32", "int8-cpu") for e in engines()}
    assert named == {("rules", "", ""), ("naive export", "fp32", "onnxruntime"), *wanted}
    assert {c.batch for c in costs} == {1, 64}
    assert {c.rounds for c in costs} == {2}
    naive = [c for c in costs if c.network == "naive export"]
    assert [c.times_naive for c in naive] == [1.0, 1.0]
    assert all(c.all_told_us is None for c in naive)
    assert all(c.all_told_us is not None for c in costs if c.batch == 64 and c not in naive)
    assert picture.stat().st_size > 10_000
    figures = json.loads(json_file.read_text("utf-8"))
    assert figures["command"] == "boardgate bench scoring --preset best --threads 1 --rounds 2"
    table = scoring_table(figures)
    assert len(table.splitlines()) == 2 + 2 + len(costs) // 2
    assert "processor µs a joint, batch 64" in table


def test_an_unknown_family_or_preset_is_refused_by_name() -> None:
    with pytest.raises(UnknownName, match="sorder_joint"):
        run(family="sorder_joint")
    with pytest.raises(UnknownName, match="preset 'bestest'"):
        run(presets=("bestest",))


def test_a_slow_way_has_fewer_rounds_spread_over_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    slow, quick = Taken(wall_us=0.5e6, cpu_us=0.0), Taken(wall_us=10.0, cpu_us=0.0)
    for first, kept in ((slow, BUDGET_S / 0.5), (quick, 30)):
        monkeypatch.setattr("benchmarks.scoring._us_a_place", lambda _work, _n, first=first: first)
        timing, due = _Timing(work=lambda: None, places=1, rounds=30), []
        for k in range(31):
            before = len(timing.taken)
            timing.take(k)
            due += [k] * (len(timing.taken) - before)
        assert len(due) == 1 + kept
        assert due[0] == 0
        assert due[-1] == 30
