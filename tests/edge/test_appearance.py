"""Another product of the same maker is refused although its lettering, holes and outline agree."""

from __future__ import annotations

import numpy as np
import pytest

from edge.appearance import Appearance
from edge.recipe import RegistrationSettings
from edge.register import NotRegistered, Registrar
from export.simulator.board import reference_board
from export.simulator.datasets import PART_NUMBER, draw_boards
from export.simulator.layout import header_board

pytestmark = pytest.mark.sweep


def test_other_products_are_refused_and_own_boards_are_not() -> None:
    registrar = Registrar(reference_board(header_board(PART_NUMBER)).image, RegistrationSettings())
    for _, own in draw_boards(9, 2, "hand_held"):
        assert registrar.register(own.image).likeness > 0.6
    for part in ("OTHER-7", "X-1"):
        for _, stranger in draw_boards(2041, 2, "line", part_number=part):
            with pytest.raises(NotRegistered):
                registrar.register(stranger.image)


def test_likeness_of_a_picture_to_itself_to_its_neighbourhood_and_to_noise() -> None:
    picture = reference_board(header_board(PART_NUMBER)).image
    look = Appearance(picture)
    assert look.likeness(picture, np.eye(3)) > 0.99
    shifted = np.array([[1, 0, 60.0], [0, 1, 0], [0, 0, 1]])
    assert look.likeness(picture, shifted) < 0.2
    noise = np.random.default_rng(0).integers(0, 255, picture.shape, dtype=np.uint8)
    assert abs(look.likeness(noise, np.eye(3))) < 0.1


def test_too_little_in_view_is_no_likeness() -> None:
    picture = reference_board(header_board(PART_NUMBER)).image
    assert Appearance(picture).likeness(picture, np.array([[1, 0, 860.0], [0, 1, 860.0], [0, 0, 1]])) == 0.0
