"""Episodes: what `best` is taught by. A few good pictures of one part are the references; queries are other good
pictures of it and such with an error painted on, as a station would meet them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from edge.board import Image
from edge.references import MAX_APPROVED, MAX_REFERENCES
from export.families.pth_component.best_paint import bad_picture, good_picture
from export.families.pth_component.painted_errors import Generator
from export.families.pth_component.part_crops import PartCrops
from export.training_record import TrainingFault

TURNED_FRAC = 0.5  # episodes whose part may also be mounted turned by 180 degrees
FEWER_FRAC = 0.3  # episodes with fewer references than a recipe may hold

Maker = Callable[[PartCrops, int, Generator], Image]


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """`references` (R, 128, 128, 3) and `queries` (Q, 128, 128, 3) uint8 BGR; the second half of the queries is bad."""

    references: Image
    queries: Image

    @property
    def pictures(self) -> Image:
        """References, then queries."""
        return np.concatenate([self.references, self.queries])


class Episodes:
    """Draws episodes from good components; `make_bad` makes what must be called. Raises TrainingFault where no part has
    two."""

    def __init__(self, parts: PartCrops, queries: int, seed: int, make_bad: Maker = bad_picture) -> None:
        self.parts, self.crops, self.half = parts, parts.crops, queries // 2
        self.makers = (good_picture, make_bad)
        self.rng: Generator = np.random.default_rng(seed)
        names, counts = np.unique(parts.parts, return_counts=True)
        self.pools = [np.flatnonzero(parts.parts == name) for name in names[counts > 1]]
        if not self.pools:
            raise TrainingFault("every part has a single good picture: nothing says what is harmless")

    def draw(self) -> Episode:
        """One more, of any part."""
        pool = self.pools[int(self.rng.integers(len(self.pools)))]
        references, others = self._shared_out(pool)
        crops = list(self.crops[references])
        queries = [
            make(self.parts, int(i), self.rng) for make in self.makers for i in self.rng.choice(others, self.half)
        ]
        if self.rng.random() < TURNED_FRAC:
            crops += [np.rot90(crop, 2) for crop in crops]
            queries = [np.rot90(query, 2) if self.rng.random() < 0.5 else query for query in queries]
        return Episode(references=np.stack(crops), queries=np.stack(queries))

    def _shared_out(self, pool: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        most = min(MAX_REFERENCES, len(pool) - 1)
        n = int(self.rng.integers(1, most + 1)) if self.rng.random() < FEWER_FRAC else most
        order = self.rng.permutation(pool)
        return order[:n], order[n:]


def approved_embeddings(embeddings: Tensor) -> Tensor:
    """A part's embedded references (R, E), repeated to (10, E)."""
    return embeddings[torch.arange(MAX_APPROVED) % len(embeddings)]


def loss_of(logits: Sequence[Tensor]) -> Tensor:
    """Cross-entropy of each episode's log odds of an error, (Q,) each, averaged."""
    flat = torch.cat(list(logits))
    is_bad = torch.cat([torch.arange(len(part)) >= len(part) // 2 for part in logits])
    return functional.binary_cross_entropy_with_logits(flat, is_bad.to(flat.dtype))
