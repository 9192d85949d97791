"""Frames waiting to be written, shared by both ends. Bounded: a wire nobody empties loses the oldest, and it counts."""

from collections import deque

from firmware_bridge.frames import DELIMITER, Body, Frame, encode

MAX_FRAMES = 64  # 2 kB at most, 0.2 s of line time; older than that is of no use to the other end


class Outbox:
    """Numbers, encodes and holds frames until the owner of the wire takes them."""

    def __init__(self, first_seq: int) -> None:
        self.frames_out = 0
        self.dropped = 0
        self._next_seq = first_seq & 0xFFFF_FFFF
        self._waiting: deque[bytes] = deque()

    def next_seq(self) -> int:
        seq = self._next_seq
        self._next_seq = (seq + 1) & 0xFFFF_FFFF
        return seq

    def put(self, body: Body, *, session: int, ack: int, seq: int | None = None) -> int:
        """Queue one frame; gives its seq. A repeat passes the seq it had."""
        number = self.next_seq() if seq is None else seq
        self._append(encode(Frame(session=session, seq=number, ack=ack, body=body)))
        self.frames_out += 1
        return number

    def put_delimiter(self) -> None:
        """Ends whatever half frame an earlier owner of the wire left behind."""
        self._append(DELIMITER)

    def _append(self, data: bytes) -> None:
        if len(self._waiting) >= MAX_FRAMES:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(data)

    def clear(self) -> None:
        self._waiting.clear()

    def take(self) -> bytes:
        """Everything waiting, whole frames only."""
        data = b"".join(self._waiting)
        self._waiting.clear()
        return data
