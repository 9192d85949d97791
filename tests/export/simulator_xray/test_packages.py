"""Pictures of BGA packages in both looks, their defects, sets, and the paper's way of making defective ones."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from export.datasets import has_places, read_data_set
from export.simulator.components.errors import Severity
from export.simulator.xray.packages.defects import DEFECTS_OF, PackageDefect, Spoilt, spoil, unspoilt
from export.simulator.xray.packages.grid import OPTICAL_TYPES, XRAY_TYPES, Look, PackageType, good_balls, package_type
from export.simulator.xray.packages.optical_look import optical_picture
from export.simulator.xray.packages.package import draw_package
from export.simulator.xray.packages.paper import place_balls, scratch, segment_balls
from export.simulator.xray.packages.sets import REFERENCES_PER_TYPE, write_package_set
from export.simulator.xray.packages.xray_look import xray_picture

pytestmark = pytest.mark.unit

CASES = [(look, kind) for look, kinds in DEFECTS_OF.items() for kind in kinds]


def type_of(look: Look) -> str:
    return OPTICAL_TYPES[8] if look is Look.OPTICAL else XRAY_TYPES[3]


def drawn(package: PackageType, spoilt: Spoilt) -> NDArray[np.int64]:
    """With the same light, noise and voids for any defect."""
    picture = optical_picture if package.look is Look.OPTICAL else xray_picture
    return picture(package, spoilt, np.random.default_rng(3))[0].astype(np.int64)


@pytest.mark.parametrize(("look", "kind"), CASES)
def test_a_defect_is_in_its_box(look: Look, kind: PackageDefect) -> None:
    package = package_type(type_of(look))
    picture = draw_package(package, (3, 1), kind, Severity.PLAIN)
    assert picture.image.shape == (256, 256, 3)
    assert picture.label == kind.value
    x0, y0, x1, y1 = picture.box_px
    assert 0 <= x0 < x1 <= 256
    assert 0 <= y0 < y1 <= 256
    assert picture.decidable == (not (look is Look.XRAY and kind is PackageDefect.CRACK))
    again = draw_package(package, (3, 1), kind, Severity.PLAIN)
    assert again.image.tobytes() == picture.image.tobytes()


@pytest.mark.parametrize("look", list(Look))
def test_a_missing_ball_changes_the_picture_where_the_box_is(look: Look) -> None:
    package = package_type(type_of(look))
    balls = good_balls(package, np.random.default_rng(1))
    spoilt = spoil(package, balls, PackageDefect.MISSING, Severity.LIMIT, np.random.default_rng(2))
    change = np.abs(drawn(package, unspoilt(balls)) - drawn(package, spoilt)).reshape(256, 256, -1).max(axis=2)
    x0, y0, x1, y1 = spoilt.box_px
    inside = np.zeros((256, 256), bool)
    inside[max(0, y0 - 4) : y1 + 4, max(0, x0 - 4) : x1 + 4] = True
    assert change[inside].mean() > 4 * change[~inside].mean() + 5


def test_a_scratch_does_not_show_by_x_ray() -> None:
    with pytest.raises(ValueError, match="scratch"):
        draw_package(package_type(XRAY_TYPES[0]), (1,), PackageDefect.SCRATCH)


def test_types_and_good_pictures_differ_from_board_to_board() -> None:
    for name in (*OPTICAL_TYPES, *XRAY_TYPES):
        package = package_type(name)
        assert len(package.places_px) >= 3
    a, b = (draw_package(package_type(OPTICAL_TYPES[0]), (1, n)) for n in (0, 1))
    assert a.label == "good"
    assert a.box_px == (0, 0, 0, 0)
    assert 1.0 < np.abs(a.image.astype(int) - b.image.astype(int)).mean() < 40.0
    with pytest.raises(ValueError, match="expected one of"):
        package_type("PO-1")


def test_x_ray_greys_are_the_measured_ones() -> None:
    """Raw pictures: background 220 to 250, balls 75 to 96 (of part numbers that are not enhanced)."""
    package = package_type(XRAY_TYPES[3])
    grey = draw_package(package, (1,)).image[..., 0]
    assert 215 <= np.percentile(grey, 75) <= 252
    x, y = package.places_px[((package.places_px > 40) & (package.places_px < 216)).all(axis=1)][0].astype(int)
    assert 70 <= np.median(grey[y - 12 : y + 13, x - 12 : x + 13]) <= 110


def test_the_papers_way_finds_balls_and_leaves_some_out() -> None:
    package = package_type(OPTICAL_TYPES[8])
    found = segment_balls(draw_package(package, (1,)).image)
    assert len(found.places_px) == pytest.approx(len(package.places_px), abs=2)
    nearest = np.hypot(*(found.places_px[:, None] - package.places_px[None]).transpose(2, 0, 1)).min(axis=1)
    assert np.median(nearest) < 2.5
    everything, placed = place_balls(found, 1.0, np.random.default_rng(0))
    assert placed.all()
    assert np.abs(everything.astype(int) - found.image.astype(int)).mean() < 3.0
    few, placed = place_balls(found, 0.7, np.random.default_rng(0), bridges_frac=0.1)
    assert 0.4 < placed.mean() < 0.95
    assert np.abs(few.astype(int) - found.image.astype(int)).mean() > 3.0
    assert (scratch(found.image, np.random.default_rng(1)) != found.image).any()
    with pytest.raises(ValueError, match="balls found"):
        segment_balls(np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(ValueError, match="from 0 to 1"):
        place_balls(found, 1.5, np.random.default_rng(0))


@pytest.mark.sweep
def test_a_set_trains_on_good_packages_and_keeps_types_for_the_test(tmp_path: Path) -> None:
    written = write_package_set(tmp_path, 40, 2, "optical", 0.7)
    with (tmp_path / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    approved = Counter(row["package_type"] for row in rows if row["split"] == "reference")
    assert approved == dict.fromkeys(OPTICAL_TYPES, REFERENCES_PER_TYPE)
    assert len(rows) == sum(written.pictures.values()) == 40 + approved.total()
    assert {row["label"] for row in rows if row["split"] == "reference"} == {"good"}
    assert {row["label"] for row in rows if row["split"] == "train"} == {"good"}
    learned = [row for row in rows if row["split"] in ("train", "val")]
    assert not {row["package_type"] for row in learned} & set(written.unseen_types)
    assert {row["package_type"] for row in rows if row["split"] == "dev-test"} & set(written.unseen_types)
    assert all((tmp_path / row["path"]).is_file() for row in rows)
    assert not has_places(read_data_set(tmp_path).rows)  # whole pictures, whatever their defects' boxes
    with pytest.raises(FileExistsError):
        write_package_set(tmp_path, 40, 2, "optical")
    with pytest.raises(ValueError, match="look"):
        write_package_set(tmp_path / "b", 40, 2, "xray", types=OPTICAL_TYPES)
