"""Every row of the table of families, from pictures to a gated board: train, export, parity, bundle, recipe, station,
replay. A new family adds a row to `SWEEP`, or this test fails."""

from __future__ import annotations

import csv
import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs_torch")

from edge.axi.recipe_new import new_axi_recipe  # noqa: E402
from edge.board import Image, Reason  # noqa: E402
from edge.bundle import read_bundle  # noqa: E402
from edge.check import check_file  # noqa: E402
from edge.journal import JournalReader  # noqa: E402
from edge.paste.recipe_new import new_paste_recipe  # noqa: E402
from edge.recipe_new import ALIGNED, new_recipe  # noqa: E402
from edge.recipe_toml import settings_toml  # noqa: E402
from edge.replay import replay_journal  # noqa: E402
from edge.scorers import EngineChoice, checked_scores, golden_inputs, load_scorer  # noqa: E402
from export.demo_stations import as_jpeg  # noqa: E402
from export.families import FAMILIES  # noqa: E402
from export.rules_bundle import write_rules_bundle  # noqa: E402
from export.simulator.components.sets import REFERENCE_SPLIT, write_component_set  # noqa: E402
from export.simulator.components.stream import draw_component_boards  # noqa: E402
from export.simulator.datasets import draw_boards, write_header_set  # noqa: E402
from export.simulator.line import LineTwin  # noqa: E402
from export.simulator.paste.files import FILE_SETTINGS, barcode_of, write_koh_young  # noqa: E402
from export.simulator.paste.prints import print_run  # noqa: E402
from export.simulator.paste.product import CELL_MM, WIPE_EVERY, paste_product  # noqa: E402
from export.simulator.paste.sets import write_paste_set  # noqa: E402
from export.simulator.xray import sets as xray_sets  # noqa: E402
from export.simulator.xray.files import twin_file_settings, write_axi_board  # noqa: E402
from export.simulator.xray.packages.grid import OPTICAL_TYPES, PICTURE_PX, package_type  # noqa: E402
from export.simulator.xray.packages.package import draw_package  # noqa: E402
from export.simulator.xray.packages.sets import write_package_set  # noqa: E402
from export.simulator.xray.sets import DrawnView, draw_views  # noqa: E402
from export.to_bundle import write  # noqa: E402
from export.workshop import TrainRequest, train  # noqa: E402

pytestmark = [pytest.mark.sweep, pytest.mark.needs_torch, pytest.mark.timeout(300)]

N_BOARDS = 3
AXI_TYPES = ("AX-109", "AX-104", "AX-110")  # two views each
COMPONENT_BOARDS = ("CB-101", "CB-107", "CB-145")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """How a family is taken through: its data set and recipe from the twin, and the smallest training that counts."""

    write_set: Callable[[Path], object]
    table: str
    preset: str
    variant: str
    epochs: int
    make_recipe: Callable[[Path, Path, Path], Path]  # of the data set, the bundle and the recipe's folder
    boards: Callable[[Path], Iterator[tuple[str, bytes]]]  # into the folder goes what lies beside their files
    suffix: str = ".jpg"  # of a board's file


def joint_boards(_home: Path) -> Iterator[tuple[str, bytes]]:
    for board_id, drawn in draw_boards(77, N_BOARDS):
        yield board_id, as_jpeg(drawn.image)


def component_boards(_home: Path) -> Iterator[tuple[str, bytes]]:
    for board_id, drawn in draw_component_boards(77, N_BOARDS, part_number=COMPONENT_BOARDS[0]):
        yield board_id, as_jpeg(drawn.image)


def approved_boards(data: Path) -> list[Path]:
    with (data / "index.csv").open(newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["split"] == REFERENCE_SPLIT]
    return [data / row["path"] for row in rows if row["board_type"] == COMPONENT_BOARDS[0]]


def picture_recipe(
    reference: str, places: str, good: Callable[[Path], list[Path]] = lambda data: []
) -> Callable[[Path, Path, Path], Path]:
    def made(data: Path, bundle: Path, out: Path) -> Path:
        return new_recipe(
            reference=data / reference,
            places=data / places,
            bundle=bundle,
            out=out,
            recipe_id="sweep",
            part_number="SWEEP-1",
            verdict_budget_ms=10_000,
            good=good(data),
        )

    return made


def paste_recipe(data: Path, bundle: Path, out: Path) -> Path:
    with (data / "index.csv").open(newline="") as file:
        good = [data / row["path"] for row in csv.DictReader(file) if row["split"] == "train"]
    return new_paste_recipe(
        good=good,
        bundle=bundle,
        out=out,
        recipe_id="sweep",
        part_number="SWEEP-1",
        verdict_budget_ms=10_000,
        file=FILE_SETTINGS,
        cell_mm=CELL_MM,
        wipe_every_boards=WIPE_EVERY,
    )


def paste_boards(_home: Path) -> Iterator[tuple[str, bytes]]:
    product = paste_product("PP-1")
    run = print_run(product, N_BOARDS, 77, one_run=True)
    for k in range(N_BOARDS):
        yield barcode_of(run, k), write_koh_young(product, run, k)


def axi_recipe(data: Path, bundle: Path, out: Path) -> Path:
    home = out.parent
    machine = home / "machine.toml"
    machine.write_text(settings_toml(twin_file_settings("pictures"), "the twin's"))
    good = [write_axi_board(home / "good", home / "pictures", name, views) for name, views in drawn_axi(seed=76)]
    return new_axi_recipe(
        good=good,
        machine=machine,
        bundle=bundle,
        out=out,
        recipe_id="sweep",
        part_number="SWEEP-1",
        verdict_budget_ms=10_000,
    )


def axi_boards(home: Path) -> Iterator[tuple[str, bytes]]:
    for name, views in drawn_axi(seed=77):
        index = write_axi_board(home / "written", home / "pictures", name, views)
        yield index.stem, index.read_bytes()


def drawn_axi(seed: int) -> Iterator[tuple[str, list[DrawnView]]]:
    stream = draw_views((AXI_TYPES[0],), N_BOARDS, seed, "easy")
    for name, views in itertools.groupby(stream, key=lambda drawn: drawn.board):
        yield name, list(views)


def package_recipe(data: Path, bundle: Path, out: Path) -> Path:
    source = out.parent / "source"
    source.mkdir()
    as_png(source / "reference.png", drawn_package(76))
    (source / "places.csv").write_text(f"component,x0,y0,x1,y1\nU1,0,0,{PICTURE_PX - 1},{PICTURE_PX - 1}\n")
    return new_recipe(
        reference=source / "reference.png",
        places=source / "places.csv",
        bundle=bundle,
        out=out,
        recipe_id="sweep",
        part_number="SWEEP-1",
        verdict_budget_ms=10_000,
        registration=ALIGNED,
    )


def package_boards(home: Path) -> Iterator[tuple[str, bytes]]:
    for k in range(N_BOARDS):
        yield f"P{k}", as_png(home / "package.png", drawn_package(77 + k)).read_bytes()


def drawn_package(seed: int) -> Image:
    return draw_package(package_type(OPTICAL_TYPES[0]), (seed, 0)).image


def as_png(path: Path, image: Image) -> Path:
    assert cv2.imwrite(str(path), image)
    return path


SWEEP = {
    "solder_joint": Row(
        write_set=lambda folder: write_header_set(folder, 6, seed=5),
        table="joints.csv",
        preset="fast",
        variant="cae",
        epochs=40,
        make_recipe=picture_recipe("reference.png", "places.csv"),
        boards=joint_boards,
    ),
    "pth_component": Row(
        write_set=lambda folder: write_component_set(folder, 8, 5, boards=COMPONENT_BOARDS, references_per_part=2),
        table="components.csv",
        preset="fast",
        variant="tiny",
        epochs=1,
        make_recipe=picture_recipe("boards/CB-101/reference.png", "boards/CB-101/places.csv", approved_boards),
        boards=component_boards,
    ),
    "paste_print": Row(
        write_set=lambda folder: write_paste_set(folder, 160, 5),
        table="index.csv",
        preset="fast",
        variant="tiny",
        epochs=2,
        make_recipe=paste_recipe,
        boards=paste_boards,
        suffix=".csv",
    ),
    "axi_joint": Row(
        write_set=lambda folder: xray_sets.write_joint_set(
            folder, 2, 5, "easy", 0.4, types=AXI_TYPES, slices=4, defects=("missing",)
        ),
        table="joints.csv",
        preset="fast",
        variant="tiny",
        epochs=6,
        make_recipe=axi_recipe,
        boards=axi_boards,
        suffix=".json",
    ),
    "bga_package": Row(
        write_set=lambda folder: write_package_set(folder, 160, 5, "optical", types=OPTICAL_TYPES[:3]),
        table="index.csv",
        preset="fast",
        variant="tiny",
        epochs=12,
        make_recipe=package_recipe,
        boards=package_boards,
        suffix=".png",
    ),
}


def test_every_family_is_swept() -> None:
    assert SWEEP.keys() == FAMILIES.keys()


@pytest.fixture(scope="module")
def data_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A family's data set, written once."""

    @functools.cache
    def of(family: str) -> Path:
        folder = tmp_path_factory.mktemp(family) / "set"
        SWEEP[family].write_set(folder)
        return folder

    return of


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_rules_become_a_bundle_that_loads(family: str, data_of: Callable[[str], Path], tmp_path: Path) -> None:
    write_rules_bundle(data_of(family), tmp_path / "rules", family=family, table=SWEEP[family].table)
    bundle = read_bundle(tmp_path / "rules")
    scorer = load_scorer(bundle, EngineChoice())
    scored = checked_scores(scorer, golden_inputs(bundle, scorer))
    assert float(np.ptp(scored.score)) > 0.0
    assert [name for name in ("map", "kind", "roi") if getattr(scored, name) is not None] == [
        spec.name for spec in bundle.manifest.contract.scored if spec.name != "score"
    ]


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_from_pictures_to_a_gated_board(family: str, data_of: Callable[[str], Path], tmp_path: Path) -> None:
    row, data, bundle = SWEEP[family], data_of(family), tmp_path / "bundle"
    request = TrainRequest(
        family=family, data=data, table=row.table, preset=row.preset, variant=row.variant, epochs=row.epochs
    )
    write(train(request), bundle)
    manifest = read_bundle(bundle).manifest
    assert "fp16" in manifest.graphs
    assert {"int8", "int8-cpu"} <= {*manifest.graphs, *manifest.refused}
    assert all(graph.parity.lost_defects == 0 for graph in manifest.graphs.values())
    assert check_file(bundle).faults == []

    recipe = row.make_recipe(data, bundle, tmp_path / "recipe")
    with LineTwin(tmp_path / "line", recipe, window_ms=15_000) as line:
        for board_id, picture in row.boards(tmp_path):
            line.gate_board(board_id, picture, row.suffix, timeout_s=30.0)
        journal = line.station.journal
    verdicts = [row.verdict for row in JournalReader(journal).all_verdicts()]
    assert [verdict.reason for verdict in verdicts] == [Reason.JUDGED] * N_BOARDS
    assert all(verdict.n_scored == verdict.n_regions > 0 for verdict in verdicts)
    assert replay_journal(journal, recipe, None, threads=1, json_file=None)
