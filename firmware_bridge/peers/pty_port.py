"""A serial port that is not there: a pseudo-terminal under a fixed path, which can be unplugged and plugged in again.

The path is a symlink to the slave side, as `/dev/serial/by-id/…` is one. When a station that had it open goes away, the
port enumerates anew (a new pseudo-terminal under the same path): a killed station leaves TIOCEXCL set on the old one.
"""

import errno
import os
import pty
import tty
from pathlib import Path

from firmware_bridge.errors import LocalError

READ_BYTES = 4096


class PtyPort:
    """The gate's side of the wire. Nothing here blocks; bytes nobody takes are lost, as on a real wire."""

    def __init__(self, path: Path) -> None:
        """Plugs it in. LocalError if the path is taken by something that is not a symlink."""
        if path.exists() and not path.is_symlink():
            raise LocalError(f"{path}: exists and is not a symlink; give a path that is free")
        self.path = path
        self._master: int | None = None
        self._was_open = False
        self.plug()

    @property
    def is_plugged(self) -> bool:
        return self._master is not None

    @property
    def has_station(self) -> bool:
        """As of the last read: somebody holds the other side open."""
        return self._was_open

    def fileno(self) -> int | None:
        return self._master

    def plug(self) -> None:
        if self._master is not None:
            return
        self._master, slave = pty.openpty()
        tty.setraw(slave)  # no echo, even before the station has set up its side
        target = os.ttyname(slave)
        os.close(slave)
        os.set_blocking(self._master, False)
        self._was_open = False
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_name(self.path.name + ".new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(target)
        fresh.replace(self.path)

    def unplug(self) -> None:
        if self._master is None:
            return
        if self.path.is_symlink():
            self.path.unlink()
        os.close(self._master)
        self._master, self._was_open = None, False

    def read(self) -> bytes:
        """What the station has sent, b"" if nothing."""
        if self._master is None:
            return b""
        try:
            data = os.read(self._master, READ_BYTES)
        except BlockingIOError:
            self._was_open = True
            return b""
        except OSError as fault:
            if fault.errno != errno.EIO:
                raise
            self._other_side_closed()
            return b""
        self._was_open = True
        return data

    def _other_side_closed(self) -> None:
        if self._was_open:
            self.unplug()
            self.plug()

    def write(self, data: bytes) -> None:
        """To the station, or nowhere."""
        if self._master is None or not self._was_open or not data:
            return
        try:
            os.write(self._master, data)
        except BlockingIOError:
            return  # a station that does not read; it will find frames missing
        except OSError as fault:
            if fault.errno != errno.EIO:
                raise
