"""Registration: known views are found to a fraction of a pixel, and whatever is not the board is refused."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.recipe import Place, RegistrationSettings
from edge.register import NotRegistered, Registrar, Registration, project
from tests.edge.drawn import HEIGHT_PX, WIDTH_PX, drawn_board, seen_from, view

BOARD = drawn_board(1)
REGISTRAR = Registrar(BOARD, RegistrationSettings())
PLACES = tuple(
    Place(refdes=f"J{i}", x_px=float(x), y_px=float(y), side_px=30.0)
    for i, (x, y) in enumerate((x, y) for x in (60, 180, 300, 420) for y in (60, 200, 340))
)

unit = pytest.mark.unit


def _errors_px(found: Registration, truth: np.ndarray) -> np.ndarray:
    points = np.array([[(p.x_px, p.y_px) for p in PLACES]])
    off = cv2.perspectiveTransform(points, found.homography) - cv2.perspectiveTransform(points, truth)
    return np.hypot(off[0, :, 0], off[0, :, 1])


@unit
@pytest.mark.parametrize(
    ("angle_deg", "scale", "tilt"), [(0, 1.0, 0.0), (17, 0.7, 0.0), (180, 1.0, 0.0), (-95, 1.4, 2e-4), (8, 0.9, 5e-4)]
)
def test_a_known_view_is_found(angle_deg: float, scale: float, tilt: float) -> None:
    truth = view(angle_deg, scale, tilt, (30, 20))
    found = REGISTRAR.register(seen_from(BOARD, truth, 560, 480))
    assert _errors_px(found, truth).max() < 1.0
    assert found.rms_px < 2.0
    assert found.homography.dtype == np.float64


@unit
def test_orb_finds_a_known_view_too() -> None:
    truth = view(12, 0.9, 0.0, (10, 5))
    found = Registrar(BOARD, RegistrationSettings(method="orb")).register(seen_from(BOARD, truth, 520, 440))
    assert _errors_px(found, truth).max() < 2.0


@unit
def test_a_close_up_shows_some_places_and_says_which() -> None:
    truth = view(0, 1.8, 0.0, (150, 110))  # the upper left of the board, enlarged
    found = REGISTRAR.register(seen_from(BOARD, truth, WIDTH_PX, HEIGHT_PX))
    seen = project(found, PLACES, (HEIGHT_PX, WIDTH_PX, 3))
    expected = []
    for place in PLACES:
        x, y = cv2.perspectiveTransform(np.array([[(place.x_px, place.y_px)]]), truth)[0, 0]
        half = 0.45 * 1.8 * place.side_px
        if half <= x + 0.5 <= WIDTH_PX - half and half <= y + 0.5 <= HEIGHT_PX - half:
            expected.append(place.refdes)
    assert 2 <= len(expected) < len(PLACES)
    assert [place.refdes for place, *_ in seen] == expected
    assert all(side == pytest.approx(1.8 * 30.0, rel=0.02) for *_, side in seen)


@unit
def test_a_place_may_leave_the_picture_by_a_twentieth_of_its_side() -> None:
    here = Registration(homography=np.eye(3), n_inliers=99, rms_px=0.1, likeness=1.0)

    def names(x_px: float) -> list[str]:
        place = Place(refdes="J1", x_px=x_px, y_px=50.0, side_px=40.0)
        return [p.refdes for p, *_ in project(here, (place,), (100, 200))]

    assert names(17.5) == ["J1"]  # the square starts at -2.5, the picture at -0.5: exactly 0.05 of 40 px outside
    assert names(17.4) == []
    assert names(199.5 - 17.9) == []
    assert project(here, (), (100, 200)) == []


@unit
def test_a_place_behind_the_camera_is_not_in_view() -> None:
    folded = np.array([[1, 0, 0], [0, 1, 0], [-1 / 100, 0, 1]], np.float64)
    place = Place(refdes="J1", x_px=150.0, y_px=50.0, side_px=10.0)
    assert project(Registration(homography=folded, n_inliers=99, rms_px=0.1, likeness=1.0), (place,), (400, 400)) == []


@unit
def test_the_same_picture_gives_the_same_answer() -> None:
    picture = seen_from(BOARD, view(5, 0.9, 1e-4, (10, 10)), 520, 440)
    first, again = REGISTRAR.register(picture), Registrar(BOARD, RegistrationSettings()).register(picture)
    assert np.array_equal(first.homography, again.homography)
    assert first.n_inliers == again.n_inliers


SHAPE = (HEIGHT_PX, WIDTH_PX, 3)
STRANGERS = {
    "black": np.zeros(SHAPE, np.uint8),
    "saturated": np.full(SHAPE, 255, np.uint8),
    "noise": np.random.default_rng(3).integers(0, 256, SHAPE, np.uint8),
    "another board": drawn_board(2),
    "mirrored": np.ascontiguousarray(BOARD[:, ::-1]),
    "tiny": np.ascontiguousarray(BOARD[:20, :20]),
    "far too small": cv2.copyMakeBorder(cv2.resize(BOARD, (60, 50)), 175, 175, 210, 210, cv2.BORDER_CONSTANT),
    "one corner only": cv2.copyMakeBorder(BOARD[:90, :90], 0, 310, 0, 390, cv2.BORDER_CONSTANT),
}


@unit
@pytest.mark.parametrize("name", sorted(STRANGERS))
def test_what_is_not_the_board_is_refused(name: str) -> None:
    with pytest.raises(NotRegistered, match=r"\d"):  # says how much of what came
        REGISTRAR.register(STRANGERS[name])


@unit
def test_a_copied_part_of_the_board_is_no_board() -> None:
    pasted = drawn_board(5)
    pasted[100:260, 100:260] = BOARD[100:260, 100:260]
    crowded = Registrar(BOARD, RegistrationSettings(min_inliers=8))
    try:
        found = crowded.register(pasted)
    except NotRegistered:
        return
    # Where so much is shared that it registers, it is where the shared part lies.
    assert _errors_px(found, np.eye(3)).max() < 10.0


@unit
def test_a_reference_without_features_is_refused() -> None:
    with pytest.raises(NotRegistered, match="sharper"):
        Registrar(STRANGERS["black"], RegistrationSettings())


@unit
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(angle_deg=st.floats(-180, 180), scale=st.floats(0.1, 3.0), tilt=st.floats(-2e-3, 2e-3), dx=st.floats(-300, 300))
def test_a_view_is_found_rightly_or_refused(angle_deg: float, scale: float, tilt: float, dx: float) -> None:
    truth = view(angle_deg, scale, tilt, (dx, 0.0))
    try:
        found = REGISTRAR.register(seen_from(BOARD, truth, WIDTH_PX, HEIGHT_PX))
    except NotRegistered:
        return
    centres = {p.refdes: (p.x_px, p.y_px) for p in PLACES}
    for place, x_px, y_px, side_px in project(found, PLACES, SHAPE):
        x, y = cv2.perspectiveTransform(np.array([[centres[place.refdes]]]), truth)[0, 0]
        assert np.hypot(x - x_px, y - y_px) < 0.25 * side_px


@pytest.mark.needs_data
def test_real_pictures_register_and_other_products_do_not(data_dir: Path) -> None:
    headers = data_dir / "tht-header-joints"
    truth: dict[str, dict[str, tuple[float, float, float]]] = {}
    with (headers / "joints.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            where = (float(row["x"]), float(row["y"]), float(row["pitch"]))
            truth.setdefault(row["path"], {})[row["site"]] = where
    reference = "images/A_0192.jpg"
    registrar = Registrar(_picture(headers / reference), RegistrationSettings())
    places = [Place(refdes=n, x_px=x, y_px=y, side_px=1.5 * pitch) for n, (x, y, pitch) in truth[reference].items()]
    for path in ("images/C_0700.jpg", "images/D_0740.jpg", "images/A_0040.jpg", "images/T08_2064.jpg"):
        image = _picture(headers / path)
        seen = project(registrar.register(image), places, image.shape)
        off = [
            np.hypot(x - truth[path][p.refdes][0], y - truth[path][p.refdes][1]) / truth[path][p.refdes][2]
            for p, x, y, _ in seen
            if p.refdes in truth[path]
        ]
        assert len(off) >= 0.9 * len(truth[path]), path
        assert np.percentile(off, 95) < 0.35, path
    stranger = next(iter(sorted((data_dir / "ir-sensor-board" / "boards").glob("*.jpg"))))
    with pytest.raises(NotRegistered):
        registrar.register(_picture(stranger))


def _picture(path: Path) -> np.ndarray:
    image = cv2.imread(str(path))
    assert image is not None, path
    return image
