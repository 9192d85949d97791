"""What the study's methods are called on pages and in figures, in the order they are shown."""

from __future__ import annotations

NAMES = {
    "cnn3d": "paper, 3D-CNN",
    "lstm": "paper, LSTM",
    "best": "best",
    "rules": "rules, weighted",
    "rules-tuned": "rules, tuned limits",
}
