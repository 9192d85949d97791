"""Approved pictures of each part, cut from pictures of boards that a person approved: no training, five boards at most.

A part that is mounted several times on a board gives several pictures a board; of all there are, those kept are spread
evenly over boards and places.
"""

from __future__ import annotations

import collections
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from edge.board import Image
from edge.bundle import Contract
from edge.place_crops import cut_places
from edge.recipe import Place
from edge.recipe_table import TableRow, raise_if_any
from edge.references import MAX_APPROVED, MAX_REFERENCES, references_fault
from edge.register import NotRegistered, project
from edge.registrars import AnyRegistrar

Kept = TypeVar("Kept")


def turns_of_parts(file: Path, rows: Sequence[TableRow]) -> dict[str, tuple[int, ...]]:
    """How each part of a table may be turned, (0,) where it does not say. Raises SettingsFault where a place has no
    part, rows disagree, or so many turns cannot be compared with."""
    turns: dict[str, tuple[int, ...]] = {}
    faults = []
    for row in rows:
        part, said = row.place.part_number, row.turns_deg or (0,)
        if not part:
            faults.append(f"{file} line {row.line} part_number: is empty, and the bundle compares parts")
        elif turns.setdefault(part, said) != said:
            faults.append(f"{file} line {row.line} turns_deg: {said} for {part!r}, an earlier line says {turns[part]}")
        elif fault := references_fault(1, said):
            faults.append(f"{file} line {row.line} turns_deg: {fault}")
    raise_if_any(faults)
    return turns


def cut_parts(
    boards: Mapping[str, Image], registrar: AnyRegistrar, places: Sequence[Place], contract: Contract
) -> dict[str, list[Image]]:
    """Crops (crop_px, crop_px, 3) of every part, board by board. `boards` are pictures by name, each brought onto the
    recipe's reference. Raises SettingsFault naming a picture that shows another board, or not all of it."""
    found: dict[str, list[Image]] = collections.defaultdict(list)
    faults = []
    for name, image in boards.items():
        try:
            registration = registrar.register(image)
            seen = project(registration, places, image.shape)
        except NotRegistered as err:
            faults.append(f"{name}: {err}")
            continue
        if len(seen) != len(places):
            faults.append(f"{name}: {len(seen)} of {len(places)} places lie whole in the picture")
        crops = cut_places(image, registration, seen, contract)
        for (place, *_), crop in zip(seen, crops, strict=True):
            found[place.part_number].append(crop)
    raise_if_any(faults)
    return dict(found)


def kept(crops: Sequence[Kept], turns_deg: Sequence[int]) -> list[Kept]:
    """As many as may be compared with in these turns, spread evenly."""
    most = min(MAX_REFERENCES, MAX_APPROVED // len(turns_deg))
    return [crops[k] for k in np.linspace(0, len(crops) - 1, min(most, len(crops))).round().astype(int)]


def file_names(parts: Iterable[str]) -> dict[str, str]:
    """A file name for each part number, whatever characters it has: no two are the same."""
    return {part: f"{k:04d}-{re.sub(r'[^A-Za-z0-9.-]+', '_', part)[:32]}" for k, part in enumerate(parts)}
