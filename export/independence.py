"""The data a threshold was chosen on is never the data its figures are reported on: this finds out.

Three signs, any of which is enough: the rows have the fingerprint that the threshold's evidence names; they are a split
of the folder that the bundle itself was trained and set on; the bundle's golden crops, which are validation pictures,
are among them pixel by pixel (so a copied or renamed folder is seen too).
"""

from __future__ import annotations

import hashlib

from edge.board import Floats, Image
from export.datasets import TRAIN_SPLIT, fingerprint
from export.faults import WorkshopFault
from export.scoring import ScoredSplit

GOLDEN_FOUND_FRAC = 0.5  # public sets hold a few pictures twice; half of the golden crops are no such accident


class SameDataFault(WorkshopFault):
    """Figures were asked for on data that the bundle was made with."""


def shared_with_threshold(scored: ScoredSplit) -> str:
    """Why these rows cannot say how good the bundle's threshold is; empty when nothing speaks against them."""
    choice, made_from = scored.threshold.choice, scored.bundle.manifest.data
    rows, split = scored.rows, scored.request.split
    good = tuple(row for row in rows if row.is_good)
    if choice.data_sha256 in (fingerprint(scored.data, (), part).sha256 for part in (rows, good)):
        return f"the threshold was chosen on these very rows ({split!r}, data {choice.data_sha256[:12]}…)"
    if scored.data.folder.resolve().name == made_from.name and split in (TRAIN_SPLIT, choice.split.partition(",")[0]):
        return f"the bundle was trained and its threshold chosen on splits 'train' and {choice.split!r} of this folder"
    found = len(_fingerprints(scored.bundle.golden_batch) & _fingerprints(scored.crops))
    of = len(scored.bundle.golden_batch)
    if found >= GOLDEN_FOUND_FRAC * of:
        return f"{found} of the bundle's {of} golden crops, which its makers chose on, are among these pictures"
    return ""


def _fingerprints(crops: Image | Floats) -> set[bytes]:
    return {hashlib.sha256(crop.tobytes()).digest() for crop in crops}
