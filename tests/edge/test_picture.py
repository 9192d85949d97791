"""Whole pictures decode; everything else is refused by name. No prefix of a picture is ever taken for the picture."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.capture.readers.picture import PictureFault, PictureSize, decode_picture, ends_whole, picture_size

pytestmark = pytest.mark.unit

SIZE = PictureSize(width_px=40, height_px=30)
PIXELS = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)


def encoded(suffix: str, pixels: np.ndarray = PIXELS) -> bytes:
    ok, data = cv2.imencode(suffix, pixels)
    assert ok
    return data.tobytes()


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_whole_pictures(suffix: str) -> None:
    data = encoded(suffix)
    assert picture_size(data) == SIZE
    image = decode_picture(data, SIZE)
    assert image.shape == (30, 40, 3)
    if suffix == ".png":
        np.testing.assert_array_equal(image, PIXELS)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_no_prefix_is_a_picture(suffix: str) -> None:
    data = encoded(suffix)
    for n in range(len(data)):
        with pytest.raises(PictureFault):
            decode_picture(data[:n], SIZE)


def test_every_flipped_bit_of_a_png_is_seen() -> None:
    data = encoded(".png", PIXELS[:8, :8])
    for position in range(len(data)):
        for bit in range(8):
            broken = bytearray(data)
            broken[position] ^= 1 << bit
            with pytest.raises(PictureFault):
                decode_picture(bytes(broken), PictureSize(width_px=8, height_px=8))


def test_wrong_size_names_both() -> None:
    with pytest.raises(PictureFault, match="40 x 30 pixels, the recipe expects 41 x 30"):
        decode_picture(encoded(".png"), PictureSize(width_px=41, height_px=30))


def test_a_huge_picture_is_refused_before_it_is_decoded() -> None:
    ihdr = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + ihdr + struct.pack(">I", zlib.crc32(b"IHDR" + ihdr))
    with pytest.raises(PictureFault, match="at most 50000000"):
        decode_picture(bomb, PictureSize(width_px=60_000, height_px=60_000))


def test_other_files_are_refused() -> None:
    with pytest.raises(PictureFault, match="neither JPEG nor PNG"):
        decode_picture(b"GIF89a" + bytes(100), SIZE)


def test_a_jpeg_padded_with_zeros_is_whole() -> None:
    data = encoded(".jpg") + bytes(16)
    assert ends_whole(data[:8], data[-64:])
    assert decode_picture(data, SIZE).shape == (30, 40, 3)


@given(st.binary(max_size=300), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"]))
def test_any_bytes_give_a_picture_or_a_fault(data: bytes, start: bytes) -> None:
    with pytest.raises(PictureFault):
        decode_picture(start + data, SIZE)
