"""What the station's end of the gate link tells its owner. Frozen records, nothing else."""

import enum
from dataclasses import dataclass

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


class DownReason(enum.Enum):
    """Why there is no session."""

    PORT_LOST = "port_lost"
    NO_ANSWER = "no_answer"  # HELLO unanswered
    SILENT = "silent"  # 300 ms without a valid frame
    UNANSWERED = "unanswered"  # a command, after all its repeats
    GATE_TRIPPED = "gate_tripped"
    LOOP_FROZEN = "loop_frozen"  # tripped because the inspector's counter stood still; waits until it moves
    GATE_RESTARTED = "gate_restarted"  # the gate does not know our session
    GATE_LATCHED = "gate_latched"  # an operator must reset the gate
    LAYOUT_MISMATCH = "layout_mismatch"  # the two ends were built from different frame layouts
    BREACH = "breach"  # the gate answered with something that cannot be


class CommandKind(enum.Enum):
    VERDICT = "verdict"
    HOLD = "hold"
    RELEASE = "release"
    QUERY = "query"
    CONFIG = "config"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkUp:
    """A session is open. Boards are announced once the loop counter has moved in it."""

    session: int
    firmware: str
    capabilities: int
    last_token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkDown:
    """No session. Every token is void, every command not confirmed has failed. Said once a reason, not a retry."""

    reason: DownReason
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardPresent:
    token: int
    lane: int
    barcode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardGone:
    token: int
    how: BoardGoneHow


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictConfirmed:
    """The gate acted. `outputs` are what its contacts read; may come after BoardGone if the first answer was lost."""

    token: int
    code: VerdictCode
    outputs: Outputs
    us_since_board: int
    verdict_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandFailed:
    """Not confirmed. For a verdict: the board is held or rejected by the gate, or the gate acted and we cannot know."""

    what: CommandKind
    why: str
    code: NakCode | None = None  # None: no answer, or the session ended
    token: int | None = None
    verdict_seq: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseChanged:
    lease_id: int
    held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigReported:
    """What the gate has stored; its CRC was checked."""

    window_ms: int
    latch: bool
    polarity: Polarity


@dataclass(frozen=True, slots=True, kw_only=True)
class GateStatus:
    """Emitted when any of it changes."""

    state: GateState
    inputs: Inputs
    outputs: Outputs
    trip: TripReason


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFault:
    code: FaultCode
    detail: int


Event = (
    LinkUp
    | LinkDown
    | BoardPresent
    | BoardGone
    | VerdictConfirmed
    | CommandFailed
    | LeaseChanged
    | ConfigReported
    | GateStatus
    | GateFault
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCounters:
    """Since the session object was made. All only grow."""

    frames_in: int
    frames_out: int
    crc_errors: int
    bad_frames: int  # all kinds, CRC errors among them
    resyncs: int
    foreign_frames: int  # intact, but of another session, out of date or unasked for
    naks: int
    retransmits: int
    outgoing_dropped: int
    links_up: int
    links_down: int
