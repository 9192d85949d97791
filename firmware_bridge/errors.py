"""The faults of this room. The type says whose fault it is: ours, the other end's, or the wire's."""

import enum


class BridgeError(Exception):
    """Base of every error raised in `firmware_bridge/`."""


class LocalError(BridgeError, ValueError):
    """We asked for something the protocol does not allow: a bug on this side, nothing was sent."""


class LinkLost(BridgeError, OSError):
    """The wire is gone, busy or stuck. Close it, wait 0.2 to 2 s, open it again, say HELLO."""


class BadFrame(enum.Enum):
    """Why bytes between two delimiters were dropped."""

    OVERSIZE = "oversize"  # more bytes than any frame has
    COBS = "cobs"  # byte stuffing broken
    LENGTH = "length"  # too short for a frame, or not as long as its header says
    CRC = "crc"
    VERSION = "version"  # intact, but of another protocol version
    TYPE = "type"  # intact, but no frame type we know
    PAYLOAD = "payload"  # intact, but a field holds what it may not


class PeerError(BridgeError):
    """The other end (or the wire) sent something that is not a frame. `kind` says what is wrong with it."""

    def __init__(self, kind: BadFrame, detail: str) -> None:
        super().__init__(f"{kind.value}: {detail}")
        self.kind = kind
        self.detail = detail
