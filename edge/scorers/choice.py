"""Which engine computes a bundle's scores, at which precision, with how many threads."""

from __future__ import annotations

from dataclasses import dataclass

from edge.thresholds import EngineName, Precision


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineChoice:
    """A bundle of rules has one engine of its own, whatever is chosen here."""

    engine: EngineName = "onnxruntime"
    precision: Precision = "fp32"
    threads: int = 2
    maps: bool = True  # a station has no use for them while boards run, and a large board's are 50 MB
