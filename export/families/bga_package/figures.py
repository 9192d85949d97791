"""The study's two figures: how densely scores lie, and what is found where.

    python -m export.families.bga_package.figures density benchmarks/results/bga_package_paper.json --out docs/figures
    python -m export.families.bga_package.figures sheet CHECKPOINT DATA --out docs/figures

The first needs the stored result alone. The second shows packages of the twin that were not learned from, with the map
of a trained `best` over them and the kind it names.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import matplotlib
import numpy as np
from numpy.typing import NDArray

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # after the choice of what draws

from edge.board import Image
from export.families.bga_package.study_data import GOOD, Judged, draw_judged
from export.families.bga_package.study_methods import Answers, judge_of
from export.simulator.xray.packages import Look
from export.table_columns import parts_of
from export.workshop import trained_before

GOOD_COLOUR, LINE_COLOUR = "#4878a8", "#202020"
WAY_COLOURS = ("#8fb08c", "#e0b050", "#d88040", "#b84a4a", "#7a4a90", "#506070")
SMOOTHING_BINS = 1.2
SHEET_COLUMNS, CELL_PX = 6, 256
MAP_WEIGHT = 0.55
SHEET_SCALE = 0.75

Json = dict[str, Any]


def density_figure(content: Json, out: Path) -> Path:
    """Scores of good packages and of those made defective the poster's way, a method a row, seed 0."""
    entries = [e for e in content["entries"] if "paper" in e and e["seed"] == 0]
    figure, rows = plt.subplots(len(entries), 1, figsize=(7.5, 2.1 * len(entries)), squeeze=False)
    for axis, entry in zip(rows[:, 0], entries, strict=True):
        _densities(axis, entry["paper"]["densities"], entry["method"])
    rows[0, 0].legend(fontsize=6.5, ncol=2)
    rows[-1, 0].set_xlabel(
        "score, log10 (higher is worse; dashed: threshold from good validation packages)", fontsize=8
    )
    figure.tight_layout()
    file = out / "bga_package_density.png"
    figure.savefig(file, dpi=130)
    plt.close(figure)
    return file


def _densities(axis: Any, densities: Json, method: str) -> None:
    edges = np.array(densities["log10_edges"])
    middles, width = (edges[1:] + edges[:-1]) / 2, float(edges[1] - edges[0])
    for number, (name, counts) in enumerate(densities["counts"].items()):
        share = np.array(counts, np.float64) / max(sum(counts), 1) / width
        smooth = cv2.GaussianBlur(share[None], (0, 0), SMOOTHING_BINS, borderType=cv2.BORDER_CONSTANT)[0]
        colour = GOOD_COLOUR if name == GOOD else WAY_COLOURS[(number - 1) % len(WAY_COLOURS)]
        axis.plot(middles, smooth, color=colour, lw=2.2 if name == GOOD else 1.2, label=name)
        if name == GOOD:
            axis.fill_between(middles, smooth, color=colour, alpha=0.25)
    axis.axvline(densities["log10_threshold"], color=LINE_COLOUR, ls="--", lw=0.9)
    axis.set_ylabel(method, fontsize=8)
    axis.tick_params(labelsize=7)
    axis.set_yticks([])


def sheet_figure(
    answers: Answers, kinds: Sequence[str], judged: Judged, threshold: float, out: Path, name: str
) -> Path:
    """Packages with the map over them: what lies there, what the net says and where."""
    if answers.map is None or answers.kind is None:
        raise ValueError("a figure of what lies where needs a map and kinds")
    cells = []
    for k, crop in enumerate(judged.crops):
        said = kinds[int(answers.kind[k].argmax())] if answers.score[k] > threshold else GOOD
        truth = f"{judged.label[k]} {judged.strength[k]}".strip()
        cells.append(_cell(crop, answers.map[k], truth, f"{said} {answers.score[k]:.1f}"))
    while len(cells) % SHEET_COLUMNS:
        cells.append(np.zeros_like(cells[0]))
    rows = [np.hstack(cells[k : k + SHEET_COLUMNS]) for k in range(0, len(cells), SHEET_COLUMNS)]
    file = out / f"bga_package_sheet_{name}.jpg"
    sheet = cv2.resize(np.vstack(rows), None, fx=SHEET_SCALE, fy=SHEET_SCALE, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(file), sheet, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return file


def _cell(crop: Image, places: NDArray[np.float32], truth: str, said: str) -> Image:
    chance = 1 - np.exp(-places)  # of odds: a share from 0 to 1
    heat = cv2.resize(chance, (CELL_PX, CELL_PX), interpolation=cv2.INTER_LINEAR)[..., None]
    tinted = crop + MAP_WEIGHT * heat * (np.array([40.0, 60.0, 255.0]) - crop)
    cell = np.rint(tinted).clip(0, 255).astype(np.uint8)
    for text, y in ((truth, 14), (said, CELL_PX - 6)):
        cv2.putText(cell, text, (4, y), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.putText(cell, text, (4, y), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
    return cell


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw one of the two."""
    parser = argparse.ArgumentParser(description="figures of the study")
    what = parser.add_subparsers(dest="what", required=True)
    density = what.add_parser("density")
    density.add_argument("result", type=Path)
    sheet = what.add_parser("sheet")
    sheet.add_argument("checkpoint", type=Path, help="of preset best, trained on DATA")
    sheet.add_argument("data", type=Path, help="the twin's set it learned from")
    sheet.add_argument("--look", choices=[look.value for look in Look], default=Look.OPTICAL.value)
    for one in (density, sheet):
        one.add_argument("--out", type=Path, default=Path("docs/figures"))
    asked = parser.parse_args(arguments)
    if asked.what == "density":
        print(density_figure(json.loads(asked.result.read_text("utf-8")), asked.out))
        return
    trained = trained_before(asked.checkpoint, asked.data)
    samples = trained.samples
    judge = judge_of(trained.recipe.scored(trained.network, trained.scores[0]), trained.contract, asked.data)
    good = np.asarray(samples.val_crops, np.uint8)[samples.val_good]
    scores = judge(good, parts_of(samples.val_rows)[samples.val_good]).score
    threshold = float(np.quantile(scores, 0.99, method="higher"))
    judged = draw_judged(Look(asked.look), n_good=3, n_each=1)
    answers = judge(judged.crops, judged.part)
    print(sheet_figure(answers, trained.contract.kinds, judged, threshold, asked.out, asked.look))


if __name__ == "__main__":
    main()
