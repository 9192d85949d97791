"""The serial link: USB-CDC or RS-485, and pseudo-terminals in tests. One owner at a time.

Exclusive twice over: TIOCEXCL keeps other programs from opening the port, flock keeps a second station from it even as
root. Paths under `/dev/serial/by-id/` survive replugging; `/dev/ttyUSB0` does not.
"""

import contextlib
import fcntl
import select
import termios
from dataclasses import dataclass

import serial

from firmware_bridge.errors import LinkLost, LocalError

READ_BYTES = 4096  # a tty's own buffer


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialConfig:
    """Where the gate is plugged in. 8N1 without flow control, as the protocol says."""

    port: str
    baud: int = 115_200
    write_timeout_ms: int = 50  # ten frames' time on the wire: an end that takes nothing for so long is gone

    def __post_init__(self) -> None:
        if not self.port:
            raise LocalError("port: is empty, expected a path such as /dev/serial/by-id/usb-…")
        if not 1_200 <= self.baud <= 3_000_000:
            raise LocalError(f"baud: must be 1200 to 3000000, got {self.baud}")
        if not 1 <= self.write_timeout_ms <= 1_000:
            raise LocalError(f"write_timeout_ms: must be 1 to 1000, got {self.write_timeout_ms}")


class SerialLink:
    """An open port; see Link."""

    def __init__(self, port: serial.Serial, name: str) -> None:
        self._port, self._name = port, name

    @property
    def name(self) -> str:
        return self._name

    def fileno(self) -> int:
        return int(self._port.fileno())

    def read(self, timeout_s: float) -> bytes:
        try:
            ready, _, _ = select.select([self._port.fileno()], [], [], max(timeout_s, 0.0))
            return bytes(self._port.read(READ_BYTES)) if ready else b""
        except (OSError, ValueError, termios.error) as fault:  # SerialException is an OSError
            raise LinkLost(f"{self._name}: reading failed: {fault}") from fault

    def write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except (OSError, ValueError, termios.error) as fault:
            raise LinkLost(f"{self._name}: writing {len(data)} bytes failed: {fault}") from fault

    def close(self) -> None:
        if not self._port.is_open:
            return
        with contextlib.suppress(OSError):  # so that the next owner need not be root; a pulled port cannot do it
            fcntl.ioctl(self._port.fileno(), termios.TIOCNXCL)
        with contextlib.suppress(OSError, termios.error):
            self._port.close()


def open(config: SerialConfig) -> SerialLink:  # the name every transport has
    """The port, exclusively ours, its buffers emptied. LinkLost if it is absent, busy or broken."""
    try:
        port = serial.Serial(
            config.port,
            config.baud,
            timeout=0,
            write_timeout=config.write_timeout_ms / 1000,
            exclusive=True,  # flock
        )
    except (OSError, ValueError, termios.error) as fault:
        raise LinkLost(
            f"{config.port}: cannot be opened: {fault}; is the gate plugged in, is another station on it?"
        ) from fault
    link = SerialLink(port, config.port)
    try:
        fcntl.ioctl(port.fileno(), termios.TIOCEXCL)
        port.reset_input_buffer()
        port.reset_output_buffer()
    except (OSError, termios.error) as fault:
        link.close()
        raise LinkLost(f"{config.port}: cannot be locked or flushed: {fault}") from fault
    return link
