"""The rules inspector fitted to good rendered boards: the yardstick station of the latency benchmark."""

from __future__ import annotations

from pathlib import Path

from export.rules_bundle import write_rules_bundle
from export.simulator.datasets import write_header_set

SEED, BOARDS = 5, 24


def twin_rules_bundle(folder: Path) -> Path:
    """Write a rules bundle into `folder`, once; returns its folder."""
    bundle = folder / "bundle"
    if not bundle.exists():
        write_header_set(folder / "set", BOARDS, seed=SEED, difficulty="line")
        write_rules_bundle(folder / "set", bundle, table="joints.csv")
    return bundle
