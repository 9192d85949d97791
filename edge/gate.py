"""Judging: scores and thresholds in, a verdict out. Pure: no clock, no disk, no engine."""

from __future__ import annotations

from dataclasses import dataclass

from edge.board import Board, Finding, Outcome, Reason, StageTime, Verdict

MAX_DETAIL_CHARS = 500  # a verdict's detail is for a person and for one MQTT item


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Which recipe and which bundles stand behind a verdict; empty hashes when none was ready."""

    recipe_id: str
    recipe_sha256: str
    bundle_sha256: str
    n_regions: int


def judge(
    board: Board,
    by: Judged,
    findings: tuple[Finding, ...],
    decided_ns: int,
    stages: tuple[StageTime, ...],
    n_unlisted: int = 0,
) -> Verdict:
    """FAIL when any region is a defect; PASS when every region of the recipe was scored and is good; else UNDECIDED.

    A defect seen is a defect even when other regions are out of the picture. `n_unlisted` regions more were scored,
    each no worse than the listed.
    """
    defects = [f for f in findings if f.is_defect]
    n_scored = len(findings) + n_unlisted
    if defects:
        worst = max(defects, key=lambda f: f.score - f.region.threshold)
        at_least = "at least " if n_unlisted and len(defects) == len(findings) else ""
        detail = f"{at_least}{len(defects)} of {n_scored} regions defective, worst {worst.region.name}"
        outcome, reason = Outcome.FAIL, Reason.JUDGED
    elif n_scored != by.n_regions:
        detail = f"{n_scored} of {by.n_regions} regions in the picture, none defective"
        outcome, reason = Outcome.UNDECIDED, Reason.OUT_OF_VIEW
    else:
        detail, outcome, reason = f"{n_scored} regions good", Outcome.PASS, Reason.JUDGED
    return _verdict(board, by, outcome, reason, detail, findings, decided_ns, stages, n_unlisted)


def undecided(
    board: Board, by: Judged, reason: Reason, detail: str, decided_ns: int, stages: tuple[StageTime, ...] = ()
) -> Verdict:
    """The board is held, and `detail` says why."""
    return _verdict(board, by, Outcome.UNDECIDED, reason, detail, (), decided_ns, stages)


def _verdict(
    board: Board,
    by: Judged,
    outcome: Outcome,
    reason: Reason,
    detail: str,
    findings: tuple[Finding, ...],
    decided_ns: int,
    stages: tuple[StageTime, ...],
    n_unlisted: int = 0,
) -> Verdict:
    return Verdict(
        uid=board.uid,
        board_id=board.board_id,
        outcome=outcome,
        reason=reason,
        detail=detail[:MAX_DETAIL_CHARS],
        n_regions=by.n_regions,
        findings=findings,
        recipe_id=by.recipe_id,
        recipe_sha256=by.recipe_sha256,
        bundle_sha256=by.bundle_sha256,
        picture_sha256=board.picture_sha256,
        picture_path=board.picture_path,
        trigger_ns=board.trigger_ns,
        decided_ns=decided_ns,
        trigger_utc=board.trigger_utc,
        stages=stages,
        n_unlisted=n_unlisted,
    )
