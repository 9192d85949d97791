"""`boardgate replay`: recorded boards through the real inspection again, and which verdicts differ and by how much.

A refactor or a speed-up shows an empty diff; a new bundle shows exactly what it changes before it judges a board.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from edge.board import Finding, Outcome, Verdict
from edge.capture.board_file import board_from_file
from edge.clock import SystemClock
from edge.inspect_once import COLOURS
from edge.inspections import BoardInspection, inspection_of, open_recipe, with_bundle
from edge.journal import JournalReader, JournalRow
from edge.scorers import EngineChoice

SHOWN_ROWS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One recorded board beside its verdict of now."""

    row: JournalRow
    now: Verdict
    largest_score_change: float | None  # None where the places differ
    places_changed: tuple[str, ...]  # called differently

    @property
    def same(self) -> bool:
        """Same outcome and the same places called."""
        return self.row.verdict.outcome is self.now.outcome and not self.places_changed


def replay_journal(journal: Path, recipe_path: Path, bundle: Path | None, threads: int, json_file: Path | None) -> bool:
    """Print the diff; True when no verdict differs. Raises JournalFault, SettingsFault, BundleFault."""
    recipe = open_recipe(recipe_path)
    if bundle is not None:
        recipe = with_bundle(recipe, bundle)
    inspection = inspection_of(recipe, EngineChoice(threads=threads), SystemClock())
    rows = list(JournalReader(journal).all_verdicts())
    recorded = [(row, path) for row in rows if (path := _picture_of(row)) is not None]
    differences = [_difference(inspection, row, path) for row, path in track(recorded, "replaying", transient=True)]
    _print(differences, n_gone=len(rows) - len(recorded))
    if json_file is not None:
        json_file.write_text(json.dumps([_as_json(d) for d in differences], indent=1))
    return all(d.same for d in differences)


def _picture_of(row: JournalRow) -> Path | None:
    """The kept picture, if it is still there and still the one that was judged."""
    path = Path(row.verdict.picture_path)
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != row.verdict.picture_sha256:
        return None
    return path


def _difference(inspection: BoardInspection, row: JournalRow, path: Path) -> Difference:
    board = board_from_file(path, inspection.reader, SystemClock(), row.verdict.board_id, row.verdict.uid)
    now = inspection.inspect(board).verdict
    before, after = _by_place(row.verdict), _by_place(now)
    common = before.keys() & after.keys()
    changes = [abs(after[k].score - before[k].score) for k in common]
    called = {k for k, f in before.items() if f.is_defect} ^ {k for k, f in after.items() if f.is_defect}
    return Difference(
        row=row,
        now=now,
        largest_score_change=max(changes) if changes else None,
        places_changed=tuple(sorted(called)),
    )


def _by_place(verdict: Verdict) -> dict[str, Finding]:
    return {f.region.name: f for f in verdict.findings}


def _print(differences: list[Difference], n_gone: int) -> None:
    console = Console()
    changed = [d for d in differences if not d.same]
    if changed:
        table = Table("seq", "board", "was", "now", "places called differently", "largest score change")
        for d in changed[:SHOWN_ROWS]:
            change = "-" if d.largest_score_change is None else f"{d.largest_score_change:.3g}"
            places = ", ".join(d.places_changed[:6]) + (" …" if len(d.places_changed) > 6 else "")
            was = d.row.verdict
            table.add_row(
                str(d.row.seq), was.board_id, _coloured(was.outcome), _coloured(d.now.outcome), places, change
            )
        console.print(table)
    lost = sum(d.row.verdict.outcome is Outcome.FAIL and d.now.outcome is Outcome.PASS for d in differences)
    largest = max((d.largest_score_change or 0.0 for d in differences), default=0.0)
    console.print(
        f"{len(differences)} boards replayed, {len(changed)} verdicts differ, {lost} went from fail to pass; "
        f"largest score change {largest:.3g}" + (f"; {n_gone} without their picture" if n_gone else ""),
        highlight=False,
    )


def _coloured(outcome: Outcome) -> str:
    return f"[{COLOURS[outcome]}]{outcome.value}[/]"


def _as_json(difference: Difference) -> dict[str, object]:
    was, now = difference.row.verdict, difference.now
    return {
        "seq": difference.row.seq,
        "board": was.board_id,
        "was": was.outcome.value,
        "now": now.outcome.value,
        "was_reason": was.reason.value,
        "now_reason": now.reason.value,
        "places_changed": list(difference.places_changed),
        "largest_score_change": difference.largest_score_change,
    }
