"""The stations of the demo: what each inspects, by which recipe and bundle, and the boards that come down to it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2

from edge.annotate import annotate
from edge.board import Image, Verdict
from edge.capture.readers.picture import decode_picture, picture_size
from edge.recipe_new import new_recipe
from export.demo_axi import axi_boards, axi_recipe, drawn_axi, other_axi_board
from export.demo_board import DemoBoard
from export.demo_packages import other_package, package_boards, package_recipe
from export.demo_paste import drawn_panel, other_panel, paste_boards, paste_recipe
from export.simulator.board import RenderedBoard, reference_board
from export.simulator.components.board import ComponentPicture, reference_component_board
from export.simulator.components.sets import place_columns
from export.simulator.components.stream import COMPONENT_BOARD, draw_component_boards
from export.simulator.datasets import PART_NUMBER, draw_boards
from export.simulator.layout import header_board

BUNDLE = Path(__file__).parent / "demo_bundle"
COMPONENT_BUNDLE = Path(__file__).parent / "demo_component_bundle"
SEED = 2041
DEFECTIVE_BOARDS_FRAC = 0.5
DEFECT_RATE = 0.06
APPROVED_BOARDS, APPROVED_SEED = 5, 2040  # boards a person looked at, for the station that compares
BUDGET_MS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoStation:
    """One station: its name on MQTT, what it does, its recipe, its boards, and a board of another product."""

    name: str
    title: str
    make_recipe: Callable[[Path], Path]
    boards: Callable[[int, Path], Iterator[DemoBoard]]  # so many; into the station's folder goes what lies beside them
    stranger: Callable[[Path], DemoBoard]
    drawn: Callable[[bytes, Verdict, Path], Image]  # a board's file with its verdict, as the station draws it


def demo_recipe(folder: Path, bundle: Path = BUNDLE) -> Path:
    """The recipe of the twin's header board: its reference picture, its 50 pins, the demo's bundle."""
    reference = reference_board(header_board(PART_NUMBER))
    columns = ("refdes", "pin", "x", "y", "pitch")
    rows = [[p.refdes, p.pin, f"{p.x_px:.2f}", f"{p.y_px:.2f}", f"{p.pitch_px:.2f}"] for p in reference.places]
    return _recipe(folder, bundle, "header-board", PART_NUMBER, reference.image, columns, rows)


def component_recipe(folder: Path, bundle: Path = COMPONENT_BUNDLE) -> Path:
    """The recipe of the twin's component board: its reference, its parts as five approved boards show them, and how
    each may be turned. Nothing is trained for it."""
    reference = reference_component_board(COMPONENT_BOARD)
    rows = [place_columns(place) | {"refdes": place.refdes} for place in reference.places]
    good = [
        drawn.image for _, drawn in draw_component_boards(APPROVED_SEED, APPROVED_BOARDS, defective_boards_frac=0.0)
    ]
    columns = tuple(rows[0])
    table = [[str(row[column]) for column in columns] for row in rows]
    return _recipe(folder, bundle, "component-board", COMPONENT_BOARD, reference.image, columns, table, good)


def as_jpeg(image: Image) -> bytes:
    """What the camera writes."""
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def demo_board(board_id: str, rendered: RenderedBoard | ComponentPicture) -> DemoBoard:
    """A rendered board with its picture as a file. A good part that a fallen one covers is no defect of its own."""
    defects = {p.site: p.label for p in rendered.places if p.label not in ("good", "occluded")}
    return DemoBoard(board_id=board_id, data=as_jpeg(rendered.image), defects=defects)


def drawn_picture(data: bytes, verdict: Verdict) -> Image:
    """A picture with its verdict."""
    return annotate(decode_picture(data, picture_size(data)), verdict)


def _joint_boards(n: int) -> Iterator[DemoBoard]:
    boards = draw_boards(SEED, n, "line", defect_rate=DEFECT_RATE, defective_boards_frac=DEFECTIVE_BOARDS_FRAC)
    return (demo_board(board_id, rendered) for board_id, rendered in boards)


def _component_boards(n: int) -> Iterator[DemoBoard]:
    boards = draw_component_boards(
        SEED, n, "line", defect_rate=2 * DEFECT_RATE, defective_boards_frac=DEFECTIVE_BOARDS_FRAC
    )
    return (demo_board(board_id, rendered) for board_id, rendered in boards)


def _other_joints() -> DemoBoard:
    _, stranger = next(draw_boards(SEED, 1, "line", part_number="OTHER-7"))
    return DemoBoard(board_id="STRANGER-1", data=as_jpeg(stranger.image), defects={}, story="another product")


def _other_components() -> DemoBoard:
    _, stranger = next(draw_component_boards(SEED, 1, "line", part_number="CB-107"))
    return DemoBoard(board_id="STRANGER-1", data=as_jpeg(stranger.image), defects={}, story="another product")


STATIONS = (
    DemoStation(
        name="aoi-joints",
        title="AOI of solder joints, family solder_joint",
        make_recipe=demo_recipe,
        boards=lambda n, home: _joint_boards(n),
        stranger=lambda home: _other_joints(),
        drawn=lambda data, verdict, home: drawn_picture(data, verdict),
    ),
    DemoStation(
        name="aoi-parts",
        title="AOI of components, family pth_component",
        make_recipe=component_recipe,
        boards=lambda n, home: _component_boards(n),
        stranger=lambda home: _other_components(),
        drawn=lambda data, verdict, home: drawn_picture(data, verdict),
    ),
    DemoStation(
        name="spi-paste",
        title="SPI of solder paste, family paste_print",
        make_recipe=paste_recipe,
        boards=lambda n, home: paste_boards(n),
        stranger=lambda home: other_panel(),
        drawn=lambda data, verdict, home: drawn_panel(data, verdict),
    ),
    DemoStation(
        name="axi-joints",
        title="3D X-ray of through-hole joints, family axi_joint",
        make_recipe=axi_recipe,
        boards=axi_boards,
        stranger=other_axi_board,
        drawn=drawn_axi,
    ),
    DemoStation(
        name="aoi-packages",
        title="AOI of BGA packages, family bga_package",
        make_recipe=package_recipe,
        boards=lambda n, home: package_boards(n),
        stranger=lambda home: other_package(),
        drawn=lambda data, verdict, home: drawn_picture(data, verdict),
    ),
)


def _recipe(
    folder: Path,
    bundle: Path,
    recipe_id: str,
    part_number: str,
    reference: Image,
    columns: tuple[str, ...],
    rows: Iterable[list[str]],
    good: Iterable[Image] = (),
) -> Path:
    source = folder.parent / f"{folder.name}-source"
    source.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(source / "reference.png"), reference)
    with (source / "places.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(columns)
        table.writerows(rows)
    approved = []
    for k, image in enumerate(good):
        approved.append(source / f"approved-{k}.jpg")
        approved[-1].write_bytes(as_jpeg(image))
    new_recipe(
        reference=source / "reference.png",
        places=source / "places.csv",
        bundle=bundle,
        out=folder,
        recipe_id=recipe_id,
        part_number=part_number,
        verdict_budget_ms=BUDGET_MS,
        good=approved,
    )
    return folder
