"""A map of the latent: t-SNE of where the graph puts crops, and whose neighbours they are in the latent itself.

The picture is for eyes: t-SNE keeps neighbours and nothing else. What can be said in figures is said of the latent, not
of the picture: of a crop's nearest neighbours that show other places, how many are of its class. Nothing here judges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.metrics import pairwise_distances

from edge.board import Image
from edge.references import takes_references
from export.datasets import VAL_SPLIT, Row, units_of
from export.inputs import contract_inputs
from export.report.latent_space import latent_of
from export.report.window_picture import pictures_of
from export.scoring import ScoredSplit
from export.table_columns import boards_of, has_boards, parts_of

MAX_SPLIT_POINTS = 500  # t-SNE of more takes longer than a reader waits
MAX_VAL_POINTS = 250
MIN_POINTS = 12
COMPONENTS = 50  # before t-SNE, as is usual: noise in hundreds of dimensions hides neighbours
PERPLEXITY = 30.0  # the paper's 5 is for 150 pictures
RUNS = 3  # t-SNE falls into local minima; the run of the lowest divergence is kept, as the paper keeps one of 100
NEIGHBOURS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighbourRow:
    """One class of the split: the share of its neighbours (other places, whole map) that are of the class, and that are
    of the split; beside each, the share that neighbours drawn blindly would have. Fractions."""

    label: str
    n: int
    same_class_frac: float
    chance_class_frac: float
    same_split_frac: float
    chance_split_frac: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentMap:
    """N crops, those of the split first, then those of `val`: places `at` (N, 2) from 0 to 1 and what each one is.

    `called` and `relative` (score over threshold) are of the split's rows, (n_split,).
    """

    at: NDArray[np.float64]
    crops: Image
    labels: NDArray[np.str_]
    is_good: NDArray[np.bool_]
    group: NDArray[np.str_]  # part, board or split of each, whichever `group_is` says
    group_is: str
    n_split: int
    called: NDArray[np.bool_]
    relative: NDArray[np.float64]
    neighbours: tuple[NeighbourRow, ...]
    what: str
    perplexity: float
    divergence: float

    @property
    def is_val(self) -> NDArray[np.bool_]:
        """Rows of `val`, which stand beside the split that is reported on, (N,)."""
        return np.arange(len(self.at)) >= self.n_split

    @property
    def is_wrong(self) -> NDArray[np.bool_]:
        """Missed, or falsely called, (n_split,)."""
        return np.asarray(self.is_good[: self.n_split] == self.called)


def latent_map(scored: ScoredSplit) -> LatentMap | None:
    """The map of some of the split's rows and of `val`'s: every defect that fits, then good ones, drawn evenly.

    None where the split has too few.
    """
    chosen = _chosen(scored.is_good, MAX_SPLIT_POINTS)
    if len(chosen) < MIN_POINTS:
        return None
    val = [row for row in scored.data.rows if row.split == VAL_SPLIT and scored.request.split != VAL_SPLIT]
    beside = [val[i] for i in _chosen(np.array([row.is_good for row in val], bool), MAX_VAL_POINTS)]
    rows = [*(scored.rows[i] for i in chosen), *beside]
    crops = scored.crops[chosen]
    if beside:
        cut = contract_inputs(scored.data.folder, beside, scored.bundle.manifest.contract)
        crops = np.concatenate([crops, cut])
    latent = latent_of(scored, crops, rows)
    group_is, group = _groups(scored, rows)
    perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
    at, divergence = _places(latent.vectors, perplexity)
    labels = np.array([row.label for row in rows])
    return LatentMap(
        at=at,
        crops=pictures_of(crops, scored.bundle.manifest.contract),
        labels=labels,
        is_good=np.array([row.is_good for row in rows]),
        group=group,
        group_is=group_is,
        n_split=len(chosen),
        called=scored.called[chosen],
        relative=scored.score[chosen] / np.maximum(np.abs(scored.thresholds[chosen]), 1e-12),
        neighbours=_neighbours(latent.vectors, rows, len(chosen)),
        what=latent.what,
        perplexity=perplexity,
        divergence=divergence,
    )


def _places(vectors: NDArray[np.float32], perplexity: float) -> tuple[NDArray[np.float64], float]:
    """Places from 0 to 1 and the Kullback-Leibler divergence of the best run."""
    main = PCA(min(COMPONENTS, *vectors.shape), svd_solver="full").fit_transform(vectors - vectors.mean(axis=0))
    main /= max(float(main.std()), 1e-12)
    runs = [TSNE(perplexity=perplexity, init="random", random_state=seed) for seed in range(RUNS)]
    placed = [(run.fit_transform(main), float(run.kl_divergence_)) for run in runs]
    at, divergence = min(placed, key=lambda found: found[1])
    low, high = at.min(axis=0), at.max(axis=0)
    return ((at - low) / np.maximum(high - low, 1e-12)).astype(np.float64), divergence


def _groups(scored: ScoredSplit, rows: list[Row]) -> tuple[str, NDArray[np.str_]]:
    """By what the third panel is coloured: parts where the family compares them, else boards, else splits."""
    if takes_references(scored.bundle.manifest.contract):
        return "part", parts_of(rows)
    if has_boards(rows):
        return "board", boards_of(rows)
    return "split", np.array([row.split for row in rows])


def _neighbours(vectors: NDArray[np.float32], rows: list[Row], n_split: int) -> tuple[NeighbourRow, ...]:
    """By class of the split, good ones first. A picture of the same place is no neighbour: it would only say that the
    place was seen twice."""
    labels, units = np.array([row.label for row in rows]), units_of(rows)
    apart = pairwise_distances(vectors[:n_split], vectors)
    apart[units[:n_split, None] == units[None]] = np.inf
    nearest = np.argsort(apart, axis=1, kind="stable")[:, :NEIGHBOURS]
    is_other = np.isfinite(apart)
    is_near = np.zeros_like(is_other)
    np.put_along_axis(is_near, nearest, values=True, axis=1)
    same_class = labels[:n_split, None] == labels[None]
    same_split = np.broadcast_to(np.arange(len(rows)) < n_split, apart.shape)
    good_first = sorted({(not row.is_good, row.label) for row in rows[:n_split]})
    found = []
    for label in (label for _, label in good_first):
        mine = np.flatnonzero(labels[:n_split] == label)
        near, other = (is_near & is_other)[mine], is_other[mine]
        found.append(
            NeighbourRow(
                label=label,
                n=len(mine),
                same_class_frac=_share(same_class[mine], near),
                chance_class_frac=_share(same_class[mine], other),
                same_split_frac=_share(same_split[mine], near),
                chance_split_frac=_share(same_split[mine], other),
            )
        )
    return tuple(found)


def _share(of: NDArray[np.bool_], among: NDArray[np.bool_]) -> float:
    return float((of & among).sum() / max(int(among.sum()), 1))


def _chosen(is_good: NDArray[np.bool_], most: int) -> NDArray[np.int64]:
    defects, good = np.flatnonzero(~is_good), np.flatnonzero(is_good)
    kept = _evenly(defects, most // 2 if len(good) > most // 2 else most - len(good))
    return np.sort(np.concatenate([kept, _evenly(good, most - len(kept))]))


def _evenly(indices: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    if len(indices) <= most:
        return indices
    return indices[np.linspace(0, len(indices) - 1, most).round().astype(int)]
