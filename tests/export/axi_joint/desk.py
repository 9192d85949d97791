"""A joint set small enough for a test: dark discs are good joints, faint ones insufficient, in one to six slices."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np

VIEW_PX, PITCH_PX, ROI_PX = 240, 60, 40
SPLITS = ("train", "train", "val", "dev-test")
COLUMNS = (
    *("path", "label", "split", "source", "board", "board_type", "view", "slices", "site"),
    *("x0", "y0", "x1", "y1", "truth", "severity", "marginal", "roi", "visible_in"),
)


def write_desk_set(folder: Path, seed: int = 0, views: int = 2) -> Path:
    """`joints.csv` and `index.csv` of `views` views a board, nine joints each, a third of them defective."""
    rng = np.random.default_rng(seed)
    (folder / "slices").mkdir(parents=True)
    rows = []
    for board, split in enumerate(SPLITS):
        for view in range(views):
            n_slices = 1 + (board + view + 2) % 6
            path = f"slices/B{board}_V{view}_00.png"
            faint = [bool(one) for one in rng.permutation(9) < 3]
            for k in range(n_slices):
                cv2.imwrite(str(folder / path.replace("_00", f"_{k:02d}")), _slice(rng, faint, k))
            for n, (x, y) in enumerate(_centres()):
                label = "insufficient" if faint[n] else "normal"
                half = ROI_PX // 2
                rows.append(
                    dict.fromkeys(COLUMNS, "")
                    | {"path": path, "label": label, "split": split, "source": "a desk, seed 0", "board": f"B{board}"}
                    | {"board_type": f"AX-10{1 + board}", "view": f"V{view}", "slices": n_slices, "site": f"J1.{n}"}
                    | {"x0": x - half, "y0": y - half, "x1": x + half, "y1": y + half, "truth": label}
                    | {"severity": "plain" * faint[n], "marginal": 0, "roi": "ok", "visible_in": "0" * faint[n]}
                )
    _write(folder / "joints.csv", list(COLUMNS), rows)
    views_of = {str(row["path"]): {"path": row["path"], "label": "good", "split": row["split"]} for row in rows}
    _write(folder / "index.csv", ["path", "label", "split"], list(views_of.values()))
    return folder


def _centres() -> list[tuple[int, int]]:
    return [(PITCH_PX + PITCH_PX * (n % 3), PITCH_PX + PITCH_PX * (n // 3)) for n in range(9)]


def _slice(rng: np.random.Generator, faint: list[bool], k: int) -> np.ndarray:
    picture = np.full((VIEW_PX, VIEW_PX), 200, np.uint8)
    for n, centre in enumerate(_centres()):
        cv2.circle(picture, centre, 12, 150 if faint[n] else 60 + 5 * k, -1)
    return np.clip(picture + rng.normal(0, 4, picture.shape), 1, 255).astype(np.uint8)


def _write(file: Path, columns: list[str], rows: list[dict[str, object]]) -> None:
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(rows)
