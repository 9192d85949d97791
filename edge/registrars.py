"""The registrar a recipe asks for: by features, or for pictures that their machine has cut already."""

from __future__ import annotations

from typing import Protocol

from edge.board import Image
from edge.recipe import RegistrationSettings
from edge.register import Registrar, Registration
from edge.register_aligned import AlignedRegistrar


class AnyRegistrar(Protocol):
    """Brings pictures onto one reference."""

    def register(self, image: Image) -> Registration:
        """Find the reference in `image` (h, w, 3) uint8 BGR. Raises NotRegistered; never returns a doubtful fit."""
        ...


def registrar_of(reference: Image, settings: RegistrationSettings) -> AnyRegistrar:
    """Raises NotRegistered when the reference itself cannot be recognised."""
    if settings.method == "aligned":
        return AlignedRegistrar(reference, settings)
    return Registrar(reference, settings)
