"""What the gate did, entry by entry, for its tests and its simulator. Bounded; every PASS and FAIL is in it."""

import enum
from collections import deque
from dataclasses import dataclass

MAX_ENTRIES = 20_000  # some 2000 boards


class GateWhat(enum.Enum):
    SESSION_OPENED = "session_opened"
    SESSION_REFUSED = "session_refused"
    LIVE = "live"  # the inspector's counter moved for the first time in this session
    TOKEN_OPENED = "token_opened"
    TOKEN_VOID = "token_void"  # by a new HELLO or a trip
    VERDICT = "verdict"  # accepted
    VERDICT_REFUSED = "verdict_refused"
    WINDOW_EXPIRED = "window_expired"
    PASS_ON = "pass_on"
    PASS_OFF = "pass_off"
    FAIL_ON = "fail_on"
    FAIL_OFF = "fail_off"
    RESULT_VALID_ON = "result_valid_on"
    RESULT_VALID_OFF = "result_valid_off"
    GONE = "gone"
    TRIP = "trip"
    RESET = "reset"
    LEASE_HELD = "lease_held"
    LEASE_RELEASED = "lease_released"
    CONFIGURED = "configured"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    t_ns: int
    what: GateWhat
    token: int | None
    detail: str


class GateLog:
    """The last 20 000 entries, and how many there ever were."""

    def __init__(self) -> None:
        self.total = 0
        self._entries: deque[LogEntry] = deque(maxlen=MAX_ENTRIES)

    def add(self, t_ns: int, what: GateWhat, token: int | None = None, detail: str = "") -> None:
        self._entries.append(LogEntry(t_ns=t_ns, what=what, token=token, detail=detail))
        self.total += 1

    def entries(self) -> list[LogEntry]:
        return list(self._entries)

    def since(self, total: int) -> list[LogEntry]:
        """Entries after the first `total` ones, as far as they are still kept."""
        fresh = min(self.total - total, len(self._entries))
        return [self._entries[i] for i in range(len(self._entries) - fresh, len(self._entries))]
