"""A trained namer as the two files a bundle carries: `namer.onnx` and `namer.json`.

The graph is checked like every graph (`export.onnx`) and then against the network on validation pictures: it must give
the same probabilities, to `MAX_DIFFERENCE`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.bundle import NAMER_GRAPH, NAMER_SETTINGS
from edge.paste.fault_namer import FaultNamer, MapSource, NamerEvidence, NamerSettings
from edge.paste.fault_naming import KINDS
from export.families.paste_print.namer_data import WINDOW_BOARDS
from export.families.paste_print.namer_figures import Rule
from export.families.paste_print.namer_net import Named, namer_contract
from export.families.paste_print.namer_training import probabilities
from export.graph_inputs import onnx_session
from export.onnx import ExportFault, onnx_from_torch

MAX_DIFFERENCE = 1e-4  # of a probability; float32 sums in another order differ by some 1e-6
MAX_NAMER_BYTES = 300_000


@dataclass(frozen=True, slots=True)
class NamerFiles:
    """The bytes of `namer.onnx` and `namer.json`."""

    graph: bytes
    settings: bytes


def namer_files(
    named: Named,
    channels: tuple[str, ...],
    map_source: MapSource,
    pad_threshold: float,
    rule: Rule,
    evidence: NamerEvidence,
    pictures: NDArray[np.float32],
) -> NamerFiles:
    """Export, compare on `pictures` (M, C, 32, 32), and read back as a station does. Raises ExportFault,
    BundleFault."""
    graph = onnx_from_torch(named, namer_contract(channels, WINDOW_BOARDS))
    if len(graph) > MAX_NAMER_BYTES:
        raise ExportFault(f"namer of {len(graph)} bytes, allowed are {MAX_NAMER_BYTES}")
    (found,) = onnx_session(graph, threads=1).run(["probability"], {"picture": pictures})
    if (apart := float(np.abs(found - probabilities(named, pictures)).max())) > MAX_DIFFERENCE:
        raise ExportFault(f"probabilities differ by {apart:.2g}, allowed is {MAX_DIFFERENCE:.2g}")
    settings = NamerSettings(
        schema_version=1,
        classes=KINDS,
        channels=channels,
        boards=WINDOW_BOARDS,
        map_source=map_source,
        pad_threshold=pad_threshold,
        probability=rule.probability,
        boards_in_a_row=rule.boards_in_a_row,
        evidence=evidence,
    )
    files = NamerFiles(graph, (settings.model_dump_json(indent=1) + "\n").encode())
    FaultNamer(files.graph, files.settings)
    return files


def write_namer(folder: Path, files: NamerFiles) -> None:
    """Both files into a folder, which is made where it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NAMER_GRAPH).write_bytes(files.graph)
    (folder / NAMER_SETTINGS).write_bytes(files.settings)
