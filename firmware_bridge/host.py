"""The station's end of the gate link: bytes and times in, bytes and events out. No ports, threads or clocks.

Promises: a verdict goes out only for the token that is open now and only once; one command is outstanding at a time, it
is repeated three times and then fails aloud; nothing it receives makes it raise. It never moves the loop counter by
itself. It leaves to its owner: reading before ticking, writing `outgoing()`, and journalling a verdict before sending
it (I5: `send_verdict` is the only way to a PASS, so the owner's one call to it is the place to look at).
"""

import enum
import os
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from firmware_bridge import frames, host_events
from firmware_bridge.errors import LocalError
from firmware_bridge.frames import GateState, Inputs, NakCode, TripReason, VerdictCode
from firmware_bridge.host_events import CommandFailed, CommandKind, DownReason, Event, HostCounters
from firmware_bridge.outbox import Outbox
from firmware_bridge.timing import (
    HEARTBEAT_NS,
    LINK_TRIP_NS,
    REOPEN_MAX_NS,
    REOPEN_MIN_NS,
    RETRANSMIT_NS,
    WINDOW_MAX_MS,
    WINDOW_MIN_MS,
    retransmit_wait_ns,
    seq_after,
)

MAX_QUEUED_COMMANDS = 4  # one board's verdict, a lease and a query: more means the owner does not listen
MAX_SEEN_TOKENS = 32  # a repeat of an old BOARD can come only within the gate's ten repeats


class HostState(enum.Enum):
    DOWN = "down"  # no port
    OPENING = "opening"  # HELLO is out
    UP = "up"
    WAITING = "waiting"  # before the next HELLO
    WAITING_LOOP = "waiting_loop"  # the gate tripped on a frozen loop: no HELLO until the counter moves


class HostInput(enum.Enum):
    REOPEN = "reopen"
    ACKED = "acked"
    FAILED = "failed"
    FROZEN = "frozen"
    RETRY = "retry"
    PORT_LOST = "port_lost"


_S, _I = HostState, HostInput
TRANSITIONS: Mapping[tuple[HostState, HostInput], HostState] = MappingProxyType(
    {
        (_S.DOWN, _I.REOPEN): _S.OPENING,
        (_S.OPENING, _I.REOPEN): _S.OPENING,
        (_S.OPENING, _I.ACKED): _S.UP,
        (_S.OPENING, _I.FAILED): _S.WAITING,
        (_S.OPENING, _I.PORT_LOST): _S.DOWN,
        (_S.UP, _I.REOPEN): _S.OPENING,
        (_S.UP, _I.FAILED): _S.WAITING,
        (_S.UP, _I.FROZEN): _S.WAITING_LOOP,
        (_S.UP, _I.PORT_LOST): _S.DOWN,
        (_S.WAITING, _I.REOPEN): _S.OPENING,
        (_S.WAITING, _I.RETRY): _S.OPENING,
        (_S.WAITING, _I.PORT_LOST): _S.DOWN,
        (_S.WAITING_LOOP, _I.REOPEN): _S.OPENING,
        (_S.WAITING_LOOP, _I.RETRY): _S.OPENING,
        (_S.WAITING_LOOP, _I.PORT_LOST): _S.DOWN,
    }
)


@dataclass(slots=True, kw_only=True)
class _Command:
    """Something that needs an answer. HELLO has no kind."""

    kind: CommandKind | None
    body: frames.Body
    seq: int = 0
    times_sent: int = 0
    due_ns: int = 0

    def failed(self, why: str, code: NakCode | None = None) -> list[Event]:
        if self.kind is None:
            return []
        verdict = self.body if isinstance(self.body, frames.Verdict) else None
        return [
            CommandFailed(
                what=self.kind,
                why=why,
                code=code,
                token=verdict.token if verdict else None,
                verdict_seq=verdict.verdict_seq if verdict else None,
            )
        ]


class HostSession:
    """One station's session with one gate. Not for use from several threads."""

    def __init__(
        self, *, bundle_set: bytes = bytes(8), random_bytes: Callable[[int], bytes] = os.urandom, loop_counter: int = 0
    ) -> None:
        """`bundle_set`: first 8 bytes of the SHA-256 over the station's bundles. LocalError if not 8 bytes."""
        if len(bundle_set) != 8:
            raise LocalError(f"bundle_set: must be 8 bytes, got {len(bundle_set)}")
        self._bundle_set, self._random = bundle_set, random_bytes
        self._decoder = frames.FrameDecoder()
        self._outbox = Outbox(int.from_bytes(random_bytes(4), "little"))
        self._state = HostState.DOWN
        self._now_ns = 0
        self._loop_counter = loop_counter & frames.U32_MAX
        self._counts = {"foreign": 0, "naks": 0, "retransmits": 0, "up": 0, "down": 0}
        self._reopen_wait_ns, self._up_since_ns = REOPEN_MIN_NS, 0
        self._retry_ns: int | None = None
        self._counter_at_trip = 0
        self._last_down: DownReason | None = None
        self._forget_session()

    def _forget_session(self) -> None:
        self._session = 0
        self._outstanding: _Command | None = None
        self._queue: deque[_Command] = deque()
        self._open_token: int | None = None
        self._judged = False
        self._seen_tokens: deque[int] = deque(maxlen=MAX_SEEN_TOKENS)
        self._lease_id: int | None = None
        self._echo = 0
        self._event_ack = 0
        self._status_seq: int | None = None
        self._last_status: host_events.GateStatus | None = None
        self._last_valid_ns = 0
        self._heartbeat_ns = 0

    # ---- what the owner may ask -------------------------------------------------------------------------------------

    @property
    def state(self) -> HostState:
        return self._state

    @property
    def session(self) -> int | None:
        return self._session if self._state is HostState.UP else None

    @property
    def open_token(self) -> int | None:
        """The token that a verdict may be sent for, if any."""
        return None if self._judged else self._open_token

    @property
    def lease_id(self) -> int | None:
        """The lease the gate confirmed, if any."""
        return self._lease_id

    @property
    def gate_status(self) -> host_events.GateStatus | None:
        return self._last_status

    @property
    def counters(self) -> HostCounters:
        bad = self._decoder.counters
        return HostCounters(
            frames_in=bad.frames,
            frames_out=self._outbox.frames_out,
            crc_errors=bad.crc_errors,
            bad_frames=bad.bad_total,
            resyncs=bad.resyncs,
            foreign_frames=self._counts["foreign"],
            naks=self._counts["naks"],
            retransmits=self._counts["retransmits"],
            outgoing_dropped=self._outbox.dropped,
            links_up=self._counts["up"],
            links_down=self._counts["down"],
        )

    def next_deadline_ns(self) -> int | None:
        """When `tick` has work at the latest; None if nothing is due before more bytes or a `reopen`."""
        if self._state is HostState.DOWN:
            return None
        due = []
        if self._state is HostState.WAITING and self._retry_ns is not None:
            due.append(self._retry_ns)
        if self._state is HostState.WAITING_LOOP and self._loop_counter != self._counter_at_trip:
            due.append(self._now_ns)
        if self._outstanding is not None:
            due.append(self._outstanding.due_ns)
        if self._state is HostState.UP:
            due += [self._heartbeat_ns, self._last_valid_ns + LINK_TRIP_NS]
            if self._queue and self._outstanding is None:
                due.append(self._now_ns)
        return min(due, default=None)

    # ---- the wire ---------------------------------------------------------------------------------------------------

    def reopen(self, now_ns: int) -> list[Event]:
        """The port is open (again): start with a new HELLO. Ends a session that was up."""
        self._now_ns = max(now_ns, self._now_ns)
        events = self._end(DownReason.PORT_LOST, "reopened") if self._state is HostState.UP else []
        self._move(HostInput.REOPEN)
        self._decoder.reset()
        self._say_hello()
        return events

    def port_lost(self, now_ns: int, detail: str = "") -> list[Event]:
        """The port is gone. Call `reopen` when it is back."""
        self._now_ns = max(now_ns, self._now_ns)
        if self._state is HostState.DOWN:
            return []
        events = self._end(DownReason.PORT_LOST, detail)
        self._outbox.clear()
        self._move(HostInput.PORT_LOST)
        return events

    def receive(self, data: bytes, now_ns: int) -> list[Event]:
        """Take bytes off the wire, then do what `tick` does. Read all there is before ticking: a station that was
        busy for 300 ms must not call a link silent whose frames lie in its buffer."""
        self._now_ns = max(now_ns, self._now_ns)
        events: list[Event] = []
        for frame in self._decoder.feed(data):
            events += self._on_frame(frame)
        return events + self.tick(now_ns)

    def tick(self, now_ns: int) -> list[Event]:
        """Do what is due: heartbeats, repeats, faults."""
        self._now_ns = max(now_ns, self._now_ns)
        if self._state is HostState.WAITING:
            self._retry_when_due()
        elif self._state is HostState.WAITING_LOOP:
            self._retry_when_loop_moved()
        events = self._check_silence() + self._check_outstanding()
        if self._state is HostState.UP:
            self._send_next()
            self._beat_when_due()
        return events

    def outgoing(self) -> bytes:
        """Bytes to write now. What is not taken within about 0.2 s of line time is lost, oldest first."""
        return self._outbox.take()

    # ---- what the owner commands ------------------------------------------------------------------------------------

    def set_loop_counter(self, counter: int) -> None:
        """The inspector's loop counter as it last reported it. Sent with the next heartbeat."""
        self._loop_counter = counter & frames.U32_MAX

    def send_verdict(self, token: int, code: VerdictCode, reason: int, verdict_seq: int, now_ns: int) -> None:
        """Send the one verdict for the open token. Journal it first (I5).

        Answered by VerdictConfirmed or CommandFailed. Raises LocalError, and sends nothing, without a session, for
        any other token, for a second verdict, or when the queue is full.
        """
        if self._state is not HostState.UP:
            raise LocalError(f"verdict for token {token:#010x}: no session with the gate (link is {self._state.value})")
        if token != self._open_token:
            is_open = "none" if self._open_token is None else f"{self._open_token:#010x}"
            raise LocalError(f"verdict for token {token:#010x}: not the open token ({is_open})")
        if self._judged:
            raise LocalError(f"verdict for token {token:#010x}: it had its verdict")
        body = frames.Verdict(token=token, code=code, reason=reason, verdict_seq=verdict_seq)
        self._enqueue(CommandKind.VERDICT, body)
        self._judged = True
        self._now_ns = max(now_ns, self._now_ns)
        self._send_next()

    def hold(self, lease_id: int) -> None:
        """Ask the gate to take the line out of service; sent at the next tick. Answered by LeaseChanged or
        CommandFailed. Raises LocalError without a session or while another lease is held."""
        if self._lease_id not in (None, lease_id):
            raise LocalError(f"hold {lease_id}: lease {self._lease_id} is held, release it first")
        self._enqueue(CommandKind.HOLD, frames.Hold(lease_id=lease_id))

    def release(self, lease_id: int) -> None:
        """Put the line back in service; as `hold`."""
        self._enqueue(CommandKind.RELEASE, frames.Release(lease_id=lease_id))

    def query(self) -> None:
        """Ask for the gate's stored configuration. Answered by ConfigReported."""
        self._enqueue(CommandKind.QUERY, frames.Query())

    def configure(self, *, window_ms: int, latch: bool, polarity: frames.Polarity = frames.Polarity.NONE) -> None:
        """Commissioning: store this in the gate. Answered by ConfigReported or CommandFailed."""
        if not WINDOW_MIN_MS <= window_ms <= WINDOW_MAX_MS:
            raise LocalError(f"window_ms: must be {WINDOW_MIN_MS} to {WINDOW_MAX_MS}, got {window_ms}")
        crc = frames.config_crc(window_ms, int(latch), polarity)
        self._enqueue(
            CommandKind.CONFIG, frames.Config(window_ms=window_ms, latch=int(latch), polarity=polarity, crc=crc)
        )

    # ---- commands and their repeats ---------------------------------------------------------------------------------

    def _enqueue(self, kind: CommandKind, body: frames.Body) -> None:
        if self._state is not HostState.UP:
            raise LocalError(f"{kind.value}: no session with the gate (link is {self._state.value})")
        if len(self._queue) >= MAX_QUEUED_COMMANDS:
            raise LocalError(f"{kind.value}: {len(self._queue)} commands wait for the gate already")
        self._queue.append(_Command(kind=kind, body=body))

    def _send_next(self) -> None:
        if self._outstanding is None and self._queue:
            self._start(self._queue.popleft())

    def _start(self, command: _Command) -> None:
        command.seq = self._outbox.next_seq()
        self._outstanding = command
        self._transmit(command)

    def _transmit(self, command: _Command) -> None:
        self._outbox.put(command.body, session=self._session, ack=self._event_ack, seq=command.seq)
        command.times_sent += 1
        command.due_ns = self._now_ns + retransmit_wait_ns(command.times_sent)

    def _check_outstanding(self) -> list[Event]:
        command = self._outstanding
        if command is None or self._now_ns < command.due_ns:
            return []
        if command.times_sent <= len(RETRANSMIT_NS):
            self._counts["retransmits"] += 1
            self._transmit(command)
            return []
        if command.kind is None:
            return self._fail(DownReason.NO_ANSWER, f"no answer to {command.times_sent} HELLOs")
        return self._fail(DownReason.UNANSWERED, f"{command.kind.value} sent {command.times_sent} times")

    # ---- session ----------------------------------------------------------------------------------------------------

    def _move(self, what: HostInput) -> None:
        self._state = TRANSITIONS[self._state, what]

    def _say_hello(self) -> None:
        self._forget_session()
        self._outbox.clear()
        self._outbox.put_delimiter()
        body = frames.Hello(
            boot_nonce=self._random(8), proto=frames.PROTO, layout=frames.LAYOUT_HASH, bundle_set=self._bundle_set
        )
        self._start(_Command(kind=None, body=body))

    def _retry_when_due(self) -> None:
        if self._retry_ns is not None and self._now_ns >= self._retry_ns:
            self._move(HostInput.RETRY)
            self._say_hello()

    def _retry_when_loop_moved(self) -> None:
        if self._loop_counter != self._counter_at_trip:
            self._move(HostInput.RETRY)
            self._say_hello()

    def _check_silence(self) -> list[Event]:
        if self._state is HostState.UP and self._now_ns >= self._last_valid_ns + LINK_TRIP_NS:
            return self._fail(DownReason.SILENT, f"no valid frame for {LINK_TRIP_NS // 1_000_000} ms")
        return []

    def _fail(self, reason: DownReason, detail: str) -> list[Event]:
        events = self._end(reason, detail)
        if reason is DownReason.LOOP_FROZEN:
            self._counter_at_trip = self._loop_counter
            self._move(HostInput.FROZEN)
            return events
        self._move(HostInput.FAILED)
        self._retry_ns = self._now_ns + self._reopen_wait_ns
        self._reopen_wait_ns = min(2 * self._reopen_wait_ns, REOPEN_MAX_NS)
        return events

    def _end(self, reason: DownReason, detail: str) -> list[Event]:
        """Everything of the session is void; say so, but a failed retry of the same kind only once."""
        was_up = self._state is HostState.UP
        pending = ([self._outstanding] if self._outstanding else []) + list(self._queue)
        events = [event for command in pending for event in command.failed(f"{reason.value}: {detail}")]
        if was_up and self._now_ns - self._up_since_ns >= REOPEN_MAX_NS:
            self._reopen_wait_ns = REOPEN_MIN_NS  # it worked for a while: try again soon
        if was_up or reason is not self._last_down:
            self._counts["down"] += 1
            events.append(host_events.LinkDown(reason=reason, detail=detail))
        self._last_down = reason
        self._forget_session()
        return events

    def _beat_when_due(self) -> None:
        if self._now_ns >= self._heartbeat_ns:
            body = frames.Heartbeat(loop_counter=self._loop_counter, echo=self._echo)
            self._outbox.put(body, session=self._session, ack=self._event_ack)
            self._heartbeat_ns = self._now_ns + HEARTBEAT_NS

    # ---- frames from the gate ---------------------------------------------------------------------------------------

    def _on_frame(self, frame: frames.Frame) -> list[Event]:
        if isinstance(frame.body, frames.HelloAck):
            return self._on_hello_ack(frame, frame.body)
        if isinstance(frame.body, frames.Nak):
            return self._on_nak(frame, frame.body)
        handler = self._HANDLERS.get(type(frame.body))
        if handler is None or self._state is not HostState.UP or frame.session != self._session:
            return self._foreign()
        return handler(self, frame)

    def _foreign(self) -> list[Event]:
        self._counts["foreign"] += 1
        return []

    def _answered(self, frame: frames.Frame, *kinds: CommandKind | None) -> _Command | None:
        """The outstanding command if this frame answers it and it is one of these kinds."""
        command = self._outstanding
        return command if command is not None and frame.ack == command.seq and command.kind in kinds else None

    def _on_hello_ack(self, frame: frames.Frame, body: frames.HelloAck) -> list[Event]:
        if self._state is not HostState.OPENING or self._answered(frame, None) is None:
            return self._foreign()
        if body.layout != frames.LAYOUT_HASH or body.session == 0 or body.session != frame.session:
            return self._fail(DownReason.LAYOUT_MISMATCH, _layout_words(body.layout))
        self._outstanding = None
        self._session = body.session
        self._echo = int.from_bytes(body.gate_nonce[:4], "little")
        self._last_valid_ns = self._up_since_ns = self._heartbeat_ns = self._now_ns
        self._last_down = None
        self._counts["up"] += 1
        self._move(HostInput.ACKED)
        version = f"{body.firmware >> 16}.{body.firmware >> 8 & 0xFF}.{body.firmware & 0xFF}"
        return [
            host_events.LinkUp(
                session=body.session, firmware=version, capabilities=body.capabilities, last_token=body.last_token
            )
        ]

    def _on_nak(self, frame: frames.Frame, body: frames.Nak) -> list[Event]:
        self._counts["naks"] += 1
        if self._state is HostState.OPENING and self._answered(frame, None) is not None:
            return self._on_hello_refused(body)
        if self._state is not HostState.UP:
            return []
        if body.code is NakCode.UNKNOWN_SESSION and body.detail == self._session:
            return self._fail(DownReason.GATE_RESTARTED, f"the gate does not know session {self._session}")
        command = self._answered(frame, *CommandKind)
        if frame.session != self._session or command is None or body.code is NakCode.BAD_FRAME:
            return []
        self._last_valid_ns = self._now_ns
        self._outstanding = None
        return command.failed(f"refused by the gate: {body.code.name.lower()} ({body.detail:#x})", body.code)

    def _on_hello_refused(self, body: frames.Nak) -> list[Event]:
        if body.code is NakCode.LAYOUT:
            return self._fail(DownReason.LAYOUT_MISMATCH, _layout_words(body.detail))
        if body.code is NakCode.LATCHED:
            return self._fail(DownReason.GATE_LATCHED, f"{_trip_words(body.detail)}; an operator must reset the gate")
        if body.code is NakCode.TRIPPED:
            return self._fail(DownReason.GATE_TRIPPED, f"{_trip_words(body.detail)}; and it still is so")
        return []

    def _on_status(self, frame: frames.Frame) -> list[Event]:
        body = frame.body
        assert isinstance(body, frames.Status)
        if self._status_seq is not None and not seq_after(frame.seq, self._status_seq):
            return self._foreign()
        self._status_seq, self._echo, self._last_valid_ns = frame.seq, body.nonce, self._now_ns
        events = self._lease_answered(frame, body)
        status = host_events.GateStatus(state=body.state, inputs=body.inputs, outputs=body.outputs, trip=body.trip)
        if status != self._last_status:
            self._last_status = status
            events.append(status)
        if body.state is GateState.TRIPPED:
            frozen = body.trip is TripReason.LOOP_FROZEN
            events += self._fail(DownReason.LOOP_FROZEN if frozen else DownReason.GATE_TRIPPED, body.trip.name.lower())
            self._last_status = status
        return events

    def _lease_answered(self, frame: frames.Frame, body: frames.Status) -> list[Event]:
        command = self._answered(frame, CommandKind.HOLD, CommandKind.RELEASE)
        leased = Inputs.LEASED in body.inputs
        if command is None or leased is not (command.kind is CommandKind.HOLD):
            return []
        assert isinstance(command.body, frames.Hold | frames.Release)
        self._outstanding = None
        self._lease_id = command.body.lease_id if leased else None
        return [host_events.LeaseChanged(lease_id=command.body.lease_id, held=leased)]

    def _on_board(self, frame: frames.Frame) -> list[Event]:
        body = frame.body
        assert isinstance(body, frames.Board)
        self._last_valid_ns = self._now_ns
        self._ack_event(frame.seq)
        if body.token in self._seen_tokens:
            return []
        events: list[Event] = []
        if self._open_token is not None:  # its BOARD_GONE never got through
            events += self._fail_queued_verdicts()
            events.append(host_events.BoardGone(token=self._open_token, how=frames.BoardGoneHow.PULLED))
        self._seen_tokens.append(body.token)
        self._open_token, self._judged = body.token, False
        return [*events, host_events.BoardPresent(token=body.token, lane=body.lane, barcode=body.barcode)]

    def _on_board_gone(self, frame: frames.Frame) -> list[Event]:
        body = frame.body
        assert isinstance(body, frames.BoardGone)
        self._last_valid_ns = self._now_ns
        self._ack_event(frame.seq)
        if body.token not in self._seen_tokens:  # its BOARD is still on the way: then it comes too late to matter
            self._seen_tokens.append(body.token)
            return []
        if body.token != self._open_token:
            return []
        self._open_token, self._judged = None, False
        return [*self._fail_queued_verdicts(), host_events.BoardGone(token=body.token, how=body.how)]

    def _fail_queued_verdicts(self) -> list[Event]:
        """A verdict that has not gone out yet must not go out for a board that has left."""
        stale = [each for each in self._queue if each.kind is CommandKind.VERDICT]
        self._queue = deque(each for each in self._queue if each.kind is not CommandKind.VERDICT)
        return [event for each in stale for event in each.failed("the board left before the verdict went out")]

    def _ack_event(self, seq: int) -> None:
        """The gate repeats BOARD and BOARD_GONE until it reads their seq in our ack: beat at once."""
        self._event_ack, self._heartbeat_ns = seq, self._now_ns

    def _on_verdict_ack(self, frame: frames.Frame) -> list[Event]:
        body = frame.body
        assert isinstance(body, frames.VerdictAck)
        self._last_valid_ns = self._now_ns
        command = self._answered(frame, CommandKind.VERDICT)
        if command is None:
            return self._foreign()
        sent = command.body
        assert isinstance(sent, frames.Verdict)
        if (body.token, body.code) != (sent.token, sent.code):
            detail = f"sent {sent.code.name} for {sent.token:#010x}, answer {body.code.name} for {body.token:#010x}"
            return self._fail(DownReason.BREACH, detail)
        self._outstanding = None
        return [
            host_events.VerdictConfirmed(
                token=body.token,
                code=body.code,
                outputs=body.outputs,
                us_since_board=body.us_since_board,
                verdict_seq=sent.verdict_seq,
            )
        ]

    def _on_config(self, frame: frames.Frame) -> list[Event]:
        body = frame.body
        assert isinstance(body, frames.Config)
        self._last_valid_ns = self._now_ns
        if self._answered(frame, CommandKind.CONFIG, CommandKind.QUERY) is None:
            return self._foreign()
        if body.crc != frames.config_crc(body.window_ms, body.latch, body.polarity):
            return self._fail(DownReason.BREACH, f"the gate's stored configuration is damaged: {body}")
        self._outstanding = None
        return [host_events.ConfigReported(window_ms=body.window_ms, latch=bool(body.latch), polarity=body.polarity)]

    def _on_fault(self, frame: frames.Frame) -> list[Event]:
        body = frame.body
        assert isinstance(body, frames.Fault)
        self._last_valid_ns = self._now_ns
        return [host_events.GateFault(code=body.code, detail=body.detail)]

    _HANDLERS: Mapping[type[frames.Body], Callable[["HostSession", frames.Frame], list[Event]]] = MappingProxyType(
        {
            frames.Status: _on_status,
            frames.Board: _on_board,
            frames.BoardGone: _on_board_gone,
            frames.VerdictAck: _on_verdict_ack,
            frames.Config: _on_config,
            frames.Fault: _on_fault,
        }
    )


def _layout_words(theirs: int) -> str:
    return (
        f"frame layout of the gate {theirs:#010x}, of this station {frames.LAYOUT_HASH:#010x}: update the older of "
        "the two (gate firmware or station software)"
    )


def _trip_words(value: int) -> str:
    known = {int(reason): reason.name.lower() for reason in TripReason}
    return f"tripped: {known.get(value, f'reason {value}')}"
