"""The line twin: same seed, same board; places are where the picture has them; sets are whole and not trivial."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from export.simulator.board import RenderedBoard, reference_board, render_board
from export.simulator.datasets import DEFECTS, draw_boards, draw_defects, write_header_set
from export.simulator.imaging import DIFFICULTIES, EASY, HAND_HELD, LINE, Imaging
from export.simulator.joints import JointState
from export.simulator.layout import BoardLayout, header_board, neighbours

pytestmark = pytest.mark.sweep


@pytest.fixture(scope="module")
def layout() -> BoardLayout:
    return header_board("BG-2041")


@pytest.fixture(scope="module")
def reference(layout: BoardLayout) -> RenderedBoard:
    return reference_board(layout)


def _sha256(image: np.ndarray) -> str:
    return hashlib.sha256(image.tobytes()).hexdigest()


def _crop(board: RenderedBoard, index: int) -> np.ndarray:
    place = board.places[index]
    half = 0.75 * place.pitch_px
    rows = slice(max(0, round(place.y_px - half)), round(place.y_px + half))
    columns = slice(max(0, round(place.x_px - half)), round(place.x_px + half))
    return board.image[rows, columns]


def _auroc(good: np.ndarray, bad: np.ndarray) -> float:
    above = (bad[:, None] > good[None, :]).mean() + 0.5 * (bad[:, None] == good[None, :]).mean()
    return float(above)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# -- layout ----------------------------------------------------------------------------------------


def test_a_part_number_always_gives_one_layout(layout: BoardLayout) -> None:
    header_board.cache_clear()
    assert header_board("BG-2041") == layout
    assert header_board("BG-2042") != layout


@pytest.mark.parametrize("part_number", ["BG-2041", "A", "X-7/b", "0004", ""])
def test_every_part_number_gets_fifty_distinct_pins_on_the_board(part_number: str) -> None:
    layout = header_board(part_number)
    assert [len(header.pins) for header in layout.headers] == [20, 10, 10, 10]
    assert len({pin.site for pin in layout.pins}) == 50
    places = np.array([(pin.x_mm, pin.y_mm) for pin in layout.pins])
    assert places.min() > 2
    assert (places < (layout.width_mm - 2, layout.height_mm - 2)).all()
    gaps = np.hypot(*(places[:, None] - places[None, :]).T) + 99 * np.eye(50)
    assert gaps.min() == pytest.approx(2.54, abs=0.01)
    assert len(layout.fiducials) == 3
    assert len(layout.parts) >= 20  # texture enough to register a picture by
    assert len(layout.traces) >= 40


# -- rendering -------------------------------------------------------------------------------------


def test_same_seed_same_bytes_and_another_seed_another_picture(layout: BoardLayout) -> None:
    joints = {"J1-1": JointState.MISSING, "J2-1": JointState.BRIDGE, "J2-3": JointState.BRIDGE}
    first = render_board(layout, joints, HAND_HELD, seed=11)
    again = render_board(layout, joints, HAND_HELD, seed=11)
    other = render_board(layout, joints, HAND_HELD, seed=12)
    assert _sha256(first.image) == _sha256(again.image)
    assert first.places == again.places
    assert _sha256(first.image) != _sha256(other.image)
    assert first.image.dtype == np.uint8
    assert first.image.shape == (900, 900, 3)


def test_one_joint_changes_only_its_own_surroundings(layout: BoardLayout) -> None:
    clean = dataclasses.replace(LINE, jpeg_quality=None)
    good = render_board(layout, {}, clean, seed=3)
    holed = render_board(layout, {"J1-5": JointState.MISSING}, clean, seed=3)
    place = next(p for p in good.places if p.site == "J1-5")
    changed_y, changed_x = np.nonzero((good.image != holed.image).any(axis=2))
    assert len(changed_x) > 50
    assert np.hypot(changed_x - place.x_px, changed_y - place.y_px).max() < 1.5 * place.pitch_px


@pytest.mark.parametrize("imaging", [EASY, LINE, HAND_HELD], ids=lambda imaging: imaging.name)
def test_places_follow_the_homography_and_stay_in_the_picture(
    imaging: Imaging, layout: BoardLayout, reference: RenderedBoard
) -> None:
    for seed in range(2):
        board = render_board(layout, {}, imaging, seed)
        flat = np.array([[(p.x_px, p.y_px) for p in reference.places]])
        mapped = cv2.perspectiveTransform(flat, board.homography_ref_to_image)[0]
        places = np.array([(p.x_px, p.y_px) for p in board.places])
        assert np.abs(mapped - places).max() < 0.5
        assert places.min() > 10
        assert places.max() < 890


@pytest.mark.parametrize("imaging", [EASY, LINE, HAND_HELD], ids=lambda imaging: imaging.name)
def test_the_picture_itself_agrees_with_the_homography(
    imaging: Imaging, layout: BoardLayout, reference: RenderedBoard
) -> None:
    """Brought back by the homography, printed text lies on the reference: measured on pixels, not on formulas."""
    board = render_board(layout, {}, imaging, seed=5)
    back = cv2.warpPerspective(
        board.image, board.homography_ref_to_image, (900, 900), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    for text in layout.texts[::9]:
        x, y = (round(v * 13.2 + 54) for v in (text.x_mm, text.y_mm))
        window = np.s_[y - 32 : y + 32, x - 32 : x + 32]
        here = cv2.cvtColor(back[window], cv2.COLOR_BGR2GRAY).astype(np.float32)
        there = cv2.cvtColor(reference.image[window], cv2.COLOR_BGR2GRAY).astype(np.float32)
        if here.shape != (64, 64):
            continue
        shift, _ = cv2.phaseCorrelate(there, here, cv2.createHanningWindow((64, 64), cv2.CV_32F))
        assert np.hypot(*shift) < 0.5, text


def test_pictures_can_be_registered_by_their_features(layout: BoardLayout, reference: RenderedBoard) -> None:
    board = render_board(layout, {}, HAND_HELD, seed=8)
    finder = cv2.SIFT_create(1500)
    keys, words = finder.detectAndCompute(reference.image, None)
    other_keys, other_words = finder.detectAndCompute(board.image, None)
    pairs = [m for m, n in cv2.BFMatcher().knnMatch(words, other_words, k=2) if m.distance < 0.75 * n.distance]
    found, inliers = cv2.findHomography(
        np.float32([keys[m.queryIdx].pt for m in pairs]),
        np.float32([other_keys[m.trainIdx].pt for m in pairs]),
        cv2.RANSAC,
        3.0,
    )
    assert inliers.sum() > 60
    flat = np.array([[(p.x_px, p.y_px) for p in reference.places]])
    off = cv2.perspectiveTransform(flat, found)[0] - [(p.x_px, p.y_px) for p in board.places]
    assert np.hypot(*off.T).max() < 2.0


def test_every_state_looks_different_from_good_and_has_its_label(layout: BoardLayout) -> None:
    good = render_board(layout, {}, EASY, seed=1)
    for state in JointState:
        joints = {"J1-9": state, "J1-11": state} if state is JointState.BRIDGE else {"J1-9": state}
        board = render_board(layout, joints, EASY, seed=1)
        index = next(i for i, p in enumerate(board.places) if p.site == "J1-9")
        assert board.places[index].label == state.label
        difference = np.abs(_crop(board, index).astype(int) - _crop(good, index)).mean()
        assert (difference > 4) == (state is not JointState.GOOD), state


def test_unknown_pins_and_lonely_bridges_are_refused(layout: BoardLayout) -> None:
    with pytest.raises(ValueError, match="no pin J9-1"):
        render_board(layout, {"J9-1": JointState.GOOD}, EASY, seed=0)
    with pytest.raises(ValueError, match=r"J1-1 is BRIDGE but no neighbour"):
        render_board(layout, {"J1-1": JointState.BRIDGE}, EASY, seed=0)


def test_difficulties_are_named_and_frozen() -> None:
    assert list(DIFFICULTIES) == ["easy", "line", "hand_held"]
    for name, imaging in DIFFICULTIES.items():
        assert imaging.name == name
        with pytest.raises(dataclasses.FrozenInstanceError):
            imaging.name = "other"
    assert EASY.noise_frac[1] < LINE.noise_frac[1] < HAND_HELD.noise_frac[1]
    assert EASY.tilt_deg[1] < LINE.tilt_deg[1] < HAND_HELD.tilt_deg[1]


# -- streams and sets ------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.0, 0.07, 0.3])
def test_defect_rate_is_honoured(rate: float, layout: BoardLayout) -> None:
    rng = np.random.default_rng(4)
    drawn = [draw_defects(layout, DEFECTS, rate, rng) for _ in range(200)]
    share = np.mean([len(states) / 50 for states in drawn])
    assert share == pytest.approx(rate, abs=0.005)
    labels = Counter(state.label for states in drawn for state in states.values())
    assert set(labels) == (set(DEFECTS) if rate else set())


def test_bridges_come_in_pairs_that_do_not_touch(layout: BoardLayout) -> None:
    rng = np.random.default_rng(5)
    for _ in range(50):
        states = draw_defects(layout, ("bridge",), 0.3, rng)
        for pin in layout.pins:
            if pin.site in states:
                assert sum(other.site in states for other in neighbours(layout, pin)) == 1


def test_streams_repeat_and_keep_the_share_of_defective_boards() -> None:
    boards = list(draw_boards(7, 3, "easy", ("missing",), defect_rate=0.1))
    assert [board_id for board_id, _ in boards] == ["B0007-0000", "B0007-0001", "B0007-0002"]
    again = dict(draw_boards(7, 2, "easy", ("missing",), defect_rate=0.1))
    assert all(_sha256(again[board_id].image) == _sha256(board.image) for board_id, board in boards[:2])
    assert {place.label for _, board in boards for place in board.places} == {"good", "missing"}
    clean = next(draw_boards(7, 1, "easy", defective_boards_frac=0.0))[1]
    assert {place.label for place in clean.places} == {"good"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"difficulty": "hard"}, "easy, line, hand_held"),
        ({"defects": ("void",)}, "bridge, missing, insufficient"),
        ({"defect_rate": 1.2}, "from 0 to 1"),
    ],
)
def test_wrong_arguments_are_refused_at_once(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw_boards(**({"seed": 0, "n": 1} | change))


def test_a_set_round_trips_through_its_tables(tmp_path: Path, layout: BoardLayout, reference: RenderedBoard) -> None:
    written = write_header_set(tmp_path / "set", 6, seed=3, difficulty="line", defect_rate=0.3)
    folder = written.folder
    index, joints, places = (_rows(folder / name) for name in ("index.csv", "joints.csv", "places.csv"))

    assert Counter(row["split"] for row in index) == {"train": 3, "val": 1, "dev-test": 2}
    assert {row["source"] for row in index + joints} == {"boardgate line twin, seed 3, difficulty line"}
    assert Counter((row["split"], row["label"]) for row in joints) == dict(written.joints)
    assert {row["label"] for row in joints if row["split"] != "train"} == {"good", *DEFECTS}
    assert {row["label"] for row in joints if row["split"] == "train"} == {"good"}
    splits_of_board = {(row["board"], row["split"]) for row in index + joints}
    assert len(splits_of_board) == 6  # no board in two splits

    written_reference = cv2.imread(str(folder / "reference.png"))
    np.testing.assert_array_equal(written_reference, reference.image)
    assert [f"{row['refdes']}-{row['pin']}" for row in places] == [pin.site for pin in layout.pins]
    for picture in index:
        image = cv2.imread(str(folder / picture["path"]))
        rows = [row for row in joints if row["path"] == picture["path"]]
        assert len(rows) == 50
        bad = any(row["label"] != "good" for row in rows)
        assert picture["label"] == ("defective" if bad else "good")
        height, width = image.shape[:2]
        assert all(0 < float(row["x"]) < width and 0 < float(row["y"]) < height for row in rows)
        assert all(20 < float(row["pitch"]) < 45 for row in rows)


def test_a_set_is_its_arguments_and_is_never_overwritten(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        write_header_set(folder, 3, seed=9, difficulty="easy", suffix=".png")
    files = sorted(path.relative_to(folders[0]) for path in folders[0].rglob("*") if path.is_file())
    assert len(files) == 7
    for file in files:
        assert (folders[0] / file).read_bytes() == (folders[1] / file).read_bytes(), file
    with pytest.raises(FileExistsError, match="already holds a data set"):
        write_header_set(folders[0], 3, seed=9)


def test_a_cue_that_knows_nothing_about_solder_helps_but_does_not_suffice() -> None:
    """Grey deviation finds bridges better than chance and far from always: the twin is no toy under HAND_HELD."""
    deviations: dict[str, list[float]] = {"good": [], "bridge": []}
    for _, board in draw_boards(21, 8, "hand_held", ("bridge",), defect_rate=0.3):
        for index, place in enumerate(board.places):
            grey = cv2.cvtColor(_crop(board, index), cv2.COLOR_BGR2GRAY)
            deviations[place.label].append(float(grey.std()))
    auroc = _auroc(np.array(deviations["good"]), np.array(deviations["bridge"]))
    assert 0.6 < auroc < 0.97
