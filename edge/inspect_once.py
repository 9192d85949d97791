"""`boardgate inspect`: pictures once through the real inspection: findings on screen, annotated pictures on disk."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from edge.board import Finding, Image, Outcome, Region
from edge.bundle import read_bundle
from edge.capture.board_file import board_from_file
from edge.capture.readers.picture import PictureFault, decode_picture, picture_size
from edge.clock import SystemClock
from edge.crop import crop_squares
from edge.inspection import Inspected
from edge.inspections import inspection_of, open_recipe
from edge.scorers import EngineChoice, checked_scores, load_scorer
from edge.verdict_json import verdict_to_json

COLOURS = {Outcome.PASS: "green", Outcome.FAIL: "red", Outcome.UNDECIDED: "yellow"}
SHOWN_DEFECTS = 12


def inspect_pictures(
    recipe_or_bundle: Path, pictures: list[Path], out: Path, threads: int, *, as_json: bool = False
) -> bool:
    """Inspect each picture; True when all passed. Raises SettingsFault, BundleFault, FileNotFoundError."""
    if (recipe_or_bundle / "manifest.json").exists():
        return _score_crops(recipe_or_bundle, pictures, threads, as_json=as_json)
    inspection = inspection_of(open_recipe(recipe_or_bundle), EngineChoice(threads=threads), SystemClock())
    out.mkdir(parents=True, exist_ok=True)
    passed = True
    for path in pictures:
        board = board_from_file(path, inspection.reader, SystemClock())
        inspected = inspection.inspect(board)
        passed &= inspected.verdict.outcome is Outcome.PASS
        picture = out / f"{path.stem}.annotated.png"
        drawn = inspection.drawn(board, inspected)
        if drawn is not None:
            cv2.imwrite(str(picture), drawn)
        _print(path, inspected, picture if drawn is not None else None, as_json=as_json)
    return passed


def _print(path: Path, inspected: Inspected, picture: Path | None, *, as_json: bool) -> None:
    verdict = inspected.verdict
    if as_json:
        print(verdict_to_json(verdict))
        return
    console = Console()
    colour = COLOURS[verdict.outcome]
    stages = "  ".join(f"{s.stage} {s.ms:.1f} ms" for s in verdict.stages)
    console.print(
        f"[bold {colour}]{verdict.outcome.value.upper():9}[/] {path.name}: {verdict.detail}  [dim]{stages}[/]",
        highlight=False,
        soft_wrap=True,
    )
    if verdict.defects:
        console.print(_defect_table(verdict.defects))
    if picture is not None:
        console.print(f"          picture: {picture}", highlight=False, soft_wrap=True)


def _defect_table(defects: tuple[Finding, ...]) -> Table:
    table = Table("place", "kind", "score", "threshold", "x px", "y px", title=f"{len(defects)} defects, worst first")
    for finding in defects[:SHOWN_DEFECTS]:
        region = finding.region
        table.add_row(
            region.name,
            finding.kind or "defect",
            f"{finding.score:.4g}",
            f"{region.threshold:.4g}",
            f"{region.x_px:.0f}",
            f"{region.y_px:.0f}",
        )
    return table


def _score_crops(bundle_folder: Path, pictures: list[Path], threads: int, *, as_json: bool) -> bool:
    """Each picture is one region: its centre square, cut from the short side as in training."""
    bundle = read_bundle(bundle_folder)
    scorer = load_scorer(bundle, EngineChoice(threads=threads))
    crops = [_centre_crop(path, bundle.manifest.contract.crop_px) for path in pictures]
    scores = checked_scores(scorer, np.concatenate(crops)).score
    limit = bundle.threshold().value
    regions = [Region(refdes=p.stem, pin="", x_px=0, y_px=0, side_px=1, threshold=limit) for p in pictures]
    findings = [Finding(region=r, score=float(s)) for r, s in zip(regions, scores, strict=True)]
    if as_json:
        for path, finding in zip(pictures, findings, strict=True):
            print(
                json.dumps({"path": str(path), "score": finding.score, "threshold": limit, "defect": finding.is_defect})
            )
    else:
        table = Table("picture", "score", "threshold", "called")
        for path, finding in zip(pictures, findings, strict=True):
            called = "[red]defect[/]" if finding.is_defect else "[green]good[/]"
            table.add_row(path.name, f"{finding.score:.4g}", f"{limit:.4g}", called)
        Console().print(table)
    return not any(f.is_defect for f in findings)


def _centre_crop(path: Path, crop_px: int) -> Image:
    data = path.read_bytes()
    try:
        image = decode_picture(data, picture_size(data))
    except PictureFault as err:
        raise FileNotFoundError(f"{path}: {err}") from None
    height, width = image.shape[:2]
    centre = np.array([[(width - 1) / 2, (height - 1) / 2]])
    return crop_squares(image, centre, np.array([float(min(height, width))]), crop_px)
