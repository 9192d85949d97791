"""The component twin: same seed, same board; boxes hold their parts; errors outweigh harmless differences; sets."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from edge.crop import crop_squares
from export.datasets import load_crops, read_data_set
from export.simulator.components.board import (
    ComponentPicture,
    reference_component_board,
    render_component_board,
)
from export.simulator.components.errors import (
    ComponentError,
    ErrorKind,
    Severity,
    Standing,
    faulty_standing,
    good_standing,
)
from export.simulator.components.layout import ComponentLayout, component_board
from export.simulator.components.looks import PartClass
from export.simulator.components.parts import part_catalogue, sibling, stand_ins
from export.simulator.components.sets import COMPONENT_BOARDS, parts_on, split_boards, write_component_set
from export.simulator.components.spill import OCCLUDED, occluded_sites
from export.simulator.components.stream import COMPONENT_BOARD, draw_board, draw_component_boards
from export.simulator.imaging import EASY
from export.table_columns import boards_of, column_of, parts_of

pytestmark = pytest.mark.sweep

CROP_PX = 64
NEW_BOARDS = ("CB-101", "CB-107", "CB-114")


@pytest.fixture(scope="module")
def layout() -> ComponentLayout:
    return component_board(COMPONENT_BOARD)


@pytest.fixture(scope="module")
def good(layout: ComponentLayout) -> ComponentPicture:
    return render_component_board(layout, {}, EASY, seed=1)


def _crops(picture: ComponentPicture) -> np.ndarray:
    boxes = np.array([(p.x0_px, p.y0_px, p.x1_px, p.y1_px) for p in picture.places])
    sides = 1.2 * np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    return crop_squares(picture.image, (boxes[:, :2] + boxes[:, 2:]) / 2, sides, CROP_PX).astype(np.float64)


def _difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.abs(a - b).mean(axis=(1, 2, 3))


# -- catalogue and layout --------------------------------------------------------------------------


def test_the_catalogue_has_all_twelve_classes_and_no_name_twice() -> None:
    catalogue = part_catalogue(seed=5, n=48)
    assert Counter(part.part_class for part in catalogue) == dict.fromkeys(PartClass, 4)
    assert len({part.name for part in catalogue}) == len({part.look for part in catalogue}) == 48
    assert catalogue[:24] == part_catalogue(seed=5, n=24)
    assert catalogue != part_catalogue(seed=6, n=48)


def test_what_has_a_first_pin_may_not_be_turned() -> None:
    for part in part_catalogue():
        either_way = part.part_class in (PartClass.RESISTOR, PartClass.CERAMIC_CAPACITOR, PartClass.SMD_CAPACITOR)
        polarised = part.part_class in (PartClass.CAPACITOR, PartClass.DIODE, PartClass.SMD_DIODE, PartClass.TRANSISTOR)
        assert (180 in part.turns_deg) or not either_way, part.name
        assert part.turns_deg == (0,) or not polarised, part.name
        assert (part.mount == "SMD") == part.part_class.value.startswith("smd_")


def test_stand_ins_are_of_similar_size_and_a_sibling_differs_in_its_look_only() -> None:
    catalogue = part_catalogue()
    rng = np.random.default_rng(0)
    for part in catalogue[:24]:
        others = stand_ins(part, catalogue, same_class=True)
        assert others
        assert all(other.part_class is part.part_class and other.look != part.look for other in others)
        strangers = stand_ins(part, catalogue, same_class=False)
        assert all(other.part_class is not part.part_class for other in strangers)
        other = sibling(part, rng)
        assert other.look != part.look
        assert other.look.body_mm == part.look.body_mm


@pytest.mark.parametrize("part_number", ["CB-101", "CB-145", "X-7/b", ""])
def test_every_board_has_all_classes_on_it_without_overlap(part_number: str) -> None:
    layout = component_board(part_number)
    assert 13 <= len(layout.sites) <= 16
    assert {site.part.part_class for site in layout.sites} == set(PartClass)
    assert len({site.refdes for site in layout.sites}) == len(layout.sites)
    for site in layout.sites:
        half = np.array(site.size_mm) / 2
        centre = np.array([site.x_mm, site.y_mm])
        assert (centre - half > 1.5).all()
        assert (centre + half < np.array([layout.board.width_mm, layout.board.height_mm]) - 1.5).all()
        for other in layout.sites:
            gap = np.abs(centre - (other.x_mm, other.y_mm)) - half - np.array(other.size_mm) / 2
            assert other is site or gap.max() > 0.5, (site.refdes, other.refdes)


# -- pictures --------------------------------------------------------------------------------------


def test_the_same_arguments_give_the_same_bytes(layout: ComponentLayout, good: ComponentPicture) -> None:
    again = render_component_board(layout, {}, EASY, seed=1)
    assert hashlib.sha256(again.image.tobytes()).digest() == hashlib.sha256(good.image.tobytes()).digest()
    assert again.places == good.places
    other = render_component_board(layout, {}, EASY, seed=2)
    assert (other.image != good.image).any()


def test_a_box_holds_its_part(layout: ComponentLayout, good: ComponentPicture) -> None:
    nothing = {site.refdes: ComponentError(kind=ErrorKind.MISSING, severity=Severity.PLAIN) for site in layout.sites}
    bare = render_component_board(layout, nothing, EASY, seed=1)
    changed = np.abs(bare.image.astype(int) - good.image).max(axis=2) > 40
    inside = np.zeros(changed.shape, bool)
    for place in good.places:
        box = (slice(round(place.y0_px), round(place.y1_px)), slice(round(place.x0_px), round(place.x1_px)))
        inside[box] = True
        assert changed[box].mean() > 0.2, place.refdes  # a resistor's box is half leads and board
        assert 30 < max(place.x1_px - place.x0_px, place.y1_px - place.y0_px) < 230
    shadow_and_shine = changed & ~inside
    assert changed[inside].mean() > 10 * shadow_and_shine.mean()


def test_an_error_changes_its_own_site_and_leaves_the_far_ones(layout: ComponentLayout, good: ComponentPicture) -> None:
    error = ComponentError(kind=ErrorKind.MISSING, severity=Severity.PLAIN)
    site = next(site for site in layout.sites if site.part.part_class is PartClass.RESISTOR)
    one = render_component_board(layout, {site.refdes: error}, EASY, seed=1)
    apart = _difference(_crops(one), _crops(good))
    order = [place.refdes for place in good.places]
    assert order[int(np.argmax(apart))] == site.refdes
    assert [p.label for p in one.places if p.label != "good"] == ["missing"]
    assert np.median(np.delete(apart, order.index(site.refdes))) < 0.1 * apart[order.index(site.refdes)]


def test_every_error_outweighs_harmless_differences(layout: ComponentLayout, good: ComponentPicture) -> None:
    """In one photograph: distance of an erring crop to the nearest approved picture, against that of other good ones.

    The one exception is a part of the same series, which differs by print, bands or tone alone: a crop's mean
    difference does not see that, so there it need only differ from the right part in an otherwise equal picture.
    """
    approved = np.stack([_crops(good), *(_crops(_standing_otherwise(layout, seed)) for seed in (21, 22))])
    harmless = _nearest(_crops(_standing_otherwise(layout, 23)), approved)
    kinds, severities = list(ErrorKind), list(Severity)
    changes: dict[tuple[ErrorKind, Severity], list[float]] = {(k, s): [] for k in kinds for s in severities}
    for turn in range(len(kinds)):  # every site has every kind once, and each picture all of them
        errors = {
            site.refdes: ComponentError(kind=kinds[(n + turn) % 6], severity=severities[(n // 2 + turn) % 3])
            for n, site in enumerate(layout.sites)
        }
        crops = _crops(render_component_board(layout, errors, EASY, seed=1))
        against = _nearest(crops, approved) / harmless
        exact = _difference(crops, approved[0])
        for n, error in enumerate(errors.values()):
            series = (error.kind, error.severity) == (ErrorKind.WRONG, Severity.LIMIT)
            changes[error.kind, error.severity].append(exact[n] if series else against[n])
    for (kind, severity), ratios in changes.items():
        assert np.median(ratios) > 1.0, (kind, severity, ratios)


def _standing_otherwise(layout: ComponentLayout, parts_seed: int) -> ComponentPicture:
    """A good board in the same photograph, its parts standing otherwise."""
    return render_component_board(layout, {}, EASY, seed=1, parts_seed=parts_seed)


def _nearest(crops: np.ndarray, approved: np.ndarray) -> np.ndarray:
    """Mean difference to the nearest approved picture, (N,), each crop without its mean colour (laminate lots)."""

    def centred(pictures: np.ndarray) -> np.ndarray:
        return pictures - pictures.mean(axis=(-3, -2), keepdims=True)

    return np.min([_difference(centred(crops), centred(pictures)) for pictures in approved], axis=0)


def test_a_good_part_is_turned_only_as_it_may_and_a_rotated_one_never_is() -> None:
    for board in ("CB-101", "CB-102"):
        layout = component_board(board)
        for site in layout.sites:
            for seed in range(20):
                rng = np.random.default_rng(seed)
                fine = good_standing(site, rng)
                assert fine.turn_deg in site.part.turns_deg
                assert abs(_turn(fine, site.part.mounted_deg + fine.turn_deg)) < 3
                for severity in Severity:
                    error = ComponentError(kind=ErrorKind.ROTATED, severity=severity)
                    wrong = faulty_standing(layout, site, error, fine, rng)
                    off = min(abs(_turn(wrong, site.part.mounted_deg + turn)) for turn in site.part.turns_deg)
                    assert off > 5, (site.refdes, severity)


def _turn(standing: Standing, from_deg: float) -> float:
    return (standing.angle_deg - from_deg + 180) % 360 - 180


def test_a_polarised_part_turned_round_is_called_rotated(layout: ComponentLayout, good: ComponentPicture) -> None:
    polarised = [site for site in layout.sites if site.part.turns_deg == (0,)]
    error = ComponentError(kind=ErrorKind.ROTATED, severity=Severity.FAIR)
    turned = render_component_board(layout, {site.refdes: error for site in polarised}, EASY, seed=1)
    labels = {place.refdes: (place.label, place.severity) for place in turned.places}
    assert all(labels[site.refdes] == ("rotated", "fair") for site in polarised)
    for site in polarised:
        fine = good_standing(site, np.random.default_rng(3))
        assert faulty_standing(layout, site, error, fine, np.random.default_rng(4)).turn_deg == 180
    names = [place.refdes for place in good.places]
    apart = _difference(_crops(turned), _crops(good))
    assert all(apart[names.index(site.refdes)] > 3 for site in polarised)  # grey levels


def test_the_reference_is_straight_clean_and_the_same_always() -> None:
    reference = reference_component_board(COMPONENT_BOARD)
    assert reference.image.shape == (800, 1200, 3), "as large as what the line's camera takes"
    scale = reference.homography_ref_to_image[0, 0]
    assert 0.9 < scale < 1.1
    straight = np.diag([scale, scale, 1.0])
    np.testing.assert_allclose(reference.homography_ref_to_image[:, :2], straight[:, :2], atol=1e-9)
    assert all(place.label == "good" for place in reference.places)
    assert (reference_component_board(COMPONENT_BOARD).image == reference.image).all()


def test_a_good_part_under_a_stray_one_is_called_occluded(layout: ComponentLayout) -> None:
    relay = next(site for site in layout.sites if site.part.part_class is PartClass.RELAY)
    other = min((s for s in layout.sites if s is not relay), key=lambda s: abs(s.x_mm - relay.x_mm))
    standings = {site.refdes: good_standing(site, np.random.default_rng(1)) for site in layout.sites}
    assert not occluded_sites(layout, standings, {relay.refdes})
    moved = {"dx_mm": other.x_mm - relay.x_mm, "dy_mm": other.y_mm - relay.y_mm}
    stray = standings | {relay.refdes: dataclasses.replace(standings[relay.refdes], **moved)}
    assert other.refdes in occluded_sites(layout, stray, {relay.refdes})
    assert other.refdes not in occluded_sites(layout, stray, {relay.refdes, other.refdes})  # it has its own error


# -- streams and sets ------------------------------------------------------------------------------


def test_a_stream_draws_the_same_board_whatever_came_before() -> None:
    stream = draw_component_boards(7, 2, "easy", ("shifted",), defect_rate=0.3)
    (first_id, first), (second_id, second) = stream
    assert (first_id, second_id) == ("C0007-0000", "C0007-0001")
    assert {p.label for picture in (first, second) for p in picture.places} == {"good", "shifted"}
    alone = draw_board(component_board(COMPONENT_BOARD), 7, 1, EASY, ("shifted",), 0.3)
    assert (alone.image == second.image).all()
    assert alone.places == second.places


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"defects": ("scratch",)}, "scratch"),
        ({"defect_rate": 1.5}, "defect_rate"),
        ({"difficulty": "fog"}, "fog"),
        ({"boards": ("A", "B")}, "three"),
        ({"n_boards": 4}, "too few"),
        ({"references_per_part": 0}, "at least one"),
    ],
)
def test_a_set_that_cannot_be_is_refused(tmp_path: Path, arguments: dict, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        write_component_set(tmp_path / "set", **({"n_boards": 30, "seed": 1} | arguments))
    assert not (tmp_path / "set").exists()


def test_parts_that_are_new_in_dev_test_are_in_no_other_split() -> None:
    groups = split_boards(COMPONENT_BOARDS)
    known, in_val, in_dev_test = (parts_on(boards) for boards in dataclasses.astuple(groups))
    assert len(in_val - known) >= 20
    assert len(in_dev_test - known) >= 20
    assert not (in_val - known) & in_dev_test


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("components")
    write_component_set(folder, 8, seed=4, defect_rate=0.4, boards=NEW_BOARDS, references_per_part=1)
    return folder


def test_a_set_reads_as_every_other_set_does(written: Path) -> None:
    data = read_data_set(written, "components.csv", ["split=val"])
    assert set(data.left_out.get("val", {})) <= {OCCLUDED}
    crops = load_crops(written, data.rows, CROP_PX, 1.2)
    assert crops.shape == (len(data.rows), CROP_PX, CROP_PX, 3)
    assert (parts_of(data.rows) != "").all()
    assert len(set(boards_of(data.rows))) == 2
    every = read_data_set(written, "components.csv").rows
    labels = {row.label for row in every}
    assert labels <= {"good", *(kind.value for kind in ErrorKind)}
    assert len(labels) >= 4  # good and three errors at least: some 18 components are wrong
    for row in every:
        assert (column_of(row, "severity") == "") == row.is_good
        assert column_of(row, "turns_deg") in ("0", "0 180")
        assert column_of(row, "board_type") in NEW_BOARDS
    with pytest.raises(FileExistsError):
        write_component_set(written, 30, seed=4)


def test_train_is_good_and_knows_no_unseen_part_while_reference_has_every_part(written: Path) -> None:
    rows = read_data_set(written, "components.csv").rows
    parts = {split: Counter(parts_of([r for r in rows if r.split == split])) for split in {r.split for r in rows}}
    assert set(parts) == {"train", "val", "dev-test", "reference"}
    assert all(row.is_good for row in rows if row.split in ("train", "reference"))
    for split in ("val", "dev-test"):
        assert set(parts[split]) - set(parts["train"]), split
        assert set(parts[split]) & set(parts["train"]), split
    assert set(parts["reference"]) == set(parts["train"]) | set(parts["val"]) | set(parts["dev-test"])
    assert set(parts["reference"].values()) == {1}


def test_a_set_carries_each_boards_reference_and_places(written: Path) -> None:
    for board in NEW_BOARDS:
        with (written / "boards" / board / "places.csv").open(newline="", encoding="utf-8") as file:
            places = list(csv.DictReader(file))
        assert [row["refdes"] for row in places] == [site.refdes for site in component_board(board).sites]
        assert (written / "boards" / board / "reference.png").is_file()
