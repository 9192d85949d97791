"""The page: everything inside it, the figures it shows are the evaluation's, and a real browser lays it out."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from calibration.line_figures import nothing_to_say
from edge.scorers import EngineChoice
from export.independence import SameDataFault
from export.report.browser import BrowserFault, document
from export.report.figures import score_bins
from export.report.gallery import Gallery, false_calls, misses
from export.report.page import report
from export.report.promises import Standing, standing
from export.report.subjects import MAX_BUNDLES, ReportFault, Subject, SubjectRequest, score_subjects, unique_names
from export.report.wording import number_up, percent_down, percent_up
from export.rules_bundle import write_rules_bundle
from export.scoring import SplitRequest
from tests.export.report_set import UNSEEN_LABEL, UNSEEN_PART, with_threshold, write_report_set

unit, sweep = pytest.mark.unit, pytest.mark.sweep
NOTHING = "nothing can be said"
COUNT_PICTURES = """<script>addEventListener("load", () => {
  const of = [...document.images], broken = of.filter(i => !i.complete || i.naturalWidth === 0);
  document.body.dataset.pictures = of.length; document.body.dataset.broken = broken.length;
  document.body.dataset.overflow = document.documentElement.scrollWidth - innerWidth;
})</script></body>"""


class _Shown(HTMLParser):
    """What a page shows: texts of its figures by key, sources of its pictures, its JSON, the attributes of its body."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.figures: list[tuple[str, str]] = []
        self.sources: list[str] = []
        self.json_text = ""
        self.body: dict[str, str | None] = {}
        self.links: list[str] = []
        self._key: str | None = None
        self._in_json = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "img":
            self.sources.append(named["src"] or "")
        elif tag == "data":
            self._key = named["data-figure"]
            self.figures.append((self._key or "", ""))
        elif tag == "script" and named.get("id") == "evaluations":
            self._in_json = True
        elif tag == "body":
            self.body = named
        self.links += [named[a] or "" for a in ("href", "src") if a in named]

    def handle_endtag(self, tag: str) -> None:
        self._key = None if tag == "data" else self._key
        self._in_json = False if tag == "script" else self._in_json

    def handle_data(self, data: str) -> None:
        if self._key is not None:
            key, text = self.figures[-1]
            self.figures[-1] = (key, text + data)
        elif self._in_json:
            self.json_text += data


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report_set(tmp_path_factory.mktemp("data") / "lot")


@pytest.fixture(scope="module")
def bundles(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    out = tmp_path_factory.mktemp("bundles")
    write_rules_bundle(folder, out / "plain")
    write_rules_bundle(folder, out / "tuned", variant="tuned")
    return [out / "plain", out / "tuned"]


@pytest.fixture(scope="module")
def page(folder: Path, bundles: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pages") / "new" / "report.html"
    steps: list[str] = []
    command = ["boardgate", "report", "a <b>"]
    assert report(bundles, folder, out=out, threads=1, command=command, on_step=steps.append) == out
    assert steps[:2] == ["scoring plain", "scoring tuned"]
    return out


def _check_figures(shown: _Shown) -> None:
    """Every figure shown is the JSON's, within the digits shown; bounds never in the bundle's favour."""
    evaluations = json.loads(shown.json_text)
    assert shown.figures
    for key, text in shown.figures:
        value: object = evaluations
        for step in key.split("."):
            value = value[int(step)] if isinstance(value, list) else value[step]  # type: ignore[index]
        if value is None or NOTHING in text:
            assert NOTHING in text, (key, text, value)
            continue
        if "boards" in key:
            assert str(value) in text.split(" of ")[0], (key, text, value)
            continue
        digits = re.search(r"[\d,]+(?:\.(\d+))?", text)
        assert digits is not None, (key, text)
        seen = float(digits[0].replace(",", "")) / (100.0 if "%" in text else 1.0)
        step = 10.0 ** -len(digits[1] or "") / (100.0 if "%" in text else 1.0)
        assert abs(seen - float(value)) < step * 1.001, (key, text, value)  # type: ignore[arg-type]
        if "_lower" in key:
            assert seen <= float(value) + 1e-9, (key, text, value)  # type: ignore[arg-type]
        if "_upper" in key:
            assert seen >= float(value) - 1e-9, (key, text, value)  # type: ignore[arg-type]


@sweep
def test_the_page_is_whole_by_itself(page: Path) -> None:
    text = page.read_text("utf-8")
    shown = _Shown(text)
    assert all(source.startswith("data:image/") for source in shown.sources)
    assert len(shown.sources) > 2 * 3 + 2 + 10
    anchors = {link[1:] for link in shown.links if link.startswith("#")}
    assert all(link.startswith(("data:", "#")) for link in shown.links)
    assert anchors
    assert anchors <= set(re.findall(r'id="([\w-]+)"', text))
    assert not re.search(r"https?://|@import|url\(", text)
    assert [p.name for p in page.parent.iterdir()] == [page.name]


@sweep
def test_the_figures_shown_are_the_evaluations(page: Path) -> None:
    shown = _Shown(page.read_text("utf-8"))
    assert len(shown.figures) > 40
    _check_figures(shown)


@sweep
def test_the_page_says_what_is_lacking_and_where_it_comes_from(page: Path) -> None:
    text = page.read_text("utf-8")
    evaluation = json.loads(_Shown(text).json_text)[0]
    assert nothing_to_say(UNSEEN_LABEL).replace("'", "&#39;") in text
    assert f'<tr><th scope="row">{UNSEEN_PART}</th>' in text
    for proof in (evaluation["bundle_sha256"], evaluation["data_sha256"], "boardgate report &#39;a &lt;b&gt;&#39;"):
        assert proof in text
    assert "PCA-8" in text
    assert "plain alone caught" in text


@sweep
def test_a_page_on_the_thresholds_own_data_is_refused_or_bears_a_banner(
    folder: Path, bundles: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(SameDataFault, match="prove nothing"):
        report(bundles[:1], folder, out=tmp_path / "a.html", split="val", threads=1)
    out = report(
        bundles[:1], folder, out=tmp_path / "b.html", split="val", threads=1, on_threshold_data=True, map_of_crops=False
    )
    assert "These figures prove nothing." in out.read_text("utf-8")
    assert not (tmp_path / "a.html").exists()


@sweep
def test_a_split_without_defects_has_a_page_that_says_so(folder: Path, bundles: list[Path], tmp_path: Path) -> None:
    out = report(bundles[:1], folder, out=tmp_path / "good.html", where=["label=good"], threads=1, map_of_crops=False)
    text = out.read_text("utf-8")
    assert "There were no defects to catch" in text
    assert "Worst misses" not in text
    assert "Recall over false calls" not in text
    _check_figures(_Shown(text))


@pytest.fixture(scope="module")
def subjects(folder: Path, bundles: list[Path]) -> tuple[Subject, ...]:
    request = SubjectRequest(
        bundles=tuple(bundles),
        rows=SplitRequest(data=folder),
        engine=EngineChoice(threads=1),
        prevalence_ppm=1000.0,
        on_threshold_data=False,
    )
    return score_subjects(request, lambda step: None)


@sweep
@pytest.mark.parametrize(("kind", "among_good"), [(misses, False), (false_calls, True)])
@pytest.mark.parametrize("quantile", [0.0, 0.5, 1.0])
def test_galleries_show_each_place_once_worst_first(
    subjects: tuple[Subject, ...], kind: Callable[..., Gallery], among_good: bool, quantile: float
) -> None:
    """At a threshold within the scores of these rows, so that some, all or none of them are mistakes."""
    first = subjects[0].scored
    of = first.is_good if among_good else ~first.is_good
    value = float(np.quantile(first.score[of], quantile, method="lower")) - (0.0 if among_good else 1e-6)
    scored = with_threshold(first, value=value)
    gallery = kind((dataclasses.replace(subjects[0], scored=scored), *subjects[1:]))
    wrong = scored.called[of] if among_good else ~scored.called[of]
    places, margins = [t.where for t in gallery.tiles], [t.score - t.threshold for t in gallery.tiles]
    assert gallery.n == int(wrong.sum())
    assert gallery.mistakes == bool(wrong.any())
    assert len(set(places)) == len(places) > 0
    assert margins == sorted(margins, reverse=among_good)
    assert {t.called for t in gallery.tiles} == {among_good == gallery.mistakes}


@sweep
def test_requests_that_make_no_page_are_named(folder: Path, bundles: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ReportFault, match="is a folder; --out names the page"):
        report(bundles, folder, out=tmp_path)
    with pytest.raises(ReportFault, match=f"7 bundles: a report takes 1 to {MAX_BUNDLES}"):
        report(bundles[:1] * 7, folder, out=tmp_path / "x.html")


@unit
def test_bundles_of_one_name_are_told_apart() -> None:
    assert unique_names([Path("/a/best"), Path("/b/rules")]) == ["best", "rules"]
    assert unique_names([Path("/a/best"), Path("/b/best")]) == ["a/best", "b/best"]
    assert unique_names([Path("/a/best"), Path("/a/best")]) == ["a/best (1)", "a/best (2)"]


@unit
def test_bounds_are_never_rounded_in_the_bundles_favour() -> None:
    assert (percent_down(0.97599), percent_up(0.97511)) == ("97.5 %", "97.6 %")
    assert (percent_down(0.975), percent_up(0.975)) == ("97.5 %", "97.5 %")
    assert (number_up(36_568.01), number_up(36_568.0)) == ("36,569", "36,568")
    assert percent_down(None) == NOTHING


@unit
def test_a_promise_is_confirmed_open_broken_or_untested() -> None:
    assert standing(0.9, 299, 299, 0.95) is Standing.CONFIRMED
    assert standing(0.99, 20, 20, 0.95) is Standing.OPEN
    assert standing(0.9, 10, 20, 0.95) is Standing.BROKEN
    assert standing(0.9, 0, 0, 0.95) is standing(None, 3, 4, 0.95) is Standing.UNTESTED


@unit
def test_histogram_bins_hold_the_threshold() -> None:
    wide = np.geomspace(1e-4, 1.0, 500).astype(np.float32)
    for score, threshold, log in ((wide, 3.0, True), (wide - 0.5, 0.1, False), (np.zeros(9, np.float32), 0.0, False)):
        edges, is_log = score_bins(score, threshold)
        assert edges[0] <= threshold <= edges[-1]
        assert (np.diff(edges) > 0).all()
        assert is_log is log


@pytest.mark.peers
@pytest.mark.needs_chromium
def test_a_real_browser_loads_every_picture_and_shows_the_same_figures(page: Path, tmp_path: Path) -> None:
    """The page itself has no script; the copy opened here counts in the browser which of its pictures came up, one
    broken on purpose among them."""
    text = page.read_text("utf-8")
    assert "<script>" not in text
    probe = tmp_path / "probe.html"
    policy = re.compile(r"<meta http-equiv=\"Content-Security-Policy\"[^>]*>")
    assert len(policy.findall(text)) == 1
    broken = '<img src="data:image/png;base64,AAAA" alt=""></main>'
    probe.write_text(policy.sub("", text).replace("</main>", broken).replace("</body>", COUNT_PICTURES), "utf-8")
    shown = _Shown(document(probe))
    assert shown.body["data-pictures"] == str(len(_Shown(text).sources) + 1)
    assert shown.body["data-broken"] == "1"
    assert int(shown.body["data-overflow"] or 1) <= 0  # nothing sticks out sideways
    _check_figures(shown)


@pytest.mark.peers
@pytest.mark.needs_chromium
def test_a_page_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrowserFault, match="no browser: install one of chromium"):
        document(tmp_path / "x.html")
