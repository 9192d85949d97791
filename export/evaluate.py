"""How good is a bundle? Scored exactly as a station would score, at the bundle's own threshold, in the figures a line
reads, beside cues that know nothing about solder.

Nothing is chosen on the data evaluated, and data that the threshold was chosen on is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from calibration.line_figures import DEFAULT_PREVALENCE_PPM, line_figures, nothing_to_say
from edge.scorers import EngineChoice
from edge.thresholds import EngineName, Precision
from export.datasets import fingerprint
from export.evaluation import Evaluation
from export.evaluation_groups import label_report, labels_without_defects, part_reports, resampled_interval
from export.evaluation_tables import tables
from export.independence import SameDataFault, shared_with_threshold
from export.metrics import (
    auroc,
    average_precision,
    board_counts,
    counts_of,
    place_counts,
)
from export.scoring import ScoredSplit, SplitRequest, ms_per_region, score_split
from export.table_columns import has_boards
from export.yardsticks import yardsticks

__all__ = ["DEFAULT_THREADS", "Evaluation", "evaluate", "evaluation_of", "tables"]

DEFAULT_THREADS = 2


def evaluate(
    bundle_folder: Path,
    data_folder: Path,
    *,
    table: str | None = None,
    split: str = "dev-test",
    where: Sequence[str] = (),
    threads: int = DEFAULT_THREADS,
    engine: EngineName = "onnxruntime",
    precision: Precision = "fp32",
    prevalence_ppm: float = DEFAULT_PREVALENCE_PPM,
    on_threshold_data: bool = False,
) -> Evaluation:
    """Score a split with a bundle. Raises BundleFault, ScorerFault, DataFault, or SameDataFault when the bundle's
    threshold was chosen on these rows; with `on_threshold_data` the figures are given all the same, and say so."""
    request = SplitRequest(data=data_folder, table=table, split=split, where=tuple(where))
    choice = EngineChoice(engine=engine, precision=precision, threads=threads)
    return evaluation_of(
        score_split(bundle_folder, request, choice), prevalence_ppm=prevalence_ppm, on_threshold_data=on_threshold_data
    )


def evaluation_of(
    scored: ScoredSplit, *, prevalence_ppm: float = DEFAULT_PREVALENCE_PPM, on_threshold_data: bool = False
) -> Evaluation:
    """The figures of a scored split. Raises SameDataFault as `evaluate` does."""
    shared = shared_with_threshold(scored)
    if shared and not on_threshold_data:
        raise SameDataFault(
            f"{scored.data.folder}: {shared}; figures from it prove nothing: evaluate on another split or lot"
        )
    is_good, called, units, manifest = scored.is_good, scored.called, scored.units, scored.bundle.manifest
    rows = line_figures(counts_of(called, is_good), prevalence_ppm=prevalence_ppm)
    places = line_figures(place_counts(called, is_good, units), prevalence_ppm=prevalence_ppm)
    boards = board_counts(called, is_good, scored.boards)
    pictures = board_counts(called, is_good, np.array([row.path for row in scored.rows]))
    interval = resampled_interval(scored, ~is_good)
    good, defect = scored.score[is_good], scored.score[~is_good]
    empty = labels_without_defects(scored)
    return Evaluation(
        family=manifest.family,
        bundle_sha256=scored.bundle.sha256,
        variant=manifest.variant,
        preset=manifest.preset,
        seed=manifest.seed,
        input=f"{manifest.contract.channels} {manifest.contract.normalisation}",
        engine=manifest.engine if manifest.engine == "rules" else scored.engine.engine,
        precision=scored.engine.precision,
        data=scored.data.folder.resolve().name,
        data_sha256=fingerprint(scored.data, (), scored.rows).sha256,
        where=list(scored.request.where),
        split=scored.request.split,
        shared_with_threshold=shared,
        n_good=rows.counts.n_good,
        n_good_units=places.counts.n_good,
        n_defect=rows.counts.n_defect,
        n_defect_units=places.counts.n_defect,
        n_left_out=scored.data.left_out.get(scored.request.split, {}),
        auroc=auroc(good, defect) if len(defect) else None,
        auroc_lower=interval.lower if interval else None,
        auroc_upper=interval.upper if interval else None,
        average_precision=average_precision(good, defect) if len(defect) else None,
        threshold=scored.threshold.value,
        f1=rows.f1,
        caught=rows.counts.caught,
        false_calls=rows.counts.false_calls,
        recall=rows.recall,
        recall_lower=rows.recall_lower,
        recall_lower_places=places.recall_lower,
        false_call_ppm=_there(rows.false_call_ppm),
        false_call_ppm_upper=_there(rows.false_call_ppm_upper),
        false_call_ppm_upper_places=_there(places.false_call_ppm_upper),
        confidence=rows.confidence,
        prevalence_ppm=prevalence_ppm,
        escape_ppm=rows.escape_ppm,
        escape_ppm_upper=rows.escape_ppm_upper,
        escape_ppm_upper_places=places.escape_ppm_upper,
        false_calls_per_defect=_there(rows.false_calls_per_defect),
        false_calls_per_defect_upper=_there(rows.false_calls_per_defect_upper),
        false_calls_per_defect_upper_places=_there(places.false_calls_per_defect_upper),
        false_calls_per_caught_defect=rows.false_calls_per_caught_defect,
        false_calls_per_caught_defect_upper=rows.false_calls_per_caught_defect_upper,
        board_is="board" if has_boards(scored.rows) else "picture",
        boards=boards.boards,
        boards_without_false_call=boards.boards_without_false_call,
        boards_without_false_call_frac=_there(boards.without_false_call_frac),
        boards_without_false_call_frac_lower=_there(boards.without_false_call_frac_lower),
        boards_without_false_call_frac_upper=_there(boards.without_false_call_frac_upper),
        defect_free_boards=boards.defect_free_boards,
        boards_held_for_nothing=boards.held_for_nothing,
        boards_held_for_nothing_frac_upper=boards.held_for_nothing_frac_upper,
        pictures=pictures.boards,
        pictures_without_false_call_frac=_there(pictures.without_false_call_frac),
        per_label={kind: label_report(scored, kind) for kind in scored.defect_kinds},
        labels_without_defects=empty,
        per_part=part_reports(scored),
        unsaid=[*rows.unsaid, *(nothing_to_say(label) for label in empty), *boards.unsaid],
        ms_per_region=ms_per_region(scored.scorer, scored.inputs),
        yardsticks=yardsticks(scored),
    )


def _there(value: float | None) -> float:
    """A figure that good rows give, and `score_split` refuses a split without them."""
    if value is None:
        raise ValueError("a split without good rows reached the figures")
    return value
