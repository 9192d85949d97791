"""Making a recipe: a reference picture and a table of places in, a folder `read_recipe` accepts out, or all faults.

The table is CSV. A row names its place by `refdes` and, where it has one, `pin`; or by `site`, split at its last `-`
or `_` (`J1-3`, `J40_00L`); or by `component`. It says where by centre and size `x,y,pitch`, or by a box `x0,y0,x1,y1`,
whose size is its longer side. The inspected square is `region_scale` of the bundle's contract times that size, as it
was when the bundle was trained. Other columns are ignored, but for `path`: where there is one, only rows of the chosen
picture count.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from pydantic import BaseModel, ValidationError

from edge.board import Image
from edge.bundle import read_bundle
from edge.durable import replace_folder, sync
from edge.recipe import MAX_REGIONS, BundleRef, PictureSettings, Place, RecipeFile, RegistrationSettings, read_recipe
from edge.register import NotRegistered, Registrar, Registration, project
from edge.settings import SettingsFault

RECIPE_FILE = "recipe.toml"
BUNDLE_NAME = "joints"
MAX_TABLE_BYTES = 64 * 1024 * 1024  # a table of all pictures of a data set; one picture's rows are what is kept
MAX_FAULTS = 20  # a table with a wrong column would report every row
CENTRE, BOX = ("x", "y", "pitch"), ("x0", "y0", "x1", "y1")
Row = dict[str, str]


def new_recipe(
    *,
    reference: Path,
    places: Path,
    bundle: Path,
    out: Path,
    recipe_id: str,
    part_number: str,
    verdict_budget_ms: int,
    picture: str = "",
    registration: RegistrationSettings | None = None,
) -> Path:
    """Make the recipe folder `out` and return its `recipe.toml`. `picture` chooses rows by their `path` column; without
    it, rows whose path ends in the reference's file name are taken.

    What is written was read back first: the recipe is valid, its reference has features to be recognised by, and every
    place lies whole on it. Raises SettingsFault with all faults, file, row and column named; BundleFault.
    """
    _check_free(out)
    approved = read_bundle(bundle)
    image = _read_picture(reference)
    rows = _rows_of_picture(places, _read_table(places), picture, reference.name)
    inspected = _places(places, rows, approved.manifest.contract.region_scale)
    settings = registration if registration is not None else registration_settings(image)
    _check_on_reference(places, inspected, image, settings)
    recipe = _checked_recipe(
        schema_version=1,
        id=recipe_id,
        part_number=part_number,
        verdict_budget_ms=verdict_budget_ms,
        picture=PictureSettings(
            reference=f"reference{reference.suffix.lower()}",
            sha256=hashlib.sha256(reference.read_bytes()).hexdigest(),
            width_px=image.shape[1],
            height_px=image.shape[0],
        ),
        registration=settings,
        bundles={BUNDLE_NAME: BundleRef(path=_relative(bundle, out), sha256=approved.sha256)},
        places=tuple(place for _, place in inspected),
    )
    _write(out, recipe, reference)
    return out / RECIPE_FILE


def registration_settings(reference: Image) -> RegistrationSettings:
    """The defaults, with more inliers asked of a board that resembles its own mirror image.

    No camera sees a board mirrored, so the inliers of the mirrored reference are what symmetry and repeated parts reach
    by themselves: none on most boards, 37 on a small sensor board where true views keep 121. Twice that is asked.
    """
    defaults = RegistrationSettings()
    try:
        registrar = Registrar(reference, defaults)
    except NotRegistered as err:
        raise SettingsFault([f"the reference picture cannot be recognised by its features: {err}"]) from None
    by_symmetry = 0
    for axis in (0, 1):
        try:
            mirrored = cv2.flip(reference, axis).astype(np.uint8, copy=False)
            by_symmetry = max(by_symmetry, registrar.register(mirrored).n_inliers)
        except NotRegistered:
            continue
    return defaults.model_copy(update={"min_inliers": max(defaults.min_inliers, 2 * by_symmetry)})


def recipe_toml(recipe: RecipeFile) -> str:
    """The text of `recipe.toml`: `read_toml` gives the same settings back."""
    head = {k: v for k, v in recipe.model_dump(exclude_none=True).items() if not isinstance(v, (dict, tuple, list))}
    lines = [f"# Made by `boardgate recipe new`. Places are squares in pixels of {recipe.picture.reference}."]
    lines += _assignments(head)
    lines += ["", "[picture]", *_assignments(_dumped(recipe.picture))]
    lines += ["", "[registration]", *_assignments(_dumped(recipe.registration))]
    for name, ref in recipe.bundles.items():
        lines += ["", f"[bundles.{_text(name)}]", *_assignments(_dumped(ref))]
    for place in recipe.places:
        lines += ["", "[[places]]", *_assignments(_dumped(place))]
    return "\n".join(lines) + "\n"


def _dumped(settings: BaseModel) -> Mapping[str, object]:
    return settings.model_dump(exclude_none=True)


def _assignments(values: Mapping[str, object]) -> list[str]:
    return [f"{key} = {_value(value)}" for key, value in values.items()]


def _value(value: object) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return repr(value)
    raise TypeError(f"{value!r}: a recipe holds text and finite numbers only")


def _text(value: str) -> str:
    """A TOML basic string: JSON's escapes, and DEL, which TOML wants escaped and JSON does not."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _read_table(file: Path) -> list[tuple[int, Row]]:
    """The rows with their line numbers. Raises SettingsFault."""
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_TABLE_BYTES + 1)
        if len(data) > MAX_TABLE_BYTES:
            raise SettingsFault([f"{file}: larger than {MAX_TABLE_BYTES} bytes"])
        reader = csv.DictReader(data.decode("utf-8-sig").splitlines(), strict=True, restkey="")
        rows = [(reader.line_num, row) for row in reader]
    except OSError as err:
        raise SettingsFault([f"{file}: cannot be read: {err.strerror}"]) from None
    except (UnicodeDecodeError, csv.Error) as err:
        raise SettingsFault([f"{file}: is not a CSV table in UTF-8: {err}"]) from None
    if not rows:
        raise SettingsFault([f"{file}: has no rows"])
    ragged = [line for line, row in rows if "" in row or None in row.values()]
    if ragged:
        raise SettingsFault([f"{file} line {ragged[0]}: has another number of fields than the first line"])
    return rows


def _rows_of_picture(file: Path, rows: list[tuple[int, Row]], picture: str, name: str) -> list[tuple[int, Row]]:
    if "path" not in rows[0][1]:
        if picture:
            raise SettingsFault([f"{file}: has no column `path` to find picture {picture!r} by"])
        return rows
    wanted = picture or name
    chosen = [(line, row) for line, row in rows if wanted in (row["path"], Path(row["path"]).name)]
    paths = sorted({row["path"] for _, row in chosen})
    if not chosen:
        known = sorted({row["path"] for _, row in rows})[:5]
        raise SettingsFault([f"{file} path: no row of picture {wanted!r}; there are {known} …: say --picture"])
    if len(paths) > 1:
        raise SettingsFault([f"{file} path: {wanted!r} could be any of {paths[:5]}: say --picture with its folder"])
    return chosen


def _places(file: Path, rows: list[tuple[int, Row]], region_scale: float) -> list[tuple[int, Place]]:
    """Every row as a place. Raises SettingsFault naming row and column of each that cannot be one."""
    if len(rows) > MAX_REGIONS:
        raise SettingsFault([f"{file}: {len(rows)} places, at most {MAX_REGIONS} allowed"])
    columns = rows[0][1].keys()
    if not columns & {"refdes", "site", "component"}:
        raise SettingsFault([f"{file}: no column refdes, site or component; it has {sorted(columns)}"])
    if not (columns >= set(CENTRE) or columns >= set(BOX)):
        raise SettingsFault([f"{file}: neither columns x, y, pitch nor x0, y0, x1, y1; it has {sorted(columns)}"])
    found: list[tuple[int, Place]] = []
    faults: list[str] = []
    first_line: dict[tuple[str, str], int] = {}
    for line, row in rows:
        place, fault = _place(row, region_scale)
        if place is None:
            faults.append(f"{file} line {line} {fault}")
            continue
        known = first_line.setdefault((place.refdes, place.pin), line)
        if known != line:
            faults.append(f"{file} line {line}: {place.refdes} {place.pin} is on line {known} already")
        found.append((line, place))
    _raise_if_any(faults)
    return found


def _place(row: Row, region_scale: float) -> tuple[Place | None, str]:
    """The row's place, or what is wrong with it, the column first."""
    numbers: dict[str, float] = {}
    for column in CENTRE if row.keys() >= set(CENTRE) else BOX:
        try:
            numbers[column] = float(row[column])
        except ValueError:
            return None, f"{column}: {row[column]!r} is not a number"
        if not math.isfinite(numbers[column]):
            return None, f"{column}: {row[column]!r} is not finite"
    if "pitch" in numbers:
        x_px, y_px, size_px = numbers["x"], numbers["y"], numbers["pitch"]
    else:
        width, height = numbers["x1"] - numbers["x0"], numbers["y1"] - numbers["y0"]
        if min(width, height) <= 0:
            return None, f"x0, y0, x1, y1: the box is {width:g} x {height:g} px; its second corner comes first"
        x_px, y_px, size_px = numbers["x0"] + width / 2, numbers["y0"] + height / 2, max(width, height)
    refdes, pin = _name(row)
    try:
        return (
            Place(
                refdes=refdes,
                pin=pin,
                x_px=round(x_px, 3),
                y_px=round(y_px, 3),
                side_px=round(size_px * region_scale, 3),
            ),
            "",
        )
    except ValidationError as err:
        return None, "; ".join(f"{e['loc'][0]}: {e['msg']} (got {e['input']!r:.60})" for e in err.errors())


def _name(row: Row) -> tuple[str, str]:
    if "refdes" in row:
        return row["refdes"].strip(), row.get("pin", "").strip()
    if "site" in row:
        parts = re.fullmatch(r"(.+)[-_](.+)", row["site"].strip())  # greedy: the last separator
        return (parts[1], parts[2]) if parts else (row["site"].strip(), "")
    return row["component"].strip(), ""


def _check_on_reference(
    file: Path, places: list[tuple[int, Place]], image: Image, settings: RegistrationSettings
) -> None:
    """Every place whole on the reference, and a reference that finds itself. Raises SettingsFault."""
    try:
        Registrar(image, settings).register(image)
    except NotRegistered as err:
        raise SettingsFault([f"the reference picture cannot be recognised by its features: {err}"]) from None
    here = Registration(homography=np.eye(3), n_inliers=0, rms_px=0.0, likeness=1.0)
    whole = {id(p) for p, *_ in project(here, [p for _, p in places], image.shape)}
    size = f"{image.shape[1]} x {image.shape[0]}"
    _raise_if_any(
        [
            f"{file} line {line}: the square of {p.side_px} px round ({p.x_px}, {p.y_px}) leaves the {size} reference"
            for line, p in places
            if id(p) not in whole
        ]
    )


def _checked_recipe(**fields: object) -> RecipeFile:
    try:
        return RecipeFile.model_validate(fields)
    except ValidationError as err:
        lines = [
            f"{'.'.join(map(str, e['loc'])) or 'recipe'}: {e['msg']} (got {e['input']!r:.60})" for e in err.errors()
        ]
        raise SettingsFault(lines) from None


def _read_picture(path: Path) -> Image:
    if not path.is_file():
        raise SettingsFault([f"{path}: is no file"])
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise SettingsFault([f"{path}: is not a picture OpenCV can read"])
    return image.astype(np.uint8, copy=False)


def _relative(bundle: Path, out: Path) -> str:
    return Path(os.path.relpath(bundle.resolve(), out.resolve())).as_posix()


def _check_free(out: Path) -> None:
    """An older recipe may be replaced; anything else in the way is not this command's to remove."""
    if out.is_dir():
        strangers = [p.name for p in out.iterdir() if p.name != RECIPE_FILE and p.stem != "reference"]
        if strangers:
            raise SettingsFault([f"{out}: holds {sorted(strangers)[:5]}, which is no recipe: choose another --out"])
    elif out.exists():
        raise SettingsFault([f"{out}: exists and is no folder: choose another --out"])


def _write(out: Path, recipe: RecipeFile, reference: Path) -> None:
    """Aside, synced, read back, then one rename: a station finds all of the recipe or none."""
    out.parent.mkdir(parents=True, exist_ok=True)
    # Beside `out`, so that the bundle's relative path already holds while it is read back.
    aside = out.parent / f".{out.name}.writing-{os.getpid()}"
    shutil.rmtree(aside, ignore_errors=True)
    try:
        aside.mkdir()
        shutil.copyfile(reference, aside / recipe.picture.reference)
        (aside / RECIPE_FILE).write_text(recipe_toml(recipe), "utf-8")
        for path in (aside / recipe.picture.reference, aside / RECIPE_FILE, aside):
            sync(path)
        if read_recipe(aside).settings != recipe:
            raise SettingsFault([f"{out / RECIPE_FILE}: reads back as another recipe; nothing was written"])
        replace_folder(aside, out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _raise_if_any(faults: list[str]) -> None:
    if len(faults) > MAX_FAULTS:
        faults = [*faults[:MAX_FAULTS], f"… and {len(faults) - MAX_FAULTS} more"]
    if faults:
        raise SettingsFault(faults)
