"""The gate's end of the link: what the microcontroller that owns the relay does. No ports, threads or clocks.

Promises the invariants I1 to I7 of the protocol: PASS closes only for the open token, by a verdict of this session,
in time, once; silence, a frozen inspector, a restart or a relay that disagrees opens it. Every change of PASS and FAIL
is in `log` with its token. Timers run before any frame is looked at, so a frame that comes late is late. It leaves to
its owner to call `tick` by `next_deadline_ns()`; the gate's own watchdog trips when nobody does.
"""

import enum
import os
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from firmware_bridge import frames
from firmware_bridge.errors import LocalError
from firmware_bridge.frames import (
    BoardGoneHow,
    FaultCode,
    GateState,
    Inputs,
    NakCode,
    Outputs,
    Polarity,
    TripReason,
    VerdictCode,
)
from firmware_bridge.gate_log import GateLog, GateWhat
from firmware_bridge.gate_relay import RELAY_OUTPUTS, SimulatedRelay
from firmware_bridge.gate_wire import GateWire
from firmware_bridge.timing import (
    ECHO_MAX_AGE_NS,
    GATE_WATCHDOG_NS,
    LINK_TRIP_NS,
    LOOP_TRIP_NS,
    MS_NS,
    RELAY_SETTLE_NS,
    STATUS_NS,
    WINDOW_DEFAULT_MS,
    WINDOW_MAX_MS,
    WINDOW_MIN_MS,
)

FIRMWARE = 1 << 16  # 1.0.0
MAX_PAST_TOKENS = 64  # remembered within a session, to tell a late verdict from one for a token that had its own


class GateInput(enum.Enum):
    HELLO = "hello"
    HELLO_REFUSED = "hello_refused"
    TOKEN_OPENED = "token_opened"
    DECIDED = "decided"  # by a verdict or by the end of the window
    GONE = "gone"
    TRIP = "trip"


_S, _I = GateState, GateInput
TRANSITIONS: Mapping[tuple[GateState, GateInput], GateState] = MappingProxyType(
    {
        (_S.OFF, _I.HELLO): _S.IDLE,
        (_S.OFF, _I.HELLO_REFUSED): _S.OFF,
        (_S.OFF, _I.TRIP): _S.TRIPPED,
        (_S.IDLE, _I.HELLO): _S.IDLE,
        (_S.IDLE, _I.HELLO_REFUSED): _S.OFF,
        (_S.IDLE, _I.TOKEN_OPENED): _S.BOARD,
        (_S.IDLE, _I.TRIP): _S.TRIPPED,
        (_S.BOARD, _I.HELLO): _S.IDLE,
        (_S.BOARD, _I.HELLO_REFUSED): _S.OFF,
        (_S.BOARD, _I.DECIDED): _S.RESULT,
        (_S.BOARD, _I.GONE): _S.IDLE,
        (_S.BOARD, _I.TRIP): _S.TRIPPED,
        (_S.RESULT, _I.HELLO): _S.IDLE,
        (_S.RESULT, _I.HELLO_REFUSED): _S.OFF,
        (_S.RESULT, _I.GONE): _S.IDLE,
        (_S.RESULT, _I.TRIP): _S.TRIPPED,
        (_S.TRIPPED, _I.HELLO): _S.IDLE,
        (_S.TRIPPED, _I.HELLO_REFUSED): _S.TRIPPED,
    }
)

_RELAY_OF = {VerdictCode.PASS: Outputs.PASS, VerdictCode.FAIL: Outputs.FAIL, VerdictCode.HOLD: Outputs.NONE}
_RELAY_LOG = (
    (Outputs.PASS, GateWhat.PASS_ON, GateWhat.PASS_OFF),
    (Outputs.FAIL, GateWhat.FAIL_ON, GateWhat.FAIL_OFF),
    (Outputs.RESULT_VALID, GateWhat.RESULT_VALID_ON, GateWhat.RESULT_VALID_OFF),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """What commissioning stores in the gate; survives a restart."""

    window_ms: int = WINDOW_DEFAULT_MS
    latch: bool = False
    polarity: Polarity = Polarity.NONE

    def __post_init__(self) -> None:
        if not WINDOW_MIN_MS <= self.window_ms <= WINDOW_MAX_MS:
            raise LocalError(f"window_ms: must be {WINDOW_MIN_MS} to {WINDOW_MAX_MS}, got {self.window_ms}")

    def as_frame(self) -> frames.Config:
        crc = frames.config_crc(self.window_ms, int(self.latch), self.polarity)
        return frames.Config(window_ms=self.window_ms, latch=int(self.latch), polarity=self.polarity, crc=crc)


@dataclass(slots=True, kw_only=True)
class _BoardHere:
    """The board at the clamp. `handed_over`: the PLC took its result, it will not be judged again."""

    barcode: str
    lane: int
    token: int | None = None
    token_ns: int = 0
    handed_over: bool = False
    verdict: VerdictCode | None = None  # None while open, and when the window ended without one
    answer_due: int | None = None  # seq of the VERDICT to answer once the relay has settled


@dataclass(slots=True)
class _Session:
    """What holds only for one session."""

    last_valid_ns: int
    loop_counter: int | None = None
    loop_moved_ns: int = 0
    is_live: bool = False
    hello_nonce: bytes = b""
    hello_seq: int = 0
    hello_answer: frames.Body | None = None
    lease_id: int | None = None
    past_tokens: OrderedDict[int, bool] = field(default_factory=OrderedDict)  # token → it had a verdict


class GateSession:
    """One gate from power-on; making a new one is a restart. Not for use from several threads."""

    def __init__(
        self,
        now_ns: int,
        *,
        settings: GateSettings | None = None,
        relay: SimulatedRelay | None = None,
        random_bytes: Callable[[int], bytes] = os.urandom,
        watchdog_ns: int = GATE_WATCHDOG_NS,
    ) -> None:
        """`watchdog_ns`: the longest pause between two calls while a session is open. A desk computer needs more than
        the 100 ms a microcontroller keeps."""
        self.log = GateLog()
        self._settings = settings or GateSettings()
        self._relay = relay or SimulatedRelay()
        self._random, self._watchdog_ns = random_bytes, watchdog_ns
        self._wire = GateWire(self._random_u32())
        self._session = _Session(last_valid_ns=now_ns)
        self._next_session_id = self._random_u32() & 0xFFFF
        self._next_token = self._random_u32()  # boot-random, then counting: not reused before 2^32 boards
        self._last_token = 0
        self._state = GateState.OFF
        self._trip_reason, self._latched = TripReason.NONE, False
        self._outputs, self._driven_ns = Outputs.NONE, now_ns
        self._plc_ack = False
        self._board: _BoardHere | None = None
        self._now_ns, self._status_ns = now_ns, now_ns
        self._status_said: tuple[object, ...] = ()
        self._relay.drive(Outputs.NONE, now_ns)

    # ---- what one may look at ---------------------------------------------------------------------------------------

    @property
    def state(self) -> GateState:
        return self._state

    @property
    def trip_reason(self) -> TripReason:
        return self._trip_reason

    @property
    def settings(self) -> GateSettings:
        return self._settings

    @property
    def outputs(self) -> Outputs:
        """As driven."""
        return self._outputs

    @property
    def open_token(self) -> int | None:
        """The token of the board at the clamp, from its opening until the board leaves or the token is void."""
        return self._board.token if self._board else None

    @property
    def lease_id(self) -> int | None:
        return self._session.lease_id

    @property
    def is_latched(self) -> bool:
        return self._latched

    @property
    def wire(self) -> GateWire:
        """Counters and decoder, to look at."""
        return self._wire

    def read_back(self, now_ns: int) -> Outputs:
        """As the contacts are."""
        return self._relay.read_back(now_ns) | self._outputs & ~RELAY_OUTPUTS

    @property
    def inputs(self) -> Inputs:
        here = Inputs.BOARD_PRESENT if self._board else Inputs.NONE
        ack = Inputs.PLC_ACK if self._plc_ack else Inputs.NONE
        leased = Inputs.LEASED if self._session.lease_id is not None else Inputs.NONE
        return here | ack | leased | (Inputs.LATCHED if self._latched else Inputs.NONE)

    def next_deadline_ns(self) -> int | None:
        """When `tick` must be called at the latest; None without a session."""
        if not self._wire.session:
            return None
        due = [self._status_ns]
        if self._state is not GateState.TRIPPED:
            due += [self._now_ns + self._watchdog_ns // 2, self._session.last_valid_ns + LINK_TRIP_NS]
            due += [self._session.loop_moved_ns + LOOP_TRIP_NS]
        if self._now_ns < self._driven_ns + RELAY_SETTLE_NS:
            due.append(self._driven_ns + RELAY_SETTLE_NS)
        if self._state is GateState.BOARD:
            due.append(self._window_end_ns())
        event_ns = self._wire.event_due_ns()
        return min(due if event_ns is None else [*due, event_ns])

    # ---- the wire ---------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, now_ns: int) -> None:
        """Take bytes off the wire. Any bytes: what is no frame of this session changes nothing."""
        self._run_timers(now_ns)
        for frame in self._wire.decoder.feed(data):
            self._on_frame(frame)
        self._wire.nak_bad_frames(self._now_ns)
        self._finish()

    def tick(self, now_ns: int) -> None:
        """Do what is due."""
        self._run_timers(now_ns)
        self._finish()

    def outgoing(self) -> bytes:
        """Bytes to write now."""
        return self._wire.outbox.take()

    # ---- the machine ------------------------------------------------------------------------------------------------

    def board_arrives(self, barcode: str, lane: int, now_ns: int) -> int | None:
        """A board is present and clamped. Gives its token, or None while there can be none (no live session, a lease,
        tripped, PLC ACK still high); it then gets one as soon as there can. LocalError if one is clamped already."""
        if self._board is not None:
            raise LocalError(f"board {barcode!r}: board {self._board.barcode!r} is at the clamp")
        frames.Board(token=0, lane=lane, barcode=barcode)  # refuse here what could not be sent
        self._run_timers(now_ns)
        self._board = _BoardHere(barcode=barcode, lane=lane)
        self._finish()
        return self.open_token

    def board_leaves(self, how: BoardGoneHow, now_ns: int) -> None:
        """The clamp is empty. Whatever was on drops, the token is burned. LocalError if there was no board."""
        if self._board is None:
            raise LocalError("no board is at the clamp")
        self._run_timers(now_ns)
        board, token = self._board, self._board.token
        if token is not None:
            self._answer_pending(board)
            self._drive(Outputs.NONE)
            self._remember(token, board.verdict is not None)
            self._wire.queue_event(frames.BoardGone(token=token, how=how))
        self.log.add(self._now_ns, GateWhat.GONE, token, how.name.lower())
        self._board = None
        if self._state in (GateState.BOARD, GateState.RESULT):
            self._move(GateInput.GONE)
        self._finish()

    def plc_ack(self, level: bool, now_ns: int) -> None:
        """The PLC's ACK line. Its rise while RESULT_VALID is up ends the result; it must fall before the next board."""
        self._run_timers(now_ns)
        rises = level and not self._plc_ack
        self._plc_ack = level
        if rises and Outputs.RESULT_VALID in self._outputs and self._board is not None:
            self._board.handed_over = True
            self._drive(Outputs.NONE)
        self._finish()

    def operator_reset(self, now_ns: int) -> None:
        """The key at the gate: ends a latch. The next HELLO then ends the trip."""
        self._run_timers(now_ns)
        self._latched = False
        self.log.add(self._now_ns, GateWhat.RESET)
        self._finish()

    def inject_relay_fault(self, *, stuck_on: Outputs = Outputs.NONE, stuck_off: Outputs = Outputs.NONE) -> None:
        """Weld contacts shut or keep them from closing; both NONE repairs the relay."""
        self._relay.stuck_on, self._relay.stuck_off = stuck_on & RELAY_OUTPUTS, stuck_off & RELAY_OUTPUTS

    def inject_supply_fault(self, now_ns: int) -> None:
        """The supply monitor reports a brown-out."""
        self._run_timers(now_ns)
        self._trip(TripReason.SUPPLY)
        self._finish()

    # ---- timers, in the order in which they win ---------------------------------------------------------------------

    def _run_timers(self, now_ns: int) -> None:
        paused_ns = now_ns - self._now_ns
        self._now_ns = max(now_ns, self._now_ns)
        in_session = self._state in (GateState.IDLE, GateState.BOARD, GateState.RESULT)
        if in_session and paused_ns > self._watchdog_ns:
            self._trip(TripReason.WATCHDOG, paused_ns // MS_NS)
        if in_session and self._now_ns >= self._session.last_valid_ns + LINK_TRIP_NS:
            self._trip(TripReason.LINK_LOSS)
        if in_session and self._now_ns >= self._session.loop_moved_ns + LOOP_TRIP_NS:
            self._trip(TripReason.LOOP_FROZEN)
        self._check_contacts()
        if self._state is GateState.BOARD and self._now_ns >= self._window_end_ns():
            self._expire_window()

    def _finish(self) -> None:
        """After whatever happened: what may follow from it, and say so."""
        if self._state is GateState.RESULT:
            self._finish_result()
        self._open_token_if_possible()
        self._wire.send_events(self._now_ns)
        self._say_status_when_due()

    def _window_end_ns(self) -> int:
        assert self._board is not None
        return self._board.token_ns + self._settings.window_ms * MS_NS

    def _expire_window(self) -> None:
        self.log.add(self._now_ns, GateWhat.WINDOW_EXPIRED, self.open_token)
        self._move(GateInput.DECIDED)
        self._drive(Outputs.FAIL)

    def _check_contacts(self) -> None:
        """The relay must do as it was told; both contacts closed is a fault at any time."""
        contacts = self._relay.read_back(self._now_ns)
        detail = int(self._outputs & RELAY_OUTPUTS) << 8 | int(contacts)
        if contacts == RELAY_OUTPUTS:
            self._trip(TripReason.BOTH_OUTPUTS, detail)
        elif self._is_settled() and contacts != self._outputs & RELAY_OUTPUTS:
            self._trip(TripReason.RELAY_READBACK, detail)

    def _is_settled(self) -> bool:
        return self._now_ns >= self._driven_ns + RELAY_SETTLE_NS

    def _finish_result(self) -> None:
        """Once the data lines have settled: answer the verdict, and raise RESULT_VALID if the PLC's ACK is low."""
        board = self._board
        assert board is not None
        if not self._is_settled():
            return
        if not board.handed_over and not self._plc_ack and Outputs.RESULT_VALID not in self._outputs:
            self._set_outputs(self._outputs | Outputs.RESULT_VALID)
        self._answer_pending(board)

    def _answer_pending(self, board: _BoardHere) -> None:
        if board.answer_due is None or board.token is None or board.verdict is None:
            return
        us = min((self._now_ns - board.token_ns) // 1000, frames.U32_MAX)
        outputs = self.read_back(self._now_ns)
        answer = frames.VerdictAck(token=board.token, code=board.verdict, outputs=outputs, us_since_board=us)
        self._wire.answer(board.answer_due, answer, self._now_ns)
        board.answer_due = None

    def _open_token_if_possible(self) -> None:
        board = self._board
        if board is None or board.handed_over or self._state is not GateState.IDLE or not self._session.is_live:
            return
        if self._session.lease_id is not None or self._plc_ack or not self._is_settled():
            return
        board.token, board.token_ns = self._take_token(), self._now_ns
        board.verdict = board.answer_due = None
        self._move(GateInput.TOKEN_OPENED)
        self.log.add(self._now_ns, GateWhat.TOKEN_OPENED, board.token, board.barcode)
        self._wire.queue_event(frames.Board(token=board.token, lane=board.lane, barcode=board.barcode))

    def _take_token(self) -> int:
        self._last_token = self._next_token or 1  # 0 means "none"
        self._next_token = (self._last_token + 1) & frames.U32_MAX
        return self._last_token

    def _say_status_when_due(self) -> None:
        if not self._wire.session:
            return
        said = (self._state, self.inputs, self.read_back(self._now_ns), self._trip_reason)
        if said != self._status_said or self._now_ns >= self._status_ns:
            self._wire.put(self._status())

    def _status(self) -> frames.Status:
        outputs, nonce = self.read_back(self._now_ns), self._random_u32()
        self._status_said = (self._state, self.inputs, outputs, self._trip_reason)
        self._status_ns = self._now_ns + STATUS_NS
        self._wire.sent_nonce(nonce, self._now_ns)
        return frames.Status(
            inputs=self.inputs, outputs=outputs, state=self._state, nonce=nonce, trip=self._trip_reason
        )

    # ---- outputs: the only two places that change them --------------------------------------------------------------

    def _drive(self, relay: Outputs) -> None:
        """Drive PASS or FAIL or neither. RESULT_VALID drops: it belongs to what was there before."""
        self._relay.drive(relay, self._now_ns)
        if relay != self._outputs & RELAY_OUTPUTS:
            self._driven_ns = self._now_ns
        self._set_outputs(self._outputs & Outputs.HEALTHY | relay)

    def _set_outputs(self, wanted: Outputs) -> None:
        before, self._outputs = self._outputs, wanted
        for output, on, off in _RELAY_LOG:
            if output in before ^ wanted:
                self.log.add(self._now_ns, on if output in wanted else off, self.open_token)

    # ---- trips ------------------------------------------------------------------------------------------------------

    def _move(self, what: GateInput) -> None:
        self._state = TRANSITIONS[self._state, what]

    def _trip(self, reason: TripReason, detail: int = 0) -> None:
        if self._state is GateState.TRIPPED:
            return  # the first reason stays: the others follow from it
        self._drive(Outputs.NONE)
        self._set_outputs(Outputs.NONE)  # HEALTHY too
        self.log.add(self._now_ns, GateWhat.TRIP, self.open_token, reason.name.lower())
        self._trip_reason, self._latched = reason, self._settings.latch
        self._void_token(NakCode.TRIPPED, int(reason))
        self._session.hello_answer = None  # a repeat of the old HELLO must not look like a new one
        self._wire.drop_events()
        self._move(GateInput.TRIP)
        self._say_fault(reason, detail)

    def _say_fault(self, reason: TripReason, detail: int) -> None:
        codes = {
            TripReason.RELAY_READBACK: FaultCode.RELAY_READBACK,
            TripReason.BOTH_OUTPUTS: FaultCode.RELAY_READBACK,
            TripReason.WATCHDOG: FaultCode.WATCHDOG,
            TripReason.SUPPLY: FaultCode.SUPPLY,
        }
        if reason in codes and self._wire.session:
            self._wire.put(frames.Fault(code=codes[reason], detail=detail & frames.U32_MAX))

    def _void_token(self, code: NakCode, detail: int) -> None:
        """The token is worth nothing any more; the board is still there and may get another."""
        board = self._board
        if board is None or board.token is None:
            return
        if board.answer_due is not None:
            self._wire.answer(board.answer_due, frames.Nak(code=code, detail=detail), self._now_ns)
        self.log.add(self._now_ns, GateWhat.TOKEN_VOID, board.token)
        self._remember(board.token, board.verdict is not None)
        board.token = board.verdict = board.answer_due = None

    def _remember(self, token: int, had_verdict: bool) -> None:
        past = self._session.past_tokens
        past[token] = had_verdict
        while len(past) > MAX_PAST_TOKENS:
            past.popitem(last=False)

    # ---- frames from the station ------------------------------------------------------------------------------------

    def _on_frame(self, frame: frames.Frame) -> None:
        if isinstance(frame.body, frames.Hello):
            self._on_hello(frame, frame.body)
            return
        if not self._wire.session or frame.session != self._wire.session:
            self._wire.counters.unknown_session += 1
            self._wire.nak(NakCode.UNKNOWN_SESSION, frame.session, frame.seq, self._now_ns, bad_frame=True)
            return
        self._wire.event_read(frame.ack)
        if isinstance(frame.body, frames.Heartbeat):
            self._on_heartbeat(frame, frame.body)
        elif type(frame.body) in self._COMMANDS:
            self._on_command(frame)
        else:
            self._wire.counters.unexpected += 1
            self._wire.nak(NakCode.UNEXPECTED, frame.body.TYPE, frame.seq, self._now_ns, bad_frame=True)

    def _on_heartbeat(self, frame: frames.Frame, body: frames.Heartbeat) -> None:
        if self._state is GateState.TRIPPED or not self._wire.fresh_beat(frame.seq):
            return
        age_ns = self._wire.echo_age_ns(body.echo, self._now_ns)
        if age_ns is None or age_ns > ECHO_MAX_AGE_NS:  # it was stuck somewhere and says nothing about now
            self._wire.counters.stale += 1
            return
        session = self._session
        session.last_valid_ns = self._now_ns
        before, session.loop_counter = session.loop_counter, body.loop_counter
        # A counter that jumps back (the inspector was restarted) is a new start, not yet a movement.
        if before is not None and 0 < (body.loop_counter - before) & frames.U32_MAX < 0x8000_0000:
            session.loop_moved_ns = self._now_ns
            if not session.is_live:
                session.is_live = True
                self.log.add(self._now_ns, GateWhat.LIVE)

    def _on_command(self, frame: frames.Frame) -> None:
        if not self._wire.fresh_command(frame.seq, self._now_ns):
            return
        if self._state is GateState.TRIPPED:
            answer: frames.Body | None = frames.Nak(code=NakCode.TRIPPED, detail=self._trip_reason)
        else:
            self._session.last_valid_ns = self._now_ns
            answer = self._COMMANDS[type(frame.body)](self, frame)
        if answer is not None:
            self._wire.answer(frame.seq, answer, self._now_ns)

    def _on_hello(self, frame: frames.Frame, body: frames.Hello) -> None:
        session = self._session
        if (body.boot_nonce, frame.seq) == (session.hello_nonce, session.hello_seq):
            if session.hello_answer is not None:  # a repeat: the same answer, nothing happens again
                self._wire.put_answer(session.hello_answer, frame.seq, self._now_ns)
            return
        self._drive(Outputs.NONE)
        self._set_outputs(Outputs.NONE)
        self._void_token(NakCode.UNKNOWN_SESSION, self._wire.session)
        self._session = _Session(last_valid_ns=self._now_ns, loop_moved_ns=self._now_ns)
        self._session.hello_nonce, self._session.hello_seq = body.boot_nonce, frame.seq
        refusal = self._hello_refusal(body)
        if refusal is not None:
            self._refuse_hello(refusal, frame.seq)
        else:
            self._open_session(frame.seq)

    def _hello_refusal(self, body: frames.Hello) -> frames.Nak | None:
        if body.proto != frames.PROTO or body.layout != frames.LAYOUT_HASH:
            return frames.Nak(code=NakCode.LAYOUT, detail=frames.LAYOUT_HASH)
        if self._latched:
            return frames.Nak(code=NakCode.LATCHED, detail=self._trip_reason)
        if self._state is GateState.TRIPPED and self._relay.read_back(self._now_ns) != Outputs.NONE:
            return frames.Nak(code=NakCode.TRIPPED, detail=self._trip_reason)  # a welded contact: it would trip again
        return None

    def _refuse_hello(self, refusal: frames.Nak, seq: int) -> None:
        self._wire.begin(0, seq)
        self._session.hello_answer = refusal
        self._move(GateInput.HELLO_REFUSED)
        self.log.add(self._now_ns, GateWhat.SESSION_REFUSED, detail=refusal.code.name.lower())
        self._wire.put_answer(refusal, seq, self._now_ns)

    def _open_session(self, seq: int) -> None:
        session_id = self._next_session_id or 1  # 0 means "none"
        self._next_session_id = (session_id + 1) & 0xFFFF
        self._wire.begin(session_id, seq)
        nonce = self._random(8)
        self._wire.sent_nonce(int.from_bytes(nonce[:4], "little"), self._now_ns)
        self._move(GateInput.HELLO)
        self._trip_reason = TripReason.NONE
        self._set_outputs(Outputs.HEALTHY)
        self.log.add(self._now_ns, GateWhat.SESSION_OPENED, detail=str(session_id))
        answer = frames.HelloAck(
            session=session_id,
            gate_nonce=nonce,
            firmware=FIRMWARE,
            capabilities=0,
            last_token=self._last_token,
            layout=frames.LAYOUT_HASH,
        )
        self._session.hello_answer = answer
        self._wire.put_answer(answer, seq, self._now_ns)
        self._status_ns = self._now_ns

    # ---- commands: each gives its answer, or None when the answer comes later ---------------------------------------

    def _on_verdict(self, frame: frames.Frame) -> frames.Body | None:
        body, board = frame.body, self._board
        assert isinstance(body, frames.Verdict)
        if board is None or board.token is None or board.token != body.token or self._state is not GateState.BOARD:
            return self._refuse_verdict(body)
        board.verdict, board.answer_due = body.code, frame.seq
        self.log.add(self._now_ns, GateWhat.VERDICT, body.token, body.code.name.lower())
        self._move(GateInput.DECIDED)
        self._drive(_RELAY_OF[body.code])
        return None

    def _refuse_verdict(self, body: frames.Verdict) -> frames.Body:
        board, past = self._board, self._session.past_tokens
        had_verdict = past.get(body.token)
        if board is not None and board.token == body.token:
            had_verdict = board.verdict is not None
        code = {None: NakCode.UNKNOWN_TOKEN, False: NakCode.LATE, True: NakCode.TOKEN_REUSED}[had_verdict]
        self.log.add(self._now_ns, GateWhat.VERDICT_REFUSED, body.token, f"{body.code.name} {code.name}".lower())
        if code is NakCode.TOKEN_REUSED:
            self._trip(TripReason.TOKEN_REUSE)
        return frames.Nak(code=code, detail=body.token)

    def _on_hold(self, frame: frames.Frame) -> frames.Body:
        body = frame.body
        assert isinstance(body, frames.Hold)
        if self.open_token is not None:
            return frames.Nak(code=NakCode.TOKEN_OPEN, detail=self.open_token)
        if self._session.lease_id not in (None, body.lease_id):
            return frames.Nak(code=NakCode.LEASED, detail=self._session.lease_id or 0)
        self._session.lease_id = body.lease_id
        self.log.add(self._now_ns, GateWhat.LEASE_HELD, detail=str(body.lease_id))
        return self._status()

    def _on_release(self, frame: frames.Frame) -> frames.Body:
        body = frame.body
        assert isinstance(body, frames.Release)
        if self._session.lease_id != body.lease_id:
            return frames.Nak(code=NakCode.NO_LEASE, detail=body.lease_id)
        self._session.lease_id = None
        self.log.add(self._now_ns, GateWhat.LEASE_RELEASED, detail=str(body.lease_id))
        return self._status()

    def _on_query(self, frame: frames.Frame) -> frames.Body:
        return self._settings.as_frame()

    def _on_config(self, frame: frames.Frame) -> frames.Body:
        body = frame.body
        assert isinstance(body, frames.Config)
        if self.open_token is not None:
            return frames.Nak(code=NakCode.TOKEN_OPEN, detail=self.open_token)
        if body.crc != frames.config_crc(body.window_ms, body.latch, body.polarity) or body.latch > 1:
            return frames.Nak(code=NakCode.BAD_CONFIG, detail=body.window_ms)
        if not WINDOW_MIN_MS <= body.window_ms <= WINDOW_MAX_MS:
            return frames.Nak(code=NakCode.BAD_CONFIG, detail=body.window_ms)
        self._settings = GateSettings(window_ms=body.window_ms, latch=bool(body.latch), polarity=body.polarity)
        self.log.add(self._now_ns, GateWhat.CONFIGURED, detail=f"window_ms={body.window_ms} latch={body.latch}")
        return self._settings.as_frame()

    def _random_u32(self) -> int:
        return int.from_bytes(self._random(4), "little")

    _COMMANDS: Mapping[type[frames.Body], Callable[["GateSession", frames.Frame], frames.Body | None]] = (
        MappingProxyType(
            {
                frames.Verdict: _on_verdict,
                frames.Hold: _on_hold,
                frames.Release: _on_release,
                frames.Query: _on_query,
                frames.Config: _on_config,
            }
        )
    )
