"""One self-contained HTML page: figures and pictures are inside as data URIs, nothing is fetched, no script runs.

Every figure about a bundle comes from the evaluations, which stand in the page as JSON (`<script
type="application/json" id="evaluations">`, one object a bundle, as `boardgate evaluate --json` writes them); what the
page says of a family comes from its paper's tables and from the committed result files.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from calibration.line_figures import DEFAULT_PREVALENCE_PPM, nothing_to_say
from edge.scorers import EngineChoice
from edge.thresholds import EngineName, Precision
from export.evaluate import DEFAULT_THREADS
from export.report import wording
from export.report.families import FamilyReport, family_report
from export.report.provenance import provenance
from export.report.published import PRINTED
from export.report.sections import bundle_sections
from export.report.subjects import ReportFault, Subject, SubjectRequest, score_subjects
from export.scoring import SplitRequest

FOLDER = Path(__file__).parent
TEMPLATE, STYLE = "page.html", "style.css"


def report(
    bundles: Sequence[Path],
    data: Path | None = None,
    *,
    out: Path,
    family: str | None = None,
    table: str | None = None,
    split: str = "dev-test",
    where: Sequence[str] = (),
    threads: int = DEFAULT_THREADS,
    engine: EngineName = "onnxruntime",
    precision: Precision = "fp32",
    prevalence_ppm: float = DEFAULT_PREVALENCE_PPM,
    on_threshold_data: bool = False,
    map_of_crops: bool = True,
    command: Sequence[str] = (),
    on_step: Callable[[str], None] = lambda step: None,
) -> Path:
    """Write a page about a family, about the first of `bundles` on a split with the others beside it, or both; returns
    `out`.

    `command` is shown as it is, so that a reader can make the page again; `on_step` hears what is being done. Raises
    ReportFault, BundleFault, ScorerFault, DataFault, or SameDataFault when a threshold was chosen on these rows (with
    `on_threshold_data` the page is written all the same, under a banner).
    """
    if out.is_dir():
        raise ReportFault(f"{out}: is a folder; --out names the page, for instance {out / 'report.html'}")
    subjects: tuple[Subject, ...] = ()
    if bundles or family is None:
        if data is None:
            raise ReportFault("bundles are scored on a data set: give --data")
        subjects = score_subjects(
            SubjectRequest(
                bundles=tuple(bundles),
                rows=SplitRequest(data=data, table=table, split=split, where=tuple(where)),
                engine=EngineChoice(engine=engine, precision=precision, threads=threads),
                prevalence_ppm=prevalence_ppm,
                on_threshold_data=on_threshold_data,
                family=family,
            ),
            on_step,
        )
    about = None if family is None else family_report(family)
    page = render(subjects, family=about, command=command, map_of_crops=map_of_crops, on_step=on_step)
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = out.with_name(f".{out.name}.writing-{os.getpid()}")
    aside.write_text(page, "utf-8")
    aside.replace(out)
    return out


def render(
    subjects: Sequence[Subject],
    *,
    family: FamilyReport | None = None,
    command: Sequence[str] = (),
    map_of_crops: bool = True,
    on_step: Callable[[str], None] = lambda step: None,
) -> str:
    """The page of a family, of subjects that were scored on the same rows, or of both."""
    shown = bundle_sections(subjects, map_of_crops=map_of_crops, on_step=on_step) if subjects else {"first": None}
    return (
        _environment()
        .get_template(TEMPLATE)
        .render(
            style=Markup((FOLDER / STYLE).read_text("utf-8")),
            title=_title(subjects, family),
            family=family,
            contents=_contents(subjects, family, shown),
            provenance=provenance(subjects, command),
            **shown,
        )
    )


def _title(subjects: Sequence[Subject], family: FamilyReport | None) -> str:
    if family is not None:
        return f"{family.name} beside its paper"
    evaluation = subjects[0].evaluation
    return f"{evaluation.family} on {evaluation.data}, {evaluation.split}"


def _contents(
    subjects: Sequence[Subject], family: FamilyReport | None, shown: dict[str, object]
) -> list[tuple[str, str]]:
    """Anchors and texts of the sections that the page has, in order."""
    found = []
    if family is not None:
        found += [("paper", "the paper"), ("axes", "same axes"), ("measured", "measured here")]
    if subjects:
        found += [("findings", "findings"), ("promises", "promises")]
        found += [("side-by-side", "side by side")] if len(subjects) > 1 else []
        found += [("classes", "by class")]
        found += [("curves", "curves")] if shown["curves"] else []
        found += [("scores", "scores"), ("mistakes", "mistakes")]
        found += [("latent", "latent space")] if shown["latent"] else []
        found += [("latency", "latency"), ("yardsticks", "yardsticks"), ("meaning", "meaning")]
    return [*found, ("provenance", "provenance")]


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for word in (
        wording.percent,
        wording.percent_down,
        wording.percent_up,
        wording.number,
        wording.number_up,
        wording.counted,
    ):
        environment.filters[word.__name__] = word
    environment.globals["nothing_to_say"] = nothing_to_say
    environment.tests["printed_figure"] = lambda text: PRINTED.fullmatch(text) is not None
    return environment
