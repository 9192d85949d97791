"""GL/1 frames: the layout both ends share, bytes to frames and back. Pure: no ports, threads or clocks.

Promises: `encode` sends nothing illegal (LocalError instead); `FrameDecoder.feed` takes any bytes in any split, never
raises, holds at most one frame's worth of bytes, and counts what it drops. What a frame *means* is left to `host.py`
and `gate.py`. A change to the layout changes LAYOUT_HASH, which both ends exchange at HELLO.
"""

import enum
import hashlib
import re
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from cobs import cobs

from firmware_bridge.errors import BadFrame, LocalError, PeerError

PROTO = 1
DELIMITER = b"\x00"

_HEADER = struct.Struct("<BBHIIB")  # version and flags, type, session, seq, ack, payload length
_CRC = struct.Struct("<I")
MAX_PAYLOAD_BYTES = 47
MIN_DECODED_BYTES = _HEADER.size + _CRC.size
MAX_DECODED_BYTES = MIN_DECODED_BYTES + MAX_PAYLOAD_BYTES  # 64
MAX_STUFFED_BYTES = MAX_DECODED_BYTES + 1  # COBS adds one byte to anything below 254
MAX_BARCODE_BYTES = 32

U16_MAX, U32_MAX = 0xFFFF, 0xFFFF_FFFF


class FrameType(enum.IntEnum):
    HELLO = 0x10
    HELLO_ACK = 0x11
    HEARTBEAT = 0x12
    STATUS = 0x13
    BOARD = 0x20
    BOARD_GONE = 0x21
    VERDICT = 0x22
    VERDICT_ACK = 0x23
    HOLD = 0x30
    RELEASE = 0x31
    QUERY = 0x32
    CONFIG = 0x33
    FAULT = 0x40
    NAK = 0x41


class VerdictCode(enum.IntEnum):
    """Any two are at least 4 bits apart, so no short burst turns one into another."""

    PASS = 0x69
    FAIL = 0x96
    HOLD = 0x5A


class BoardGoneHow(enum.IntEnum):
    PASSED = 1
    REJECTED = 2
    PULLED = 3


class GateState(enum.IntEnum):
    OFF = 0  # powered, no session
    IDLE = 1
    BOARD = 2  # a token is open, no result yet
    RESULT = 3
    TRIPPED = 4


class TripReason(enum.IntEnum):
    NONE = 0
    LINK_LOSS = 1
    LOOP_FROZEN = 2
    RELAY_READBACK = 3
    BOTH_OUTPUTS = 4
    TOKEN_REUSE = 5
    WATCHDOG = 6
    SUPPLY = 7


class FaultCode(enum.IntEnum):
    RELAY_READBACK = 1  # detail: outputs asked for << 8 | outputs read back
    SUPPLY = 2
    WATCHDOG = 3  # detail: how long the gate's own loop stood still, ms


class NakCode(enum.IntEnum):
    """Why the gate refused a frame. `detail` of the NAK as noted."""

    BAD_FRAME = 1  # frames dropped since the gate started
    UNKNOWN_SESSION = 2  # the session the frame named
    LAYOUT = 3  # the gate's layout hash
    UNEXPECTED = 4  # the frame's type: the gate does not take this one
    LATCHED = 5  # TripReason; an operator must reset the gate
    TRIPPED = 6  # TripReason
    UNKNOWN_TOKEN = 7  # the token
    LATE = 8  # the token; its window is over, the board was rejected
    TOKEN_REUSED = 9  # the token; it had its verdict
    TOKEN_OPEN = 10  # the token; no lease or new configuration now
    LEASED = 11  # the lease id in force
    NO_LEASE = 12  # the lease id asked for
    BAD_CONFIG = 13  # the decision window asked for, ms


class Outputs(enum.IntFlag):
    NONE = 0
    PASS = 1
    FAIL = 2
    HEALTHY = 4
    RESULT_VALID = 8


class Inputs(enum.IntFlag):
    """What the gate sees, and two conditions a person at the line asks about."""

    NONE = 0
    BOARD_PRESENT = 1
    PLC_ACK = 2
    LEASED = 4  # the line is told "not ready"
    LATCHED = 8  # tripped, and an operator must reset


class Polarity(enum.IntFlag):
    """Outputs that are active low at the terminals. Everything on the wire and in logs is logical."""

    NONE = 0
    PASS_LOW = 1
    FAIL_LOW = 2
    RESULT_VALID_LOW = 8


_ENUMS: tuple[type[enum.IntEnum] | type[enum.IntFlag], ...] = (
    FrameType,
    VerdictCode,
    BoardGoneHow,
    GateState,
    TripReason,
    FaultCode,
    NakCode,
    Outputs,
    Inputs,
    Polarity,
)

# One row a frame type: struct codes of its fields, in the order of the dataclass. A trailing "*" is a barcode that
# takes the rest of the payload.
_LAYOUT: dict[FrameType, str] = {
    FrameType.HELLO: "8sHI8s",
    FrameType.HELLO_ACK: "H8sIHII",
    FrameType.HEARTBEAT: "IIB",
    FrameType.STATUS: "BBBIB",
    FrameType.BOARD: "IB*",
    FrameType.BOARD_GONE: "IB",
    FrameType.VERDICT: "IBHI",
    FrameType.VERDICT_ACK: "IBBI",
    FrameType.HOLD: "I",
    FrameType.RELEASE: "I",
    FrameType.QUERY: "",
    FrameType.CONFIG: "HBBI",
    FrameType.FAULT: "HI",
    FrameType.NAK: "HI",
}
_STRUCTS = {kind: struct.Struct("<" + codes.rstrip("*")) for kind, codes in _LAYOUT.items()}
_FIELD_CODES = {kind: re.findall(r"\d*[A-Za-z*]", codes) for kind, codes in _LAYOUT.items()}
EnumFields = Mapping[str, type[enum.IntEnum] | type[enum.IntFlag]]
_UNSIGNED_MAX = {"B": 0xFF, "H": U16_MAX, "I": U32_MAX}


def _convert(body: Any, name: str, kind: type[enum.IntEnum] | type[enum.IntFlag]) -> None:
    """Turn a plain integer field into its enum; LocalError names what is allowed."""
    value = getattr(body, name)
    try:
        member = kind(value)
    except ValueError:
        member = None
    known = 0
    for each in kind:
        known |= int(each)
    if member is None or (issubclass(kind, enum.IntFlag) and int(value) & ~known):
        allowed = ", ".join(f"{each.name}={int(each)}" for each in kind)
        raise LocalError(f"{type(body).__name__}.{name}: {value!r} is not one of {allowed}")
    object.__setattr__(body, name, member)


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A payload. Every field is checked when it is built, on the way out and on the way in."""

    TYPE: ClassVar[FrameType]
    ENUMS: ClassVar[EnumFields] = {}

    def __post_init__(self) -> None:
        for spec, code in zip(fields(self), _FIELD_CODES[self.TYPE], strict=True):
            _check_field(self, spec.name, code)
        for name, kind in self.ENUMS.items():
            _convert(self, name, kind)

    def pack(self) -> bytes:
        values = [getattr(self, spec.name) for spec in fields(self)]
        if _LAYOUT[self.TYPE].endswith("*"):
            barcode: str = values.pop()
            return _STRUCTS[self.TYPE].pack(*values) + barcode.encode("utf-8")
        return _STRUCTS[self.TYPE].pack(*values)


def _check_field(body: Any, name: str, code: str) -> None:
    value, where = getattr(body, name), f"{type(body).__name__}.{name}"
    if code == "*":
        _check_barcode(value, where)
    elif code.endswith("s"):
        if not isinstance(value, bytes) or len(value) != int(code[:-1]):
            raise LocalError(f"{where}: must be {code[:-1]} bytes, got {value!r}")
    elif not isinstance(value, int) or not 0 <= value <= _UNSIGNED_MAX[code]:
        raise LocalError(f"{where}: must be an integer from 0 to {_UNSIGNED_MAX[code]}, got {value!r}")


def _check_barcode(value: object, where: str) -> None:
    if not isinstance(value, str) or not value.isprintable() or len(value.encode(errors="replace")) > MAX_BARCODE_BYTES:
        raise LocalError(f"{where}: must be printable and at most {MAX_BARCODE_BYTES} bytes of UTF-8, got {value!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello(Body):
    """Station → gate: open a session. Outputs drop, tokens are void."""

    TYPE = FrameType.HELLO
    boot_nonce: bytes  # 8 bytes, new for every HELLO that is not a repeat
    proto: int
    layout: int
    bundle_set: bytes  # first 8 bytes of the SHA-256 over the station's bundles


@dataclass(frozen=True, slots=True, kw_only=True)
class HelloAck(Body):
    """Gate → station: the session is open under the id the gate chose."""

    TYPE = FrameType.HELLO_ACK
    session: int
    gate_nonce: bytes  # 8 bytes; the first four are the first nonce to echo
    firmware: int  # major << 16 | minor << 8 | patch
    capabilities: int
    last_token: int  # 0 if the gate has opened none since it started
    layout: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat(Body):
    """Station → gate, every 100 ms. The counter is the inspector's, never the link's own."""

    TYPE = FrameType.HEARTBEAT
    loop_counter: int
    echo: int  # the last nonce the gate sent: proves that this frame was not stuck in a buffer
    flags: int = 0  # none defined


@dataclass(frozen=True, slots=True, kw_only=True)
class Status(Body):
    """Gate → station, every 100 ms and on change."""

    TYPE = FrameType.STATUS
    ENUMS: ClassVar[EnumFields] = {"inputs": Inputs, "outputs": Outputs, "state": GateState, "trip": TripReason}
    inputs: Inputs
    outputs: Outputs  # as read back from the contacts
    state: GateState
    nonce: int
    trip: TripReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Board(Body):
    """Gate → station: a board is present and clamped, and this token is its own."""

    TYPE = FrameType.BOARD
    token: int
    lane: int
    barcode: str  # printable, at most 32 bytes of UTF-8; empty when the line has no scanner


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardGone(Body):
    """Gate → station: the board has left, the token is burned."""

    TYPE = FrameType.BOARD_GONE
    ENUMS: ClassVar[EnumFields] = {"how": BoardGoneHow}
    token: int
    how: BoardGoneHow


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict(Body):
    """Station → gate: the one verdict for this token."""

    TYPE = FrameType.VERDICT
    ENUMS: ClassVar[EnumFields] = {"code": VerdictCode}
    token: int
    code: VerdictCode
    reason: int  # the station's reason code, for the gate's log
    verdict_seq: int  # the journal's number


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictAck(Body):
    """Gate → station: what the relay really did."""

    TYPE = FrameType.VERDICT_ACK
    ENUMS: ClassVar[EnumFields] = {"code": VerdictCode, "outputs": Outputs}
    token: int
    code: VerdictCode
    outputs: Outputs
    us_since_board: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold(Body):
    """Station → gate: take the line out of service under this lease."""

    TYPE = FrameType.HOLD
    lease_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Release(Body):
    """Station → gate: end this lease."""

    TYPE = FrameType.RELEASE
    lease_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Query(Body):
    """Station → gate: tell me your configuration."""

    TYPE = FrameType.QUERY


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(Body):
    """Commissioning, both ways: the station sets it, the gate stores it and echoes what it stored."""

    TYPE = FrameType.CONFIG
    ENUMS: ClassVar[EnumFields] = {"polarity": Polarity}
    window_ms: int
    latch: int  # 1: after a trip an operator must reset the gate
    polarity: Polarity
    crc: int  # CRC-32 of the three before, so that a stored copy can be checked years later


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault(Body):
    """Gate → station: something is broken at the gate itself."""

    TYPE = FrameType.FAULT
    ENUMS: ClassVar[EnumFields] = {"code": FaultCode}
    code: FaultCode
    detail: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Nak(Body):
    """Gate → station: refused. The header's ack names the frame, where there is one."""

    TYPE = FrameType.NAK
    ENUMS: ClassVar[EnumFields] = {"code": NakCode}
    code: NakCode
    detail: int


BODIES: dict[FrameType, type[Body]] = {
    body.TYPE: body
    for body in (
        Hello,
        HelloAck,
        Heartbeat,
        Status,
        Board,
        BoardGone,
        Verdict,
        VerdictAck,
        Hold,
        Release,
        Query,
        Config,
        Fault,
        Nak,
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame. `session` 0 is "none yet". `ack` differs by direction:

    gate → station: the last command or HELLO it received; station → gate: the last BOARD or BOARD_GONE it received.
    """

    session: int
    seq: int
    ack: int
    body: Body
    flags: int = 0  # four bits, none defined

    def __post_init__(self) -> None:
        limits = (("session", U16_MAX), ("seq", U32_MAX), ("ack", U32_MAX), ("flags", 0xF))
        for name, limit in limits:
            value = getattr(self, name)
            if not isinstance(value, int) or not 0 <= value <= limit:
                raise LocalError(f"Frame.{name}: must be an integer from 0 to {limit}, got {value!r}")
        if type(self.body) not in BODIES.values():
            raise LocalError(f"Frame.body: must be a payload of {__name__}, got {type(self.body).__name__}")


def layout_text() -> str:
    """The layout in words, one line a fact: what LAYOUT_HASH is taken over."""
    lines = [f"GL {PROTO}", f"header {_HEADER.format}", f"crc32 {_CRC.format}", "cobs 00"]
    for kind, codes in _LAYOUT.items():
        names = ",".join(spec.name for spec in fields(BODIES[kind]))
        lines.append(f"{kind:#04x} {kind.name} {codes} {names}")
    lines += [f"{kind.__name__} " + ",".join(f"{n}={int(m)}" for n, m in kind.__members__.items()) for kind in _ENUMS]
    return "\n".join(lines) + "\n"


LAYOUT_HASH: int = int.from_bytes(hashlib.sha256(layout_text().encode()).digest()[:4], "little")


def config_crc(window_ms: int, latch: int, polarity: int) -> int:
    """CRC-32 over the three settings as they lie on the wire."""
    return zlib.crc32(struct.pack("<HBB", window_ms, latch, polarity))


def encode(frame: Frame) -> bytes:
    """The frame as it goes on the wire, delimiter included: at most 66 bytes, a VERDICT always 30.

    Raises LocalError if the payload is too long (everything else was checked when the frame was built).
    """
    payload = frame.body.pack()
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise LocalError(f"payload of {frame.body.TYPE.name} is {len(payload)} bytes, at most {MAX_PAYLOAD_BYTES} fit")
    kind, head = frame.body.TYPE, PROTO << 4 | frame.flags
    decoded = _HEADER.pack(head, kind, frame.session, frame.seq, frame.ack, len(payload)) + payload
    stuffed: bytes = cobs.encode(decoded + _CRC.pack(zlib.crc32(decoded)))
    return stuffed + DELIMITER


def decode_chunk(chunk: bytes) -> Frame:
    """The frame between two delimiters. Raises PeerError for anything that is not one."""
    return _parse(_checked(_unstuffed(chunk)))


def _unstuffed(chunk: bytes) -> bytes:
    if len(chunk) > MAX_STUFFED_BYTES:
        raise PeerError(BadFrame.OVERSIZE, f"{len(chunk)} bytes without a delimiter, at most {MAX_STUFFED_BYTES}")
    try:
        decoded: bytes = cobs.decode(chunk)
    except cobs.DecodeError as fault:
        raise PeerError(BadFrame.COBS, str(fault)) from fault
    if not MIN_DECODED_BYTES <= len(decoded) <= MAX_DECODED_BYTES:
        raise PeerError(
            BadFrame.LENGTH, f"{len(decoded)} bytes, a frame has {MIN_DECODED_BYTES} to {MAX_DECODED_BYTES}"
        )
    return decoded


def _checked(decoded: bytes) -> bytes:
    body, got = decoded[: -_CRC.size], _CRC.unpack(decoded[-_CRC.size :])[0]
    if zlib.crc32(body) != got:
        raise PeerError(BadFrame.CRC, f"CRC {got:#010x}, the bytes give {zlib.crc32(body):#010x}")
    return body


def _parse(content: bytes) -> Frame:
    head, kind, session, seq, ack, length = _HEADER.unpack_from(content)
    payload = content[_HEADER.size :]
    if head >> 4 != PROTO:
        raise PeerError(BadFrame.VERSION, f"protocol {head >> 4}, this end speaks {PROTO}")
    if kind not in BODIES:
        raise PeerError(BadFrame.TYPE, f"type {kind:#04x}")
    if length != len(payload):
        raise PeerError(BadFrame.LENGTH, f"header says {length} payload bytes, there are {len(payload)}")
    body = _parse_payload(FrameType(kind), payload)
    return Frame(session=session, seq=seq, ack=ack, body=body, flags=head & 0xF)


def _parse_payload(kind: FrameType, payload: bytes) -> Body:
    layout, body_type = _STRUCTS[kind], BODIES[kind]
    has_text = _LAYOUT[kind].endswith("*")
    if len(payload) < layout.size or (len(payload) > layout.size and not has_text):
        raise PeerError(BadFrame.LENGTH, f"{kind.name} with {len(payload)} payload bytes, expected {layout.size}")
    values: list[Any] = list(layout.unpack_from(payload))
    try:
        if has_text:
            values.append(payload[layout.size :].decode("utf-8"))
        return body_type(**dict(zip((spec.name for spec in fields(body_type)), values, strict=True)))
    except (LocalError, UnicodeDecodeError) as fault:  # the same checks as on our side, but here it is their value
        raise PeerError(BadFrame.PAYLOAD, str(fault)) from fault


@dataclass(slots=True)
class DecoderCounters:
    """What a decoder has seen since it was made. `resyncs`: times a good frame followed dropped bytes."""

    frames: int = 0
    resyncs: int = 0
    bad: dict[BadFrame, int] = field(default_factory=lambda: dict.fromkeys(BadFrame, 0))

    @property
    def crc_errors(self) -> int:
        return self.bad[BadFrame.CRC]

    @property
    def bad_total(self) -> int:
        return sum(self.bad.values())


class FrameDecoder:
    """Bytes in, frames out. Any bytes in any split give frames or counts, nothing else."""

    def __init__(self, on_bad: Callable[[PeerError], None] | None = None) -> None:
        self.counters = DecoderCounters()
        self._on_bad = on_bad
        self._partial = b""  # at most MAX_STUFFED_BYTES: no frame is longer
        self._skipping = False  # inside an over-long run, until its delimiter
        self._lost = False  # something was dropped since the last good frame

    @property
    def buffered_bytes(self) -> int:
        return len(self._partial)

    def reset(self) -> None:
        """Forget a half-received frame (the wire was cut); the counters stay."""
        self._partial, self._skipping = b"", False

    def feed(self, data: bytes) -> list[Frame]:
        """Frames completed by `data`, in order."""
        chunks = (self._partial + data).split(DELIMITER)
        self._partial = chunks.pop()
        out = []
        for chunk in chunks:
            frame = self._take(chunk)
            if frame is not None:
                out.append(frame)
        self._bound_partial()
        return out

    def _take(self, chunk: bytes) -> Frame | None:
        if self._skipping:  # the tail of a run already counted
            self._skipping = False
            return None
        if not chunk:
            return None
        try:
            frame = decode_chunk(chunk)
        except PeerError as fault:
            self._drop(fault)
            return None
        self.counters.frames += 1
        if self._lost:
            self.counters.resyncs += 1
            self._lost = False
        return frame

    def _bound_partial(self) -> None:
        if self._skipping:
            self._partial = b""
        elif len(self._partial) > MAX_STUFFED_BYTES:
            self._drop(PeerError(BadFrame.OVERSIZE, f"no delimiter in {len(self._partial)} bytes"))
            self._partial, self._skipping = b"", True

    def _drop(self, fault: PeerError) -> None:
        self.counters.bad[fault.kind] += 1
        self._lost = True
        if self._on_bad is not None:
            self._on_bad(fault)
