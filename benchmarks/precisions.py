"""What became of every precision of given bundles, one row each: as the manifest says it, and where a bundle was made
with FP32 alone, judged now on the data it was made from.

A bundle made with FP32 alone says nothing about the others. Where its data set is given, the same gate as at an export
judges its own FP32 graph in every precision: ranges from good training places, the verdict on validation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine
from benchmarks.quantisation_tables import PRECISIONS, PRECISIONS_HEAD, precision_cells
from calibration.thresholds import quantile_threshold
from edge.bundle import Bundle, Parity, RangesRecord, read_bundle
from edge.families import FAMILIES
from edge.thresholds import Precision
from export.datasets import DataFault
from export.families import Variant, load_family
from export.quantize.build import INT8, graphs_of
from export.quantize.graph import load_typed, quantisable_layers
from export.teaching import Samples
from export.workshop import TrainRequest, read_samples

COMMAND = "boardgate bench precisions"
MANIFEST, NOW, NOT_ASKED = "in the bundle", "judged for this table", "not asked for"

console = Console(width=max(200, Console().width) if not Console().is_terminal else None)


def run(
    bundles: Sequence[Path], data: Sequence[Path] = (), *, threads: int = 2, json_file: Path | None
) -> list[dict[str, Any]]:
    """Print the rows, add them to `json_file` where one is given (the same bundle's are replaced). `data` are folders
    of data sets, or tables in them.

    Raises BundleFault, DataFault where a set has the name of a bundle's but other rows or files.
    """
    rows = []
    for folder in bundles:
        rows.append(_bundle(read_bundle(folder), folder.name, data, threads))
        if json_file is not None:
            _write(json_file, rows)
    table = Table(*PRECISIONS_HEAD)
    for cells in precision_cells({"bundles": rows}):
        table.add_row(*cells)
    console.print(table)
    return rows


def _write(json_file: Path, rows: list[dict[str, Any]]) -> None:
    """In the families' order."""
    old = json.loads(json_file.read_text("utf-8"))["bundles"] if json_file.exists() else []
    now = {row["folder"]: row for row in [*old, *rows]}
    families = list(FAMILIES)
    ordered = sorted(now.values(), key=lambda row: (families.index(row["family"]), row["folder"]))
    options = sorted({f" --data {row['judged_on']}" for row in ordered if row["judged_on"]})
    command = f"{COMMAND} {' '.join(row['folder'] for row in ordered)}{''.join(options)}"
    json_file.write_text(json.dumps({"command": command, "bundles": ordered, **machine()}, indent=1) + "\n", "utf-8")


def _bundle(bundle: Bundle, folder: str, data: Sequence[Path], threads: int) -> dict[str, Any]:
    manifest = bundle.manifest
    preset, score = manifest.preset, manifest.variant.partition("/")[2]
    scopes = load_family(manifest.family).float_scopes(score)
    missing = [p for p in PRECISIONS if p not in manifest.graphs and p not in manifest.refused]
    source = _data_of(bundle, data) if missing else None
    rows = dict(_from_manifest(bundle))
    if source is not None:
        rows |= _judged_now(bundle, _samples(bundle, source), scopes, threads)
    return {
        "folder": folder,
        "family": manifest.family,
        "network": f"{preset} {manifest.variant}",
        "data": manifest.data.name,
        "judged_on": "" if source is None else manifest.data.name,
        "n_layers": len(quantisable_layers(load_typed(bundle.model("fp32")), scopes)),
        "precisions": {p: rows.get(p, {"source": NOT_ASKED}) for p in PRECISIONS},
    }


def _from_manifest(bundle: Bundle) -> Iterator[tuple[Precision, dict[str, Any]]]:
    manifest = bundle.manifest
    for precision, graph in manifest.graphs.items():
        yield precision, {"source": MANIFEST, **_passed(precision, graph.parity, manifest.int8_ranges)}
    for precision, why in manifest.refused.items():
        yield precision, {"source": MANIFEST, "refused": why}


def _passed(precision: Precision, parity: Parity, ranges: RangesRecord | None) -> dict[str, Any]:
    row: dict[str, Any] = {"parity": parity.model_dump(mode="json")}
    if precision in INT8 and ranges is not None:
        kept = [name.partition(":")[2] for name in ranges.kept_in_float if name.startswith(f"{precision}:")]
        row |= {"method": ranges.method, "kept_in_float": kept}
    return row


def _judged_now(
    bundle: Bundle, samples: Samples, scopes: tuple[str, ...], threads: int
) -> dict[Precision, dict[str, Any]]:
    """By the gate of an export, every precision but FP32."""
    made = graphs_of(
        bundle.model("fp32"),
        bundle.manifest.contract,
        calibration_inputs=samples.train_inputs,
        val_inputs=samples.val_inputs,
        val_is_good=samples.val_good,
        threshold_of=lambda scores: quantile_threshold(scores[samples.val_good]),
        float_scopes=scopes,
        threads=threads,
        say=lambda line: console.print(f"{bundle.manifest.family}: {line}", highlight=False),
    )
    passed = {p: {"source": NOW, **_passed(p, graph.parity, made.ranges)} for p, graph in made.graphs.items()}
    return {**passed, **{p: {"source": NOW, "refused": why} for p, why in made.refused.items()}}


def _data_of(bundle: Bundle, data: Sequence[Path]) -> Path | None:
    """The set, or table, of the name of the bundle's own."""
    for place in data:
        folder = place.parent if place.is_file() else place
        if folder.resolve().name == bundle.manifest.data.name:
            return place
    return None


def _samples(bundle: Bundle, place: Path) -> Samples:
    manifest = bundle.manifest
    recipe = load_family(manifest.family)
    variants: Mapping[str, Variant] = recipe.PRESETS[manifest.preset].variants
    request = TrainRequest(
        family=manifest.family,
        data=place.parent if place.is_file() else place,
        table=place.name if place.is_file() else None,
        preset=manifest.preset,
        channels=manifest.contract.channels,
        normalisation=manifest.contract.normalisation,
    )
    variant = variants[manifest.variant.partition("/")[0]]
    _, samples = read_samples(request, recipe, recipe.PRESETS[manifest.preset], variant)
    if samples.data.sha256 != manifest.data.sha256:
        raise DataFault(
            f"{place}: its train and val rows are not those {bundle.folder} was made from "
            f"(fingerprint {samples.data.sha256[:12]}…, expected {manifest.data.sha256[:12]}…)"
        )
    return samples
