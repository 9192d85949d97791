"""What goes out next, and what is known to have arrived. Pure: seqs and times in, ranges out.

A row is done when the consumer's cumulative acknowledgement covers it; the broker's PUBACK means only "handed over".
After a (re)connection everything not acknowledged is handed over again, live rows first, the backlog at a bounded rate.
A consumer that stays silent gets the same rows again after 10 s, then less and less often.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_BATCH = 64
MAX_IN_FLIGHT = 16
MAX_QUARANTINED = 10_000
RESEND_FIRST_NS = 10_000_000_000
RESEND_MAX_NS = 3_600_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SeqRange:
    """Rows `first` to `last`, both included."""

    first: int
    last: int

    @property
    def size(self) -> int:
        """How many rows at most; numbers may be missing after old rows were deleted."""
        return self.last - self.first + 1


class Outbox:
    """Decides; keeps no rows. `acked` is the consumer's last word and must be kept on disk by the owner."""

    def __init__(self, *, acked: int, backlog_rows_per_s: int) -> None:
        self.acked = acked
        self._rate_per_s = backlog_rows_per_s
        self._live_next = acked + 1
        self._backlog: SeqRange | None = None
        self._backlog_free_ns = 0
        self._in_flight: dict[int, SeqRange] = {}
        self._resend_wait_ns = RESEND_FIRST_NS
        self._resend_at_ns = 0
        self._quarantined: set[int] = set()
        self.window = MAX_IN_FLIGHT

    def connected(self, last_seq: int, receive_maximum: int, now_ns: int) -> None:
        """A new connection: nothing is in flight, all that is not acknowledged is backlog."""
        self.window = max(1, min(MAX_IN_FLIGHT, receive_maximum))
        self._in_flight.clear()
        self._live_next = max(last_seq, self.acked) + 1
        self._start_backlog(now_ns)

    def next_range(self, last_seq: int, now_ns: int) -> SeqRange | None:
        """The rows to publish now as one message, or None. Call `published` when they went out."""
        if len(self._in_flight) >= self.window:
            return None
        if last_seq >= self._live_next:
            return SeqRange(first=self._live_next, last=min(last_seq, self._live_next + MAX_BATCH - 1))
        if self._backlog is None and self._waits_too_long(now_ns):
            self._resend_wait_ns = min(2 * self._resend_wait_ns, RESEND_MAX_NS)
            self._start_backlog(now_ns)
        if self._backlog is None or now_ns < self._backlog_free_ns:
            return None
        return self._backlog_head(self._backlog)

    def published(self, message_id: int, rows: SeqRange, now_ns: int) -> None:
        """The message went to the client library under this id."""
        self._in_flight[message_id] = rows
        if rows.first >= self._live_next:
            self._live_next = rows.last + 1
            return
        assert self._backlog is not None, "only next_range hands out backlog rows"
        left = SeqRange(first=rows.last + 1, last=self._backlog.last)
        self._backlog = left if left.size > 0 else None
        self._backlog_free_ns = now_ns + rows.size * 1_000_000_000 // self._rate_per_s

    def handed_over(self, message_id: int) -> SeqRange | None:
        """PUBACK. Returns the rows it was, None for a message that is not ours."""
        return self._in_flight.pop(message_id, None)

    def acknowledged(self, seq: int, now_ns: int) -> bool:
        """The consumer has committed everything up to `seq`. False, and no change, for a number out of range."""
        if not self.acked <= seq < self._live_next:
            return False
        if seq > self.acked:
            self.acked = seq
            self._resend_wait_ns = RESEND_FIRST_NS
            self._resend_at_ns = now_ns + self._resend_wait_ns
            if self._backlog is not None:
                left = SeqRange(first=max(self._backlog.first, seq + 1), last=self._backlog.last)
                self._backlog = left if left.size > 0 else None
        return True

    def quarantine(self, rows: SeqRange) -> None:
        """Rows nobody takes: not offered again. Beyond MAX_QUARANTINED the broker is at fault, not the rows."""
        if len(self._quarantined) + rows.size <= MAX_QUARANTINED:
            self._quarantined.update(range(rows.first, rows.last + 1))

    def _backlog_head(self, backlog: SeqRange) -> SeqRange | None:
        """The next run of backlog rows that are not in quarantine."""
        first = backlog.first
        while first in self._quarantined:
            first += 1
        if first > backlog.last:
            self._backlog = None
            return None
        self._backlog = SeqRange(first=first, last=backlog.last)
        last = first
        while last < min(backlog.last, first + MAX_BATCH - 1) and last + 1 not in self._quarantined:
            last += 1
        return SeqRange(first=first, last=last)

    def _waits_too_long(self, now_ns: int) -> bool:
        return self.acked < self._live_next - 1 and not self._in_flight and now_ns >= self._resend_at_ns

    def _start_backlog(self, now_ns: int) -> None:
        rows = SeqRange(first=self.acked + 1, last=self._live_next - 1)
        self._backlog = rows if rows.size > 0 else None
        self._backlog_free_ns = now_ns
        self._resend_at_ns = now_ns + self._resend_wait_ns
