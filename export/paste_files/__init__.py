"""Large tables of SPI machines: statistics by pad and by panel, and what in them must not be judged by."""
