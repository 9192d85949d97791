"""Pictures their machine cut itself: a small shift and turn is found, anything else is refused."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.board import Image
from edge.recipe import Place
from edge.recipe_new import ALIGNED
from edge.register import NotRegistered
from edge.register_aligned import AlignedRegistrar, crops_on_reference
from edge.registrars import registrar_of
from export.simulator.xray.packages.grid import OPTICAL_TYPES, package_type
from export.simulator.xray.packages.package import draw_package

pytestmark = pytest.mark.unit

REFERENCE = draw_package(package_type(OPTICAL_TYPES[0]), (1, 0)).image


def turned(image: Image, dx_px: float, dy_px: float, deg: float) -> tuple[Image, np.ndarray]:
    height, width = image.shape[:2]
    move = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), deg, 1.0)
    move[:, 2] += dx_px, dy_px
    made = cv2.warpAffine(image, move, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return made.astype(np.uint8), np.vstack([move, [0, 0, 1]])


@pytest.mark.parametrize(("dx_px", "dy_px", "deg"), [(0, 0, 0), (3.2, -2.5, 0.8), (-4.0, 1.0, -1.5)])
@pytest.mark.parametrize("factor", [1, 3])
def test_a_small_shift_and_turn_is_found(dx_px: float, dy_px: float, deg: float, factor: int) -> None:
    reference = np.repeat(np.repeat(REFERENCE, factor, axis=0), factor, axis=1)
    image, truth = turned(reference, dx_px * factor, dy_px * factor, deg)
    found = registrar_of(reference, ALIGNED).register(image)
    corners = np.array([[10, 10, 1], [245, 20, 1], [30, 240, 1]]).T * np.array([[factor], [factor], [1]])
    np.testing.assert_allclose((found.homography @ corners)[:2], (truth @ corners)[:2], atol=0.6 * factor)
    assert found.likeness > 0.9


def test_another_package_of_the_type_is_recognised() -> None:
    registrar = AlignedRegistrar(REFERENCE, ALIGNED)
    for seed in range(3):
        other = draw_package(package_type(OPTICAL_TYPES[0]), (2, seed)).image
        assert registrar.register(other).likeness > 0.8


def test_another_product_a_blank_and_a_turned_one_are_refused() -> None:
    registrar = AlignedRegistrar(REFERENCE, ALIGNED)
    other = draw_package(package_type(OPTICAL_TYPES[1]), (2, 1)).image
    for image in (other, np.full_like(REFERENCE, 90), turned(REFERENCE, 0, 0, 12)[0]):
        with pytest.raises(NotRegistered):
            registrar.register(image)


def test_a_picture_of_another_size_is_refused() -> None:
    with pytest.raises(NotRegistered, match="another size"):
        AlignedRegistrar(REFERENCE, ALIGNED).register(REFERENCE[:-2])


def test_what_is_compared_is_cut_as_the_reference_lies() -> None:
    place = Place(refdes="U1", x_px=127.5, y_px=127.5, side_px=256.0)
    image, _ = turned(REFERENCE, 2.0, -1.5, 1.5)
    registration = AlignedRegistrar(REFERENCE, ALIGNED).register(image)
    (crop,) = crops_on_reference(image, registration, [place], 256)
    inner = slice(16, 240)  # the rim was not in the picture
    apart = [np.abs(one[inner, inner].astype(int) - REFERENCE[inner, inner]).mean() for one in (crop, image)]
    assert apart[0] < 0.35 * apart[1]
