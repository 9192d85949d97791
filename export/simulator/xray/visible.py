"""Which slices pass through a defect. A joint seen in few slices may hide one: then "not visible" is not "missed"."""

from __future__ import annotations

from collections.abc import Sequence

from export.simulator.xray.balls import Bridge
from export.simulator.xray.board import BoardType, JointKind
from export.simulator.xray.joints import HEAD_IN_PILLOW, MISSING, NEAR_DEFECT, NORMAL, JointState
from export.simulator.xray.lots import joint_span_t

DEPTH_OF_FIELD_T = 7.0  # a void loses half its contrast 6 to 8 away from focus


def visible_slices(
    board: BoardType, state: JointState, focus_t: Sequence[float], bridge: Bridge | None, fill_frac: float | None
) -> tuple[int, ...]:
    """Numbers of the slices in whose depth of field the defect lies; empty for a good joint."""
    if state.label in (NORMAL, NEAR_DEFECT):
        return ()
    low, high = _defect_span_t(board, state, bridge, fill_frac)
    return tuple(n for n, t in enumerate(focus_t) if low - DEPTH_OF_FIELD_T <= t <= high + DEPTH_OF_FIELD_T)


def _defect_span_t(
    board: BoardType, state: JointState, bridge: Bridge | None, fill_frac: float | None
) -> tuple[float, float]:
    low, high = joint_span_t(board)
    if bridge is not None:
        return bridge.heights_t
    if state.label == MISSING or board.kind is not JointKind.PTH:
        return (high - 2.0, high) if state.label == HEAD_IN_PILLOW else (low, high)
    if board.hole is not None and fill_frac is not None:
        return board.hole.focus_t(min(fill_frac, 0.9), board.machine), board.hole.focus_t(1.0, board.machine)
    return low, high
