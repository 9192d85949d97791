"""Which verdict belongs to which open token. Pure: the gate process asks it, then sends what it says.

A verdict goes to the board with the same id and to no other. It may come before its board reaches the gate (it then
waits, for a bounded time) or after (the token is open already). Of two verdicts that wait for one board the worse is
kept.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from edge.board import Outcome, Verdict

MAX_WAITING = 256  # boards between the machine and its gate; a conveyor holds a handful


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Tell the gate this verdict for this token."""

    token: int
    verdict: Verdict
    seq: int  # of the verdict in the journal
    journal_ms: float  # what writing it took, for the record


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    verdict: Verdict
    seq: int
    journal_ms: float
    expires_ns: int


class Matcher:
    """At most one open token, as the gate link has it. A token gets at most one verdict."""

    def __init__(self, ttl_ns: int) -> None:
        self._ttl_ns = ttl_ns
        self._waiting: OrderedDict[str, _Waiting] = OrderedDict()
        self._token: int | None = None
        self._barcode = ""

    @property
    def open_board(self) -> tuple[int, str] | None:
        """(token, board id) of the board at the gate that has no verdict yet."""
        return None if self._token is None else (self._token, self._barcode)

    def verdict_stored(self, verdict: Verdict, seq: int, now_ns: int, journal_ms: float = 0.0) -> Signal | None:
        """A verdict is durable: it goes out now, or waits for its board."""
        if self._token is not None and verdict.board_id == self._barcode:
            return self._used(Signal(token=self._token, verdict=verdict, seq=seq, journal_ms=journal_ms))
        self._expire(now_ns)
        known = self._waiting.pop(verdict.board_id, None)
        if known is None or known.verdict.outcome is Outcome.PASS:
            expires_ns = now_ns + self._ttl_ns
            known = _Waiting(verdict=verdict, seq=seq, journal_ms=journal_ms, expires_ns=expires_ns)
        self._waiting[verdict.board_id] = known
        while len(self._waiting) > MAX_WAITING:
            self._waiting.popitem(last=False)
        return None

    def board_present(self, token: int, barcode: str, now_ns: int) -> Signal | None:
        """A board is clamped at the gate. A barcode that was not read matches nothing, so that board is held."""
        self._token, self._barcode = token, barcode
        self._expire(now_ns)
        waiting = self._waiting.pop(barcode, None) if barcode else None
        if waiting is None:
            return None
        return self._used(Signal(token=token, verdict=waiting.verdict, seq=waiting.seq, journal_ms=waiting.journal_ms))

    def board_over(self) -> None:
        """The token is burned: the board left, the session ended, or it was told to hold."""
        self._token, self._barcode = None, ""

    def _used(self, signal: Signal) -> Signal:
        self.board_over()
        return signal

    def _expire(self, now_ns: int) -> None:
        for board_id in [b for b, w in self._waiting.items() if w.expires_ns <= now_ns]:
            del self._waiting[board_id]
