"""A station and a gate on a wire that exists only in virtual time: it can lose, double, delay and break frames.

`VirtualLine.run_until` steps both ends from deadline to deadline, so times are exact to the nanosecond.
"""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from firmware_bridge.frames import DELIMITER, Outputs, VerdictCode
from firmware_bridge.gate import GateSession, GateSettings
from firmware_bridge.gate_log import GateWhat, LogEntry
from firmware_bridge.host import HostSession
from firmware_bridge.host_events import BoardPresent, Event, VerdictConfirmed
from firmware_bridge.timing import MS_NS

WIRE_NS = 2 * MS_NS  # a frame's time on the wire

Fate = Callable[[bytes, int], list[tuple[int, bytes]]]  # (frame, now) -> [(delay, bytes that arrive)]


def perfect(frame: bytes, now_ns: int) -> list[tuple[int, bytes]]:
    return [(WIRE_NS, frame)]


def dead(frame: bytes, now_ns: int) -> list[tuple[int, bytes]]:
    return []


def lossy(rng: random.Random, *, loss: float, double: float, break_: float, jitter_ms: int) -> Fate:
    def fate(frame: bytes, now_ns: int) -> list[tuple[int, bytes]]:
        if rng.random() < loss:
            return []
        copies = 2 if rng.random() < double else 1
        return [(WIRE_NS + rng.randint(0, jitter_ms) * MS_NS, _broken(frame)) for _ in range(copies)]

    def _broken(frame: bytes) -> bytes:
        if rng.random() >= break_:
            return frame
        at = rng.randrange(len(frame))
        return frame[:at] + bytes([frame[at] ^ 1 << rng.randrange(8)]) + frame[at + 1 :]

    return fate


@dataclass
class VirtualLine:
    """`beat` moves the loop counter every 50 ms, as an inspector at rest does; `judge` answers every new board."""

    seed: int = 1
    settings: GateSettings = field(default_factory=GateSettings)
    to_gate: Fate = perfect
    to_host: Fate = perfect
    judge: Callable[[BoardPresent], VerdictCode | None] | None = None

    def __post_init__(self) -> None:
        self.now_ns = 1_000 * MS_NS
        self.rng = random.Random(self.seed)
        self.events: list[tuple[int, Event]] = []
        self.sent_to_gate: list[tuple[int, bytes]] = []
        self.sent_to_host: list[tuple[int, bytes]] = []
        self.old_log: list[LogEntry] = []  # of gates before their restart
        self.is_beating = True
        self._beats, self._beat_ns, self._verdicts = 0, self.now_ns, 0
        self._on_wire: list[tuple[int, int, str, bytes]] = []
        self._order = 0
        self.host = self._new_host()
        self.gate = self._new_gate()
        self.outputs_seen: list[tuple[int, Outputs]] = []
        self._note(self.host.reopen(self.now_ns))

    # ---- ends -------------------------------------------------------------------------------------------------------

    def _new_host(self) -> HostSession:
        return HostSession(random_bytes=self.rng.randbytes)

    def _new_gate(self) -> GateSession:
        return GateSession(self.now_ns, settings=self.settings, random_bytes=self.rng.randbytes)

    def restart_host(self) -> None:
        self.host = self._new_host()
        self._note(self.host.reopen(self.now_ns))

    def restart_gate(self) -> None:
        self.old_log += self.gate.log.entries()
        if Outputs.PASS in self.gate.outputs:  # no power, no relay
            self.old_log.append(LogEntry(t_ns=self.now_ns, what=GateWhat.PASS_OFF, token=None, detail="power cut"))
        if self.gate.open_token is not None:
            self.old_log.append(LogEntry(t_ns=self.now_ns, what=GateWhat.TOKEN_VOID, token=None, detail="power cut"))
        barcode = "again" if self.gate.inputs & 1 else None
        self.settings = self.gate.settings
        self.gate = self._new_gate()
        if barcode:
            self.gate.board_arrives(barcode, 0, self.now_ns)

    @property
    def log(self) -> list[LogEntry]:
        return self.old_log + self.gate.log.entries()

    def logged(self, *what: GateWhat) -> list[LogEntry]:
        return [entry for entry in self.log if entry.what in what]

    def seen(self, kind: type) -> list:
        return [event for _, event in self.events if isinstance(event, kind)]

    # ---- time -------------------------------------------------------------------------------------------------------

    def run(self, ms: float) -> None:
        self.run_until(self.now_ns + int(ms * MS_NS))

    def run_until(self, end_ns: int) -> None:
        self._pump()
        while (due_ns := self._next_ns()) <= end_ns:
            self.now_ns = max(due_ns, self.now_ns)
            self._step()
        self.now_ns = end_ns
        self._step()

    def _next_ns(self) -> int:
        due = [self._beat_ns, self.host.next_deadline_ns(), self.gate.next_deadline_ns()]
        due += [self._on_wire[0][0]] if self._on_wire else []
        return max(min(each for each in due if each is not None), self.now_ns)

    def _step(self) -> None:
        if self.now_ns >= self._beat_ns:
            self._beat_ns = self.now_ns + 50 * MS_NS
            self._beats += self.is_beating
            self.host.set_loop_counter(self._beats)
        arrived = {"gate": b"", "host": b""}
        while self._on_wire and self._on_wire[0][0] <= self.now_ns:
            _, _, end, data = heapq.heappop(self._on_wire)
            arrived[end] += data
        self.gate.receive(arrived["gate"], self.now_ns)
        self._note(self.host.receive(arrived["host"], self.now_ns))
        self._pump()
        self.outputs_seen.append((self.now_ns, self.gate.outputs))

    def _pump(self) -> None:
        ends = (
            ("gate", self.host, self.to_gate, self.sent_to_gate),
            ("host", self.gate, self.to_host, self.sent_to_host),
        )
        for end, source, fate, sent in ends:
            for chunk in source.outgoing().split(DELIMITER)[:-1]:
                frame = chunk + DELIMITER
                sent.append((self.now_ns, frame))
                for delay_ns, data in fate(frame, self.now_ns):
                    self._order += 1
                    heapq.heappush(self._on_wire, (self.now_ns + delay_ns, self._order, end, data))

    def _note(self, events: list[Event]) -> None:
        for event in events:
            self.events.append((self.now_ns, event))
            if isinstance(event, BoardPresent) and self.judge is not None:
                code = self.judge(event)
                if code is not None and self.host.open_token == event.token:
                    self.verdict(event.token, code)

    # ---- what tests do ----------------------------------------------------------------------------------------------

    def verdict(self, token: int, code: VerdictCode = VerdictCode.PASS) -> int:
        self._verdicts += 1
        self.host.send_verdict(token, code, 0, self._verdicts, self.now_ns)
        return self._verdicts

    def up(self) -> "VirtualLine":
        """Until boards are announced: a session, and a loop counter that has moved in it."""
        self.run(400)
        return self

    def open_board(self, barcode: str = "A1") -> int:
        token = self.gate.board_arrives(barcode, 0, self.now_ns)
        assert token is not None
        self.run(10)
        assert self.host.open_token == token
        return token

    def passed_board(self, barcode: str = "A1") -> int:
        """A board whose PASS is energised and confirmed."""
        token = self.open_board(barcode)
        self.verdict(token)
        self.run(20)
        assert Outputs.PASS in self.gate.outputs
        assert self.seen(VerdictConfirmed)[-1].token == token
        return token


def check_pass_invariants(line: VirtualLine) -> None:
    """I1, I2, I4, I6 over everything the gate ever did."""
    open_token: int | None = None
    opened_ns, results, verdict_for, leased, pass_on = 0, {}, None, False, False
    window_ns = line.settings.window_ms * MS_NS
    for entry in line.log:
        if entry.what is GateWhat.TOKEN_OPENED:
            assert not leased
            assert entry.token not in results, "a token was reused"
            open_token, opened_ns, verdict_for = entry.token, entry.t_ns, None
            results[entry.token] = 0
        elif entry.what is GateWhat.VERDICT:
            assert entry.token == open_token
            assert entry.t_ns - opened_ns < window_ns
            verdict_for = (entry.token, entry.detail)
            results[entry.token] += 1
        elif entry.what is GateWhat.WINDOW_EXPIRED:
            results[entry.token] += 1
        elif entry.what is GateWhat.PASS_ON:
            assert verdict_for == (open_token, "pass")
            assert entry.token == open_token
            pass_on = True
        elif entry.what is GateWhat.PASS_OFF:
            pass_on = False
        elif entry.what in (GateWhat.TOKEN_VOID, GateWhat.GONE, GateWhat.SESSION_OPENED, GateWhat.SESSION_REFUSED):
            assert not pass_on
            open_token = verdict_for = None
        elif entry.what is GateWhat.LEASE_HELD:
            assert open_token is None
            leased = True
        if entry.what in (GateWhat.LEASE_RELEASED, GateWhat.SESSION_OPENED, GateWhat.TRIP):
            leased = False
    assert all(count <= 1 for count in results.values()), "a token gave two results"
