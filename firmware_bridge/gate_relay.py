"""The PASS and FAIL relay as the gate sees it: coils to drive, contacts to read back. And a simulated one."""

from typing import Protocol

from firmware_bridge.frames import Outputs
from firmware_bridge.timing import MS_NS

RELAY_OUTPUTS = Outputs.PASS | Outputs.FAIL  # HEALTHY and RESULT_VALID are not read back
_OPERATE_NS = 3 * MS_NS


class Relay(Protocol):
    """Drives PASS and FAIL. Contacts follow within the settling time, or the gate trips."""

    def drive(self, outputs: Outputs, now_ns: int) -> None: ...

    def read_back(self, now_ns: int) -> Outputs: ...


class SimulatedRelay:
    """Contacts follow the coils after 3 ms, unless one is welded shut or never closes."""

    def __init__(self) -> None:
        self._coils = Outputs.NONE
        self._before = Outputs.NONE
        self._driven_ns = 0
        self.stuck_on = Outputs.NONE
        self.stuck_off = Outputs.NONE

    def drive(self, outputs: Outputs, now_ns: int) -> None:
        if outputs == self._coils:
            return
        self._before = self._contacts(now_ns)
        self._coils, self._driven_ns = outputs, now_ns

    def read_back(self, now_ns: int) -> Outputs:
        return (self._contacts(now_ns) | self.stuck_on) & ~self.stuck_off

    def _contacts(self, now_ns: int) -> Outputs:
        return self._coils if now_ns - self._driven_ns >= _OPERATE_NS else self._before
