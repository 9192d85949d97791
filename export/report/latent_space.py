"""Where a bundle's graph puts its crops: the numbers inside it that come closest to what its method calls latent.

Families that compare give an embedding; its difference from the nearest approved one is what they judge, and parts that
look unlike each other fall together in it. In other graphs the tensor after one module of the network is read (the
exporter notes the module of every node). Rules have their measured features. What is left is the graph's input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort

from edge.board import Floats, Image
from edge.bundle import Bundle
from edge.families import FAMILIES
from edge.references import Compared, Scorable
from edge.scorers.rules import Gauge, RulesFile
from export.approved import approved_of, scorable
from export.datasets import Row
from export.parity.layers import float_layers, observed
from export.scoring import SCORING_BATCH, ScoredSplit

MU = "μ of the posterior (for a CAE, the bottleneck)"
# Module of the network -> what its output is; the first that a graph has is taken.
LATENT_MODULES = {
    "net.mu_head": MU,
    "operators.encoder.1": MU,  # the same head in a graph with GradCon's backward pass
    "net.features": "the features before the last layer",
}
MAX_PLAIN = 1024  # numbers a crop; a larger tensor of features is averaged over its places


@dataclass(frozen=True, slots=True, kw_only=True)
class Latent:
    """One vector a crop, (N, D) float32, and what it is in words."""

    vectors: Floats
    what: str


def latent_of(scored: ScoredSplit, crops: Image, rows: Sequence[Row]) -> Latent:
    """The latent of the crops (N, h, w, 3) uint8 BGR of some rows of the data set, by the bundle's FP32 graph; of an
    embedding by the engine that scored."""
    bundle = scored.bundle
    contract = bundle.manifest.contract
    if approved := approved_of(scored.data, contract, scored.request.references):
        inputs = scorable(approved, crops, rows, scored.scorer)
        return _described(_differences(scored, inputs), "the embedding less that of the nearest approved picture")
    if bundle.manifest.engine == "rules" and bundle.manifest.family == "solder_joint":
        return _described(_features(bundle, crops), "the measured features, each to unit deviation")
    for module, what in LATENT_MODULES.items() if bundle.manifest.engine != "rules" else ():
        if name := output_of(bundle.model("fp32"), module):
            return _described(_run(bundle, name, crops), what)
    inputs = [FAMILIES[bundle.manifest.family].graph_input(c, contract).reshape(len(c), -1) for c in _batches(crops)]
    return Latent(vectors=np.concatenate(inputs), what="the graph's input, since nothing inside it is marked as latent")


def output_of(model: bytes, module: str) -> str | None:
    """The name of the tensor that leaves a module of the network; None where the graph notes no such module."""
    layers = float_layers(model).values()
    return next((x.name for x in reversed([*layers]) if f"{x.scope}.".startswith(f"{module}.")), None)


def _run(bundle: Bundle, name: str, crops: Image) -> Floats:
    """The tensor for every crop as one vector each; features of many places are averaged over them."""
    model = observed(bundle.model("fp32"), [name])
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    contract = bundle.manifest.contract
    family = FAMILIES[bundle.manifest.family]
    found = []
    for batch in _batches(crops):
        (values,) = session.run([name], {contract.inputs[0].name: family.graph_input(batch, contract)})
        many = values.ndim == 4 and values[0].size > MAX_PLAIN
        found.append(values.mean(axis=(2, 3)) if many else values.reshape(len(values), -1))
    return np.concatenate(found)


def _differences(scored: ScoredSplit, inputs: Scorable) -> Floats:
    """Of each crop's embedding from the nearest of its references, (N, E)."""
    found = []
    for start in range(0, len(inputs), SCORING_BATCH):
        batch = inputs[start : start + SCORING_BATCH]
        if not isinstance(batch, Compared):
            raise TypeError(f"{type(batch).__name__}: a family that compares takes crops with references")
        apart = scored.scorer.embed(batch.crops)[:, None] - batch.references
        nearest = np.square(apart).sum(axis=2).argmin(axis=1)
        found.append(apart[np.arange(len(batch)), nearest])
    return np.concatenate(found)


def _features(bundle: Bundle, crops: Image) -> Floats:
    rules = RulesFile.model_validate_json(bundle.model("fp32"))
    measured = Gauge(rules.pitch_frac, crops.shape[1], rules.template_pixels()).measure(crops)
    deviation = measured.std(axis=0)
    return np.asarray((measured - measured.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0), np.float32)


def _described(vectors: Floats, what: str) -> Latent:
    return Latent(vectors=vectors, what=f"{what}, {vectors.shape[1]} numbers a crop")


def _batches(crops: Image) -> list[Image]:
    return [crops[i : i + SCORING_BATCH] for i in range(0, len(crops), SCORING_BATCH)]
