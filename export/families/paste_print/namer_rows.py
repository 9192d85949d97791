"""The rows of the namer's study: which network, whose pad scores, which picture; and one training of a row.

All rows see the same boards: runs of each split have seeds of their own, whatever scores their pads.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.paste.fault_naming import OWN_CHANNELS, PAPER_CHANNELS
from export.families.paste_print.namer_data import PictureSet, picture_set, pictures_of
from export.families.paste_print.namer_figures import (
    Judged,
    Rule,
    chosen_rule,
    figures_of,
    macro_f1,
    window_confusion,
)
from export.families.paste_print.namer_net import Named, n_weights
from export.families.paste_print.namer_runs import CLEAN, RunCounts, ScoredRun, line_of, scored_runs
from export.families.paste_print.namer_scores import Scores, pad_threshold
from export.families.paste_print.namer_training import TRAININGS, probabilities, train_namer

PRODUCT = "PP-1"
GRAPH = "graph"  # maps of a bundle's graph
WINDOWS_A_RUN = 16
TRAIN, VAL, TEST = "train", "val", "test"
COUNTS: dict[str, RunCounts] = {
    TRAIN: RunCounts(fault=60, clean=150, drift=60, random=60, single=40, amplitudes=(1.2, 5.0), grid=False),
    VAL: RunCounts(fault=16, clean=100, drift=20, random=20, single=20, amplitudes=(1.5, 2.0, 3.0, 5.0), grid=True),
    TEST: RunCounts(fault=24, clean=150, drift=20, random=20, single=20, amplitudes=(1.5, 2.0, 3.0, 5.0), grid=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A network, whose pad scores its pictures are made of, and which picture. `asked_frac` is the share of validation
    and test runs that a slow network is asked about."""

    network: str
    source: str
    channels: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    asked_frac: float = 1.0


OWN = "own"
ROWS: dict[str, Row] = {
    OWN: Row(network="own", source="printer", channels=OWN_CHANNELS, seeds=(0, 1, 2)),
    "ResNet-18, our picture": Row(network="resnet18", source="printer", channels=OWN_CHANNELS, asked_frac=0.3),
    "Inception-v4, our picture": Row(network="inception_v4", source="printer", channels=OWN_CHANNELS, asked_frac=0.15),
    "own, paper's picture": Row(network="own", source="ewma", channels=PAPER_CHANNELS),
    "ResNet-18, paper's picture": Row(network="resnet18", source="ewma", channels=PAPER_CHANNELS, asked_frac=0.3),
    "Inception-v4, paper's picture": Row(
        network="inception_v4", source="ewma", channels=PAPER_CHANNELS, asked_frac=0.15
    ),
    "own, ewma": Row(network="own", source="ewma", channels=OWN_CHANNELS),
    "own, pad_level": Row(network="own", source="pad_level", channels=OWN_CHANNELS),
}
GRAPH_ROWS: dict[str, Row] = {
    "own, graph's maps": Row(network="own", source=GRAPH, channels=OWN_CHANNELS),
    "own, paper's picture of graph's maps": Row(network="own", source=GRAPH, channels=PAPER_CHANNELS),
}

Pictures = list[NDArray[np.float16]]


@dataclass(slots=True, kw_only=True)
class ScoredSet:
    """All runs of the study, pads scored one way, the pad threshold from clean training runs; pictures of the channels
    last asked for are kept, as several networks are asked about them."""

    runs: dict[str, list[ScoredRun]]
    threshold: float
    _channels: tuple[str, ...] = ()
    _taught: PictureSet | None = None
    _pictures: dict[str, Pictures] = field(default_factory=dict)

    def taught(self, channels: tuple[str, ...]) -> PictureSet:
        """What networks are trained on."""
        self._turn_to(channels)
        if self._taught is None:
            self._taught = picture_set(self.runs[TRAIN], channels, self.threshold, WINDOWS_A_RUN, seed=0)
        return self._taught

    def judged(self, named: Named, channels: tuple[str, ...], split: str, frac: float) -> list[Judged]:
        """Every board of a share of a split's runs, named; the share has the same part of every kind of run."""
        self._turn_to(channels)
        if split not in self._pictures:
            made: Pictures = [
                pictures_of(run, range(len(run.scores)), channels, self.threshold) for run in self.runs[split]
            ]
            self._pictures[split] = made
        chosen = _share([run.what for run in self.runs[split]], frac)
        return [(self.runs[split][k], probabilities(named, self._pictures[split][k])) for k in chosen]

    def _turn_to(self, channels: tuple[str, ...]) -> None:
        if channels != self._channels:
            self._channels, self._taught = channels, None
            self._pictures.clear()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedRow:
    """One training: its figures, the network, the rule chosen on validation, and its runs judged."""

    entry: dict[str, Any]
    named: Named
    rule: Rule
    val_macro_f1: float


def scored_set(score: Scores, counts: dict[str, RunCounts]) -> ScoredSet:
    """Train, validation and test runs of the product."""
    runs = {split: list(scored_runs(line_of(PRODUCT, split), split, n, score)) for split, n in counts.items()}
    return ScoredSet(runs=runs, threshold=pad_threshold([r.scores for r in runs[TRAIN] if r.what == CLEAN]))


def train_row(name: str, row: Row, scored: ScoredSet, seed: int) -> TrainedRow:
    """Train a row's network with one seed, choose its rule on validation, judge the test runs."""
    taught = scored.taught(row.channels)
    training = TRAININGS[row.network]
    began = time.monotonic()
    named = train_namer(row.network, taught, training, seed)
    took_s = time.monotonic() - began
    val = scored.judged(named, row.channels, VAL, row.asked_frac)
    rule, val_macro_f1 = chosen_rule(val), macro_f1(window_confusion(val))
    test = scored.judged(named, row.channels, TEST, row.asked_frac)
    entry = {
        "row": name,
        "seed": seed,
        "network": row.network,
        "source": row.source,
        "channels": list(row.channels),
        "weights": n_weights(named),
        "training": asdict(training),
        "training_s": round(took_s, 1),
        "taught_pictures": len(taught),
        "pad_threshold": scored.threshold,
        "rule": asdict(rule),
        "val_macro_f1_windows": val_macro_f1,
        "test_runs": len(test),
        "test": figures_of(test, rule),
    }
    return TrainedRow(entry=entry, named=named, rule=rule, val_macro_f1=val_macro_f1)


def _share(what: Sequence[str], frac: float) -> list[int]:
    rng = np.random.default_rng(0)
    chosen: list[int] = []
    for kind in dict.fromkeys(what):
        members = np.flatnonzero(np.array(what) == kind)
        n = len(members) if frac >= 1.0 else max(1, round(frac * len(members)))
        chosen += rng.permutation(members)[:n].tolist()
    return sorted(chosen)
