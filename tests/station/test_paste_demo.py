"""The demo's SPI bundle through the real inspection: good panels pass, a support that gives way is called and named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edge.board import Board, Outcome, Verdict
from edge.capture.board_file import board_from_file
from edge.clock import SystemClock
from edge.inspections import BoardInspection, inspection_of, open_recipe
from edge.scorers import EngineChoice
from export.demo_paste import FAULT, drawn_panel, other_panel, paste_boards, paste_recipe

N_BOARDS = 16


def judged(inspection: BoardInspection, folder: Path, board_id: str, data: bytes) -> tuple[Board, Verdict]:
    file = folder / f"{board_id}.csv"
    file.write_bytes(data)
    board = board_from_file(file, inspection.reader, SystemClock())
    return board, inspection.inspect(board).verdict


def test_the_printers_fault_is_named_and_shown_where_it_is(tmp_path: Path) -> None:
    inspection = inspection_of(open_recipe(paste_recipe(tmp_path / "recipe")), EngineChoice(threads=1), SystemClock())
    verdicts, boards = [], list(paste_boards(N_BOARDS))
    for shown in boards:
        board, verdict = judged(inspection, tmp_path, shown.board_id, shown.data)
        assert board.panel is not None
        verdicts.append(verdict)
    good = [v for v, b in zip(verdicts, boards, strict=True) if not b.defects and not b.unsaid]
    assert len(good) >= 5
    assert all(v.outcome is Outcome.PASS and v.printer_fault is None for v in good)
    bad = [v for v, b in zip(verdicts, boards, strict=True) if b.defects]
    assert all(v.outcome is Outcome.FAIL for v in bad)
    fault = bad[-1].printer_fault
    assert fault is not None
    assert fault.kind == FAULT
    x0, y0, x1, y1 = fault.box_px
    inside = [x0 <= f.region.x_px <= x1 and y0 <= f.region.y_px <= y1 for f in bad[-1].defects]
    assert sum(inside) > 0.9 * len(inside)
    picture = drawn_panel(boards[-1].data, bad[-1])
    plain = drawn_panel(boards[-1].data, replace(bad[-1], printer_fault=None))
    assert picture.shape == plain.shape
    assert (picture != plain).any()


def test_another_side_resets_the_window_and_says_so(tmp_path: Path) -> None:
    inspection = inspection_of(open_recipe(paste_recipe(tmp_path / "recipe")), EngineChoice(threads=1), SystemClock())
    stranger, first = other_panel(), next(iter(paste_boards(4)))
    judged(inspection, tmp_path, first.board_id, first.data)
    _, verdict = judged(inspection, tmp_path, stranger.board_id, stranger.data)
    assert verdict.outcome is Outcome.UNDECIDED
    assert "window emptied" in verdict.detail
