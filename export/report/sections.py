"""What the page shows of bundles: every name that the template of those sections uses."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from export.report import figures, gallery
from export.report.headline import cards, pairs, summary, uncleared, weakest
from export.report.latency import latencies
from export.report.latent import MAX_SPLIT_POINTS, MAX_VAL_POINTS, NEIGHBOURS, RUNS, latent_map
from export.report.latent_figure import latent_picture
from export.report.palette import SUBJECTS, class_colours
from export.report.promises import method_line, promise_rows
from export.report.subjects import Subject
from export.scoring import TIMING_BATCH


def bundle_sections(
    subjects: Sequence[Subject], *, map_of_crops: bool, on_step: Callable[[str], None]
) -> dict[str, object]:
    """The template's names for subjects that were scored on the same rows; the first is the one reported on."""
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
    on_step("measuring latency")
    timed = latencies(subjects)
    return {
        "subjects": subjects,
        "first": first,
        "e": evaluation,
        "summary": summary(evaluation),
        "weakest": weakest(evaluation),
        "uncleared": uncleared(evaluation),
        "cards": cards(evaluation),
        "pairs": pairs(subjects),
        "choice": scored.threshold.choice,
        "threshold": scored.threshold,
        "method": method_line(scored.threshold.choice),
        "promises": promise_rows(scored),
        "curves": curves,
        "histograms": [(s.name, figures.score_picture(s)) for s in subjects],
        "latencies": timed,
        "threads": scored.engine.threads,
        "colours": dict(zip((s.name for s in subjects), SUBJECTS, strict=False)),
        "class_colours": class_colours(scored.defect_kinds),
        "evaluations": [s.evaluation.to_json() for s in subjects],
        "timing_batch": TIMING_BATCH,
        **pictures,
        **_latent(first, on_step if map_of_crops else None),
    }


def _latent(first: Subject, on_step: Callable[[str], None] | None) -> dict[str, object]:
    """The map of the latent with its picture; nothing without `on_step`, or for too few crops."""
    if on_step is None:
        return {"latent": None}
    on_step("mapping the latent space")
    found = latent_map(first.scored)
    if found is None:
        return {"latent": None}
    return {
        "latent": found,
        "latent_map": latent_picture(found, first.scored.defect_kinds, first.evaluation.split),
        "latent_runs": RUNS,
        "latent_neighbours": NEIGHBOURS,
        "latent_points": MAX_SPLIT_POINTS,
        "latent_val_points": MAX_VAL_POINTS,
    }
