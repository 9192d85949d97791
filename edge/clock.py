"""Time, as a seam: monotonic nanoseconds for deadlines, UTC text for records. Tests put a clock of their own here."""

from __future__ import annotations

import datetime
import time
from typing import Protocol


class Clock(Protocol):
    """`now_ns` never goes back; `utc` may."""

    def now_ns(self) -> int:
        """Monotonic nanoseconds."""
        ...

    def utc(self) -> str:
        """Wall time, ISO 8601, milliseconds, `Z`."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now_ns(self) -> int:
        """Monotonic nanoseconds."""
        return time.monotonic_ns()

    def utc(self) -> str:
        """Wall time, ISO 8601, milliseconds, `Z`."""
        return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
