"""`boardgate parity`: read the data, compare layers and verdicts, and say it as tables and a JSON object."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Group
from rich.table import Table
from rich.text import Text

from edge.board import Image
from edge.bundle import read_bundle
from edge.thresholds import Precision
from export.datasets import read_data_set
from export.inputs import contract_inputs
from export.parity.flips import FlipReport, bundle_feeds, compare_verdicts
from export.parity.layers import LayerError, LayerReport, compare_layers
from export.parity.sides import Side, runner, side_against, side_of
from export.report.window_picture import pictures_of

LAYER_CROPS = 16  # enough for an RMS over a layer; tensors, not crops, are what it averages over
MAX_SHOWN = 12
MAX_TOLD_LAYERS = 8
# Where layers part, by what the other side is. Sound graphs of the demo's network, on drawn joints it never saw: 4e-7
# between engines, 7e-4 in FP16, 0.17 in INT8.
BOUNDS: dict[Precision, float] = {"fp32": 1e-4, "fp16": 0.01, "int8": 0.35, "int8-cpu": 0.35}


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityRequest:
    """What `boardgate parity` was asked. `bound` None is the other side's own, of BOUNDS."""

    bundle: Path
    data: Path
    against: str | None = None
    table: str | None = None
    split: str = "val"
    where: tuple[str, ...] = ()
    bound: float | None = None
    most_shown: int = MAX_SHOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two sides of a bundle on one split. `crops` are the shown ones, (n, h, w, 3) uint8 BGR, and `maps` each side's,
    (n, h, w), where the graph has one."""

    family: str
    split: str
    sides: tuple[Side, Side]
    layers: LayerReport
    verdicts: FlipReport
    crops: Image
    maps: tuple[NDArray[np.float32] | None, NDArray[np.float32] | None]

    @property
    def parted(self) -> bool:
        """Whether anything a person should look into was found."""
        return self.layers.first is not None or bool(self.verdicts.flips)

    def to_json(self) -> dict[str, object]:
        """A plain object for `json.dumps`."""
        first, steepest = self.layers.first, self.layers.steepest
        return {
            "family": self.family,
            "split": self.split,
            "sides": [
                {
                    "engine": s.engine,
                    "precision": s.precision,
                    "threshold": s.threshold,
                    "bundle_sha256": s.bundle_sha256,
                }
                for s in self.sides
            ],
            "first_layer_above_bound": _layer_json(first) if first is not None else None,
            "steepest_layer": _layer_json(steepest) if steepest is not None else None,
            "bound": self.layers.bound,
            "looked_at": self.layers.looked_at,
            "n_layers_only_in_reference": self.layers.n_only_in_reference,
            "layers": [_layer_json(error) for error in self.layers.errors],
            "agreement": self.verdicts.agreement.model_dump(mode="json"),
            "flips": [asdict(flip) for flip in self.verdicts.flips],
        }


def compare(request: ParityRequest) -> Comparison:
    """Raises ParityFault, BundleFault or DataFault. Rows are judged at each side's common threshold, not at those of
    single part numbers."""
    bundle = read_bundle(request.bundle)
    sides = (side_of(bundle), side_against(bundle, request.against))
    data = read_data_set(request.data, request.table, request.where)
    rows = data.split(request.split)
    crops = contract_inputs(data.folder, rows, bundle.manifest.contract)
    inputs = bundle_feeds(bundle, data, crops, rows)
    runs = (runner(sides[0]), runner(sides[1]))
    verdicts = compare_verdicts(sides, runs, inputs, rows, request.most_shown)
    looked_into = _layer_rows(verdicts, len(rows))
    bound = BOUNDS[sides[1].precision] if request.bound is None else request.bound
    shown = [flip.index for flip in verdicts.shown]
    values = [run(inputs[shown]) for run in runs]
    return Comparison(
        family=bundle.manifest.family,
        split=request.split,
        sides=sides,
        layers=compare_layers(sides[0], sides[1], inputs[looked_into], bound),
        verdicts=verdicts,
        crops=pictures_of(crops[shown], bundle.manifest.contract),
        maps=(values[0].get("map"), values[1].get("map")),
    )


def tables(found: Comparison) -> Group:
    """What a person reads in the terminal."""
    ours, theirs = found.sides
    parity = found.verdicts.agreement
    lines = [
        Text(f"{found.family}: {theirs.label} against {ours.label}, {parity.n} regions of {found.split}", style="bold"),
        _first_line(found.layers),
        Text(
            f"verdicts the same {100 * parity.verdict_agreement_frac:.2f} %, {len(found.verdicts.flips)} flipped, "
            f"{parity.lost_defects} defects lost; scores differ by {parity.max_abs_score_difference:.3g} at most, "
            f"rank correlation {parity.spearman:.5f}"
        ),
    ]
    return Group(*lines, _layer_table(found.layers), _flip_table(found))


def _first_line(layers: LayerReport) -> Text:
    first, steepest = layers.first, layers.steepest
    if first is None or steepest is None:
        worst = max((e.relative_rms for e in layers.errors), default=0.0)
        return Text(f"no layer parts: {worst:.2g} relative RMS at most, bound {layers.bound:g}")
    return Text(
        f"first layer apart: {first.layer.text()}: {first.relative_rms:.3g} relative RMS, bound {layers.bound:g}; "
        f"most is made in {steepest.layer.text()}: {steepest.inherited:.3g} to {steepest.relative_rms:.3g}",
        style="yellow",
    )


def _layer_table(layers: LayerReport) -> Table:
    """The first layers above the bound and the ones that add most."""
    table = Table(title=f"layers, looked at {layers.looked_at}", title_justify="left")
    for column in ("layer", "operator", "module", "relative RMS", "made here"):
        table.add_column(column, justify="right" if column in ("relative RMS", "made here") else "left")
    above = [e for e in layers.errors if e.relative_rms > layers.bound][:MAX_TOLD_LAYERS]
    steep = sorted(layers.errors, key=lambda e: -e.made_here)[:MAX_TOLD_LAYERS]
    told = {id(e) for e in (*above, *steep)}
    for error in layers.errors:
        if id(error) in told:
            style = "yellow" if error.relative_rms > layers.bound else None
            layer = error.layer
            figures = f"{error.relative_rms:.3g}", f"{error.made_here:+.3g}"
            table.add_row(layer.name, layer.operator, layer.scope, *figures, style=style)
    return table


def _flip_table(found: Comparison) -> Table:
    shown = found.verdicts.shown
    title = "flipped verdicts" if found.verdicts.flips else "nothing flipped; the widest apart"
    table = Table(title=title, title_justify="left")
    for column in ("region", "label", found.sides[0].label, found.sides[1].label):
        table.add_column(column)
    for flip in shown:
        cells = (
            f"{score:.4g} {'defect' if called else 'good'} ({side.threshold:.4g})"
            for score, called, side in zip(flip.scores, flip.called, found.sides, strict=True)
        )
        table.add_row(flip.region, flip.label, *cells)
    return table


def _layer_rows(verdicts: FlipReport, n: int) -> list[int]:
    """The regions whose layers are compared: flips first, then evenly through the split."""
    even = np.linspace(0, n - 1, min(n, LAYER_CROPS)).round().astype(int).tolist()
    chosen = dict.fromkeys([*(f.index for f in verdicts.flips), *even])
    return list(chosen)[:LAYER_CROPS]


def _layer_json(error: LayerError) -> dict[str, object]:
    return {
        "name": error.layer.name,
        "operator": error.layer.operator,
        "module": error.layer.scope,
        "relative_rms": error.relative_rms,
        "inherited": error.inherited,
    }
