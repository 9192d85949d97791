"""The MQTT payloads of a station, as plain JSON. Pure. Every message fits 64 KiB, whatever a board holds."""

from __future__ import annotations

import json
from typing import Any

from edge.journal import EventRow, JournalRow

VERSION = 1
MAX_PAYLOAD_BYTES = 64 * 1024
MAX_DRIFT_CHARS = 160  # two or three drifting numbers in words
MAX_KIND_CHARS = 32
MAX_DEFECTS_PER_ITEM = 5  # the worst; `n_defects` says how many there are. 64 items of 5 stay below 64 KiB


def verdict_batch(epoch: str, rows: list[JournalRow], first: int, last: int) -> bytes:
    """`up/verdict`: rows `first` to `last`. Numbers without an item were deleted after 30 days."""
    return _bytes({"v": VERSION, "epoch": epoch, "from": first, "to": last, "items": [_item(r) for r in rows]})


def _item(row: JournalRow) -> dict[str, Any]:
    verdict = row.verdict
    defects = [
        {"place": f.region.name, "score": round(f.score, 6), "threshold": round(f.region.threshold, 6)}
        for f in verdict.defects[:MAX_DEFECTS_PER_ITEM]
    ]
    margins = [f.score - f.region.threshold for f in verdict.findings]
    return {
        "seq": row.seq,
        "t": row.decided_utc,
        "token": verdict.uid,
        "barcode": verdict.board_id,
        "outcome": verdict.outcome.value,
        "reason": verdict.reason.value,
        "n_defects": len(verdict.defects),
        "defects": defects,
        "score": round(max(margins), 6) if margins else None,  # worst margin over its threshold
        "bundle": verdict.bundle_sha256[:16],
        "recipe": verdict.recipe_sha256[:16],
        "ms": round(verdict.total_ms, 1),
        "drift": verdict.drift[:MAX_DRIFT_CHARS],
        "printer_fault": "" if verdict.printer_fault is None else verdict.printer_fault.kind[:MAX_KIND_CHARS],
    }


def state(*, online: bool, boot_id: str, session: int) -> bytes:
    """`up/state`, retained, and the will. A consumer ignores an offline of an older session."""
    return _bytes({"v": VERSION, "state": "online" if online else "offline", "boot": boot_id, "session": session})


def twin(
    *, epoch: str, last: JournalRow | None, gate: EventRow | None, counts: dict[str, int], version: str, acked: int
) -> bytes:
    """`up/twin`: what the station reports about itself."""
    verdict = last.verdict if last is not None else None
    return _bytes(
        {
            "v": VERSION,
            "epoch": epoch,
            "version": version,
            "recipe": {"id": verdict.recipe_id, "sha256": verdict.recipe_sha256} if verdict else None,
            "bundle_set": verdict.bundle_sha256 if verdict else None,
            "gate": {"link": gate.kind, "detail": gate.detail, "t": gate.utc} if gate else None,
            "boards": counts,
            "acked": acked,
        }
    )


def event(epoch: str, row: EventRow) -> bytes:
    """`up/event`: one alarm, with the hash that chains it to the one before."""
    return _bytes(
        {
            "v": VERSION,
            "epoch": epoch,
            "id": row.id,
            "t": row.utc,
            "kind": row.kind,
            "detail": row.detail,
            "hash": row.hash,
        }
    )


def metric(*, utc: str, counts: dict[str, int], total_ms: list[float], backlog: int) -> bytes:
    """`up/metric`: counts and the latency of the last boards; may be lost."""
    ordered = sorted(total_ms)
    quantile = {f"p{q}": ordered[min(len(ordered) - 1, len(ordered) * q // 100)] for q in (50, 99)} if ordered else None
    return _bytes({"v": VERSION, "t": utc, "boards": counts, "ms": quantile, "backlog": backlog})


def _bytes(payload: dict[str, Any]) -> bytes:
    return json.dumps(payload, separators=(",", ":")).encode()
