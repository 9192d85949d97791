"""Keeps a HostSession on its wire: opens the link, moves bytes, and after any error closes, waits and opens again.

The one place on the station's side that does input and output. One call to `step` is one turn; the owner's loop may
instead wait on `fileno()` among its own files and then step with a wait of zero.
"""

import time
from collections.abc import Callable

from firmware_bridge.errors import LinkLost
from firmware_bridge.host import HostSession
from firmware_bridge.host_events import Event
from firmware_bridge.links.link import Link
from firmware_bridge.timing import REOPEN_MAX_NS, REOPEN_MIN_NS, S_NS


class StationPort:
    """Not for use from several threads."""

    def __init__(
        self,
        open_link: Callable[[], Link],
        session: HostSession,
        *,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._open_link, self.session, self._clock_ns = open_link, session, clock_ns
        self._link: Link | None = None
        self._open_at_ns, self._wait_ns = clock_ns(), REOPEN_MIN_NS
        self.last_error = ""  # why the link is not open; empty while it is
        self.reopens = 0

    def fileno(self) -> int | None:
        """The link's, for `select`; None while there is none."""
        return self._link.fileno() if self._link else None

    def wait_s(self, max_wait_s: float) -> float:
        """How long the owner may wait before the next `step`, if nothing becomes readable."""
        due_ns = self.session.next_deadline_ns() if self._link else self._open_at_ns
        left_s = max_wait_s if due_ns is None else (due_ns - self._clock_ns()) / S_NS
        return min(max(left_s, 0.0), max_wait_s)

    def step(self, max_wait_s: float) -> list[Event]:
        """Wait at most `max_wait_s` for bytes or the next deadline, then do what is due. Never raises for the wire."""
        events = self._flush()  # a verdict the owner has just asked for goes out before any waiting
        if self._link is None:
            time.sleep(self.wait_s(max_wait_s))
            events += self._open_when_due()
        if self._link is not None:
            events += self._turn(self._link, max_wait_s)
        return events

    def close(self) -> list[Event]:
        """Give the port back."""
        return self._lose("closed") if self._link else []

    def _turn(self, link: Link, max_wait_s: float) -> list[Event]:
        try:
            data = link.read(self.wait_s(max_wait_s))
        except LinkLost as fault:
            return self._lose(str(fault))
        return self.session.receive(data, self._clock_ns()) + self._flush()

    def _flush(self) -> list[Event]:
        data = self.session.outgoing() if self._link else b""
        if self._link is None or not data:
            return []
        try:
            self._link.write(data)
        except LinkLost as fault:
            return self._lose(str(fault))
        return []

    def _open_when_due(self) -> list[Event]:
        if self._clock_ns() < self._open_at_ns:
            return []
        try:
            self._link = self._open_link()
        except LinkLost as fault:
            self.last_error = str(fault)
            self._back_off()
            return []
        self.last_error, self._wait_ns = "", REOPEN_MIN_NS
        self.reopens += 1
        return self.session.reopen(self._clock_ns()) + self._flush()

    def _lose(self, why: str) -> list[Event]:
        if self._link is not None:
            self._link.close()
        self._link, self.last_error = None, why
        self._back_off()
        return self.session.port_lost(self._clock_ns(), why)

    def _back_off(self) -> None:
        self._open_at_ns = self._clock_ns() + self._wait_ns
        self._wait_ns = min(2 * self._wait_ns, REOPEN_MAX_NS)
