"""The bundles a report is about, each scored on the same rows. The first is the one reported on, the others stand
beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.bundle import read_bundle
from edge.scorers import EngineChoice
from export.evaluate import evaluation_of
from export.evaluation import Evaluation
from export.faults import WorkshopFault
from export.scoring import ScoredSplit, SplitRequest, score_split

MAX_BUNDLES = 6  # more lines cannot be told apart in one figure


class ReportFault(WorkshopFault):
    """A report that cannot be written as asked: what came, what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One bundle with its scores and figures. `name` is its folder's, made unique."""

    name: str
    scored: ScoredSplit
    evaluation: Evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectRequest:
    """What is to be scored and how; `precision` holds for every bundle that has it, the others use fp32."""

    bundles: tuple[Path, ...]
    rows: SplitRequest
    engine: EngineChoice
    prevalence_ppm: float
    on_threshold_data: bool
    family: str | None = None  # where the page is about one: its bundles alone belong there


def score_subjects(request: SubjectRequest, on_step: Callable[[str], None]) -> tuple[Subject, ...]:
    """Score every bundle. Raises ReportFault, BundleFault, ScorerFault, DataFault or SameDataFault."""
    if not 1 <= len(request.bundles) <= MAX_BUNDLES:
        raise ReportFault(f"{len(request.bundles)} bundles: a report takes 1 to {MAX_BUNDLES}")
    subjects = []
    for name, folder in zip(unique_names(request.bundles), request.bundles, strict=True):
        on_step(f"scoring {name}")
        _check_family(folder, request.family)
        scored = score_split(folder, request.rows, _engine(folder, request.engine, required=not subjects))
        evaluation = evaluation_of(
            scored, prevalence_ppm=request.prevalence_ppm, on_threshold_data=request.on_threshold_data
        )
        subjects.append(Subject(name=name, scored=scored, evaluation=evaluation))
    return tuple(subjects)


def unique_names(folders: Sequence[Path]) -> list[str]:
    """The folders' own names; where two are the same, with the folder above, then with a number."""
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = [f"{folder.resolve().parent.name}/{folder.resolve().name}" for folder in folders]
    if len(set(names)) < len(names):
        names = [f"{name} ({number})" for number, name in enumerate(names, start=1)]
    return names


def _check_family(folder: Path, family: str | None) -> None:
    if family is not None and (own := read_bundle(folder).manifest.family) != family:
        raise ReportFault(f"{folder}: is a bundle of {own}, the page is about {family}")


def _engine(folder: Path, wanted: EngineChoice, *, required: bool) -> EngineChoice:
    if required or wanted.precision in read_bundle(folder).precisions:
        return wanted
    return EngineChoice(engine=wanted.engine, precision="fp32", threads=wanted.threads)
