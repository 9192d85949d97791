"""Registration on real pictures: how many are registered, how far off centres are, what is refused, how long it takes.

One picture is the reference, all others of its set are registered to it and each place's centre is held against the
set's own table. Pictures of other products, blanks and noise must all be refused. The reference and the settings were
chosen on `train` and `val` pictures; `dev-test` is reported apart.
"""

from __future__ import annotations

import csv
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from edge.board import Image
from edge.recipe import Place, RegistrationSettings
from edge.recipe_new import registration_settings
from edge.register import NotRegistered, Registrar, project

HEADER_SET, HEADER_REFERENCE = "tht-header-joints", "images/A_0192.jpg"  # a `val` close-up that shows all 70 pins
IR_SET, IR_REFERENCE = "ir-sensor-board", "boards/normal_r01.jpg"
OTHER_SETS = ("deeppcb-mini/images", "smd-resistor-markings")
MAX_OTHER_PICTURES = 80  # a set
JOINT_SCALE = 1.5  # crop side / pitch, as the joints' bundles have it
MIN_TRUSTED_CENTRE_FRAC = 0.25  # of a pitch: the tables' own centres are no better than that
MAX_CPU_THREADS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A place as the set's table has it in one picture."""

    x_px: float
    y_px: float
    size_px: float  # pitch, or the longer side of the box


@dataclass(slots=True, kw_only=True)
class Tally:
    """What happened to the pictures of one split."""

    pictures: int = 0
    registered: int = 0
    refusals: list[str] = field(default_factory=list)
    n_inliers: list[int] = field(default_factory=list)
    rms_px: list[float] = field(default_factory=list)
    error_frac: list[float] = field(default_factory=list)  # of the pitch, each place
    picture_p95_frac: list[float] = field(default_factory=list)
    in_view_right: int = 0
    in_view_wrong: int = 0
    wall_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)


def run(data_dir: Path, json_path: Path | None) -> dict[str, object]:
    """Measure on the sets under `data_dir`, print the tables, write the figures to `json_path`, and return them."""
    cv2.setNumThreads(MAX_CPU_THREADS)
    references = {HEADER_SET: HEADER_REFERENCE, IR_SET: IR_REFERENCE}
    settings = {s: registration_settings(_picture(data_dir / s / r)) for s, r in references.items()}
    console = Console()
    header = _same_product(data_dir / HEADER_SET, "joints.csv", HEADER_REFERENCE, settings[HEADER_SET], JOINT_SCALE)
    ir = _same_product(data_dir / IR_SET, "components.csv", IR_REFERENCE, settings[IR_SET], region_scale=1.0)
    refused = _others(data_dir, settings)
    console.print(_registered_table(header, f"{HEADER_SET}, reference {HEADER_REFERENCE}"))
    console.print(_registered_table(ir, f"{IR_SET}, reference {IR_REFERENCE}"))
    console.print(_refused_table(refused))
    figures: dict[str, object] = {
        "command": "boardgate bench registration --data ../shared/data",
        "settings": {name: s.model_dump() for name, s in settings.items()},
        "opencv": cv2.__version__,
        "cpu_threads": MAX_CPU_THREADS,
        "load_average": os.getloadavg()[0],
        HEADER_SET: {split: _summary(t) for split, t in header.items()},
        IR_SET: {split: _summary(t) for split, t in ir.items()},
        "must_be_refused": refused,
    }
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    return figures


def _same_product(
    folder: Path, table: str, reference: str, settings: RegistrationSettings, region_scale: float
) -> dict[str, Tally]:
    known, splits = _known_places(folder / table)
    # The reference's own centres are off by as much as any other picture's; that error is part of every figure here.
    places = [
        Place(refdes=name, x_px=k.x_px, y_px=k.y_px, side_px=region_scale * k.size_px)
        for name, k in known[reference].items()
    ]
    registrar = Registrar(_picture(folder / reference), settings)
    registrar.register(_picture(folder / reference))  # the first call loads and warms
    tallies: dict[str, Tally] = defaultdict(Tally)
    for path in sorted(known):
        if path == reference:
            continue
        for name in ("all", splits[path]):
            tallies[name].pictures += 1
        outcome = _one(registrar, _picture(folder / path), places, known[path])
        for name in ("all", splits[path]):
            _add(tallies[name], path, outcome)
    return dict(sorted(tallies.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One picture, registered or refused."""

    refusal: str = ""
    n_inliers: int = 0
    rms_px: float = 0.0
    error_frac: tuple[float, ...] = ()
    in_view_right: int = 0
    in_view_wrong: int = 0
    wall_ms: float
    cpu_ms: float


def _one(registrar: Registrar, image: Image, places: list[Place], truth: dict[str, Known]) -> Outcome:
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        registration = registrar.register(image)
        seen = project(registration, places, image.shape)
    except NotRegistered as err:
        return Outcome(refusal=str(err), **_spent(wall, cpu))
    spent = _spent(wall, cpu)
    errors = [
        float(np.hypot(x - truth[p.refdes].x_px, y - truth[p.refdes].y_px) / truth[p.refdes].size_px)
        for p, x, y, _ in seen
        if p.refdes in truth
    ]
    in_view = {p.refdes for p, *_ in seen}
    right = sum((p.refdes in in_view) == (p.refdes in truth) for p in places)
    return Outcome(
        n_inliers=registration.n_inliers,
        rms_px=registration.rms_px,
        error_frac=tuple(errors),
        in_view_right=right,
        in_view_wrong=len(places) - right,
        **spent,
    )


def _spent(wall: float, cpu: float) -> dict[str, float]:
    return {"wall_ms": (time.perf_counter() - wall) * 1e3, "cpu_ms": (time.process_time() - cpu) * 1e3}


def _add(tally: Tally, path: str, outcome: Outcome) -> None:
    tally.wall_ms.append(outcome.wall_ms)
    tally.cpu_ms.append(outcome.cpu_ms)
    if outcome.refusal:
        tally.refusals.append(f"{path}: {outcome.refusal}")
        return
    tally.registered += 1
    tally.n_inliers.append(outcome.n_inliers)
    tally.rms_px.append(outcome.rms_px)
    tally.error_frac.extend(outcome.error_frac)
    if outcome.error_frac:
        tally.picture_p95_frac.append(float(np.percentile(outcome.error_frac, 95)))
    tally.in_view_right += outcome.in_view_right
    tally.in_view_wrong += outcome.in_view_wrong


def _summary(tally: Tally) -> dict[str, object]:
    def at(values: list[float] | list[int], q: float) -> float:
        return round(float(np.percentile(values, q)), 4) if values else float("nan")

    good = sum(p <= MIN_TRUSTED_CENTRE_FRAC for p in tally.picture_p95_frac)
    return {
        "pictures": tally.pictures,
        "registered": tally.registered,
        "refusals": tally.refusals,
        "pictures_p95_within_0.25": good,
        "fewest_inliers": min(tally.n_inliers, default=0),
        "largest_rms_px": round(max(tally.rms_px, default=0.0), 3),
        "centre_error_median_frac": at(tally.error_frac, 50),
        "centre_error_p95_frac": at(tally.error_frac, 95),
        "centre_error_max_frac": at(tally.error_frac, 100),
        "in_view_right": tally.in_view_right,
        "in_view_wrong": tally.in_view_wrong,
        "wall_ms_p50": at(tally.wall_ms, 50),
        "wall_ms_p99": at(tally.wall_ms, 99),
        "cpu_ms_p50": at(tally.cpu_ms, 50),
        "cpu_ms_p99": at(tally.cpu_ms, 99),
    }


def _others(data_dir: Path, settings: dict[str, RegistrationSettings]) -> list[dict[str, object]]:
    """Pictures that must be refused, against both references, with the most inliers any of them would have had."""
    rows: list[dict[str, object]] = []
    for own_set, reference in ((HEADER_SET, HEADER_REFERENCE), (IR_SET, IR_REFERENCE)):
        image = _picture(data_dir / own_set / reference)
        lenient = settings[own_set].model_copy(update={"min_inliers": 8, "max_rms_px": 50.0})
        strict, loose = Registrar(image, settings[own_set]), Registrar(image, lenient)
        for name, pictures in _strangers(data_dir, own_set, image):
            refused, total, most = 0, 0, 0
            for picture in pictures:
                total += 1
                refused += _is_refused(strict, picture)
                most = max(most, _inliers(loose, picture))
            rows.append(
                {
                    "reference": own_set,
                    "min_inliers": settings[own_set].min_inliers,
                    "pictures": name,
                    "n": total,
                    "refused": refused,
                    "most_inliers_of_a_possible_fit": most,
                }
            )
    return rows


def _strangers(data_dir: Path, own_set: str, reference: Image) -> Iterator[tuple[str, Iterator[Image]]]:
    other = f"{IR_SET}/boards" if own_set == HEADER_SET else f"{HEADER_SET}/images"
    for folder in (other, *OTHER_SETS):
        files = sorted(p for p in (data_dir / folder).rglob("*") if p.suffix in (".jpg", ".png"))[:MAX_OTHER_PICTURES]
        if files:
            yield folder, (_picture(p) for p in files)
    shape = reference.shape
    rng = np.random.default_rng(0)
    made = {
        "black": np.zeros(shape, np.uint8),
        "white": np.full(shape, 255, np.uint8),
        "noise": rng.integers(0, 256, shape, np.uint8),
        "reference mirrored": np.ascontiguousarray(reference[:, ::-1]),
        "reference, contrast gone": (reference // 64 + 120).astype(np.uint8),
    }
    for name, image in made.items():
        yield name, iter([image])


def _is_refused(registrar: Registrar, image: Image) -> bool:
    try:
        registrar.register(image)
    except NotRegistered:
        return True
    return False


def _inliers(registrar: Registrar, image: Image) -> int:
    """Inliers of a fit that only the number of inliers would have refused; 0 when the fit is impossible anyway."""
    try:
        return registrar.register(image).n_inliers
    except NotRegistered:
        return 0


def _known_places(table: Path) -> tuple[dict[str, dict[str, Known]], dict[str, str]]:
    known: dict[str, dict[str, Known]] = defaultdict(dict)
    splits: dict[str, str] = {}
    with table.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            splits[row["path"]] = row["split"]
            if "pitch" in row:
                place = Known(x_px=float(row["x"]), y_px=float(row["y"]), size_px=float(row["pitch"]))
            else:
                x0, y0, x1, y1 = (float(row[c]) for c in ("x0", "y0", "x1", "y1"))
                place = Known(x_px=(x0 + x1) / 2, y_px=(y0 + y1) / 2, size_px=max(x1 - x0, y1 - y0))
            known[row["path"]][row.get("site") or row["component"]] = place
    return dict(known), splits


def _picture(path: Path) -> Image:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise FileNotFoundError(f"{path}: not a picture")
    return image.astype(np.uint8, copy=False)


def _registered_table(tallies: dict[str, Tally], title: str) -> Table:
    table = Table(title=title)
    columns = ("split", "registered", "fewest inliers", "rms max px", "centre error / size: median", "p95", "max")
    for column in (*columns, "pictures p95 ≤ 0.25", "in view right", "wall ms p50", "p99", "cpu ms p50"):
        table.add_column(column, justify="left" if column == "split" else "right")
    for split, tally in tallies.items():
        s = _summary(tally)
        table.add_row(
            split,
            f"{s['registered']} of {s['pictures']}",
            f"{s['fewest_inliers']}",
            f"{s['largest_rms_px']:.2f}",
            *(f"{s[f'centre_error_{q}_frac']:.3f}" for q in ("median", "p95", "max")),
            f"{s['pictures_p95_within_0.25']}",
            f"{tally.in_view_right} of {tally.in_view_right + tally.in_view_wrong}",
            *(f"{s[k]:.0f}" for k in ("wall_ms_p50", "wall_ms_p99", "cpu_ms_p50")),
        )
    return table


def _refused_table(rows: list[dict[str, object]]) -> Table:
    table = Table(title="Must be refused")
    for column in ("reference", "inliers asked", "pictures", "n", "refused", "most inliers, were 8 asked"):
        table.add_column(column, justify="left" if column in ("reference", "pictures") else "right")
    for row in rows:
        table.add_row(*(str(v) for v in row.values()))
    return table
