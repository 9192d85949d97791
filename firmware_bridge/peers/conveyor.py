"""A gate with a conveyor and a PLC around it, in whatever time it is given: boards come, are gated, and leave.

Sans-I/O: `SimulatedGate` gives it bytes and the clock. Every board ends in exactly one `result` event: pass, fail,
hold, window_expired (no verdict in time, rejected) or tripped (the gate tripped, or never had a session, while it was
there).
"""

import os
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass

from firmware_bridge.errors import LocalError
from firmware_bridge.frames import Board, BoardGoneHow, GateState, Outputs
from firmware_bridge.gate import GateSession, GateSettings
from firmware_bridge.gate_log import GateWhat, LogEntry
from firmware_bridge.timing import MS_NS, S_NS

MAX_QUEUED_BOARDS = 1_000  # on the belt before the clamp
_LEAVES = {"pass": BoardGoneHow.PASSED, "fail": BoardGoneHow.REJECTED, "window_expired": BoardGoneHow.REJECTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConveyorSettings:
    """How the machine around the gate behaves. Watchdog: a desk computer pauses longer than a microcontroller may."""

    manual_ack: bool = False  # the PLC's ACK line moves only by command
    manual: bool = False  # boards leave only by command
    ack_after_ms: int = 2
    travel_ms: int = 10  # from the result to the empty clamp
    patience_s: float = 10.0  # a board that gets no token (no station, tripped) is taken away after this
    watchdog_ms: int = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SimEvent:
    """One line for subscribers. `event`: board, result, late, or a name of GateWhat. `us`: board to settled relay."""

    event: str
    t_ns: int
    barcode: str | None = None
    token: int | None = None
    result: str | None = None
    us: int | None = None
    detail: str | None = None

    def to_json(self) -> dict[str, object]:
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(slots=True, kw_only=True)
class _AtClamp:
    barcode: str
    lane: int
    arrived_ns: int
    token: int | None = None
    token_ns: int = 0
    verdict: str = "window_expired"
    us: int | None = None
    result: str | None = None
    leave_ns: int | None = None


class Conveyor:
    """One lane, one clamp, one gate. `emit` gets every event as it happens."""

    def __init__(
        self,
        now_ns: int,
        emit: Callable[[SimEvent], None],
        *,
        settings: ConveyorSettings | None = None,
        gate_settings: GateSettings | None = None,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._settings = settings or ConveyorSettings()
        self._emit, self._random = emit, random_bytes
        self._belt: deque[tuple[str, int]] = deque()
        self._clamp: _AtClamp | None = None
        self._ack_level = False
        self._ack_ns: int | None = None
        self._now_ns = now_ns
        self._power_on(gate_settings or GateSettings())

    def _power_on(self, gate_settings: GateSettings) -> None:
        self.gate = GateSession(
            self._now_ns,
            settings=gate_settings,
            random_bytes=self._random,
            watchdog_ns=self._settings.watchdog_ms * MS_NS,
        )
        self._seen = 0

    # ---- time and bytes ---------------------------------------------------------------------------------------------

    def receive(self, data: bytes, now_ns: int) -> None:
        self._now_ns = now_ns
        self.gate.receive(data, now_ns)
        self._run()

    def tick(self, now_ns: int) -> None:
        self._now_ns = now_ns
        self.gate.tick(now_ns)
        self._run()

    def outgoing(self) -> bytes:
        return self.gate.outgoing()

    def next_deadline_ns(self) -> int | None:
        clamp, gate_ns = self._clamp, self.gate.next_deadline_ns()
        due = [each for each in (gate_ns, self._ack_ns) if each is not None]
        if clamp is not None and clamp.leave_ns is not None:
            due.append(clamp.leave_ns)
        elif clamp is not None and clamp.result is None and clamp.token is None:
            due.append(clamp.arrived_ns + int(self._settings.patience_s * S_NS))
        return min(due, default=None)

    # ---- what a person or a test commands ---------------------------------------------------------------------------

    @property
    def queued(self) -> int:
        return len(self._belt)

    @property
    def barcode(self) -> str | None:
        """Of the board at the clamp."""
        return self._clamp.barcode if self._clamp else None

    @property
    def pass_energised(self) -> bool:
        """PASS driven, or its contact closed."""
        return Outputs.PASS in self.gate.outputs | self.gate.read_back(self._now_ns)

    def board(self, barcode: str, lane: int = 0) -> int | None:
        """Put a board on the belt; gives its token if it is at the clamp and has one. LocalError if it cannot be."""
        Board(token=0, lane=lane, barcode=barcode)
        if len(self._belt) >= MAX_QUEUED_BOARDS:
            raise LocalError(f"board {barcode!r}: {MAX_QUEUED_BOARDS} boards are on the belt already")
        self._belt.append((barcode, lane))
        self._run()
        return self._clamp.token if self._clamp is not None and self._clamp.barcode == barcode else None

    def leave(self, how: BoardGoneHow | None = None) -> None:
        """The board leaves the clamp now. LocalError if there is none."""
        clamp = self._clamp
        if clamp is None:
            raise LocalError("no board is at the clamp")
        self._leave(clamp, how)
        self._run()

    def ack(self, level: bool) -> None:
        """Move the PLC's ACK line."""
        self._ack_level, self._ack_ns = level, None
        self.gate.plc_ack(level, self._now_ns)
        self._run()

    def reset(self) -> None:
        """The operator's key."""
        self.gate.operator_reset(self._now_ns)
        self._run()

    def restart(self) -> None:
        """Cut the gate's power and give it back; its stored settings survive."""
        if self._clamp is not None and self._clamp.result is None:
            self._finish("tripped", "gate restarted")
        self._power_on(self.gate.settings)
        if self._clamp is not None:  # the sensor still sees it
            self.gate.board_arrives(self._clamp.barcode, self._clamp.lane, self._now_ns)
        if self._ack_level:
            self.gate.plc_ack(True, self._now_ns)
        self._run()

    def relay_fault(self, stuck_on: Outputs, stuck_off: Outputs) -> None:
        """Weld contacts or keep them open; NONE and NONE repairs."""
        self.gate.inject_relay_fault(stuck_on=stuck_on, stuck_off=stuck_off)
        self.tick(self._now_ns)

    # ---- the machine ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        """Until nothing more follows at this moment."""
        self._read_log()
        self._move_ack()
        self._take_away()
        self._next_board()
        self._read_log()

    def _read_log(self) -> None:
        while self._seen < self.gate.log.total:
            fresh = self.gate.log.since(self._seen)
            self._seen = self.gate.log.total
            for entry in fresh:
                self._on_entry(entry)

    def _on_entry(self, entry: LogEntry) -> None:
        clamp = self._clamp
        if clamp is not None and entry.what is GateWhat.TOKEN_OPENED:
            clamp.token, clamp.token_ns, clamp.verdict = entry.token, entry.t_ns, "window_expired"
        self._emit(
            SimEvent(
                event=_event_name(entry),
                t_ns=entry.t_ns,
                token=entry.token,
                barcode=clamp.barcode if clamp is not None and entry.token in (clamp.token, None) else None,
                detail=entry.detail or None,
            )
        )
        if clamp is not None and clamp.result is None:
            self._follow(clamp, entry)

    def _follow(self, clamp: _AtClamp, entry: LogEntry) -> None:
        """What the board at the clamp learns from an entry of the gate's log."""
        if entry.what is GateWhat.VERDICT:
            clamp.verdict = entry.detail
        elif entry.what is GateWhat.RESULT_VALID_ON:
            clamp.us = (entry.t_ns - clamp.token_ns) // 1000
            if not self._settings.manual_ack:
                self._ack_ns = entry.t_ns + self._settings.ack_after_ms * MS_NS
        elif entry.what is GateWhat.RESULT_VALID_OFF and self.gate.state is GateState.RESULT:
            self._finish(clamp.verdict)  # the PLC has taken it
        elif entry.what is GateWhat.TRIP and clamp.token is not None:
            self._finish("tripped", entry.detail)
        elif entry.what is GateWhat.TOKEN_VOID:
            clamp.token = clamp.us = None  # a new HELLO: it gets another token

    def _finish(self, result: str, detail: str | None = None) -> None:
        clamp = self._clamp
        assert clamp is not None
        clamp.result = result
        if not self._settings.manual:
            clamp.leave_ns = self._now_ns + self._settings.travel_ms * MS_NS
        self._emit(
            SimEvent(
                event="result",
                t_ns=self._now_ns,
                barcode=clamp.barcode,
                token=clamp.token,
                result=result,
                us=clamp.us,
                detail=detail,
            )
        )

    def _move_ack(self) -> None:
        """The PLC's half of the four phases: ACK up after RESULT_VALID, down once it has dropped."""
        valid = Outputs.RESULT_VALID in self.gate.outputs
        if self._ack_ns is not None and self._now_ns >= self._ack_ns:
            self._ack_ns = None
            if valid != self._ack_level:
                self._ack_level = valid
                self.gate.plc_ack(valid, self._now_ns)
                self._read_log()
        if self._ack_level and not self._settings.manual_ack and self._ack_ns is None:
            self._ack_ns = self._now_ns + self._settings.ack_after_ms * MS_NS

    def _take_away(self) -> None:
        clamp = self._clamp
        if clamp is None:
            return
        patience_ns = int(self._settings.patience_s * S_NS)
        if clamp.result is None and clamp.token is None and self._now_ns >= clamp.arrived_ns + patience_ns:
            self._finish("tripped", "no station")
        if clamp.leave_ns is not None and self._now_ns >= clamp.leave_ns:
            self._leave(clamp, None)

    def _leave(self, clamp: _AtClamp, how: BoardGoneHow | None) -> None:
        self.gate.board_leaves(how or _LEAVES.get(clamp.result or "", BoardGoneHow.PULLED), self._now_ns)
        self._read_log()
        if clamp.result is None:
            self._finish("hold", "pulled before its result")
        self._clamp = None

    def _next_board(self) -> None:
        if self._clamp is None and self._belt:
            barcode, lane = self._belt.popleft()
            self._clamp = _AtClamp(barcode=barcode, lane=lane, arrived_ns=self._now_ns)
            self.gate.board_arrives(barcode, lane, self._now_ns)


def _event_name(entry: LogEntry) -> str:
    if entry.what is GateWhat.TOKEN_OPENED:
        return "board"
    if entry.what is GateWhat.VERDICT_REFUSED and entry.detail.endswith(" late"):
        return "late"
    name: str = entry.what.value
    return name
