"""The watched folder: each picture exactly once, waited for while it is written, over kill -9 and broken files."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.board import Board, Reason
from edge.capture import Capture
from edge.capture.board_file import PictureReader
from edge.capture.folder import FolderCapture
from edge.capture.readers.picture import PictureSize
from edge.capture.replay import ReplayCapture
from edge.clock import SystemClock
from edge.station import CaptureSettings
from tests.edge.helpers import FakeClock

pytestmark = pytest.mark.unit

SIZE = PictureSize(width_px=64, height_px=64)
PNG = cv2.imencode(".png", np.full((64, 64, 3), 90, np.uint8))[1].tobytes()
WAIT_MS = 300


def settings(folder: Path, **changes: object) -> CaptureSettings:
    return CaptureSettings(inbox=str(folder), poll_ms=1, half_file_timeout_ms=60, **changes)  # type: ignore[arg-type]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    return tmp_path / "inbox"


def capture(inbox: Path, size: PictureSize | None = SIZE, **changes: object) -> FolderCapture:
    reader = None if size is None else PictureReader(size=size)
    return FolderCapture(inbox, inbox.parent / "home", settings(inbox, **changes), reader, SystemClock())


def take(source: Capture) -> Board:
    board = source.next_board(WAIT_MS)
    assert board is not None
    return board


def test_a_picture_is_taken_once_and_kept(inbox: Path) -> None:
    source = capture(inbox)
    (inbox / "A1.png").write_bytes(PNG)
    board = take(source)
    assert (board.board_id, board.capture_fault) == ("A1", "")
    assert board.image is not None
    assert not list(inbox.iterdir())
    source.settled(board)
    assert Path(board.picture_path).read_bytes() == PNG
    assert source.next_board(5) is None


def test_oldest_first(inbox: Path) -> None:
    source = capture(inbox)
    for age, name in enumerate(["C", "A", "B"]):
        path = inbox / f"{name}.png"
        path.write_bytes(PNG)
        os.utime(path, ns=(10**18 + age, 10**18 + age))
    order = []
    for _ in range(3):
        board = take(source)
        order.append(board.board_id)
        source.settled(board)
    assert order == ["C", "A", "B"]


def test_a_half_written_file_is_waited_for(inbox: Path) -> None:
    source = capture(inbox)
    path = inbox / "A1.png"
    path.write_bytes(PNG[:100])
    assert source.next_board(20) is None
    path.write_bytes(PNG[:150])
    assert source.next_board(20) is None, "it grew: the wait starts anew"
    path.write_bytes(PNG)
    assert take(source).capture_fault == ""


def test_a_file_that_stays_half_is_named_and_set_aside_and_blocks_nothing(inbox: Path) -> None:
    source = capture(inbox)
    (inbox / "A1.png").write_bytes(PNG[:100])
    os.utime(inbox / "A1.png", ns=(1, 1))
    (inbox / "A2.png").write_bytes(PNG)
    good = take(source)
    assert good.board_id == "A2", "the half file does not block the whole one"
    source.settled(good)
    broken = take(source)
    assert broken.board_id == "A1"
    assert "not a whole JPEG or PNG: 100 bytes" in broken.capture_fault
    source.settled(broken)
    assert Path(broken.picture_path).parent.name == "set_aside"


@pytest.mark.parametrize("name", [".A1.png", "A1.png.part", "A1.tmp"])
def test_unfinished_names_are_left_alone(inbox: Path, name: str) -> None:
    source = capture(inbox)
    (inbox / name).write_bytes(PNG)
    assert source.next_board(20) is None
    assert (inbox / name).exists()


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("A1.png", b"hello world", "not a whole JPEG or PNG"),
        ("A1.png", cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes(), "8 x 8 pixels"),
        ("bad name!.png", PNG, "does not hold a board id"),
        ("x" * 40 + ".png", PNG, "does not hold a board id"),
        ("A1.png", PNG[:40] + b"\x00" + PNG[41:], "CRC"),
    ],
)
def test_broken_pictures_are_boards_with_a_fault(inbox: Path, name: str, data: bytes, says: str) -> None:
    source = capture(inbox)
    (inbox / name).write_bytes(data)
    board = take(source)
    assert says in board.capture_fault
    assert board.image is None
    assert board.fault_reason is Reason.CAPTURE_FAULT


def test_a_picture_survives_the_death_of_the_inspector_once_then_is_set_aside(inbox: Path) -> None:
    (inbox).mkdir()
    (inbox / "A1.png").write_bytes(PNG)
    uid = take(capture(inbox)).uid
    second = take(capture(inbox))
    assert (second.uid, second.board_id, second.capture_fault) == (uid, "A1", "")
    third_capture = capture(inbox)
    third = take(third_capture)
    assert third.fault_reason is Reason.INTERRUPTED
    assert third.uid == uid
    third_capture.settled(third)
    assert capture(inbox).next_board(5) is None


def test_the_same_bytes_dropped_again_are_another_trigger(inbox: Path) -> None:
    source = capture(inbox)
    uids = []
    for stamp in (10**18, 10**18 + 1):
        (inbox / "A1.png").write_bytes(PNG)
        os.utime(inbox / "A1.png", ns=(stamp, stamp))
        board = take(source)
        source.settled(board)
        uids.append(board.uid)
    assert uids[0] != uids[1]


def test_a_file_its_machine_takes_back_is_no_board(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = capture(inbox)
    (inbox / "A1.png").write_bytes(PNG)
    looks = iter([True, False])

    def vanish(path: Path, seen: object) -> str:
        if next(looks):
            path.unlink()
        return ""

    monkeypatch.setattr(source, "_wholeness", vanish)
    assert source.next_board(30) is None


def test_without_a_recipe_nothing_is_decoded(inbox: Path) -> None:
    source = capture(inbox, size=None)
    (inbox / "A1.png").write_bytes(PNG)
    board = take(source)
    assert board.fault_reason is Reason.NOT_READY


def test_kept_pictures_are_bounded(inbox: Path) -> None:
    source = capture(inbox, keep_pictures=10)
    for i in range(105):
        (inbox / f"A{i}.png").write_bytes(PNG)
        os.utime(inbox / f"A{i}.png", ns=(10**18 + i, 10**18 + i))
        source.settled(take(source))
    kept = list((inbox.parent / "home" / "judged").iterdir())
    assert len(kept) <= 10 + 5


def test_a_recording_is_fed_one_a_takt_and_is_the_same_triggers_again(inbox: Path, tmp_path: Path) -> None:
    recorded = tmp_path / "recorded"
    recorded.mkdir()
    for name in ("B1", "B2", "B3"):
        (recorded / f"{name}.png").write_bytes(PNG)
    (recorded / ".hidden.png").write_bytes(PNG)
    uids: list[list[str]] = []
    for _ in range(2):
        clock = FakeClock()
        source = ReplayCapture(recorded, inbox, 1_000, capture(inbox), clock)
        taken = []
        for _ in range(3):
            board = take(source)
            source.settled(board)
            assert source.next_board(5) is None, "the next one waits for its takt"
            clock.advance_ms(1_000)
            taken.append((board.board_id, board.uid))
        assert [name for name, _ in taken] == ["B1", "B2", "B3"]
        uids.append([uid for _, uid in taken])
    assert uids[0] == uids[1]
