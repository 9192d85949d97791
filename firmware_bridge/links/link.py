"""What a wire promises to whoever moves bytes over it."""

from typing import Protocol


class Link(Protocol):
    """A byte pipe to the gate. Nothing blocks longer than asked; every fault is LinkLost, after which only `close`
    is of use. Bytes may be lost, broken or split: frames see to that."""

    @property
    def name(self) -> str:
        """What a person calls it: the port's path."""
        ...

    def fileno(self) -> int:
        """For `select`: readable when `read(0)` would give bytes."""
        ...

    def read(self, timeout_s: float) -> bytes:
        """What has arrived, waiting at most `timeout_s` for the first byte; b"" if nothing came. LinkLost."""
        ...

    def write(self, data: bytes) -> None:
        """All of `data`, or LinkLost within the link's write limit."""
        ...

    def close(self) -> None:
        """Any number of times, never raises."""
        ...
