"""The study of the paper's tables: figures by hand, a study that goes on where it stopped, and one that is refused."""

from __future__ import annotations

import dataclasses
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs_torch")

from benchmarks.paper_tables import paper_tables_table  # noqa: E402
from benchmarks.ready_cut_table import ready_cut_table  # noqa: E402
from export.collapse import CollapseCheck  # noqa: E402
from export.datasets import Row  # noqa: E402
from export.families.solder_joint import paper_study, paper_tables  # noqa: E402
from export.families.solder_joint.gradcon import ConstrainedAutoencoder  # noqa: E402
from export.families.solder_joint.net import Autoencoder  # noqa: E402
from export.families.solder_joint.paper_figures import Scored, figures_of, summary_of  # noqa: E402
from export.families.solder_joint.paper_tables import KINDS, main  # noqa: E402
from export.families.solder_joint.presets import PRESETS, Variant  # noqa: E402
from export.workshop import TrainRequest, train  # noqa: E402
from tests.export.helpers import write_joint_set  # noqa: E402

pytestmark = [pytest.mark.sweep, pytest.mark.needs_torch]

TINY = (4, 4, 4, 4, 4)


def scored(labels: list[str], values: list[float]) -> Scored:
    rows = [Row(path="", label=label, split="", place=None, unit=str(i), line="") for i, label in enumerate(labels)]
    return Scored(rows=rows, score=np.array(values, np.float32))


def test_figures_are_those_counted_by_hand() -> None:
    val = scored(["normal"] * 4 + ["bridge"], [1.0, 2.0, 3.0, 4.0, 9.0])
    test = scored(["normal", "normal", "normal", "bridge", "bridge", "missing"], [1.0, 3.0, 5.0, 6.0, 7.0, 2.0])
    found = figures_of(val, test)
    assert found.threshold == 4.0  # of 4 good places none may lie above the 99th percentile
    assert (found.caught, found.n_defect, found.false_calls, found.n_good) == (2, 3, 1, 3)
    assert (found.precision, found.recall, found.f1) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert found.auroc == pytest.approx({"bridge": 1.0, "missing": 1 / 3})
    assert found.val_auroc == {"bridge": 1.0}


def test_nothing_called_is_no_precision() -> None:
    found = figures_of(scored(["normal", "normal"], [1.0, 2.0]), scored(["normal", "bridge"], [0.0, 1.0]))
    assert (found.precision, found.recall, found.f1) == (0.0, 0.0, 0.0)


def entry(seed: int, f1: float) -> dict[str, object]:
    figures = {"precision": 0.5, "recall": 0.5, "f1": f1, "false_calls": 1, "n_good": 4, "auroc": {"bridge": f1}}
    return {"variant": "vae", "beta": 1.0, "seed": seed, "refused": "", "scores": {"recon": figures}}


def test_the_interval_is_students() -> None:
    (row,) = summary_of([entry(0, 0.7), entry(1, 0.8), {**entry(2, 0.9), "refused": "collapsed"}])
    assert (row["seeds"], row["refused_seeds"]) == ([0, 1, 2], [2])
    figures = row["figures"]["f1"]
    assert (figures["mean"], figures["deviation"]) == pytest.approx((0.8, 0.1))
    assert figures["upper"] == pytest.approx(0.8 + 4.30265 * 0.1 / 3**0.5, abs=1e-5)  # t of 2 degrees, from a table
    assert row["figures"]["false_call_frac"]["mean"] == 0.25


def test_one_seed_has_no_interval() -> None:
    (row,) = summary_of([entry(0, 0.7)])
    assert row["figures"]["f1"] == {"mean": 0.7, "n": 1, "deviation": None, "lower": None, "upper": None}


def test_the_variants_are_those_of_both_tables() -> None:
    for preset in ("paper", "fast"):
        betas = [PRESETS[preset].variants[f"{kind}_gradcon"].build().beta for kind in KINDS]
        assert sorted(betas) == [0.0, 0.01, 0.1, 1.0, 3.0, 10.0]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> str:
    """Networks small enough to train in a test, where nobody asks whether three epochs are enough."""
    sound = CollapseCheck(network_error=0.0, line_error=1.0, yardstick_error=1.0, score_mean=1.0, score_spread=1.0)
    monkeypatch.setattr("export.teaching.check_collapse", lambda **given: sound)
    monkeypatch.setattr(paper_study, "check_collapse", lambda **given: sound)
    for module in (paper_study, paper_tables):
        monkeypatch.setattr(module, "KINDS", ("vae",))
    variants = {
        "vae": Variant(build=partial(Autoencoder, TINY, variational=True, beta=1.0), scores=("recon", "elbo")),
        "vae_gradcon": Variant(
            build=partial(ConstrainedAutoencoder, TINY, variational=True, beta=1.0), scores=("gradcon", "recon", "elbo")
        ),
    }
    row = dataclasses.replace(PRESETS["fast"], variants=variants, default_variant="vae")
    monkeypatch.setitem(PRESETS, "small", row)
    return "small"


def test_a_study_goes_on_where_it_stopped(small: str, tmp_path: Path) -> None:
    data, out, kept = write_joint_set(tmp_path / "joints"), tmp_path / "study.json", tmp_path / "kept"
    asked = ["--data", str(data), "--table", "joints.csv", "--preset", small, "--epochs", "3", "--json", str(out)]
    main([*asked, "--seeds", "1", "--checkpoints", str(kept)])
    first = json.loads(out.read_text("utf-8"))
    assert [(e["variant"], e["seed"]) for e in first["entries"]] == [("vae", 0), ("vae_gradcon", 0)]
    assert sorted(p.name for p in kept.iterdir()) == ["vae-0", "vae_gradcon-0"]
    assert [len(e["val_losses"]) for e in first["entries"]] == [2, 3]
    main([*asked, "--seeds", "2"])
    second = json.loads(out.read_text("utf-8"))
    assert second["entries"][:2] == first["entries"]
    assert [row["seeds"] for row in second["rows"]] == [[0, 1]] * 5
    with pytest.raises(paper_tables.StudyFault, match=r"is of another study: study"):
        main([*asked[:-3], "4", "--json", str(out), "--seeds", "2"])


def test_the_plain_network_is_what_train_gives(small: str, tmp_path: Path) -> None:
    data, out = write_joint_set(tmp_path / "joints"), tmp_path / "study.json"
    main(["--data", str(data), "--table", "joints.csv", "--preset", small, "--epochs", "3", "--json", str(out),
          "--seeds", "1"])  # fmt: skip
    found = {entry["variant"]: entry for entry in json.loads(out.read_text("utf-8"))["entries"]}
    for variant, epochs in (("vae", 2), ("vae_gradcon", 3)):
        request = TrainRequest(
            family="solder_joint", data=data, table="joints.csv", preset=small, variant=variant, epochs=epochs,
            bfloat16=True,
        )  # fmt: skip
        losses: list[float] = []
        train(request, lambda epoch, kept=losses: kept.append(epoch.val_loss))
        assert found[variant]["val_losses"] == losses


def test_the_page_has_the_papers_figures_beside_ours() -> None:
    figures = {"false_calls": 1, "n_good": 4, "auroc": {"bridge": 0.9}, "precision": 0.5, "recall": 0.5}
    entries = [
        {"variant": variant, "beta": beta, "seed": seed, "refused": "collapsed" if seed else "",
         "scores": {score: {**figures, "f1": 0.7 + 0.1 * seed}}}
        for variant, beta, score in (("vae", 1.0, "recon"), ("vae_gradcon", 1.0, "gradcon"))
        for seed in (0, 1)
    ]  # fmt: skip
    study = {"preset": "fast", "epochs": 3, "lane": ["view=closeup"]}
    data = {"study": study, "split": "dev-test", "counts": {"normal": 4, "bridge": 1}, "entries": entries}
    text = paper_tables_table({**data, "rows": summary_of(entries)})
    lines = {line.split(" | ")[0].removeprefix("| "): line for line in text.splitlines()}
    assert "| 0.789 ± 0.03 | 0.750 ± 0.071 [0.115, 1.000] |" in lines["VAE Recon"]  # t of 1 degree: 12.7, cut at 1
    assert "| 0.796 ± 0.03 | 0.750 ± 0.071" in lines["β = 1 (VAE), GradCon"]
    assert "not trained" in lines["β = 10, GradCon"]
    assert "2 of 4 networks would be refused" in text


def test_ready_cut_rows_name_yardsticks() -> None:
    row = {"way": "PCA-8", "knows_solder": False, "resolution": "24 px", "split": "val"}
    figures = {"auroc": {"bridge": 0.7}, "interval": {"bridge": [0.6, 0.8]}}
    text = ready_cut_table({"counts": {"val": {"bridge": [5, 2]}}, "rows": [{**row, **figures}]})
    assert "**val** (5 bridge of 2 units)" in text
    assert "| *yardstick:* PCA-8 | 24 px | 0.700 [0.600, 0.800] |" in text
