"""Pictures of a part number brought onto one of them, as a station brings what it sees onto its recipe's reference
(`edge.register_aligned`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.board import Image
from edge.recipe_new import ALIGNED
from edge.register import NotRegistered
from edge.register_aligned import AlignedRegistrar, straightened

Grey = NDArray[np.uint8]


class Onto:
    """Brings pictures (h, w, 3) uint8 BGR onto one of the same size."""

    def __init__(self, reference: Image) -> None:
        self._registrar = AlignedRegistrar(reference, ALIGNED)

    def brought(self, picture: Image) -> Image:
        """The picture as the reference lies; as it was where a station would not register it and hold the package."""
        try:
            return straightened(picture, self._registrar.register(picture))
        except NotRegistered:
            return picture


def brought_together(pictures: Grey, parts: NDArray[np.str_]) -> Grey:
    """Grey pictures (N, h, w) uint8, each brought onto the first of its part number (N,)."""
    found = pictures.copy()
    for part in np.unique(parts):
        first, *others = np.flatnonzero(parts == part)
        onto = Onto(_as_colours(pictures[first]))
        for k in others:
            found[k] = onto.brought(_as_colours(pictures[k]))[..., 0]
    return found


def _as_colours(grey: Grey) -> Image:
    return np.repeat(grey[..., None], 3, axis=2)
