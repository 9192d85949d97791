"""A desk for tests of paste: panels of 64 pads, a bundle of rules for them, a recipe."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from edge.bundle import Contract, TensorSpec, WindowSpec
from edge.capture.readers.paste_settings import PasteFileSettings
from edge.paste.learn import grid_of, groups_of, table_of
from edge.paste.panel import Numbers, PastePanel
from edge.paste.recipe import PasteRecipe, PasteRecipeFile
from edge.paste.table import PadTable
from edge.recipe import BundleRef, PictureFile
from edge.scorers.paste_rules import Chart, PasteRulesFile
from export.bundle import write_bundle
from tests.edge.desk_bundle import desk_parts, unkept

SIDE, PADS, SIGMA_PCT = 8, 64, 3.0
PLANES = ("mask", "volume", "area")
FILE = PasteFileSettings(format="koh_young_csv", date_order="mdy")
JOB = "PANEL-TOP"


def panel(counter: int | None = 100, moved_pct: Numbers | None = None, job: str = JOB, n: int = PADS) -> PastePanel:
    """Pads at their means, or moved from there by (P, 2) volume and area."""
    moved = np.zeros((n, 2)) if moved_pct is None else moved_pct
    at = np.arange(n)
    return PastePanel(
        barcode=f"B{counter}",
        job=job,
        side="top",
        counter=counter,
        printed="2026-01-01T06:00:00",
        machine_result="GOOD",
        pad=np.array([f"R{k}_01/1" for k in range(n)]),
        volume_pct=90.0 + moved[:, 0],
        area_pct=95.0 + moved[:, 1],
        height_um=np.full(n, 120.0),
        aperture_mm2=np.where(at % 2, 0.2, 0.4),
        stencil_um=np.full(n, 120.0),
        x_mm=(at % SIDE) * 1.2,
        y_mm=(at // SIDE) * 1.2,
        pad_result=np.full(n, "GOOD"),
    )


def table(n_panels: int = 40, seed: int = 1) -> PadTable:
    """Learned from panels of independent noise of 3 points."""
    rng = np.random.default_rng(seed)
    first = panel()
    values = np.stack([first.volume_pct, first.area_pct], axis=1) + rng.normal(0, SIGMA_PCT, (n_panels, PADS, 2))
    assert first.x_mm is not None
    assert first.y_mm is not None
    grid = grid_of(first.x_mm, first.y_mm, 1.2, SIDE)
    return table_of(first.pad, values, list(range(n_panels)), groups_of(first), grid, 5)


def contract() -> Contract:
    """One board of three planes, 8 x 8 cells."""
    return Contract(
        crop_px=SIDE,
        region_scale=1.0,
        channels="planes",
        normalisation="per_pad",
        window=WindowSpec(boards=3, planes=PLANES),
        inputs=(TensorSpec(name="window", shape=("N", 3, 3, SIDE, SIDE), dtype="float32", meaning="planes"),),
        outputs=(
            TensorSpec(name="score", shape=("N",), dtype="float32", meaning="greatest |map|"),
            TensorSpec(name="map", shape=("N", SIDE, SIDE), dtype="float32", meaning="sigmas"),
        ),
    )


def bundle(folder: Path, threshold: float = 6.0) -> str:
    """Rules: each pad against itself, at `threshold` sigmas. Returns its identity."""
    rules = PasteRulesFile(comparator="pad", charts=(Chart(weight=1.0, sigmas=(1.0, 1.0)),))
    windows = np.random.default_rng(0).normal(0, 1, (8, 3, 3, SIDE, SIDE)).astype(np.float32)
    windows[:, :, 0] = 1.0
    model = rules.model_dump_json().encode()
    scores = np.abs(windows[:, -1, 1:]).max(axis=(1, 2, 3))
    parts = desk_parts(
        "paste_print",
        contract(),
        model,
        windows,
        scores,
        unkept(threshold),
        engine="rules",
        golden_tolerance=0.01,
    )
    return write_bundle(folder, parts)


def recipe(folder: Path, threshold: float = 6.0) -> PasteRecipe:
    """A recipe of the table above, judged by the rules above, without its files."""
    identity = bundle(folder / "bundle", threshold)
    none = PictureFile(path="pads.csv", sha256="0" * 64)
    settings = PasteRecipeFile(
        schema_version=1,
        machine="spi",
        id="desk",
        part_number="P-1",
        job=JOB,
        verdict_budget_ms=5_000,
        file=FILE,
        n_good_panels=40,
        n_good_days=4,
        wipe_every_boards=5,
        side_cells=SIDE,
        pads=none,
        groups=none,
        bundle=BundleRef(path="bundle", sha256=identity),
    )
    sha256 = hashlib.sha256(settings.model_dump_json().encode()).hexdigest()
    return PasteRecipe(settings=settings, folder=folder, sha256=sha256, table=table())
