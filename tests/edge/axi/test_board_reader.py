"""The station's reader of X-ray files: whole files in, a board or a fault out, through the watched folder too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.axi.board_reader import AxiReader
from edge.capture.board_file import HEAD_BYTES, TAIL_BYTES, BoardFileFault, BoardReader
from edge.capture.folder import FolderCapture
from edge.clock import SystemClock
from edge.station import CaptureSettings
from tests.edge.readers.axi_files import INDEX, SERIAL, Called, bench, changed, export

pytestmark = pytest.mark.unit


def reader(folder: Path) -> AxiReader:
    """Of the files of `bench`, the recipe in a folder beside the pictures."""
    return AxiReader(settings=changed(pictures="../pictures"), recipe_dir=folder / "recipe")


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with a recipe's, pictures, and the index of one board in `inbox`."""
    made = bench(tmp_path, export([Called()]))
    (tmp_path / "recipe").mkdir()
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / INDEX).write_text(json.dumps(made.index, indent=1))
    return tmp_path


def test_a_board(desk: Path) -> None:
    it: BoardReader = reader(desk)
    data = (desk / "inbox" / INDEX).read_bytes()
    assert it.ends_whole(data[:HEAD_BYTES], data[-TAIL_BYTES:])
    assert not it.ends_whole(data[:HEAD_BYTES], data[:-1][-TAIL_BYTES:])
    content = it.read(data, INDEX)
    assert content.axi is not None
    assert (content.board_id, content.axi.serial, len(content.axi.joints)) == (SERIAL, SERIAL, 4)
    assert (content.image, content.panel) == (None, None)
    assert len(data) < it.max_bytes


def test_faults_are_the_station_s(desk: Path) -> None:
    data = (desk / "inbox" / INDEX).read_bytes()
    with pytest.raises(BoardFileFault, match=r"B2\.json \(its name\): serial .* whose joints these are is not known"):
        reader(desk).read(data, "B2.json")
    with pytest.raises(BoardFileFault, match="Invalid JSON"):
        reader(desk).read(data[:-1], INDEX)


def test_a_serial_too_long_for_the_line(desk: Path) -> None:
    long = "S" + "7" * 32
    made = bench(desk / "long")
    made.index["serial"] = long
    it = AxiReader(settings=changed(pictures="."), recipe_dir=made.root)
    with pytest.raises(BoardFileFault, match="serial of 33 bytes, at most 32"):
        it.read(json.dumps(made.index).encode(), f"{long}.json")


def test_one_reader_remembers_tests(desk: Path) -> None:
    made = bench(desk / "forged", export(serialNumber="B2"))
    made.index["serial"] = "B2"
    made.index["export"] = made.put("b/plain.xml", export(serialNumber="B2"))
    it = AxiReader(settings=changed(pictures="."), recipe_dir=desk)
    moved = json.dumps(made.index).replace('"b/', '"forged/pictures/b/')
    own = json.dumps(json.loads((desk / "inbox" / INDEX).read_text())).replace('"b/', '"pictures/b/')
    it.read(own.encode(), INDEX)
    with pytest.raises(BoardFileFault, match=rf"B2\.json: the test of .* was already told of board {SERIAL}"):
        it.read(moved.encode(), "B2.json")
    assert AxiReader(settings=it.settings, recipe_dir=desk).read(moved.encode(), "B2.json").board_id == "B2"


def test_through_the_watched_folder(desk: Path) -> None:
    settings = CaptureSettings(inbox="inbox", poll_ms=10, half_file_timeout_ms=200)
    beats: list[int] = []  # while many slices are read, the loop counter must move
    capture = FolderCapture(
        desk / "inbox", desk / "home", settings, reader(desk), SystemClock(), lambda: beats.append(1)
    )
    board = capture.next_board(1000)
    assert board is not None
    assert (board.board_id, board.capture_fault) == (SERIAL, "")
    assert len(beats) == 4  # slices
    assert board.axi is not None
    capture.settled(board)
    assert (desk / "home" / "judged").joinpath(Path(board.picture_path).name).is_file()


def test_half_an_index_is_waited_for(desk: Path) -> None:
    settings = CaptureSettings(inbox="inbox", poll_ms=10, half_file_timeout_ms=60_000)
    path = desk / "inbox" / INDEX
    text = path.read_text()
    path.write_text(text[: text.rindex("]")])
    capture = FolderCapture(desk / "inbox", desk / "home", settings, reader(desk), SystemClock())
    assert capture.next_board(60) is None
    path.write_text(text)
    board = capture.next_board(1000)
    assert board is not None
    assert board.capture_fault == ""


def test_half_an_index_that_stays_half_is_a_fault(desk: Path) -> None:
    settings = CaptureSettings(inbox="inbox", poll_ms=10, half_file_timeout_ms=50)
    path = desk / "inbox" / INDEX
    text = path.read_text()
    path.write_text(text[: text.rindex("}")])
    capture = FolderCapture(desk / "inbox", desk / "home", settings, reader(desk), SystemClock())
    board = capture.next_board(2000)
    assert board is not None
    assert "not a whole X-ray index" in board.capture_fault
    assert board.axi is None
