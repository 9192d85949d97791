"""The demo's AXI station: boards of through-hole joints as an X-ray machine hands them over, slices, export and index.
The bundle never saw boards of this type."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from edge.annotate import annotate
from edge.axi.board_reader import AxiReader
from edge.axi.drawing import AxiDrawing
from edge.axi.recipe import AxiRecipe
from edge.axi.recipe_new import new_axi_recipe
from edge.board import Image, Verdict
from edge.inspections import open_recipe
from edge.recipe_toml import settings_toml
from export.demo_board import DemoBoard
from export.simulator.xray.difficulty import DIFFICULTIES, Difficulty
from export.simulator.xray.files import twin_file_settings, write_axi_board
from export.simulator.xray.joints import NEAR_DEFECT, NORMAL
from export.simulator.xray.roi import RoiFault
from export.simulator.xray.sets import DrawnView, draw_views
from export.simulator.xray.view import JointView

AXI_BUNDLE = Path(__file__).parent / "demo_axi_bundle"
PRODUCT, OTHER_PRODUCT = "AX-113", "AX-104"
GOOD_BOARDS, GOOD_SEED = 5, 2040
SEED = 2041
DEFECT_RATE = 0.02
DIFFICULTY = replace(DIFFICULTIES["line"], wrong_roi_views_frac=0.06, wrong_roi_joints_frac=0.001)
PICTURES, INBOX = "pictures", "axi-inbox"
BUDGET_MS = 2_000


def axi_recipe(folder: Path, bundle: Path = AXI_BUNDLE) -> Path:
    """The recipe of the twin's board, learned from good boards' files. Nothing is trained for it."""
    home = folder.parent
    home.mkdir(parents=True, exist_ok=True)
    quiet = replace(DIFFICULTY, wrong_roi_views_frac=0.0, wrong_roi_joints_frac=0.0)
    good = _boards(PRODUCT, GOOD_BOARDS, GOOD_SEED, 0.0, home, quiet)
    machine = home / "machine.toml"
    machine.write_text(settings_toml(twin_file_settings(PICTURES), "Where the machine's pictures lie."))
    new_axi_recipe(
        good=[path for path, _ in good],
        machine=machine,
        bundle=bundle,
        out=folder,
        recipe_id="axi-board",
        part_number=PRODUCT,
        verdict_budget_ms=BUDGET_MS,
    )
    return folder


def axi_boards(n: int, home: Path) -> Iterator[DemoBoard]:
    """Boards as they come; a few have regions in wrong places."""
    for path, views in _boards(PRODUCT, n, SEED, DEFECT_RATE, home, DIFFICULTY):
        joints = [joint for drawn in views for joint in drawn.view.joints]
        misplaced = [joint for joint in joints if joint.roi.fault is not RoiFault.OK]
        yield DemoBoard(
            board_id=path.stem,
            data=path.read_bytes(),
            defects={_name(joint): joint.truth for joint in joints if joint.truth not in (NORMAL, NEAR_DEFECT)},
            unsaid=frozenset(_name(joint) for joint in joints if joint.truth == NEAR_DEFECT),
            story=f"{len(misplaced)} regions misplaced" if misplaced else "",
            suffix=".json",
        )


def _name(joint: JointView) -> str:
    return f"{joint.site.refdes}-{joint.site.pin}"


def other_axi_board(home: Path) -> DemoBoard:
    """A board of another type."""
    path, _ = next(_boards(OTHER_PRODUCT, 1, SEED, 0.0, home, DIFFICULTY))
    return DemoBoard(board_id=path.stem, data=path.read_bytes(), defects={}, story="another product", suffix=".json")


def drawn_axi(data: bytes, verdict: Verdict, home: Path) -> Image:
    """The board's views as the station draws them."""
    recipe = open_recipe(home / "recipe")
    assert isinstance(recipe, AxiRecipe)
    reader = AxiReader(settings=recipe.settings.file, recipe_dir=recipe.folder)
    board = reader.board(data, f"{verdict.board_id}.json")
    return annotate(AxiDrawing(recipe.settings.views).paint(board, {}), verdict)


def _boards(
    product: str, n: int, seed: int, defect_rate: float, home: Path, difficulty: Difficulty
) -> Iterator[tuple[Path, list[DrawnView]]]:
    """Index files and what was drawn."""
    stream = draw_views((product,), n, seed, difficulty, defect_rate)
    for _, views in itertools.groupby(stream, key=lambda drawn: drawn.board):
        drawn = list(views)
        yield write_axi_board(home / INBOX, home / PICTURES, drawn[0].board, drawn), drawn
