"""A recipe: what to inspect on one part number, in pixels of its reference picture, with which bundle.

A recipe is a folder: `recipe.toml` and the reference picture beside it. Bundles are named by path *and* hash, so that a
recipe that was approved cannot silently start to use another model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import cv2
import numpy as np
from pydantic import Field, model_validator

from edge.board import Image
from edge.references import MAX_REFERENCES, TURNS_DEG, approved_pictures, references_fault
from edge.settings import Name, Settings, SettingsFault, Sha256, read_toml

MAX_REGIONS = 5_000  # a dense 0.5 m panel; keeps one board's batch and one verdict message bounded
PartNumber = Annotated[str, Field(max_length=64)]
Pixels = Annotated[float, Field(ge=0.0, le=32_000.0)]  # OpenCV's remap takes coordinates below 2**15


class Place(Settings):
    """One inspected place on the reference picture: a square of `side_px` round (`x_px`, `y_px`)."""

    refdes: Name
    pin: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{0,16}$")] = ""
    x_px: Pixels
    y_px: Pixels
    side_px: Annotated[float, Field(ge=4.0, le=4096.0)]
    margin_frac: Annotated[float, Field(ge=0.0, le=0.25)] = 0.0  # of the side, at each edge: board round the part
    part_number: PartNumber = ""  # for bundles with thresholds by part number, and those that compare parts
    bundle: Name | None = None  # needed only where a recipe uses several
    threshold: float | None = None  # stricter than the bundle's own; a looser one has no evidence and is refused


class PictureSettings(Settings):
    """The reference picture and the size every picture of this recipe must have."""

    reference: str
    sha256: Sha256
    width_px: Annotated[int, Field(ge=64, le=20_000)]
    height_px: Annotated[int, Field(ge=64, le=20_000)]


class RegistrationSettings(Settings):
    """How a picture is brought onto the reference, and when it counts as the wrong board.

    Defaults from `benchmarks/registration.py`: of 70 real pictures the weakest keeps 21 inliers and 1.5 px rms, the
    strongest wrong board reaches 7. `max_rms_px` is at the registrar's working size.
    """

    method: Literal["sift", "orb", "aligned"] = "sift"  # aligned: the machine cuts and turns its pictures itself
    max_features: Annotated[int, Field(ge=100, le=20_000)] = 1_500
    min_inliers: Annotated[int, Field(ge=8, le=5_000)] = 16
    min_likeness: Annotated[float, Field(ge=0.1, le=1.0)] = 0.3  # see edge.appearance
    max_rms_px: Annotated[float, Field(gt=0.0, le=50.0)] = 2.0


class PictureFile(Settings):
    """A picture file, relative to the recipe, and the hash it must have."""

    path: str
    sha256: Sha256


class Part(Settings):
    """What approved parts of one part number look like: square crops as the bundle takes them, and how the part may be
    turned on the board (a resistor by 180 degrees, a polarised capacitor not at all)."""

    references: Annotated[tuple[PictureFile, ...], Field(min_length=1, max_length=MAX_REFERENCES)]
    turns_deg: Annotated[tuple[int, ...], Field(max_length=len(TURNS_DEG))] = (0,)

    @model_validator(mode="after")
    def _can_be_compared_with(self) -> Part:
        if fault := references_fault(len(self.references), self.turns_deg):
            raise ValueError(fault)
        return self


class BundleRef(Settings):
    """A bundle folder, relative to the recipe, and the hash it must have."""

    path: str
    sha256: Sha256


class RecipeFile(Settings):
    """`recipe.toml` as written."""

    schema_version: Literal[1]
    id: Name
    part_number: Annotated[str, Field(min_length=1, max_length=64)]
    verdict_budget_ms: Annotated[int, Field(ge=20, le=60_000)]
    picture: PictureSettings
    registration: RegistrationSettings = RegistrationSettings()
    bundles: Annotated[dict[Name, BundleRef], Field(min_length=1, max_length=16)]
    places: Annotated[tuple[Place, ...], Field(min_length=1, max_length=MAX_REGIONS)]
    parts: Annotated[dict[PartNumber, Part], Field(max_length=MAX_REGIONS)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _places_make_sense(self) -> RecipeFile:
        seen: set[tuple[str, str]] = set()
        faults = []
        for place in self.places:
            name = f"{place.refdes}-{place.pin}" if place.pin else place.refdes
            if (place.refdes, place.pin) in seen:
                faults.append(f"{name}: listed twice")
            seen.add((place.refdes, place.pin))
            if place.x_px > self.picture.width_px or place.y_px > self.picture.height_px:
                size = f"{self.picture.width_px} x {self.picture.height_px}"
                faults.append(f"{name}: centre ({place.x_px}, {place.y_px}) outside the {size} reference")
            if place.bundle is None and len(self.bundles) > 1:
                faults.append(f"{name}: says no bundle, and the recipe has {len(self.bundles)}")
            if self.parts and place.part_number and place.part_number not in self.parts:
                faults.append(f"{name}: part_number {place.part_number!r} is none of parts {sorted(self.parts)}")
            if place.bundle is not None and place.bundle not in self.bundles:
                faults.append(f"{name}: bundle {place.bundle!r} is not one of {sorted(self.bundles)}")
        if faults:
            raise ValueError("; ".join(faults))
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A checked recipe and its reference picture. `sha256` covers `recipe.toml`, which names all else by hash."""

    settings: RecipeFile
    folder: Path
    sha256: str
    reference: Image  # (height_px, width_px, 3) uint8 BGR
    approved: Mapping[str, Image]  # part number -> (MAX_APPROVED, h, h, 3) uint8 BGR, turned as the part may be

    def bundle_folder(self, name: str) -> Path:
        """Where the named bundle lies."""
        return (self.folder / self.settings.bundles[name].path).resolve()

    def places_of(self, bundle: str) -> tuple[Place, ...]:
        """The places scored by the named bundle, in recipe order."""
        return tuple(p for p in self.settings.places if (p.bundle or next(iter(self.settings.bundles))) == bundle)


def read_recipe(path: Path) -> Recipe:
    """Read `recipe.toml` (or the folder that holds it) and its reference. Raises SettingsFault with all faults."""
    file = path / "recipe.toml" if path.is_dir() else path
    return recipe_of(file, read_toml(file, RecipeFile))


def recipe_of(file: Path, settings: RecipeFile) -> Recipe:
    """A recipe from its checked `recipe.toml` and what that names. Raises SettingsFault."""
    return Recipe(
        settings=settings,
        folder=file.parent,
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        reference=_read_reference(file, settings.picture),
        approved={name: _read_approved(file, name, part) for name, part in settings.parts.items()},
    )


def _read_reference(recipe_file: Path, picture: PictureSettings) -> Image:
    path = recipe_file.parent / picture.reference
    image = _read_picture(f"{recipe_file} picture", "reference", path, picture.sha256)
    if image.shape[:2] != (picture.height_px, picture.width_px):
        got = f"{image.shape[1]} x {image.shape[0]}"
        raise SettingsFault([f"{recipe_file} picture: {path} is {got}, not {picture.width_px} x {picture.height_px}"])
    return image


def _read_approved(recipe_file: Path, name: str, part: Part) -> Image:
    where = f"{recipe_file} parts.{name}.references"
    crops = [_read_picture(where, "path", recipe_file.parent / file.path, file.sha256) for file in part.references]
    side_px = crops[0].shape[0]
    for crop, file in zip(crops, part.references, strict=True):
        if crop.shape != (side_px, side_px, 3):
            got = f"{crop.shape[1]} x {crop.shape[0]}"
            raise SettingsFault([f"{where}: {file.path} is {got}, expected squares of one size, {side_px} x {side_px}"])
    return approved_pictures(np.stack(crops), part.turns_deg)


def _read_picture(where: str, field: str, path: Path, sha256: str) -> Image:
    if not path.is_file():
        raise SettingsFault([f"{where}.{field}: {path} does not exist"])
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        raise SettingsFault([f"{where}.sha256: {path} has {found}, the recipe says {sha256}"])
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise SettingsFault([f"{where}.{field}: {path} is not a picture OpenCV can read"])
    return image.astype(np.uint8, copy=False)
