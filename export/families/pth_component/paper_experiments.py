"""The paper's experiments as a list, and how one is run: train, choose a threshold on pairs of train, decide pairs.

The threshold comes from a draw of train pairs of its own; the figures of train are another draw, those of val use the
same threshold. Nothing is chosen on val but the epoch that is kept, as in training.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from export.families.pth_component.backbones import Backbone, layers_of
from export.families.pth_component.metrics import PairDistances, PairFigures, best_threshold, pair_figures
from export.families.pth_component.net import PartNet
from export.families.pth_component.part_crops import GraphInput, PartCrops
from export.families.pth_component.teach_triplets import (
    TripletTraining,
    fit_triplets,
    triplet_distances,
    validation_triplets,
)
from export.families.pth_component.triplets import STRATEGIES, TripletSettings, draw_triplets
from export.metrics import auroc
from export.workshop import seeded

PAPER_LAYERS = (0, 1, 10, 27, 43, 67, 91, 103, 107, 108, 109)  # Table 3: of MobileNetV3 large, from the output
FEW_LAYERS = (0, 27, 67, 109)
FIRST_CLASSES = 2  # the paper begins with its two most frequent ones
PAPER_STRATEGY = "noise"
THRESHOLD_SEED, TRAIN_PAIRS_SEED = 1_000_003, 2_000_003  # draws that no training shares


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """One row of one table. `classes` None: all there are."""

    table: str
    backbone: str
    trainable_layers: int | None = None
    batch_norm: bool = False
    normalise: bool = False
    strategy: str = PAPER_STRATEGY
    classes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one seed of an experiment gave. `errors_auroc` is of val pairs with the five errors painted on, whatever the
    network was taught with."""

    seed: int
    train: PairFigures
    val: PairFigures
    errors_auroc: float
    epochs: int
    best_epoch: int
    seconds: float


def table_4(backbone: str, layers: Sequence[int] = FEW_LAYERS) -> list[Experiment]:
    """Layers trained x BatchNorm x normalisation; all of the paper's layers make its 44 experiments. For a backbone
    other than the paper's, the same share of its layers."""
    of_backbone = len(layers_of(Backbone(backbone, pretrained=False)))
    counts = sorted({round(n * of_backbone / PAPER_LAYERS[-1]) for n in layers})
    return [
        Experiment(table="4", backbone=backbone, trainable_layers=count, batch_norm=norm, normalise=length)
        for count in counts
        for norm in (False, True)
        for length in (False, True)
    ]


def table_5(backbone: str, train: PartCrops) -> list[Experiment]:
    """The two most frequent classes, then one more at a time, the most frequent first."""
    ordered = [name for name, _ in Counter(train.classes.tolist()).most_common()]
    return [
        Experiment(table="5", backbone=backbone, classes=tuple(ordered[:n]))
        for n in range(FIRST_CLASSES, len(ordered) + 1)
    ]


def backbones_table(backbones: Sequence[str]) -> list[Experiment]:
    """Section 2.4's backbones, all layers trained."""
    return [Experiment(table="backbones", backbone=name) for name in backbones]


def strategies_table(backbone: str) -> list[Experiment]:
    """Section 2.1's three strategies, and the two with painted errors."""
    return [Experiment(table="strategies", backbone=backbone, strategy=name) for name in STRATEGIES]


def run_experiment(
    experiment: Experiment,
    train: PartCrops,
    val: PartCrops,
    training: TripletTraining,
    graph_input: GraphInput,
    seed: int,
) -> Run:
    """Train and decide. Raises TrainingFault where the data cannot carry the experiment."""
    if experiment.classes is not None:
        train, val = train.of_classes(experiment.classes), val.of_classes(experiment.classes)
    triplets = dataclasses.replace(training.triplets, strategy=experiment.strategy)
    settings = dataclasses.replace(training, triplets=triplets)
    network = seeded(lambda: _network(experiment), seed)
    report = fit_triplets(network, train, val, settings, seed, graph_input)

    def pairs_of(parts: PartCrops, how: TripletSettings, draw: int) -> PairDistances:
        drawn = draw_triplets(parts, training.val_triplets, how, np.random.default_rng(draw))
        return triplet_distances(network, drawn, graph_input)

    threshold = best_threshold(pairs_of(train, triplets, THRESHOLD_SEED))
    errors = pairs_of(val, dataclasses.replace(triplets, strategy="errors"), THRESHOLD_SEED)
    return Run(
        seed=seed,
        train=pair_figures(pairs_of(train, triplets, TRAIN_PAIRS_SEED), threshold),
        val=pair_figures(triplet_distances(network, validation_triplets(val, settings), graph_input), threshold),
        errors_auroc=auroc(errors.positive, errors.negative),
        epochs=report.epochs,
        best_epoch=report.best_epoch,
        seconds=report.seconds,
    )


def _network(experiment: Experiment) -> PartNet:
    return PartNet(
        experiment.backbone,
        batch_norm=experiment.batch_norm,
        normalise=experiment.normalise,
        trainable_layers=experiment.trainable_layers,
    )
