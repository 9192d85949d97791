"""For families that compare: the approved picture that a crop was nearest to, so that a person can compare them too."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.board import Image
from edge.references import Compared
from export.approved import approved_of
from export.scoring import ScoredSplit


def nearest_approved(scored: ScoredSplit, chosen: NDArray[np.int64]) -> Image | None:
    """The approved picture of each chosen row's part that lies nearest in the embedding, (n, h, w, 3) uint8 BGR; None
    where the family compares nothing."""
    approved = approved_of(scored.data, scored.bundle.manifest.contract, scored.request.references)
    inputs = scored.inputs[chosen]
    if approved is None or not isinstance(inputs, Compared):
        return None
    apart = inputs.references - scored.scorer.embed(inputs.crops)[:, None]
    nearest = np.square(apart).sum(axis=2).argmin(axis=1)
    pictures: Image = approved.crops[approved.indices([scored.rows[i] for i in chosen]), nearest]
    return pictures
