"""The watched folder: a machine's files in, boards out, each exactly once, also over a crash. What is said of pictures
here holds for any machine's file.

    inbox/X.jpg  →  work/1/UID_X.jpg  →  judged/UID_X.jpg      verdict durable
                      │ inspector died        set_aside/…       broken picture, verdict durable
                      └→ work/2/…             a second try; dying again makes it INTERRUPTED, set aside

The folder a picture lies in *is* its state, and every step is one rename, so there is nothing to repair after kill -9.
A name that starts with a dot or ends in `.part` or `.tmp` is still being written by its machine and is left alone.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from edge.board import MAX_BOARD_ID_LEN, Board, Reason
from edge.capture.board_file import HEAD_BYTES, TAIL_BYTES, BoardFileFault, BoardReader, Content, OnPart, nothing
from edge.capture.readers.picture import MAX_PICTURE_BYTES, ends_whole
from edge.clock import Clock
from edge.station import CaptureSettings

log = logging.getLogger("boardgate.capture")

MAX_SCAN_ENTRIES = 10_000  # names looked at in one scan of the inbox; the rest waits for the next scan
PRUNE_EVERY = 100  # boards between two looks at the kept pictures: the look costs a stat each
COPY_SUFFIX = ".copying"  # a copy from another file system; its original is still in the inbox
UNFINISHED_SUFFIXES = (".part", ".tmp", ".filepart")


@dataclass(slots=True)
class _Seen:
    """What the last scan saw of a file that was not taken yet."""

    size: int
    mtime_ns: int
    since_ns: int  # monotonic: when it last changed


class FolderCapture:
    """Watches `inbox`; keeps its own pictures under `home`. One process only.

    `reader` is the recipe's; None when none is ready, and then no file is read.
    """

    def __init__(
        self,
        inbox: Path,
        home: Path,
        settings: CaptureSettings,
        reader: BoardReader | None,
        clock: Clock,
        on_part: OnPart = nothing,
    ) -> None:
        self._inbox = inbox
        self._settings = settings
        self._reader = reader
        self._on_part = on_part  # called while a file of many parts is read
        self._max_bytes = MAX_PICTURE_BYTES if reader is None else reader.max_bytes
        self._clock = clock
        self._pattern = re.compile(settings.board_id_pattern)
        self._judged = home / "judged"
        self._set_aside = home / "set_aside"
        self._tries = (home / "work" / "1", home / "work" / "2")
        for folder in (inbox, self._judged, self._set_aside, *self._tries):
            folder.mkdir(parents=True, exist_ok=True)
        self._seen: dict[str, _Seen] = {}
        self._working: dict[str, Path] = {}  # uid to where its picture lies until settled; one at a time in practice
        self._settled_count = 0
        for half_copy in self._tries[0].glob(f"*{COPY_SUFFIX}"):
            half_copy.unlink()
        self._interrupted = [p for folder in reversed(self._tries) for p in sorted(folder.iterdir())]

    def next_board(self, timeout_ms: int) -> Board | None:
        """The next board: first what an earlier process died over, then the inbox, oldest first."""
        if self._interrupted:
            return self._take_up_again(self._interrupted.pop(0))
        end_ns = self._clock.now_ns() + timeout_ms * 1_000_000
        while True:
            try:
                if (found := self._first_whole_file()) is not None:
                    return self._claim(*found)
            except FileNotFoundError as err:
                log.warning("taken back by its machine: %s", err.filename)
            if self._clock.now_ns() >= end_ns:
                return None
            time.sleep(self._settings.poll_ms / 1000)

    def settled(self, board: Board) -> None:
        """Move the picture out of the work folder, and forget the oldest judged pictures over the limit."""
        os.replace(self._working.pop(board.uid), board.picture_path)
        self._settled_count += 1
        if self._settled_count % PRUNE_EVERY == 1:
            self._prune(self._judged)
            self._prune(self._set_aside)

    def _first_whole_file(self) -> tuple[Path, str, int] | None:
        """The oldest file that is whole or given up on, with its fault and the time it was last seen to change."""
        entries = self._scan()
        names = {e.name for e, _ in entries}
        self._seen = {name: seen for name, seen in self._seen.items() if name in names}
        for entry, stat in entries:
            seen = self._seen.get(entry.name)
            if seen is None or (seen.size, seen.mtime_ns) != (stat.st_size, stat.st_mtime_ns):
                self._seen[entry.name] = _Seen(stat.st_size, stat.st_mtime_ns, self._clock.now_ns())
                continue
            if (fault := self._wholeness(Path(entry.path), seen)) is not None:
                del self._seen[entry.name]
                return Path(entry.path), fault, seen.since_ns
        return None

    def _wholeness(self, path: Path, seen: _Seen) -> str | None:
        """ "" when whole, a fault when given up on, None when it is worth waiting."""
        if seen.size > self._max_bytes:
            return f"{seen.size} bytes, at most {self._max_bytes}"
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            file.seek(max(0, seen.size - TAIL_BYTES))
            tail = file.read(TAIL_BYTES)
        if (self._reader.ends_whole if self._reader is not None else ends_whole)(head, tail):
            return ""
        waited_ms = (self._clock.now_ns() - seen.since_ns) / 1e6
        if waited_ms < self._settings.half_file_timeout_ms:
            return None
        if self._reader is None:
            return ""  # nobody can say whether it is whole; it will not be read
        return f"not a whole {self._reader.form}: {seen.size} bytes, no growth for {waited_ms:.0f} ms"

    def _scan(self) -> list[tuple[os.DirEntry[str], os.stat_result]]:
        found = []
        with os.scandir(self._inbox) as entries:
            for _, entry in zip(range(MAX_SCAN_ENTRIES), entries, strict=False):
                if entry.name.startswith(".") or entry.name.endswith(UNFINISHED_SUFFIXES):
                    continue
                try:
                    if entry.is_file():
                        found.append((entry, entry.stat()))
                except FileNotFoundError:
                    continue  # the machine took it back between the two calls
        return sorted(found, key=lambda pair: (pair[1].st_mtime_ns, pair[0].name))

    def _claim(self, path: Path, fault: str, trigger_ns: int) -> Board:
        stat = path.stat()
        data = b"" if stat.st_size > self._max_bytes else path.read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        label = f"{path.name}|{stat.st_mtime_ns}|{stat.st_size}|{sha256}"
        uid = hashlib.sha256(label.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        target = self._tries[0] / f"{uid}_{path.name}"
        _move(path, target)
        return self._board(target, uid, path.name, data, sha256, fault, Reason.CAPTURE_FAULT, trigger_ns)

    def _take_up_again(self, path: Path) -> Board:
        uid, _, name = path.name.partition("_")
        data = b"" if path.stat().st_size > self._max_bytes else path.read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        died_twice = path.parent == self._tries[1]
        target = self._tries[1] / path.name
        os.replace(path, target)
        fault = "the inspector stopped twice while judging this picture" if died_twice else ""
        now_ns = self._clock.now_ns()
        return self._board(target, uid, name, data, sha256, fault, Reason.INTERRUPTED, now_ns)

    def _board(
        self, path: Path, uid: str, name: str, data: bytes, sha256: str, fault: str, reason: Reason, trigger_ns: int
    ) -> Board:
        content, board_id = Content(), self._board_id(Path(name).stem)
        if fault:
            # What the inspector died over is not touched again.
            fault = fault if reason is Reason.INTERRUPTED else self._named(fault, data, name)
        elif self._reader is None:
            fault, reason = "no recipe to judge it by", Reason.NOT_READY
        else:
            try:
                content = self._reader.read(data, name, self._on_part)
            except BoardFileFault as err:
                fault, reason = str(err), Reason.CAPTURE_FAULT
            board_id = content.board_id or board_id
        if not board_id and not fault:
            fault = f"file name {name!r} does not hold a board id ({self._settings.board_id_pattern})"
            content = Content()
        self._working[uid] = path
        return Board(
            uid=uid,
            board_id=board_id or f"unread-{uid[:16]}",
            trigger_ns=trigger_ns,
            trigger_utc=self._clock.utc(),
            picture_path=str((self._set_aside if fault else self._judged) / path.name),
            picture_sha256=sha256,
            image=content.image,
            panel=content.panel,
            axi=content.axi,
            capture_fault=fault,
            fault_reason=reason,
        )

    def _named(self, fault: str, data: bytes, name: str) -> str:
        """The fault, with where in the file it shows, if the reader can say: what never looked whole may be damaged."""
        if self._reader is None or not data:
            return fault
        try:
            self._reader.read(data, name)
        except BoardFileFault as err:
            return f"{fault}; {err}"
        return fault

    def _board_id(self, stem: str) -> str:
        """The board id in a file name, or "" where there is none that a gate link can carry."""
        match = self._pattern.fullmatch(stem)
        found = match["board"] if match else ""
        return found if len(found.encode("utf-8", "surrogateescape")) <= MAX_BOARD_ID_LEN else ""

    def _prune(self, folder: Path) -> None:
        kept = sorted(folder.iterdir(), key=lambda p: p.stat().st_mtime_ns)
        for old in kept[: max(0, len(kept) - self._settings.keep_pictures)]:
            old.unlink()


def _move(source: Path, target: Path) -> None:
    """Rename, or copy aside and rename when the inbox is another file system (a machine's share)."""
    try:
        os.rename(source, target)
    except OSError as err:
        if err.errno != errno.EXDEV:
            raise
        part = target.with_name(target.name + COPY_SUFFIX)
        shutil.copy2(source, part)
        os.rename(part, target)
        source.unlink()
