"""The demo's package station: pictures of single BGA packages, cut and turned by their machine. The bundle never saw
packages of this type."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from edge.board import Image
from edge.bundle import read_bundle
from edge.recipe_new import ALIGNED, new_recipe
from edge.references import takes_references
from export.demo_board import DemoBoard
from export.simulator.components.errors import Severity
from export.simulator.xray.packages.defects import DEFECTS_OF
from export.simulator.xray.packages.grid import PICTURE_PX, Look, package_type
from export.simulator.xray.packages.package import draw_package

PACKAGE_BUNDLE = Path(__file__).parent / "demo_package_bundle"
PRODUCT, OTHER_PRODUCT = "PO-411", "PO-401"
REFERENCE_SEED, SEED = 2040, 2041
APPROVED_PACKAGES = 5
DEFECTIVE_FRAC = 0.5
REFDES = "U1"
BUDGET_MS = 1_000


def package_recipe(folder: Path, bundle: Path = PACKAGE_BUNDLE) -> Path:
    """The recipe of one package type: a good package's whole picture is its place, and a few good packages are what
    a bundle that compares holds others against. Nothing is trained for it."""
    source = folder.parent / f"{folder.name}-source"
    source.mkdir(parents=True, exist_ok=True)
    approved = [source / f"approved-{k}.png" for k in range(APPROVED_PACKAGES)]
    for k, path in enumerate(approved):
        cv2.imwrite(str(path), draw_package(package_type(PRODUCT), (REFERENCE_SEED, k)).image)
    columns, row = "refdes,part_number,x0,y0,x1,y1", f"{REFDES},{PRODUCT},0,0,{PICTURE_PX - 1},{PICTURE_PX - 1}"
    (source / "places.csv").write_text(f"{columns}\n{row}\n")
    new_recipe(
        reference=approved[0],
        places=source / "places.csv",
        bundle=bundle,
        out=folder,
        recipe_id="bga-package",
        part_number=PRODUCT,
        verdict_budget_ms=BUDGET_MS,
        registration=ALIGNED,
        good=approved if takes_references(read_bundle(bundle).manifest.contract) else (),
    )
    return folder


def package_boards(n: int) -> Iterator[DemoBoard]:
    """Packages as they come off the tray; half are defective, of every kind and strength in turn."""
    rng = np.random.default_rng(SEED)
    kinds, severities = DEFECTS_OF[Look.OPTICAL], tuple(Severity)
    for k in range(n):
        defect = kinds[k % len(kinds)] if rng.random() < DEFECTIVE_FRAC else None
        picture = draw_package(package_type(PRODUCT), (SEED, k), defect, severities[k % len(severities)])
        defects = {} if defect is None else {REFDES: f"{picture.label}, {severities[k % len(severities)].value}"}
        yield DemoBoard(board_id=f"PKG-{k:05d}", data=_png(picture.image), defects=defects, suffix=".png")


def other_package() -> DemoBoard:
    """A package of another type."""
    image = draw_package(package_type(OTHER_PRODUCT), (SEED, 0)).image
    return DemoBoard(board_id="STRANGER-1", data=_png(image), defects={}, story="another product", suffix=".png")


def _png(image: Image) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()
