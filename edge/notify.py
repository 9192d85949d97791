"""Tells systemd how a process is: ready, alive, stopping, and one line of status. No-op without `NOTIFY_SOCKET`.

A message is one datagram that is never waited for, so the service manager cannot hold up a board, and no fault of it
reaches the loop: a message that could not be sent is logged once, kept in `fault`, and returned as False. What follows
from silence is systemd's part (`WatchdogSec=` in the unit).
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping

from edge.clock import Clock, SystemClock

MAX_STATUS_BYTES = 200  # one line of `systemctl status`
MAX_UNIX_PATH_BYTES = 107  # sun_path less its closing zero (unix(7))
PINGS_PER_WATCHDOG = 8  # a loop may turn 1 000 times a second; systemd needs no more than this many of them

_log = logging.getLogger("boardgate.notify")


class Notifier:
    """One process's line to its service manager. Use from one thread. No call waits and none raises."""

    def __init__(self, environ: Mapping[str, str] | None = None, clock: Clock | None = None) -> None:
        """Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID once, as sd_notify(3) has them."""
        environ = os.environ if environ is None else environ
        self._clock = SystemClock() if clock is None else clock
        self.fault = ""  # why the last message did not get through; "" when it did
        self._address: str | bytes | None = None
        self._socket: socket.socket | None = None
        self._status = ""
        self._pinged_ns: int | None = None
        self.watchdog_ms = _watchdog_ms(environ, os.getpid())  # None: this process is not watched
        self._open(environ.get("NOTIFY_SOCKET", ""))

    @property
    def connected(self) -> bool:
        """Whether there is a service manager to tell."""
        return self._socket is not None

    def ready(self, status: str = "") -> bool:
        """Start-up is over: from here on `watchdog` must be called at least once every `watchdog_ms`."""
        self._status = _one_line(status)
        return self._send("READY=1" + (f"\nSTATUS={self._status}" if self._status else ""))

    def watchdog(self) -> bool:
        """A piece of work was finished. Never call this from a timer: a frozen loop must fall silent.

        Call it as often as work is finished; what is more than systemd needs is not sent (and counts as sent).
        """
        now_ns = self._clock.now_ns()
        if self.watchdog_ms is None or self._too_soon(now_ns):
            return True
        sent = self._send("WATCHDOG=1")
        if sent:
            self._pinged_ns = now_ns
        return sent

    def status(self, text: str) -> bool:
        """One line for `systemctl status`, cut to MAX_STATUS_BYTES; sent when it changed."""
        line = _one_line(text)
        if line == self._status:
            return True
        sent = self._send(f"STATUS={line}")
        if sent:
            self._status = line
        return sent

    def stopping(self, status: str = "") -> bool:
        """The process was told to stop and is closing down."""
        self._status = _one_line(status)
        return self._send("STOPPING=1" + (f"\nSTATUS={self._status}" if self._status else ""))

    def close(self) -> None:
        """Give the socket back; later calls do nothing."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _open(self, text: str) -> None:
        if not text:
            return
        address = _address(text)
        if isinstance(address, _Unusable):
            self._failed(address.why)
            return
        try:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)
            self._address = address
        except OSError as err:
            self._failed(f"no socket to {text!r}: {err}")

    def _too_soon(self, now_ns: int) -> bool:
        if self._pinged_ns is None or self.watchdog_ms is None:
            return False
        return (now_ns - self._pinged_ns) * PINGS_PER_WATCHDOG < self.watchdog_ms * 1_000_000

    def _send(self, message: str) -> bool:
        if self._socket is None or self._address is None:
            return not self.fault  # nobody to tell is no fault; an address we could not use is
        try:
            self._socket.sendto(message.encode("utf-8", "replace"), self._address)
        except OSError as err:  # gone, full (EAGAIN), refused: the loop goes on, systemd draws its own conclusion
            self._failed(f"{message.splitlines()[0]} not sent: {err}")
            return False
        if self.fault:
            _log.info("service manager reached again")
            self.fault = ""
        return True

    def _failed(self, fault: str) -> None:
        if not self.fault:
            _log.warning("service manager not told: %s", fault)
        self.fault = fault


class _Unusable:
    """An address this code cannot send to, with the reason."""

    def __init__(self, why: str) -> None:
        self.why = why


def _address(text: str) -> str | bytes | _Unusable:
    """The socket address of NOTIFY_SOCKET: a path, or an abstract name after `@`."""
    raw = os.fsencode(text)
    if len(raw) > MAX_UNIX_PATH_BYTES:
        return _Unusable(f"NOTIFY_SOCKET has {len(raw)} bytes, at most {MAX_UNIX_PATH_BYTES}")
    if text.startswith("@"):
        return b"\0" + raw[1:]
    if text.startswith("/"):
        return raw
    return _Unusable(f"NOTIFY_SOCKET={text!r}: must be an absolute path or an abstract name (@…)")


def _watchdog_ms(environ: Mapping[str, str], own_pid: int) -> int | None:
    """How long this process may stay silent, or None where nobody watches it."""
    usec, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not _is_count(usec) or int(usec) == 0:
        return None
    if pid and (not _is_count(pid) or int(pid) != own_pid):
        return None  # meant for the process that started us
    return max(1, int(usec) // 1000)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 20


def _one_line(text: str) -> str:
    """Printable, one line, at most MAX_STATUS_BYTES of UTF-8: a status must not smuggle in a field of its own."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line.encode("utf-8", "replace")[:MAX_STATUS_BYTES].decode("utf-8", "ignore")
