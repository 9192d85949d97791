"""The namer's runs, figures and rule; and a namer small enough to train here, from pictures to the station's name."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs_torch")

from edge.bundle import BundleFault  # noqa: E402
from edge.paste.fault_namer import FaultNamer, NamerEvidence  # noqa: E402
from edge.paste.fault_naming import (  # noqa: E402
    KINDS,
    OWN_CHANNELS,
    PAPER_CHANNELS,
    PICTURE_CELLS,
    fault_region,
    printer_map,
)
from edge.paste.planes import BoardPads  # noqa: E402
from export.families.paste_print.namer_bundle import namer_files, write_namer  # noqa: E402
from export.families.paste_print.namer_data import PictureSet, picture_set, pictures_of  # noqa: E402
from export.families.paste_print.namer_figures import (  # noqa: E402
    Rule,
    alarm_figures,
    alarms_of,
    chosen_rule,
    confusion,
    delay_figures,
    delays_of,
    false_alarms,
    interval,
    macro_f1,
    run_confusion,
    window_confusion,
)
from export.families.paste_print.namer_net import Named, n_weights, new_network  # noqa: E402
from export.families.paste_print.namer_runs import (  # noqa: E402
    CLEAN,
    DRIFT,
    FAULTS,
    RANDOM,
    SINGLE,
    RunCounts,
    ScoredRun,
    line_of,
    scored_runs,
)
from export.families.paste_print.namer_scores import WAYS, graph_scores, maps_of, way_scores, z_of  # noqa: E402
from export.families.paste_print.namer_study import StudyFault, main  # noqa: E402
from export.families.paste_print.namer_training import NamerTraining, probabilities, train_namer  # noqa: E402
from export.onnx import ExportFault  # noqa: E402
from export.simulator.paste import print_run  # noqa: E402

pytestmark = [pytest.mark.sweep, pytest.mark.needs_torch]

FEW = RunCounts(fault=1, clean=1, drift=1, random=1, single=1, amplitudes=(4.0,), grid=True)


@pytest.fixture(scope="module")
def runs() -> list[ScoredRun]:
    return list(scored_runs(line_of("PP-1", "train"), "train", FEW, way_scores("printer")))


@pytest.fixture(scope="module")
def taught(runs: list[ScoredRun]) -> PictureSet:
    return picture_set(runs, OWN_CHANNELS, 4.5, 30, seed=0)


@pytest.fixture(scope="module")
def namer(taught: PictureSet) -> Named:
    return train_namer("own", taught, NamerTraining(epochs=10, batch=16), seed=0)


def made_run(runs: list[ScoredRun], what: str) -> ScoredRun:
    return next(run for run in runs if run.what == what)


def test_every_kind_of_run_is_there_and_has_its_name(runs: list[ScoredRun]) -> None:
    assert [run.what for run in runs] == [*FAULTS, DRIFT, RANDOM, SINGLE, CLEAN]
    assert {run.kind for run in runs} == set(KINDS)
    for what in (DRIFT, RANDOM, CLEAN):
        run = made_run(runs, what)
        assert (run.kind, run.onset, set(run.labels.tolist())) == ("none", None, {0})
    single = made_run(runs, SINGLE)
    assert (single.kind, single.onset, (single.labels == -1).sum(), (single.labels == 0).sum()) == ("none", None, 4, 56)


def test_names_begin_where_the_fault_moves_its_pads_by_a_sigma(runs: list[ScoredRun]) -> None:
    for run in runs:
        if (onset := run.onset) is None:
            continue
        assert run.strength[onset] >= 1.0
        assert run.labels[onset] == KINDS.index(run.kind)
        assert (run.strength[:onset] < 1.0).all()
        assert not (run.labels[:onset] == KINDS.index(run.kind)).any()
        assert run.names_from(0.6).tolist().count(KINDS.index(run.kind)) >= (run.labels > 0).sum()
    squeegee = made_run(runs, "squeegee")
    assert (squeegee.labels[squeegee.onset :] > 0).all()  # boards of the good blade, too
    kneading = made_run(runs, "kneading")
    assert kneading.labels[-1] == 0  # it has faded


def test_runs_come_again_and_splits_share_none(runs: list[ScoredRun]) -> None:
    few = replace(FEW, fault=0)
    again = scored_runs(line_of("PP-1", "train"), "train", few, way_scores("printer"))
    val = scored_runs(line_of("PP-1", "val"), "val", few, way_scores("printer"))
    for one, other, of_val in zip(runs[len(FAULTS) :], again, val, strict=True):
        np.testing.assert_array_equal(one.scores, other.scores)
        assert one.seed != of_val.seed
        assert not np.array_equal(one.scores, of_val.scores)


def test_printer_way_is_the_stations_map() -> None:
    line = line_of("PP-1", "train")
    run, table = print_run(line.product, n_boards=7, seed=11), line.tables[0]
    scores = WAYS["printer"](table, z_of(table, run.volume_pct, run.area_pct), run.counter)
    values = np.stack([run.volume_pct, run.area_pct], axis=2)
    maps = [printer_map(table, BoardPads(table, values[k], int(run.counter[k]))) for k in range(7)]
    np.testing.assert_allclose(maps_of(table, scores), np.stack(maps), atol=1e-5)


def test_ewma_remembers_and_level_free_ways_have_no_level() -> None:
    line = line_of("PP-1", "train")
    run, table = print_run(line.product, n_boards=12, seed=12), line.tables[0]
    z = z_of(table, run.volume_pct, run.area_pct)
    z[5] += 3.0
    for name, way in WAYS.items():
        level = np.median(way(table, z, run.counter), axis=1)
        assert (abs(level[5] - level[4]) > 2.0) == (name in ("pad", "printer")), name
    z[5, :40] += 5.0
    assert WAYS["ewma"](table, z, run.counter)[6, :40].mean() > 0.8  # a board later
    assert abs(WAYS["periodic"](table, z, run.counter)[6, :40].mean()) < 0.8


def test_a_bundle_that_is_none_gives_no_scores(tmp_path: Path) -> None:
    with pytest.raises(BundleFault):
        graph_scores(tmp_path)


def said(run: ScoredRun, names: dict[int, str], p: float = 0.9) -> np.ndarray:
    """Probabilities (N, K): `names` on those boards, none elsewhere."""
    probability = np.full((len(run.scores), len(KINDS)), (1 - p) / (len(KINDS) - 1))
    for k in range(len(run.scores)):
        probability[k, KINDS.index(names.get(k, "none"))] = p
    return probability


def test_alarms_need_probability_and_boards_in_a_row(runs: list[ScoredRun]) -> None:
    clean = made_run(runs, CLEAN)
    probability = said(clean, {3: "clamp", 4: "clamp", 6: "smear", 7: "clamp", 8: "clamp", 9: "clamp"})
    assert np.flatnonzero(alarms_of(probability, Rule(0.8, 1))).tolist() == [3, 4, 6, 7, 8, 9]
    assert np.flatnonzero(alarms_of(probability, Rule(0.8, 2))).tolist() == [4, 8, 9]
    assert np.flatnonzero(alarms_of(probability, Rule(0.8, 3))).tolist() == [9]
    assert not alarms_of(probability, Rule(0.95, 1)).any()


def test_delay_counts_from_the_onset_and_a_wrong_name_first_never_counts(runs: list[ScoredRun]) -> None:
    run = made_run(runs, "support")
    rule, n, onset = Rule(0.8, 1), len(run.scores), run.onset
    assert onset is not None
    cases = [
        (dict.fromkeys(range(onset + 3, n), "support"), 3.0),
        (dict.fromkeys(range(onset - 1, n), "support"), 0.0),  # sooner than asked for
        ({onset: "clamp", **dict.fromkeys(range(onset + 1, n), "support")}, np.inf),
        ({}, np.inf),
        ({onset + 1: "support"}, 1.0),
    ]
    assert [delays_of([(run, said(run, names))], rule)[0] for names, _ in cases] == [d for _, d in cases]
    figures = delay_figures(np.array([d for _, d in cases]))
    assert figures["median_boards"] == 3.0
    assert figures["p90_boards"] is None
    assert (figures["within_5_boards_frac"], figures["within_2_boards_frac"]) == (0.6, 0.4)
    assert figures["never_or_wrong"] == 2


def test_false_alarms_are_counted_by_what_the_boards_were(runs: list[ScoredRun]) -> None:
    rule = Rule(0.8, 1)
    fault = made_run(runs, "support")
    judged = [(run, said(run, {0: "clamp"} if run.what in (DRIFT, CLEAN) else {})) for run in runs if run is not fault]
    judged.append((fault, said(fault, {0: "smear", 55: "support"})))
    assert false_alarms(judged, rule, (CLEAN,)) == (1, 60)
    assert false_alarms(judged, rule, (DRIFT, RANDOM, CLEAN)) == (2, 180)
    figures = alarm_figures(judged, rule)
    assert figures["before a fault"]["alarms"] == (1 if fault.strength[0] < 0.25 else 0)
    assert figures["clean"]["per_1000"] == pytest.approx(1000 / 60)
    assert figures["random"]["per_1000_upper"] == pytest.approx(1000 * (1 - 0.05 ** (1 / 60)))


def test_macro_f1_and_confusion_by_hand() -> None:
    truth, called = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 0, 2])
    counts = confusion(truth, called)
    assert counts[0].tolist()[:3] == [2, 1, 0]
    assert macro_f1(counts) == pytest.approx((4 / 6 + 2 / 4 + 1) / 3)


def _later(probability: np.ndarray, onset: int) -> np.ndarray:
    """The same, nothing said on the board of the onset."""
    late = np.array(probability)
    late[onset] = late[0]
    return late


def test_rule_is_the_strictest_of_those_quiet_and_quick_enough(runs: list[ScoredRun]) -> None:
    judged = []
    for run in runs:
        if run.onset is None:
            judged.append((run, said(run, {3: "clamp"}, p=0.85)))  # a single loud board each
        else:
            judged.append((run, said(run, dict.fromkeys(range(run.onset, 60), run.kind), p=0.92)))
    assert chosen_rule(judged) == Rule(0.9, 3)  # two boards later, and none of the faults is probable to 0.95
    slow = [(run, p) if run.onset is None else (run, _later(p, run.onset)) for run, p in judged]
    assert chosen_rule(slow) == Rule(0.9, 2)
    louder = [(run, said(run, {3: "clamp"}, p=0.97)) if run.onset is None else (run, p) for run, p in judged]
    assert chosen_rule(louder) == Rule(0.9, 3)
    assert macro_f1(run_confusion(louder, Rule(0.9, 2))) == 1.0
    assert interval(louder, lambda drawn: macro_f1(window_confusion(drawn)))[1] <= 1.0


def test_a_namer_learns_and_the_station_names_as_it_does(
    runs: list[ScoredRun], taught: PictureSet, namer: Named, tmp_path: Path
) -> None:
    judged = [(run, probabilities(namer, pictures_of(run, range(60), OWN_CHANNELS, 4.5))) for run in runs]
    assert macro_f1(window_confusion(judged)) > 0.8  # of what it was taught; that it names others the study shows
    alarms = {"clean": {"boards": 60, "alarms": 0, "per_1000": 0.0, "per_1000_upper": 48.7}}
    f1 = {"value": 1.0, "lower": 1.0, "upper": 1.0}
    evidence = NamerEvidence.model_validate(
        {
            "data": "simulated",
            "seeds": {"train": 1},
            "macro_f1_windows": f1,
            "macro_f1_runs": f1,
            "false_alarms": alarms,
            "delay": delay_figures(delays_of(judged, Rule(0.5, 1))),
        }
    )
    pictures = taught.picture[:40].astype(np.float32)
    files = namer_files(namer, OWN_CHANNELS, "printer", 4.5, Rule(0.5, 1), evidence, pictures)
    write_namer(tmp_path / "namer", files)
    station = FaultNamer(
        (tmp_path / "namer" / "namer.onnx").read_bytes(), (tmp_path / "namer" / "namer.json").read_bytes()
    )
    for picture, p in zip(pictures, probabilities(namer, pictures), strict=True):
        call = station.name(picture)
        best = int(p.argmax())
        assert (call.kind if call else "none") == (KINDS[best] if p[best] >= 0.5 else "none")
        assert call is None or call.probability == pytest.approx(p[best], abs=1e-4)
    with pytest.raises(ExportFault, match=r"inputs|outputs|shape|differ"):
        namer_files(Named(torch.nn.Flatten()), OWN_CHANNELS, "printer", 4.5, Rule(0.5, 1), evidence, pictures)


def test_region_of_a_simulated_fault_lies_on_its_pads(runs: list[ScoredRun]) -> None:
    for what in ("squeegee", "support", "removed", "smear"):
        run = made_run(runs, what)
        region = fault_region(maps_of(run.table, run.scores[-10:]), run.table, run.kind)
        x, y = run.table.x_mm, run.table.y_mm
        assert region is not None
        inside = (x >= region.x0_mm) & (x <= region.x1_mm) & (y >= region.y0_mm) & (y <= region.y1_mm)
        assert inside[run.mask].mean() > 0.6, what
        assert inside.mean() < 0.6, what


@pytest.mark.parametrize("name", ["own", "resnet18"])  # Inception-v4 takes seconds to build
def test_every_network_takes_both_pictures(name: str) -> None:
    if name != "own" and importlib.util.find_spec("timm") is None:
        pytest.skip("needs timm")
    for channels in (PAPER_CHANNELS, OWN_CHANNELS):
        network = Named(new_network(name, len(channels))).eval()
        p = probabilities(network, np.zeros((2, len(channels), PICTURE_CELLS, PICTURE_CELLS), np.float32))
        assert p.shape == (2, len(KINDS))
        np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-5)
    assert n_weights(network) < 50_000 or name != "own"


def test_a_result_file_of_another_study_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "namer.json"
    file.write_text(json.dumps({"data": "PP-1, measured"}), "utf-8")
    with pytest.raises(StudyFault, match="another study"):
        main(["--json", str(file), "--rows", "own"])
