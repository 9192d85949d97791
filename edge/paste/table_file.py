"""A pad table as two CSV files: `pads.csv`, a line a pad, and `groups.csv`, a line an aperture group. Numbers are
written so that the same ones are read back."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

import numpy as np

from edge.paste.panel import MAX_PADS, Numbers, PasteFault
from edge.paste.table import CHANNELS, STROKES, PadTable

_PLACE = ("pad", "tile", "row", "col", "x_mm", "y_mm", "group")
_NOISE = tuple(f"noise_{channel}_z" for channel in CHANNELS)
_LEVEL = tuple(f"{what}_{channel}_pct" for what in ("mean", "sigma") for channel in CHANNELS)
MAX_WIPE_EVERY = 100


def pads_csv(table: PadTable) -> bytes:
    """`pads.csv`."""
    numbers = np.concatenate(
        [table.mean_pct, table.sigma_pct, table.noise_z, _flat(table.stroke_z), _flat(table.wipe_z)], axis=1
    ).tolist()
    places = zip(
        table.pad.tolist(),
        table.tile.tolist(),
        table.row.tolist(),
        table.col.tolist(),
        table.x_mm.tolist(),
        table.y_mm.tolist(),
        table.group.tolist(),
        strict=True,
    )
    header = _columns(table.wipe_every)
    return _written(header, ([*place, *row] for place, row in zip(places, numbers, strict=True)))


def groups_csv(table: PadTable) -> bytes:
    """`groups.csv`."""
    rows = np.concatenate([table.group_mean_pct, table.group_sigma_pct], axis=1).tolist()
    return _written(["group", *_LEVEL], ([k, *row] for k, row in enumerate(rows)))


def table_from_csv(pads: bytes, groups: bytes, *, side_cells: int, wipe_every: int) -> PadTable:
    """The table again. Raises PasteFault naming file, line and column."""
    columns = _columns(wipe_every)
    pad_cells, group_cells = _read("pads.csv", pads, columns), _read("groups.csv", groups, ["group", *_LEVEL])
    numbers = _numbers("pads.csv", columns[1:], [row[1:] for row in pad_cells])
    group_numbers = _numbers("groups.csv", ["group", *_LEVEL], group_cells)
    tile, row, col, group = (numbers[:, k].astype(np.int64) for k in (0, 1, 2, 5))
    n_stroke = 2 * STROKES
    table = PadTable(
        pad=np.array([cells[0] for cells in pad_cells]),
        tile=tile,
        row=row,
        col=col,
        x_mm=numbers[:, 3],
        y_mm=numbers[:, 4],
        group=group,
        mean_pct=numbers[:, 6:8],
        sigma_pct=numbers[:, 8:10],
        group_mean_pct=group_numbers[:, 1:3],
        group_sigma_pct=group_numbers[:, 3:5],
        noise_z=numbers[:, 10:12],
        stroke_z=numbers[:, 12 : 12 + n_stroke].reshape(-1, STROKES, 2),
        wipe_z=numbers[:, 12 + n_stroke :].reshape(-1, wipe_every, 2),
        side_cells=side_cells,
    )
    _check(table)
    return table


def _check(table: PadTable) -> None:
    n = len(table.pad)
    if len(np.unique(table.pad)) != n:
        raise PasteFault("pads.csv: a pad is listed twice")
    if any(np.any(spread <= 0) for spread in (table.sigma_pct, table.noise_z, table.group_sigma_pct)):
        raise PasteFault("pads.csv, groups.csv: a sigma is not above 0")
    for name, values, limit in (
        ("row", table.row, table.side_cells),
        ("col", table.col, table.side_cells),
        ("group", table.group, len(table.group_mean_pct)),
        ("tile", table.tile, n),
    ):
        if values.min() < 0 or values.max() >= limit:
            raise PasteFault(f"pads.csv {name}: {values.min()} to {values.max()}, allowed 0 to {limit - 1}")
    cell = (table.tile * table.side_cells + table.row) * table.side_cells + table.col
    if len(np.unique(cell)) != n:
        raise PasteFault("pads.csv: two pads share a cell")


def _columns(wipe_every: int) -> list[str]:
    return [*_PLACE, *_LEVEL, *_NOISE, *_phases("stroke", STROKES), *_phases("wipe", wipe_every)]


def _phases(name: str, n: int) -> list[str]:
    return [f"{name}{k}_{channel}_z" for k in range(n) for channel in CHANNELS]


def _flat(values: Numbers) -> Numbers:
    return values.reshape(len(values), -1)


def _written(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    table.writerows(rows)
    return text.getvalue().encode()


def _read(name: str, data: bytes, columns: Sequence[str]) -> list[list[str]]:
    try:
        lines = list(csv.reader(io.StringIO(data.decode("utf-8"))))
    except (UnicodeDecodeError, csv.Error) as err:
        raise PasteFault(f"{name}: {err}") from None
    if not lines or lines[0] != list(columns):
        raise PasteFault(f"{name} line 1: columns {lines[0] if lines else []}, expected {list(columns)}")
    rows = lines[1:]
    if not 1 <= len(rows) <= MAX_PADS:
        raise PasteFault(f"{name}: {len(rows)} lines, allowed 1 to {MAX_PADS}")
    for line, row in enumerate(rows, start=2):
        if len(row) != len(columns):
            raise PasteFault(f"{name} line {line}: {len(row)} cells, expected {len(columns)}")
    return rows


def _numbers(name: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Numbers:
    try:
        numbers = np.array(rows, dtype=np.float64)
    except ValueError:
        numbers = np.array([[_number(name, line, c, v) for c, v in zip(columns, row, strict=True)]
                            for line, row in enumerate(rows, start=2)])  # fmt: skip
    if bad := np.argwhere(~np.isfinite(numbers)).tolist():
        line, column = bad[0]
        raise PasteFault(f"{name} line {line + 2}, {columns[column]}: not a finite number")
    return numbers


def _number(name: str, line: int, column: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise PasteFault(f"{name} line {line}, {column}: {text!r:.40} is not a number") from None
