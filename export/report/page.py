"""One self-contained HTML page: figures and pictures are inside as data URIs, nothing is fetched, no script runs.

Every figure on it comes from the evaluations, which stand in the page as JSON (`<script type="application/json"
id="evaluations">`, one object a bundle, as `boardgate evaluate --json` writes them).
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
from export.report import figures, gallery, wording
from export.report.headline import cards, pairs, summary, uncleared, weakest
from export.report.latent import latent_map
from export.report.palette import SUBJECTS, class_colours
from export.report.promises import method_line, promise_rows
from export.report.provenance import provenance
from export.report.subjects import ReportFault, Subject, SubjectRequest, score_subjects
from export.scoring import TIMING_BATCH, SplitRequest

FOLDER = Path(__file__).parent
TEMPLATE, STYLE = "template.html", "style.css"


def report(
    bundles: Sequence[Path],
    data: Path,
    *,
    out: Path,
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
    """Write a page about the first of `bundles` on a split, with the others beside it; returns `out`.

    `command` is shown as it is, so that a reader can make the page again; `on_step` hears what is being done. Raises
    ReportFault, BundleFault, ScorerFault, DataFault, or SameDataFault when a threshold was chosen on these rows (with
    `on_threshold_data` the page is written all the same, under a banner).
    """
    if out.is_dir():
        raise ReportFault(f"{out}: is a folder; --out names the page, for instance {out / 'report.html'}")
    subjects = score_subjects(
        SubjectRequest(
            bundles=tuple(bundles),
            rows=SplitRequest(data=data, table=table, split=split, where=tuple(where)),
            engine=EngineChoice(engine=engine, precision=precision, threads=threads),
            prevalence_ppm=prevalence_ppm,
            on_threshold_data=on_threshold_data,
        ),
        on_step,
    )
    page = render(subjects, command=command, map_of_crops=map_of_crops, on_step=on_step)
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = out.with_name(f".{out.name}.writing-{os.getpid()}")
    aside.write_text(page, "utf-8")
    aside.replace(out)
    return out


def render(
    subjects: Sequence[Subject],
    *,
    command: Sequence[str] = (),
    map_of_crops: bool = True,
    on_step: Callable[[str], None] = lambda step: None,
) -> str:
    """The page of subjects that were scored on the same rows."""
    first = subjects[0]
    scored, evaluation = first.scored, first.evaluation
    on_step("drawing curves")
    classes = figures.curve_classes(scored)
    curves = [
        (kind, figures.roc_picture(subjects, kind), figures.precision_picture(subjects, kind)) for kind in classes
    ]
    on_step("cutting out the worst mistakes")
    pictures = {
        "misses": gallery.misses(subjects) if evaluation.n_defect else None,
        "false_calls": gallery.false_calls(subjects),
        "usual_good": gallery.usual_good(subjects),
    }
    crops_map = None
    if map_of_crops:
        on_step("mapping the crops")
        found = latent_map(scored)
        crops_map = None if found is None else figures.latent_picture(found, scored.defect_kinds)
    return (
        _environment()
        .get_template(TEMPLATE)
        .render(
            style=Markup((FOLDER / STYLE).read_text("utf-8")),
            subjects=subjects,
            first=first,
            e=evaluation,
            summary=summary(evaluation),
            weakest=weakest(evaluation),
            uncleared=uncleared(evaluation),
            cards=cards(evaluation),
            pairs=pairs(subjects),
            choice=scored.threshold.choice,
            threshold=scored.threshold,
            method=method_line(scored.threshold.choice),
            promises=promise_rows(scored),
            curves=curves,
            histograms=[(s.name, figures.score_picture(s)) for s in subjects],
            crops_map=crops_map,
            provenance=provenance(subjects, command),
            colours=dict(zip((s.name for s in subjects), SUBJECTS, strict=False)),
            class_colours=class_colours(scored.defect_kinds),
            evaluations=[s.evaluation.to_json() for s in subjects],
            timing_batch=TIMING_BATCH,
            **pictures,
        )
    )


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
    return environment
