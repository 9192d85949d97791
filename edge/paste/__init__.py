"""Solder paste: what an SPI machine measured on every pad of a panel, over the last boards."""
