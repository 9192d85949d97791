"""The stroke font of the silkscreen: capital letters, digits and a few marks as polylines.

Board houses print stroke fonts, and `cv2.putText` draws different letters in OpenCV 4 and 5; strokes of our own
look right and give the same picture with both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GLYPH_WIDTH = 4  # grid cells; x runs 0..4 to the right, y 0..6 downwards
GLYPH_HEIGHT = 6
ADVANCE = 5.6

# Each stroke is a chain of two-digit grid points "xy".
_GLYPHS: dict[str, str] = {
    " ": "",
    "-": "03 43",
    ".": "15 16",
    "+": "03 43|21 25",
    "/": "06 40",
    "0": "10 30 41 45 36 16 05 01 10",
    "1": "11 20 26|16 36",
    "2": "01 10 30 41 42 06 46",
    "3": "00 40 22 32 43 45 36 16 05",
    "4": "36 30 04 44",
    "5": "40 00 02 32 43 45 36 06",
    "6": "40 10 01 05 16 36 45 44 33 03",
    "7": "00 40 42 16",
    "8": "10 30 41 42 33 13 02 01 10|13 04 05 16 36 45 44 33",
    "9": "06 36 45 41 30 10 01 02 13 43",
    "A": "06 02 20 42 46|04 44",
    "B": "06 00 30 41 42 33 03|33 44 45 36 06",
    "C": "41 30 10 01 05 16 36 45",
    "D": "06 00 20 42 44 26 06",
    "E": "40 00 06 46|03 33",
    "F": "40 00 06|03 33",
    "G": "41 30 10 01 05 16 36 45 43 23",
    "H": "00 06|40 46|03 43",
    "I": "10 30|20 26|16 36",
    "J": "30 35 26 16 05",
    "K": "00 06|40 03 46",
    "L": "00 06 46",
    "M": "06 00 23 40 46",
    "N": "06 00 46 40",
    "O": "10 30 41 45 36 16 05 01 10",
    "P": "06 00 30 41 42 33 03",
    "Q": "10 30 41 45 36 16 05 01 10|24 46",
    "R": "06 00 30 41 42 33 03|23 46",
    "S": "41 30 10 01 02 13 33 44 45 36 16 05",
    "T": "00 40|20 26",
    "U": "00 05 16 36 45 40",
    "V": "00 26 40",
    "W": "00 16 23 36 40",
    "X": "00 46|40 06",
    "Y": "00 23 40|23 26",
    "Z": "00 40 06 46",
}


def text_strokes(text: str, height: float) -> list[NDArray[np.float64]]:
    """Polylines, each (n,2) as x,y, of `text` set from (0,0) with capitals `height` high, centred on the origin.

    A character the font lacks is set as '-', so that a stray part number never stops a picture.
    """
    cell = height / GLYPH_HEIGHT
    width = (len(text) - 1) * ADVANCE + GLYPH_WIDTH
    strokes = []
    for column, character in enumerate(text.upper()):
        for chain in filter(None, _GLYPHS.get(character, _GLYPHS["-"]).split("|")):
            points = np.array([[int(point[0]), int(point[1])] for point in chain.split()], dtype=np.float64)
            points[:, 0] += column * ADVANCE - width / 2
            points[:, 1] -= GLYPH_HEIGHT / 2
            strokes.append(points * cell)
    return strokes
