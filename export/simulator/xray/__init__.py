"""The line twin's X-ray: solder joints as slices of an inline 3D machine, and BGA packages. See README.md."""

from export.simulator.xray.board import BoardType, JointKind, Site, barcode, sites_of
from export.simulator.xray.board_types import BGA_TYPES, BOARD_TYPES, GULLWING_TYPES, PTH_TYPES, board_type
from export.simulator.xray.difficulty import DIFFICULTIES, Difficulty
from export.simulator.xray.sets import DrawnView, JointSet, draw_views, slice_paths, write_joint_set
from export.simulator.xray.view import JointView, XrayView, draw_view

__all__ = [
    "BGA_TYPES",
    "BOARD_TYPES",
    "DIFFICULTIES",
    "GULLWING_TYPES",
    "PTH_TYPES",
    "BoardType",
    "Difficulty",
    "DrawnView",
    "JointKind",
    "JointSet",
    "JointView",
    "Site",
    "XrayView",
    "barcode",
    "board_type",
    "draw_view",
    "draw_views",
    "sites_of",
    "slice_paths",
    "write_joint_set",
]
