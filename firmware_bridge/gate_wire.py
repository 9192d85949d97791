"""The gate's traffic: sequence numbers, answers kept for repeats, events repeated until read, NAKs at most 10/s.

Knows nothing of boards and relays; `gate.py` does. Sans-I/O, bounded throughout.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass

from firmware_bridge.frames import Body, FrameDecoder, Nak, NakCode
from firmware_bridge.outbox import Outbox
from firmware_bridge.timing import NAK_BAD_FRAME_PER_S, NAK_PER_S, S_NS, retransmit_wait_ns, seq_after

MAX_ANSWERS = 8  # the station has one command outstanding; older repeats are strays
MAX_EVENTS = 8  # BOARD and BOARD_GONE of four boards nobody listened to
MAX_EVENT_SENDS = 10  # about 0.9 s; by then the window or the link trip decides
MAX_NONCES = 64  # changes of status within ECHO_MAX_AGE at the simulator's fastest


class NakLimiter:
    """At most 10 NAKs in any second, of which at most 5 for frames that were no frames."""

    def __init__(self) -> None:
        self._sent: deque[tuple[int, bool]] = deque(maxlen=NAK_PER_S)

    def allow(self, now_ns: int, *, bad_frame: bool) -> bool:
        while self._sent and now_ns - self._sent[0][0] >= S_NS:
            self._sent.popleft()
        bad_sent = sum(bad for _, bad in self._sent)
        if len(self._sent) >= NAK_PER_S or (bad_frame and bad_sent >= NAK_BAD_FRAME_PER_S):
            return False
        self._sent.append((now_ns, bad_frame))
        return True


@dataclass(slots=True, kw_only=True)
class _EventOut:
    body: Body
    seq: int
    times_sent: int = 0
    due_ns: int = 0


@dataclass(slots=True)
class WireCounters:
    """Frames the gate dropped, by reason. Broken frames are counted by the decoder."""

    unknown_session: int = 0
    unexpected: int = 0
    stale: int = 0
    naks: int = 0
    events_given_up: int = 0


class GateWire:
    """Frames in and out for one gate, across its sessions."""

    def __init__(self, first_seq: int) -> None:
        self.decoder = FrameDecoder()
        self.outbox = Outbox(first_seq)
        self.counters = WireCounters()
        self.session = 0
        self._naks = NakLimiter()
        self._bad_reported = 0
        self.begin(0, 0)

    def begin(self, session: int, hello_seq: int) -> None:
        """A new session: everything of the old one is forgotten."""
        self.session = session
        self.command_seq = hello_seq
        self._beat_seq = hello_seq
        self._answers: OrderedDict[int, Body | None] = OrderedDict()
        self._events: deque[_EventOut] = deque()
        self._nonces: deque[tuple[int, int]] = deque(maxlen=MAX_NONCES)

    # ---- in ---------------------------------------------------------------------------------------------------------

    def fresh_beat(self, seq: int) -> bool:
        """True, once, for a heartbeat later than all before."""
        if not seq_after(seq, self._beat_seq):
            self.counters.stale += 1
            return False
        self._beat_seq = seq
        return True

    def fresh_command(self, seq: int, now_ns: int) -> bool:
        """True, once, for a new command. A repeat gets the answer it had; an older stray is dropped."""
        if seq in self._answers:
            self._resend_answer(seq, now_ns)
            return False
        if not seq_after(seq, self.command_seq):
            self.counters.stale += 1
            return False
        self.command_seq = seq
        self._answers[seq] = None  # not answered yet
        while len(self._answers) > MAX_ANSWERS:
            self._answers.popitem(last=False)
        return True

    def event_read(self, ack: int) -> None:
        """The station names the last BOARD or BOARD_GONE it received."""
        if self._events and self._events[0].times_sent and self._events[0].seq == ack:
            self._events.popleft()

    def echo_age_ns(self, nonce: int, now_ns: int) -> int | None:
        """How long ago this nonce was sent; None if never, or longer ago than anyone remembers."""
        return next((now_ns - t_ns for known, t_ns in reversed(self._nonces) if known == nonce), None)

    # ---- out --------------------------------------------------------------------------------------------------------

    def sent_nonce(self, nonce: int, now_ns: int) -> None:
        self._nonces.append((nonce, now_ns))

    def answer(self, seq: int, body: Body, now_ns: int) -> None:
        """Answer a command, and keep the answer for its repeats."""
        self._answers[seq] = body
        self._resend_answer(seq, now_ns)

    def _resend_answer(self, seq: int, now_ns: int) -> None:
        body = self._answers[seq]
        if body is not None:
            self.put_answer(body, seq, now_ns)

    def put_answer(self, body: Body, seq: int, now_ns: int) -> None:
        """Send an answer without keeping it."""
        if isinstance(body, Nak):
            self._put_nak(body, seq, now_ns, bad_frame=False)
        else:
            self.outbox.put(body, session=self.session, ack=seq)

    def nak(self, code: NakCode, detail: int, ack: int, now_ns: int, *, bad_frame: bool = False) -> None:
        self._put_nak(Nak(code=code, detail=detail), ack, now_ns, bad_frame=bad_frame)

    def _put_nak(self, body: Nak, ack: int, now_ns: int, *, bad_frame: bool) -> None:
        if self._naks.allow(now_ns, bad_frame=bad_frame):
            self.counters.naks += 1
            self.outbox.put(body, session=self.session, ack=ack)

    def nak_bad_frames(self, now_ns: int) -> None:
        """Report broken frames since the last time, if any."""
        total = self.decoder.counters.bad_total
        if total != self._bad_reported:
            self._bad_reported = total
            self.nak(NakCode.BAD_FRAME, total & 0xFFFF_FFFF, 0, now_ns, bad_frame=True)

    def put(self, body: Body) -> None:
        """Send once; STATUS and FAULT are repeated by their nature."""
        self.outbox.put(body, session=self.session, ack=self.command_seq)

    def queue_event(self, body: Body) -> None:
        """BOARD or BOARD_GONE: in order, each repeated until the station has read it."""
        if len(self._events) >= MAX_EVENTS:
            self._events.popleft()
            self.counters.events_given_up += 1
        self._events.append(_EventOut(body=body, seq=self.outbox.next_seq()))

    def drop_events(self) -> None:
        self._events.clear()

    def send_events(self, now_ns: int) -> None:
        while self._events and now_ns >= self._events[0].due_ns:
            event = self._events[0]
            if event.times_sent >= MAX_EVENT_SENDS:
                self._events.popleft()
                self.counters.events_given_up += 1
                continue
            self.outbox.put(event.body, session=self.session, ack=self.command_seq, seq=event.seq)
            event.times_sent += 1
            event.due_ns = now_ns + retransmit_wait_ns(event.times_sent)

    def event_due_ns(self) -> int | None:
        return self._events[0].due_ns if self._events else None
