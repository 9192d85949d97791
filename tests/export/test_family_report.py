"""A family's page: the paper's figures as printed, the committed results beside them, bundles below; and the latent."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.tables import RESULTS
from edge.scorers import EngineChoice
from export.cli import app
from export.demo_stations import BUNDLE
from export.families.axi_joint import paper as axi_joint
from export.families.pth_component import paper as pth_component
from export.families.solder_joint import paper as solder_joint
from export.report import latency as latency_module
from export.report import latent as latent_module
from export.report.approved import nearest_approved
from export.report.browser import document
from export.report.comparison import PAPER as PAPER_SERIES
from export.report.comparison import comparisons, marks
from export.report.families import family_or_bundle, family_report
from export.report.latency import BATCHES, latencies
from export.report.latent import LatentMap, latent_map
from export.report.latent_figure import APART, MAX_THUMBNAILS, latent_picture, thumbnails
from export.report.latent_space import LATENT_MODULES, MU, latent_of, output_of
from export.report.measured import measured, tables_of
from export.report.page import report
from export.report.published import PublishedTable, value_of
from export.report.subjects import ReportFault, Subject, SubjectRequest, score_subjects
from export.rules_bundle import write_rules_bundle
from export.scoring import SplitRequest
from tests.edge.component_bundle import PARTS as PARTS_AT
from tests.edge.component_bundle import SIZE_PX, parts_board, write_component_bundle
from tests.export.report_set import write_report_set

unit, sweep = pytest.mark.unit, pytest.mark.sweep
SOLDER, PARTS = solder_joint.PAPER, pth_component.PAPER
PAPER_OF = {"axi_joint": axi_joint.PAPER, "solder_joint": SOLDER, "pth_component": PARTS}
DECLARED = {"axi_joint": ("V", "VI", "VII", "VIII"), "solder_joint": ("II", "III"), "pth_component": ("4", "5")}


class _Tables(HTMLParser):
    """The cells of every table of a page, row by row, and the `th` without a scope and `img` without words."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.unscoped = 0
        self.wordless = 0
        self._in_cell = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.unscoped += tag == "th" and "scope" not in named
        self.wordless += tag == "img" and not named.get("alt")
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.rows[-1][-1] += data.strip()


@pytest.fixture(scope="module", autouse=True)
def _one_run() -> Iterator[None]:
    """One run of t-SNE is as good as the best of several, for what is tested here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latent_module, "RUNS", 1)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report_set(tmp_path_factory.mktemp("data") / "lot")


@pytest.fixture(scope="module")
def subjects(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Subject, ...]:
    rules = tmp_path_factory.mktemp("bundles") / "rules"
    write_rules_bundle(folder, rules)
    request = SubjectRequest(
        bundles=(BUNDLE, rules),
        rows=SplitRequest(data=folder),
        engine=EngineChoice(threads=1),
        prevalence_ppm=1000.0,
        on_threshold_data=False,
    )
    return score_subjects(request, lambda step: None)


@pytest.fixture(scope="module")
def found(subjects: tuple[Subject, ...]) -> LatentMap:
    made = latent_map(subjects[0].scored)
    assert made is not None
    return made


@pytest.fixture(scope="module")
def page(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`solder_joint` with one bundle, as typed."""
    out = tmp_path_factory.mktemp("pages") / "page.html"
    arguments = ["report", "solder_joint", "--bundle", str(BUNDLE), "--data", str(folder), "--out", str(out)]
    done = CliRunner().invoke(app, [*arguments, "--threads", "1"])
    assert done.exit_code == 0, done.output
    return out


def _check_page(family: str, text: str) -> None:
    """Every published and every measured figure is on the page, which is whole by itself and can be read aloud."""
    shown = _Tables(text)
    assert not re.search(r"https?://|@import|url\(|<script>", text)
    assert (shown.unscoped, shown.wordless) == (0, 0)
    for table in PAPER_OF[family].tables:
        for row in table.rows:
            assert list(row) in shown.rows
    for result in measured(family):
        assert result.command in text.replace("&amp;", "&")
        for measured_table in result.tables:
            for measured_row in measured_table.rows:
                assert list(measured_row.cells) in shown.rows
    assert "own pictures could not be had" in text
    assert tuple(table.number for table in PAPER_OF[family].tables) == DECLARED[family]


@sweep
def test_a_familys_page_has_its_paper_its_results_and_its_bundles(page: Path) -> None:
    text = page.read_text("utf-8")
    _check_page("solder_joint", text)
    order = [text.index(f'id="{anchor}"') for anchor in ("paper", "axes", "measured", "findings", "curves", "latent")]
    assert order == sorted(order)
    assert json.loads(text.partition('id="evaluations">')[2].partition("</script>")[0])[0]["family"] == "solder_joint"


@sweep
@pytest.mark.parametrize("family", ["axi_joint", "pth_component"])
def test_a_familys_page_needs_no_bundle(family: str, tmp_path: Path) -> None:
    text = report([], out=tmp_path / "page.html", family=family).read_text("utf-8")
    _check_page(family, text)
    assert 'id="findings"' not in text


@pytest.mark.peers
@pytest.mark.needs_chromium
def test_a_familys_page_is_laid_out_without_sticking_out(page: Path, tmp_path: Path) -> None:
    probe, script = (
        tmp_path / "probe.html",
        "document.body.dataset.over=document.documentElement.scrollWidth-innerWidth",
    )
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text("utf-8"))
    probe.write_text(text.replace("</body>", f"<script>{script}</script></body>"), "utf-8")
    over = re.search(r'data-over="(-?\d+)"', document(probe))
    assert over is not None
    assert int(over[1]) <= 0


@sweep
def test_a_family_that_compares_shows_the_approved_picture_beside_the_crop(tmp_path: Path) -> None:
    data = _write_parts(tmp_path / "boards")
    bundle = write_component_bundle(tmp_path / "parts")
    arguments = {"out": tmp_path / "page.html", "family": "pth_component", "table": "components.csv", "threads": 1}
    text = report([bundle], data, **arguments).read_text("utf-8")  # type: ignore[arg-type]
    assert text.count('alt="nearest approved picture"') == text.count('<figure class="tile">') > 4
    assert "the embedding less that of the nearest approved picture" in text
    (subject,) = score_subjects(
        SubjectRequest(
            bundles=(bundle,),
            rows=SplitRequest(data=data, table="components.csv"),
            engine=EngineChoice(threads=1),
            prevalence_ppm=1000.0,
            on_threshold_data=False,
        ),
        lambda step: None,
    )
    rows = np.flatnonzero(subject.scored.is_good)[:2]
    pictures, crops = nearest_approved(subject.scored, rows), subject.scored.crops[rows]
    assert pictures is not None
    for picture, crop in zip(pictures, crops, strict=True):  # noise of 4 grey levels lies between two good pictures
        assert np.abs(picture.astype(int) - crop).mean() < 10.0


def _write_parts(folder: Path) -> Path:
    """Boards with a can and a bar: good ones in every split, and some of dev-test that lack one."""
    folder.mkdir()
    lines = ["path,label,split,site,part_number,turns_deg,x,y,pitch,board"]
    for n, split in enumerate(["train"] * 3 + ["val"] * 2 + ["dev-test"] * 6):
        without = "" if n < 7 else ("CAP", "RES")[n % 2]
        cv2.imwrite(str(folder / f"{n}.png"), parts_board(100 + n, without=without))
        for part, (x, y) in PARTS_AT.items():
            label = "missing" if part == without else "good"
            lines.append(f"{n}.png,{label},{split},{part}-1,{part},0,{x},{y},{SIZE_PX},{n}")
    (folder / "components.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


@unit
def test_figures_are_read_as_printed() -> None:
    assert value_of("0.742 ± 0.01") == (0.742, 0.01)
    assert value_of("0.641") == (0.641, None)
    assert value_of("1.0") == (1.0, None)
    for wrong in ("0,641", "no", "0.5 ±", ""):
        with pytest.raises(ValueError, match="is no printed figure"):
            value_of(wrong)


@unit
def test_a_published_table_that_lost_a_cell_is_refused() -> None:
    with pytest.raises(ValueError, match="2 cells, expected 3"):
        PublishedTable(number="9", where="", title="", head=("", "a", "b"), rows=(("F1", "0.1"),))
    with pytest.raises(ValueError, match="groups cover"):
        PublishedTable(number="9", where="", title="", head=("", "a"), rows=(("F1", "0.1"),), groups=(("g", 2),))


@unit
def test_the_papers_own_relations_hold_in_what_was_copied() -> None:
    """F1 is about the harmonic mean of precision and recall (they are averages of 50 runs each), and Table III's β of 1
    and 3 are the VAE and the β-VAE of Table II, so that a slip of a digit shows."""
    for row in SOLDER.rows:
        precision, recall, f1 = (value_of(row.figures[name])[0] for name in ("precision", "recall", "f1"))
        assert abs(2 * precision * recall / (precision + recall) - f1) < 0.006, row.name
    two, three = (SOLDER.tables[k].rows for k in (0, 1))
    for of_two, of_three in zip(two, three, strict=True):
        assert (of_two[5], of_two[8]) == (of_three[3], of_three[4])
    for row in PARTS.tables[0].rows:  # half the pairs are negatives: accuracy follows from the others
        accuracy, precision, recall = (float(cell) for cell in row[7:])
        false_positives = recall * (1 - precision) / precision
        assert abs((recall + 1 - false_positives) / 2 - accuracy) < 0.02, row[0]


@unit
def test_paper_and_project_share_a_line_only_for_the_same_method() -> None:
    paper = SOLDER
    figure = {"mean": 0.5, "deviation": 0.1, "n": 3}
    rows = [
        {"preset": "fast", "variant": variant, "input": "bgr unit", "f1": figure} for variant in ("cae/recon", "own/x")
    ]
    found = marks(paper, rows, "f1")
    ours = [mark for mark in found if mark.series != PAPER_SERIES]
    assert [(mark.line, mark.value, mark.deviation) for mark in ours] == [("CAE Recon", 0.5, 0.1), ("own/x", 0.5, 0.1)]
    assert sum(mark.series == PAPER_SERIES for mark in found) == len(paper.rows)
    once = [rows[0] | {"f1": figure | {"n": 1}}]
    assert [mark.deviation for mark in marks(paper, once, "f1") if mark.series != PAPER_SERIES] == [None]


@unit
def test_the_study_of_the_papers_tables_shares_axes_too() -> None:
    """A file as the family's `paper_tables` writes it."""
    figure = {"mean": 0.7, "n": 1, "deviation": None, "lower": None, "upper": None}
    study = {"data": "lot", "lane": ["view=closeup"], "preset": "fast", "epochs": 20}
    rows = [{"variant": "vae_gradcon", "score": "gradcon", "figures": {"precision": figure, "f1": figure}}]
    (row,) = solder_joint.shared_rows({"study": study, "split": "dev-test", "rows": rows})
    (chart,) = comparisons(SOLDER, [row])
    assert (chart.lane, chart.n_shared) == ("lot, view=closeup, dev-test", 1)
    assert "VAE GradCon the paper 0.796, ours fast, 20 epochs 0.700" in chart.picture.alt
    assert "precision" in chart.picture.alt.partition(" by method")[0]


@unit
def test_the_chart_is_of_the_committed_results() -> None:
    committed = json.loads((RESULTS / "solder_joint.json").read_text("utf-8"))["rows"]
    closeups = [row for row in committed if row["lane"] == "view=closeup"]
    (chart,) = comparisons(SOLDER, closeups)
    best = max(row["f1"]["mean"] for row in closeups)
    assert chart.lane == "tht-header-joints, view=closeup, dev-test"
    assert f"{best:.3f}" in chart.headline
    assert "0.809 (β-VAE GradCon)" in chart.headline
    assert not comparisons(SOLDER, ())


@unit
def test_the_parts_tables_share_axes_by_setting() -> None:
    """A record as `paper_tables` writes it: Table 4's settings meet on a line; other tables and networks do not."""

    def row(**changes: object) -> dict[str, object]:
        experiment = {
            "table": "4",
            "backbone": pth_component.BACKBONE,
            "trainable_layers": 67,
            "batch_norm": False,
            "normalise": False,
        }
        runs = [{"val": dict.fromkeys(("accuracy", "precision", "recall"), value)} for value in (0.7, 0.8)]
        return {"experiment": experiment | changes, "runs": runs}

    rows = [row(), row(backbone="resnet50"), row(table="5"), row(batch_norm=True)]
    shared = pth_component.shared_rows({"data": {"name": "boards"}, "rows": rows})
    same = PARTS.rows[0].name
    assert [line["variant"] for line in shared] == [
        same,
        f"{same} (resnet50)",
        same.replace("BatchNorm no", "BatchNorm yes"),
    ]
    assert shared[0]["pair_recall"] == {
        "mean": pytest.approx(0.75),
        "deviation": pytest.approx(0.0707, abs=1e-4),
        "n": 2,
    }
    (chart,) = comparisons(PARTS, shared)
    assert chart.n_shared == 1
    assert "highest pairs: accuracy is 0.956" in chart.headline
    assert not pth_component.shared_rows({"rows": [{"data": "boards", "recall": {}}]})


@unit
def test_tables_are_read_back_from_a_page() -> None:
    (table,) = tables_of(
        "Of one seed.\n\n**On twin**\n\n| name | F1 |\n| --- | ---: |\n| best | 0.9 |\n| *knows nothing:* size |  |"
    )
    assert (table.caption, table.note, table.head) == ("On twin", "Of one seed.", ("name", "F1"))
    assert [(row.cells, row.aside) for row in table.rows] == [(("best", "0.9"), ""), (("size", ""), "knows nothing")]


@unit
def test_what_a_report_is_asked_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert family_or_bundle("solder_joint") == ("solder_joint", None)
    assert family_or_bundle(str(BUNDLE)) == (None, BUNDLE)
    monkeypatch.chdir(tmp_path)
    Path("solder_joint").mkdir()
    assert family_or_bundle("solder_joint") == ("solder_joint", None)  # a folder that is no bundle
    Path("solder_joint/manifest.json").touch()
    assert family_or_bundle("solder_joint") == (None, Path("solder_joint"))
    with pytest.raises(ReportFault, match="neither a bundle folder nor a family; families are"):
        family_or_bundle("solder_joints")
    with pytest.raises(ReportFault, match="no paper of that family"):
        family_report("unknown")


@sweep
def test_bundles_without_data_or_of_another_family_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ReportFault, match="give --data"):
        report([BUNDLE], out=tmp_path / "page.html", family="solder_joint")
    with pytest.raises(ReportFault, match="is a bundle of solder_joint, the page is about pth_component"):
        report([BUNDLE], folder, out=tmp_path / "page.html", family="pth_component", threads=1)


@sweep
def test_the_latent_is_read_inside_the_graph(subjects: tuple[Subject, ...]) -> None:
    learned, rules = (subject.scored for subject in subjects)
    assert output_of(learned.bundle.model("fp32"), "net.features") is not None
    assert output_of(learned.bundle.model("fp32"), "net.mu_head") is None
    for scored, words in ((learned, "features before the last layer"), (rules, "measured features")):
        latent = latent_of(scored, scored.crops, scored.rows)
        assert latent.vectors.shape[0] == len(scored.rows)
        assert latent.vectors.dtype == np.float32
        assert np.isfinite(latent.vectors).all()
        assert words in latent.what
        assert f"{latent.vectors.shape[1]} numbers" in latent.what
    again = latent_of(learned, learned.crops[::-1], learned.rows[::-1]).vectors[::-1]
    np.testing.assert_allclose(again, latent_of(learned, learned.crops, learned.rows).vectors, rtol=1e-4, atol=1e-5)


@sweep
@pytest.mark.needs_torch
@pytest.mark.parametrize(
    ("variant", "score", "module", "up_to"),
    [
        ("vae", "elbo", "net.mu_head", "net.mu_head"),
        ("cae", "recon", "net.mu_head", "net.mu_head"),
        ("beta_vae_gradcon", "gradcon", "operators.encoder.1", "operators.encoder"),
    ],
)
def test_the_modules_read_hold_the_papers_latent(variant: str, score: str, module: str, up_to: str) -> None:
    """The exporter notes these paths at the nodes; what leaves them is 10 x 8 x 8."""
    torch = pytest.importorskip("torch", reason="needs_torch")
    from export.families.solder_joint.presets import PRESETS  # noqa: PLC0415
    from export.families.solder_joint.scores import SCORES  # noqa: PLC0415

    net = PRESETS["fast"].variants[variant].build()
    modules = dict(SCORES[score](net).eval().named_modules())
    assert LATENT_MODULES[module] is MU
    assert module in modules
    crops = torch.zeros(1, 3, 64, 64)
    given = crops if up_to != module else net.eval().encoder(crops)
    assert tuple(modules[up_to](given).shape) == (1, 10, 8, 8)


@sweep
def test_the_map_holds_the_split_and_val_and_says_which(found: LatentMap, subjects: tuple[Subject, ...]) -> None:
    scored = subjects[0].scored
    n_val = sum(row.split == "val" for row in scored.data.rows)
    assert (found.n_split, int(found.is_val.sum())) == (len(scored.rows), n_val)
    assert found.at.shape == (found.n_split + n_val, 2)
    assert (found.at.min(axis=0), found.at.max(axis=0)) == (pytest.approx([0, 0]), pytest.approx([1, 1]))
    assert found.is_wrong.sum() == (scored.called == scored.is_good).sum()
    assert sum(row.n for row in found.neighbours) == found.n_split


@sweep
def test_thumbnails_do_not_hide_each_other_and_the_picture_says_what_it_shows(found: LatentMap) -> None:
    chosen = thumbnails(found)
    apart = np.abs(found.at[chosen, None] - found.at[None, chosen]).max(axis=2)
    assert 0 < len(chosen) <= MAX_THUMBNAILS
    assert (apart[~np.eye(len(chosen), dtype=bool)] >= APART).all()
    picture = latent_picture(found, ["bridge", "missing"], "dev-test")
    for words in (f"{found.n_split} crops of dev-test", f"{int(found.is_val.sum())} of val", "bridge", "by board"):
        assert words in picture.alt
    many = dataclasses.replace(found, group=np.array([f"p{k % 30}" for k in range(len(found.at))]), group_is="part")
    assert "by part" in latent_picture(many, [], "dev-test").alt


@unit
def test_neighbours_are_of_other_places(monkeypatch: pytest.MonkeyPatch, subjects: tuple[Subject, ...]) -> None:
    """Three places seen twice: next to each crop lies its place's other picture, and then the other class."""
    monkeypatch.setattr(latent_module, "NEIGHBOURS", 1)
    row = subjects[0].scored.rows[0]
    labels, units, at = ("good", "good", "bridge", "bridge", "good", "good"), "aabbcc", (0.0, 0.1, 1.0, 1.1, 9.0, 9.1)
    rows = [dataclasses.replace(row, label=label, unit=u) for label, u in zip(labels, units, strict=True)]
    vectors = np.array(at, np.float32)[:, None]
    good, bridge = latent_module._neighbours(vectors, rows, len(rows))
    assert (good.label, good.n, good.same_class_frac, good.chance_class_frac) == ("good", 4, 0.0, 0.5)
    assert (bridge.label, bridge.n, bridge.same_class_frac, bridge.chance_class_frac) == ("bridge", 2, 0.0, 0.0)
    beside, _ = latent_module._neighbours(vectors, rows, 3)  # the last three are of another split
    assert (beside.label, beside.same_split_frac, beside.chance_split_frac) == ("good", 1.0, 0.25)


@sweep
def test_latency_is_of_every_bundle_at_every_batch(
    subjects: tuple[Subject, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latency_module, "RUNS", {1: 100, 8: 5, 64: 3})
    rows = latencies(subjects)
    assert [(row.name, row.batch) for row in rows] == [(s.name, batch) for s in subjects for batch in BATCHES]
    for row in rows:
        assert 0 < row.p50_ms <= (row.p99_ms or row.max_ms) <= row.max_ms
        assert row.p50_ms_a_region == pytest.approx(row.p50_ms / row.batch)
        assert (row.p99_ms is None) == (row.runs < 100)
