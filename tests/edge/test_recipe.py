"""Recipes: made from a picture and a table, read back whole, and every fault named where it is."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bundle import BundleFault, bundle_identity
from edge.recipe import BundleRef, PictureSettings, Place, RecipeFile, RegistrationSettings, read_recipe
from edge.recipe_new import new_recipe, registration_settings
from edge.recipe_toml import recipe_toml
from edge.settings import SettingsFault, read_toml
from tests.edge.drawn import drawn_board
from tests.edge.rules_bundle import write_rules_bundle

pytestmark = pytest.mark.unit
PLACES = "refdes,pin,x,y,pitch,label\nJ1,1,100,100,20,good\nJ1,2,120.5,100,20,good\nJ2,,300,200,40,bridge\n"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rules_bundle(tmp_path_factory.mktemp("bundles") / "joints.bundle")


@pytest.fixture
def bench(tmp_path: Path, bundle: Path) -> Path:
    cv2.imwrite(str(tmp_path / "ref.png"), drawn_board(1))
    (tmp_path / "places.csv").write_text(PLACES)
    return tmp_path


def _make(bench: Path, bundle: Path, table: str | None = None, **changes: object) -> Path:
    if table is not None:
        (bench / "places.csv").write_text(table)
    given_: dict[str, object] = {
        "reference": bench / "ref.png",
        "places": bench / "places.csv",
        "bundle": bundle,
        "out": bench / "recipes" / "header",
        "recipe_id": "header",
        "part_number": "H-1",
        "verdict_budget_ms": 500,
    }
    return new_recipe(**{**given_, **changes})  # type: ignore[arg-type]


def test_a_recipe_reads_back_as_it_was_asked_for(bench: Path, bundle: Path) -> None:
    file = _make(bench, bundle)
    recipe = read_recipe(file)
    assert file == bench / "recipes" / "header" / "recipe.toml"
    assert recipe.settings.id == "header"
    assert recipe.settings.verdict_budget_ms == 500
    assert [(p.refdes, p.pin, p.x_px, p.y_px, p.side_px) for p in recipe.settings.places] == [
        ("J1", "1", 100.0, 100.0, 30.0),  # region_scale 1.5
        ("J1", "2", 120.5, 100.0, 30.0),
        ("J2", "", 300.0, 200.0, 60.0),
    ]
    assert recipe.bundle_folder("joints") == bundle.resolve()
    assert recipe.settings.bundles["joints"].sha256 == bundle_identity(bundle)
    assert np.array_equal(recipe.reference, drawn_board(1))
    assert sorted(p.name for p in file.parent.parent.iterdir()) == ["header"], "nothing is left aside"


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("site,x,y,pitch\nJ1-3,100,100,20\n", ("J1", "3", 30.0)),
        ("site,x,y,pitch\nJ40_00L,100,100,20\n", ("J40", "00L", 30.0)),
        ("site,x,y,pitch\nJ-1_4,100,100,20\n", ("J-1", "4", 30.0)),
        ("site,x,y,pitch\nU7,100,100,20\n", ("U7", "", 30.0)),
        ("component,x0,y0,x1,y1\nled_out,80,90,120,110\n", ("led_out", "", 60.0)),
        ("\ufeffrefdes,pin,x,y,pitch\r\nJ1,2,100,100,20\r\n", ("J1", "2", 30.0)),
    ],
)
def test_the_columns_it_takes(bench: Path, bundle: Path, table: str, expected: tuple[str, str, float]) -> None:
    place = read_recipe(_make(bench, bundle, table)).settings.places[0]
    assert (place.refdes, place.pin, place.side_px) == expected
    assert (place.x_px, place.y_px) == (100.0, 100.0)


def test_only_rows_of_the_chosen_picture_count(bench: Path, bundle: Path) -> None:
    table = "path,site,x,y,pitch\na/ref.png,J1-1,100,100,20\nb/other.png,J1-1,50,50,20\nb/ref.png,J1-2,90,90,20\n"
    with pytest.raises(SettingsFault, match=r"could be any of .*--picture"):
        _make(bench, bundle, table)
    recipe = read_recipe(_make(bench, bundle, table, picture="b/ref.png"))
    assert [p.pin for p in recipe.settings.places] == ["2"]
    with pytest.raises(SettingsFault, match=r"no row of picture 'c\.png'"):
        _make(bench, bundle, picture="c.png")
    with pytest.raises(SettingsFault, match="no column `path`"):
        _make(bench, bundle, PLACES, picture="c.png")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", "has no rows"),
        ("refdes,pin,x,y,pitch\n", "has no rows"),
        ("name,x,y,pitch\nJ1,1,1,1\n", "no column refdes, site or component"),
        ("refdes,x,y\nJ1,1,1\n", "neither columns x, y, pitch nor"),
        ("refdes,pin,x,y,pitch\nJ1,1,100,100\n", "line 2: has another number of fields"),
        ("refdes,pin,x,y,pitch\nJ1,1,left,100,20\n", "line 2 x: 'left' is not a number"),
        ("refdes,pin,x,y,pitch\nJ1,1,nan,100,20\n", "line 2 x: 'nan' is not finite"),
        ("refdes,pin,x,y,pitch\nJ1,1,100,100,-2\n", "line 2 side_px: .*greater than or equal to 4"),
        ("refdes,pin,x,y,pitch\nJ 1,1,100,100,20\n", r"line 2 refdes: .*\(got 'J 1'\)"),
        ("refdes,pin,x,y,pitch\nJ1,1,100,100,20\nJ1,1,90,90,20\n", "line 3: J1 1 is on line 2 already"),
        ("refdes,pin,x,y,pitch\nJ1,1,5,100,20\n", "line 2: the square of 30.0 px .* leaves the 480 x 400 reference"),
        ("component,x0,y0,x1,y1\nu1,90,90,80,80\n", "the box is -10 x -10 px"),
    ],
)
def test_every_fault_says_file_row_and_column(bench: Path, bundle: Path, table: str, message: str) -> None:
    with pytest.raises(SettingsFault, match=message) as caught:
        _make(bench, bundle, table)
    assert "places.csv" in str(caught.value)
    assert not (bench / "recipes").exists()


def test_all_faults_of_a_table_come_together_but_not_without_end(bench: Path, bundle: Path) -> None:
    rows = "\n".join(f"J1,{i},x,1,1" for i in range(50))
    with pytest.raises(SettingsFault) as caught:
        _make(bench, bundle, f"refdes,pin,x,y,pitch\n{rows}\n")
    assert len(caught.value.faults) == 21
    assert caught.value.faults[-1] == "… and 30 more"


def test_a_reference_that_cannot_be_recognised_is_refused(bench: Path, bundle: Path) -> None:
    cv2.imwrite(str(bench / "ref.png"), np.full((400, 480, 3), 90, np.uint8))
    with pytest.raises(SettingsFault, match="cannot be recognised by its features"):
        _make(bench, bundle)


def test_what_is_missing_or_wrong_is_named(bench: Path, bundle: Path) -> None:
    with pytest.raises(SettingsFault, match=r"none\.png: is no file"):
        _make(bench, bundle, reference=bench / "none.png")
    with pytest.raises(BundleFault):
        _make(bench, bench)
    (bench / "ref.png").write_bytes(b"GIF")
    with pytest.raises(SettingsFault, match=r"ref\.png: is not a picture"):
        _make(bench, bundle)


def test_a_recipe_field_out_of_bounds_is_named(bench: Path, bundle: Path) -> None:
    with pytest.raises(SettingsFault, match=r"id: .*\(got 'not a name'\)"):
        _make(bench, bundle, recipe_id="not a name")


def test_an_older_recipe_is_replaced_and_nothing_else_is(bench: Path, bundle: Path) -> None:
    first = read_recipe(_make(bench, bundle)).sha256
    assert read_recipe(_make(bench, bundle, part_number="H-2")).sha256 != first
    (bench / "recipes" / "header" / "notes.txt").write_text("mine")
    with pytest.raises(SettingsFault, match=r"holds \['notes\.txt'\]"):
        _make(bench, bundle)
    assert (bench / "recipes" / "header" / "notes.txt").read_text() == "mine"


def test_a_failure_while_writing_leaves_the_older_recipe(
    bench: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = read_recipe(_make(bench, bundle)).sha256
    monkeypatch.setattr("edge.recipe_folder.sync", _full_disk)
    with pytest.raises(OSError, match="disk full"):
        _make(bench, bundle, part_number="H-2")
    assert read_recipe(bench / "recipes" / "header").sha256 == first
    assert [p.name for p in (bench / "recipes").iterdir()] == ["header"]


def _full_disk(path: Path) -> None:
    raise OSError("disk full")


def test_a_board_like_its_mirror_image_asks_for_more_inliers() -> None:
    plain = drawn_board(1)
    assert registration_settings(plain) == RegistrationSettings()
    half = plain[:, :240]
    symmetric = np.ascontiguousarray(np.hstack([half, half[:, ::-1]]))
    assert registration_settings(symmetric).min_inliers > 2 * RegistrationSettings().min_inliers


def test_read_recipe_refuses_another_reference(bench: Path, bundle: Path) -> None:
    file = _make(bench, bundle)
    cv2.imwrite(str(file.parent / "reference.png"), drawn_board(2))
    with pytest.raises(SettingsFault, match=r"picture\.sha256"):
        read_recipe(file)


def test_two_places_of_one_name_are_refused_on_reading(bench: Path, bundle: Path) -> None:
    file = _make(bench, bundle)
    file.write_text(file.read_text().replace('pin = "2"', 'pin = "1"'))
    with pytest.raises(SettingsFault, match="J1-1: listed twice"):
        read_recipe(file)


@given(
    part=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64),
    x_px=st.floats(0, 400),
    threshold=st.none() | st.floats(-1e6, 1e6),
)
def test_any_recipe_survives_its_own_toml(
    tmp_path_factory: pytest.TempPathFactory, part: str, x_px: float, threshold: float | None
) -> None:
    recipe = RecipeFile(
        schema_version=1,
        id="r",
        part_number=part,
        verdict_budget_ms=100,
        picture=PictureSettings(reference="reference.png", sha256="a" * 64, width_px=480, height_px=400),
        bundles={"joints": BundleRef(path=f"../{part}", sha256="b" * 64)},
        places=(Place(refdes="J1", pin="1", x_px=x_px, y_px=1.0, side_px=30.0, threshold=threshold),),
    )
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_text(recipe_toml(recipe), "utf-8", newline="")
    assert read_toml(file, RecipeFile) == recipe


def test_the_bundle_used_here_is_whole(bundle: Path) -> None:
    manifest = (bundle / "manifest.json").read_bytes()
    assert hashlib.sha256(manifest).hexdigest() == bundle_identity(bundle)
    assert json.loads(manifest)["engine"] == "rules"
