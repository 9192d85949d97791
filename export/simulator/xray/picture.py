"""Contact sheets to look at: every defect at every strength, slice by slice; packages in both looks; and, with real
data at hand, the twin beside it.

    python -m export.simulator.xray.picture OUT_DIR [--data ../shared/data]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from export.simulator.components.errors import Severity
from export.simulator.datasets import write_picture
from export.simulator.xray.board_types import BGA_TYPES, PTH_TYPES
from export.simulator.xray.checks.features import joint_crop
from export.simulator.xray.checks.real_balls import real_slices
from export.simulator.xray.checks.reference_scene import reference_scene
from export.simulator.xray.joints import NORMAL
from export.simulator.xray.machine import REFERENCE
from export.simulator.xray.packages.defects import DEFECTS_OF
from export.simulator.xray.packages.grid import OPTICAL_TYPES, XRAY_TYPES, Look, package_type
from export.simulator.xray.packages.package import draw_package
from export.simulator.xray.physics import grey
from export.simulator.xray.sets import draw_views

CROP_PX = 128
SHEET_SLICES = 4
PER_ROW = 3
BESIDE_T = (-12, -4, 4, 12)
BESIDE_PX = 480

Image = NDArray[np.uint8]


def joint_sheet(types: Sequence[str], seed: int) -> Image:
    """Good, barely good, and every defect at every strength: a strip of four slices each, (h, w, 3) uint8."""
    found: dict[str, list[Image]] = {}
    for drawn in draw_views(types, 1, seed, "line", 0.35, slices=SHEET_SLICES):
        for joint in drawn.view.joints:
            how = joint.severity.value if joint.severity else "marginal" if joint.marginal else ""
            strips = found.setdefault(f"{joint.truth} {how}".strip(), [])
            if len(strips) < PER_ROW:
                strips.append(np.hstack(list(joint_crop(drawn.view.slices, joint.roi, CROP_PX))).astype(np.uint8))
    order = {severity.value: n for n, severity in enumerate(Severity)}
    names = sorted(
        found, key=lambda name: (not name.startswith(NORMAL), name.split()[0], order.get(name.split()[-1], 0))
    )
    return np.vstack([_row(name, found[name]) for name in names])


def package_sheet(look: Look, seed: int) -> Image:
    """A good package of six types, then every defect at three strengths, its box drawn."""
    types = OPTICAL_TYPES if look is Look.OPTICAL else XRAY_TYPES
    rows = [[draw_package(package_type(name), (seed, 0)).image for name in types[:6]]]
    tiles = []
    for n, kind in enumerate(DEFECTS_OF[look]):
        for severity in Severity:
            picture = draw_package(package_type(types[n % len(types)]), (seed, n), kind, severity)
            x0, y0, x1, y1 = picture.box_px
            marked = cv2.rectangle(picture.image.copy(), (x0, y0), (x1, y1), (0, 200, 255), 1)
            tiles.append(_named(marked.astype(np.uint8), f"{picture.label} {severity.value}"))
    tiles += [np.zeros_like(rows[0][0])] * (-len(tiles) % 6)
    rows += [tiles[n : n + 6] for n in range(0, len(tiles), 6)]
    return np.vstack([np.hstack(row) for row in rows])


def beside_real(data: Path, seed: int) -> Image:
    """Four slices of the real BGA above, the twin's copy of it below."""
    real = grey(real_slices(data, BESIDE_T), REFERENCE)[:, 80 : 80 + BESIDE_PX, 130 : 130 + BESIDE_PX]
    twin = grey(reference_scene(seed, focus_t=BESIDE_T).mu, REFERENCE)[:, :BESIDE_PX, :BESIDE_PX]
    sheet = np.vstack([np.hstack(list(real)), np.hstack(list(twin))])
    return np.repeat(sheet[..., None], 3, axis=2)


def _row(name: str, strips: list[Image]) -> Image:
    blank = np.zeros_like(strips[0])
    row = np.hstack([*strips, *[blank] * (PER_ROW - len(strips))])
    return _named(np.repeat(row[..., None], 3, axis=2), name)


def _named(image: Image, name: str) -> Image:
    named: Image = image.copy()
    cv2.putText(named, name, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 90, 255), 1, cv2.LINE_AA)
    return named


def main() -> None:
    """Write the sheets as PNGs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, help="folder of real data sets, for a sheet beside real slices")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    sheets = {
        "pth_joints": joint_sheet(PTH_TYPES[:4], options.seed),
        "bga_joints": joint_sheet(BGA_TYPES[:4], options.seed),
        "packages_optical": package_sheet(Look.OPTICAL, options.seed),
        "packages_xray": package_sheet(Look.XRAY, options.seed),
    }
    if options.data is not None:
        sheets["beside_real"] = beside_real(options.data, options.seed)
    for name, sheet in sheets.items():
        write_picture(options.out / f"{name}.png", sheet)
        print(options.out / f"{name}.png")


if __name__ == "__main__":
    main()
