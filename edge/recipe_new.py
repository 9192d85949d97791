"""Making a recipe: a reference picture and a table of places in, a folder `read_recipe` accepts out, or all faults.

The inspected square is `region_scale` of the bundle's contract times the size in the table (`edge.recipe_table`), as it
was when the bundle was trained. For a bundle that compares parts, approved pictures are cut from approved boards.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from pydantic import ValidationError

from edge.board import Image
from edge.bundle import Contract, read_bundle
from edge.place_crops import laid_fault
from edge.recipe import BundleRef, Part, PictureFile, PictureSettings, RecipeFile, RegistrationSettings, read_recipe
from edge.recipe_folder import check_free, write_recipe_folder
from edge.recipe_parts import cut_parts, file_names, kept, turns_of_parts
from edge.recipe_table import TableRow, places_of_table, raise_if_any
from edge.recipe_toml import recipe_toml
from edge.references import MAX_REFERENCES, takes_references
from edge.register import NotRegistered, Registrar, Registration, project
from edge.registrars import AnyRegistrar, registrar_of
from edge.settings import SettingsFault

RECIPE_FILE = "recipe.toml"
REFERENCE_STEM, PARTS_FOLDER = "reference", "parts"
BUNDLE_NAME = "joints"
# For pictures the machine cuts itself: see `edge.register_aligned` for what own and other packages reach.
ALIGNED = RegistrationSettings(method="aligned", min_likeness=0.4)


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
    good: Sequence[Path] = (),
) -> Path:
    """Make the recipe folder `out` and return its `recipe.toml`. `picture` chooses rows by their `path` column; without
    it, rows whose path ends in the reference's file name are taken. `good` are pictures of approved boards that a
    bundle which compares takes its approved parts from; the reference where there are none.

    What is written was read back first: the recipe is valid, its reference has features to be recognised by, and every
    place lies whole on it. Raises SettingsFault with all faults, file, row and column named; BundleFault.
    """
    check_free(out, {RECIPE_FILE, PARTS_FOLDER, REFERENCE_STEM})
    approved = read_bundle(bundle)
    image = _read_picture(reference)
    contract = approved.manifest.contract
    compares = takes_references(contract)
    # What a part is compared by is the part: the board round it may leave the picture. A joint's gaps may not.
    margin_frac = (1.0 - 1.0 / contract.region_scale) / 2.0 if compares else 0.0
    inspected = places_of_table(places, picture, reference.name, contract.region_scale, max(0.0, margin_frac))
    settings = registration if registration is not None else registration_settings(image)
    if fault := laid_fault(contract, settings):
        raise SettingsFault([f"{bundle}: {fault}"])
    registrar = _check_on_reference(places, inspected, image, settings)
    parts: dict[str, Part] = {}
    crops: dict[str, bytes] = {}
    if compares:
        boards = {str(path): _read_picture(path) for path in good} or {str(reference): image}
        parts, crops = _approved(places, inspected, boards, registrar, contract)
    elif good:
        raise SettingsFault([f"{bundle}: compares no parts, so approved boards are of no use to it: {good[0]}"])
    recipe = _checked_recipe(
        schema_version=1,
        id=recipe_id,
        part_number=part_number,
        verdict_budget_ms=verdict_budget_ms,
        picture=PictureSettings(
            reference=f"{REFERENCE_STEM}{reference.suffix.lower()}",
            sha256=hashlib.sha256(reference.read_bytes()).hexdigest(),
            width_px=image.shape[1],
            height_px=image.shape[0],
        ),
        registration=settings,
        bundles={BUNDLE_NAME: BundleRef(path=_relative(bundle, out), sha256=approved.sha256)},
        places=tuple(row.place for row in inspected),
        parts=parts,
    )
    files = {
        recipe.picture.reference: reference.read_bytes(),
        RECIPE_FILE: recipe_toml(recipe).encode(),
        **crops,
    }
    write_recipe_folder(out, files, lambda folder: read_recipe(folder).settings == recipe)
    return out / RECIPE_FILE


def _approved(
    file: Path, rows: list[TableRow], boards: Mapping[str, Image], registrar: AnyRegistrar, contract: Contract
) -> tuple[dict[str, Part], dict[str, bytes]]:
    """The parts of a recipe, and their picture files by path in its folder."""
    if len(boards) > MAX_REFERENCES:
        raise SettingsFault([f"{len(boards)} approved boards, at most {MAX_REFERENCES} allowed"])
    turns = turns_of_parts(file, rows)
    cut = cut_parts(boards, registrar, [row.place for row in rows], contract)
    parts: dict[str, Part] = {}
    pictures: dict[str, bytes] = {}
    for part, name in file_names(turns).items():
        files = []
        for k, crop in enumerate(kept(cut[part], turns[part])):
            path = f"{PARTS_FOLDER}/{name}-{k}.png"
            pictures[path] = cv2.imencode(".png", crop)[1].tobytes()
            files.append(PictureFile(path=path, sha256=hashlib.sha256(pictures[path]).hexdigest()))
        parts[part] = Part(references=tuple(files), turns_deg=turns[part])
    return parts, pictures


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


def _check_on_reference(file: Path, rows: list[TableRow], image: Image, settings: RegistrationSettings) -> AnyRegistrar:
    """Every place whole on the reference, and a reference that finds itself. Raises SettingsFault."""
    try:
        registrar = registrar_of(image, settings)
        registrar.register(image)
    except NotRegistered as err:
        raise SettingsFault([f"the reference picture cannot be recognised by its features: {err}"]) from None
    here = Registration(homography=np.eye(3), n_inliers=0, rms_px=0.0, likeness=1.0)
    whole = {id(p) for p, *_ in project(here, [row.place for row in rows], image.shape)}
    size = f"{image.shape[1]} x {image.shape[0]}"
    raise_if_any(
        [
            f"{file} line {row.line}: the square of {row.place.side_px} px round ({row.place.x_px}, {row.place.y_px}) "
            f"leaves the {size} reference"
            for row in rows
            if id(row.place) not in whole
        ]
    )
    return registrar


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
