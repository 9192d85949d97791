"""The one fault a scorer raises."""

from __future__ import annotations


class ScorerFault(Exception):
    """An engine failed or broke its promise; the board is held."""
