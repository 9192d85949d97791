"""Verdicts as JSON and back: for the socket between inspector and gate, and for the journal. Checked on the way in."""

from __future__ import annotations

import json
from typing import Any

from edge.board import Finding, Outcome, PrinterFault, Reason, Region, StageTime, Verdict


class NotAVerdictError(ValueError):
    """The text is not a verdict this version can trust."""


def verdict_to_json(verdict: Verdict) -> str:
    """One line of JSON."""
    plain = {name: getattr(verdict, name) for name in _PLAIN_TEXT + _PLAIN_INT}
    return json.dumps(
        {
            **plain,
            "outcome": verdict.outcome.value,
            "reason": verdict.reason.value,
            "findings": [_finding_row(f) for f in verdict.findings],
            "stages": [[s.stage, round(s.ms, 3)] for s in verdict.stages],
            "drift": verdict.drift,
            "n_unlisted": verdict.n_unlisted,
            "printer_fault": _printer_fault_row(verdict.printer_fault),
        },
        ensure_ascii=True,
        allow_nan=False,
        separators=(",", ":"),
    )


def verdict_from_json(text: str | bytes) -> Verdict:
    """Parse and check. Raises NotAVerdictError."""
    try:
        return verdict_from_object(json.loads(text))
    except ValueError as err:
        raise NotAVerdictError(f"not JSON: {err}") from None


def verdict_from_object(data: Any) -> Verdict:
    """The same from JSON parsed already. A verdict that contradicts itself is refused like a broken one."""
    try:
        return Verdict(
            **{name: _typed(data[name], str) for name in _PLAIN_TEXT},
            **{name: _typed(data[name], int) for name in _PLAIN_INT},
            outcome=Outcome(data["outcome"]),
            reason=Reason(data["reason"]),
            findings=tuple(_finding(row) for row in data["findings"]),
            stages=tuple(StageTime(stage=str(name), ms=float(ms)) for name, ms in data["stages"]),
            # Journals of versions without a drift monitor, or without paste, lack these.
            drift=_typed(data.get("drift", ""), str),
            n_unlisted=_typed(data.get("n_unlisted", 0), int),
            printer_fault=_printer_fault(data.get("printer_fault")),
        )
    except (KeyError, TypeError, ValueError) as err:
        raise NotAVerdictError(f"{type(err).__name__}: {err}") from None


_PLAIN_TEXT = (
    "uid",
    "board_id",
    "detail",
    "recipe_id",
    "recipe_sha256",
    "bundle_sha256",
    "picture_sha256",
    "picture_path",
    "trigger_utc",
)
_PLAIN_INT = ("n_regions", "trigger_ns", "decided_ns")


def _typed(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{value!r:.40} is not {kind.__name__}")
    return value


def _finding_row(finding: Finding) -> list[Any]:
    r = finding.region
    row = [r.refdes, r.pin, r.x_px, r.y_px, r.side_px, r.threshold, finding.score]
    if finding.seen_at_px is not None:
        return [*row, finding.kind, *finding.seen_at_px]
    return [*row, finding.kind] if finding.kind else row


def _finding(row: list[Any]) -> Finding:
    refdes, pin, x_px, y_px, side_px, threshold, score, *more = row
    if len(more) not in (0, 1, 3):
        raise ValueError(f"a finding of {len(row)} values, expected 7, 8 or 10")
    region = Region(refdes=refdes, pin=pin, x_px=x_px, y_px=y_px, side_px=side_px, threshold=threshold)
    return Finding(
        region=region,
        score=float(score),
        kind=_typed(more[0], str) if more else "",
        seen_at_px=(float(more[1]), float(more[2])) if len(more) == 3 else None,
    )


def _printer_fault_row(fault: PrinterFault | None) -> list[Any] | None:
    return None if fault is None else [fault.kind, fault.probability, list(fault.box_px)]


def _printer_fault(row: list[Any] | None) -> PrinterFault | None:
    if row is None:
        return None
    kind, probability, (x0, y0, x1, y1) = row
    box = (float(x0), float(y0), float(x1), float(y1))
    return PrinterFault(kind=_typed(kind, str), probability=float(probability), box_px=box)
