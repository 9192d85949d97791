"""Records for tests, made the way the station makes them."""

from __future__ import annotations

from typing import Any

from edge.board import Finding, Outcome, Reason, Region, Verdict


def region(name: str = "J1-1", threshold: float = 1.0, **changes: Any) -> Region:
    refdes, _, pin = name.partition("-")
    return Region(refdes=refdes, pin=pin, x_px=10.0, y_px=20.0, side_px=30.0, threshold=threshold, **changes)


def finding(score: float, name: str = "J1-1", threshold: float = 1.0) -> Finding:
    return Finding(region=region(name, threshold), score=score)


def verdict(board_id: str = "B1", outcome: Outcome = Outcome.PASS, uid: str = "", **changes: Any) -> Verdict:
    findings = (finding(2.0 if outcome is Outcome.FAIL else 0.5),)
    values: dict[str, Any] = {
        "uid": uid or f"uid-{board_id}",
        "board_id": board_id,
        "outcome": outcome,
        "reason": Reason.DEADLINE if outcome is Outcome.UNDECIDED else Reason.JUDGED,
        "detail": "",
        "n_regions": 1,
        "findings": findings,
        "recipe_id": "r",
        "recipe_sha256": "a" * 64,
        "bundle_sha256": "b" * 64,
        "picture_sha256": "c" * 64,
        "picture_path": "/nowhere/B1.png",
        "trigger_ns": 1_000_000,
        "decided_ns": 5_000_000,
        "trigger_utc": "2026-01-01T00:00:00.000Z",
    }
    return Verdict(**{**values, **changes})


class FakeClock:
    """Time that moves when told."""

    def __init__(self) -> None:
        self.ns = 1_000_000_000

    def now_ns(self) -> int:
        return self.ns

    def utc(self) -> str:
        return "2026-01-01T00:00:00.000Z"

    def advance_ms(self, ms: float) -> None:
        self.ns += int(ms * 1e6)
