"""What knows nothing about solder reaches on the same rows: trivial cues, and PCA reconstruction."""

from __future__ import annotations

import numpy as np

from edge.board import Floats, Image
from edge.bundle import Bundle, Contract
from edge.families import FAMILIES as STATION_FAMILIES
from export.cues import cue_auroc, trivial_cues
from export.datasets import TRAIN_SPLIT
from export.inputs import contract_inputs
from export.pca import YARDSTICK_COMPONENTS, fit_pca
from export.scoring import ScoredSplit
from export.slices import shown

SLICE_STEP = 4  # PCA of two thousand whole joints in slices would take a gigabyte


def yardsticks(scored: ScoredSplit) -> dict[str, dict[str, float]]:
    """Yardstick -> label -> AUROC: every trivial cue, and PCA, which needs good training rows and is left out without
    them."""
    contract, data, train_crops = scored.bundle.manifest.contract, scored.data, None
    if contract.window is not None:
        return {}  # no picture, no cue of one; windows are held against the rules of paste
    crops = np.asarray(scored.crops, np.uint8)
    if train_rows := [row for row in data.rows if row.split == TRAIN_SPLIT and row.is_good]:
        train_crops = np.asarray(contract_inputs(data.folder, train_rows, contract), np.uint8)
    usual = None if train_crops is None else shown(train_crops)
    values = trivial_cues(data.folder, scored.rows, shown(crops), usual)
    if train_crops is not None and len(train_crops) > YARDSTICK_COMPONENTS:
        values |= _pca_scores(scored.bundle, train_crops, crops)
    good, labels = scored.is_good, scored.labels
    return {
        name: {kind: cue_auroc(cue[good], cue[labels == kind]) for kind in scored.defect_kinds}
        for name, cue in values.items()
    }


def _pca_scores(bundle: Bundle, train_crops: Image, crops: Image) -> dict[str, Floats]:
    """PCA's reconstruction errors: on grey standardised crops, and on the bundle's own input where that differs.

    The second is the harder yardstick for a model that sees colour or brightness: it sees them too. Slices, of which
    there are no colours, are taken as they are, one pixel of SLICE_STEP each way.
    """
    own: Contract = bundle.manifest.contract
    if own.n_slices is not None:
        train_crops, crops = (c[:, ::SLICE_STEP, ::SLICE_STEP] for c in (train_crops, crops))
    honest = own.model_copy(update={"channels": "grey", "normalisation": "standardised"})
    inputs = {} if own.n_slices else {f"PCA-{YARDSTICK_COMPONENTS}": honest}
    if own != honest:
        inputs[f"PCA-{YARDSTICK_COMPONENTS} on {own.channels} {own.normalisation}"] = own
    graph_input = STATION_FAMILIES[bundle.manifest.family].graph_input
    return {
        name: fit_pca(graph_input(train_crops, contract)).reconstruction_error(graph_input(crops, contract))
        for name, contract in inputs.items()
    }
