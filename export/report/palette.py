"""Colours of the page's figures. Classes have Okabe and Ito's, which stay apart for colour-blind eyes and in grey
print; bundles have others, so that no line is taken for a class."""

from __future__ import annotations

INK = "#1d2733"
MUTED = "#6b7684"
RULE = "#d9dde2"
GOOD = "#9aa7b4"
THRESHOLD = "#b3261e"
SUBJECTS = ("#0f7b7b", "#9b3d8f", "#a8842c", "#16324f", "#7d8b99", "#c2456b")
CLASSES = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a4fbf", "#000000")


def class_colours(labels: list[str]) -> dict[str, str]:
    """A colour for each kind of defect, the same in every figure of a page."""
    return {label: CLASSES[i % len(CLASSES)] for i, label in enumerate(labels)}
