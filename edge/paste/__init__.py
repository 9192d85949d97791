"""Solder paste: what an SPI machine measured on every pad of a panel, over the last boards."""

DEFAULT_CELL_MM = 1.2  # of the grid; the line twin's pads lie so far apart or more
DEFAULT_WIPE_EVERY = 5  # panels: the cycle that real lines show (data of the PHME 2022 challenge: 5 panels, p = 4e-7)
