"""One slice: a PNG, TIFF or JPEG of eight grey bits a pixel, nothing else. Its size is known before it is decoded."""

from __future__ import annotations

import struct

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.axi.board import MAX_SLICE_PX, AxiFault
from edge.capture.readers.picture import PictureFault, PictureSize, picture_size

MAX_SLICE_BYTES = 64 * 1024 * 1024

_PNG_START = b"\x89PNG\r\n\x1a\n"
_TIFF_STARTS = {b"II*\x00": "<", b"MM\x00*": ">"}
_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _SAMPLES = 256, 257, 258, 262, 277  # tags of TIFF 6.0, section 8
_BLACK_IS_ZERO = 1
_MAX_TAGS = 256


def slice_size(data: bytes, told: str) -> PictureSize:
    """Width and height from the header. Raises AxiFault, which begins with `told`, for what is no grey picture of eight
    bits or has too many pixels."""
    try:
        size = _tiff_size(data) if data[:4] in _TIFF_STARTS else _png_or_jpeg_size(data)
    except PictureFault as fault:
        raise AxiFault(f"{told}: {fault}") from None
    if not 0 < size.width_px * size.height_px <= MAX_SLICE_PX:
        raise AxiFault(f"{told}: {size} pixels, expected 1 to {MAX_SLICE_PX} in all")
    return size


def decode_slice(data: bytes, size: PictureSize, told: str) -> NDArray[np.uint8]:
    """(h, w) uint8, as stored. Raises AxiFault."""
    try:
        plane = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as err:
        raise AxiFault(f"{told}: the decoder refuses it: {err.err or err.msg}") from None
    if plane is None:
        raise AxiFault(f"{told}: the decoder refuses it")
    if plane.dtype != np.uint8 or plane.ndim != 2:
        raise AxiFault(f"{told}: {plane.dtype} {plane.shape}, expected one grey channel of 8 bits")
    if plane.shape != (size.height_px, size.width_px):
        raise AxiFault(f"{told}: decoded to {plane.shape[1]} x {plane.shape[0]}, its header says {size}")
    return plane.astype(np.uint8, copy=False)


def _png_or_jpeg_size(data: bytes) -> PictureSize:
    size = picture_size(data)
    if data.startswith(_PNG_START) and data[24:26] != b"\x08\x00":
        raise PictureFault(f"PNG of {data[24]} bits, colour type {data[25]}: expected 8 bits of grey (type 0)")
    return size


def _tiff_size(data: bytes) -> PictureSize:
    """Of a file with one picture. Raises PictureFault."""
    order = _TIFF_STARTS[data[:4]]
    try:
        (at,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, at)
        if count > _MAX_TAGS:
            raise PictureFault(f"TIFF with {count} tags, at most {_MAX_TAGS}")
        tags = dict(_tag(data, at + 2 + 12 * k, order) for k in range(count))
        (following,) = struct.unpack_from(f"{order}I", data, at + 2 + 12 * count)
    except struct.error:
        raise PictureFault(f"truncated: a TIFF of {len(data)} bytes without its list of tags") from None
    if following:
        raise PictureFault("TIFF with several pictures: expected one slice a file")
    form = (tags.get(_BITS, 1), tags.get(_SAMPLES, 1), tags.get(_PHOTOMETRIC))
    if form != (8, 1, _BLACK_IS_ZERO):
        bits, samples, meaning = form
        what = f"TIFF of {samples} x {bits} bits, photometric {meaning}"
        raise PictureFault(f"{what}: expected one grey channel of 8 bits with black as zero (1)")
    return PictureSize(width_px=tags.get(_WIDTH, 0), height_px=tags.get(_HEIGHT, 0))


def _tag(data: bytes, at: int, order: str) -> tuple[int, int]:
    """Number and first value of a tag whose value is in place; values elsewhere come out as their place, which no field
    looked at has."""
    tag, kind, _ = struct.unpack_from(f"{order}HHI", data, at)
    (value,) = struct.unpack_from(f"{order}H" if kind == 3 else f"{order}I", data, at + 8)
    return tag, value
