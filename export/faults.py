"""The base of every fault the workshop reports in one line. Imports nothing, so that a command can catch it before
torch is there."""

from __future__ import annotations


class WorkshopFault(Exception):
    """Something a person must put right: what, where, what came, what is allowed."""
