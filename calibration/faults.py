"""The base of every fault calibration reports. Imports nothing."""

from __future__ import annotations


class CalibrationFault(Exception):
    """Scores or counts from which nothing can be promised: what came, what is needed."""
