"""JPEG and PNG pictures: is it whole, how large is it, and its pixels. Pure: bytes in, pixels or PictureFault out.

A decoder alone is no judge of wholeness: OpenCV fills the missing half of a JPEG with grey and says nothing. So the end
marker, every PNG chunk's CRC and the size in the header are checked before the pixels are believed.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import cv2
import numpy as np

from edge.board import Image

MAX_PICTURE_BYTES = 64 * 1024 * 1024
MAX_PICTURE_PIXELS = 50_000_000  # 150 MB decoded
TAIL_BYTES = 64

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_PNG_START, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_JPEG_SIZE_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE_MARKERS = frozenset(range(0xD0, 0xD8)) | {0x01}


class PictureFault(Exception):
    """The bytes are not a whole picture of an allowed size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSize:
    """Width and height in pixels."""

    width_px: int
    height_px: int

    def __str__(self) -> str:
        return f"{self.width_px} x {self.height_px}"


def ends_whole(head: bytes, tail: bytes) -> bool:
    """Whether a file with these first and last bytes (up to TAIL_BYTES) ends as its format says it must."""
    if head.startswith(_JPEG_START):
        return tail.rstrip(b"\x00").endswith(_JPEG_END)  # some cameras pad with zeros
    if head.startswith(_PNG_START):
        return tail.endswith(_PNG_END)
    return False


def decode_picture(data: bytes, expected: PictureSize) -> Image:
    """(h, w, 3) uint8 BGR. Raises PictureFault for anything but a whole picture of exactly the expected size."""
    if len(data) > MAX_PICTURE_BYTES:
        raise PictureFault(f"{len(data)} bytes, at most {MAX_PICTURE_BYTES}")
    size = picture_size(data)
    if size.width_px * size.height_px > MAX_PICTURE_PIXELS:
        raise PictureFault(f"{size} pixels, at most {MAX_PICTURE_PIXELS} in all")
    if size != expected:
        raise PictureFault(f"{size} pixels, the recipe expects {expected}")
    if not ends_whole(data[:8], data[-TAIL_BYTES:]):
        raise PictureFault(f"truncated: {len(data)} bytes without the end marker")
    if data.startswith(_PNG_START):
        _check_png_chunks(data)
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if image is None or image.shape != (expected.height_px, expected.width_px, 3):
        raise PictureFault("the decoder refuses it")
    return image.astype(np.uint8, copy=False)


def picture_size(data: bytes) -> PictureSize:
    """Size from the header alone. Raises PictureFault when it is neither JPEG nor PNG, or has no size."""
    if data.startswith(_PNG_START):
        if len(data) < 24 or data[12:16] != b"IHDR":
            raise PictureFault("PNG without its IHDR chunk")
        width, height = struct.unpack(">II", data[16:24])
        return PictureSize(width_px=width, height_px=height)
    if data.startswith(_JPEG_START):
        return _jpeg_size(data)
    raise PictureFault(f"neither JPEG nor PNG: starts with {data[:8].hex() or 'nothing'}")


def _jpeg_size(data: bytes) -> PictureSize:
    at = 2
    while at + 9 < len(data):
        if data[at] != 0xFF:
            raise PictureFault(f"JPEG damaged at byte {at}: expected a marker")
        marker = data[at + 1]
        if marker in _JPEG_SIZE_MARKERS:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return PictureSize(width_px=width, height_px=height)
        if marker in _JPEG_BARE_MARKERS or marker == 0xFF:
            at += 1 if marker == 0xFF else 2
        else:
            at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    raise PictureFault("JPEG without a frame header: truncated")


def _check_png_chunks(data: bytes) -> None:
    at = len(_PNG_START)
    while at + 12 <= len(data):
        length = struct.unpack(">I", data[at : at + 4])[0]
        end = at + 12 + length
        if end > len(data):
            raise PictureFault(f"truncated: PNG chunk at byte {at} ends after the file")
        if zlib.crc32(data[at + 4 : end - 4]) != struct.unpack(">I", data[end - 4 : end])[0]:
            raise PictureFault(f"PNG chunk at byte {at}: wrong CRC")
        at = end
