"""The crops of places in a registered picture: cut alike for what a recipe approves and for what a station sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.board import Image
from edge.bundle import Contract
from edge.crop import crop_squares
from edge.recipe import Place, RegistrationSettings
from edge.register import Registration
from edge.register_aligned import crops_on_reference

Seen = Sequence[tuple[Place, float, float, float]]  # places in view, in order, with x_px, y_px, side_px there


def laid_fault(contract: Contract, registration: RegistrationSettings) -> str:
    """Why pictures registered so cannot be laid onto approved ones as a bundle asks; empty when they can."""
    if not contract.onto_approved or registration.method == "aligned":
        return ""
    return f"compares pictures as approved ones lie: needs registration.method 'aligned', not {registration.method!r}"


def cut_places(
    image: Image, registration: Registration, seen: Seen, contract: Contract, out: Image | None = None
) -> Image:
    """The crops (N, crop_px, crop_px, 3) uint8 of the places in view, into `out` where one is given; as they lie on the
    reference where the contract compares them with approved pictures place by place."""
    if contract.onto_approved:
        return crops_on_reference(image, registration, [place for place, *_ in seen], contract.crop_px, out)
    centres = np.array([(x, y) for _, x, y, _ in seen], np.float64).reshape(-1, 2)
    return crop_squares(image, centres, np.array([side for *_, side in seen], np.float64), contract.crop_px, out)
