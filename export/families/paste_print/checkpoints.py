"""Trained weights outside a bundle, for studies that compare many networks: a file each, and the score over it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from edge.board import Floats
from export.families import one_of
from export.families.paste_print.net import PrintNet
from export.families.paste_print.presets import Variant, recurrent_variants
from export.families.paste_print.score import ResidualScore
from export.faults import WorkshopFault

CHUNK = 16
KEYS = frozenset({"variant", "width", "state"})

Judge = Callable[[Floats], tuple[Floats, Floats]]  # windows (N, T, C, S, S) to signed map (N, S, S) and score (N,)


class CheckpointFault(WorkshopFault):
    """A file that is no checkpoint of these networks: which, what it holds."""


def save(file: Path, network: PrintNet, variant: str, width: int) -> None:
    """Write a network's weights with what is needed to build it again; never half a file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_suffix(".part")
    torch.save({"variant": variant, "width": width, "state": network.state_dict()}, aside)
    aside.replace(file)


def load_network(file: Path) -> tuple[PrintNet, Variant]:
    """The network of a checkpoint in evaluation mode, and its variant. Raises CheckpointFault."""
    found: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    if not isinstance(found, dict) or found.keys() != KEYS:
        raise CheckpointFault(f"{file}: expected a dictionary of {sorted(KEYS)}")
    variant = one_of(recurrent_variants(int(found["width"])), found["variant"], "variant")
    network = variant.build()
    if not isinstance(network, PrintNet):
        raise CheckpointFault(f"{file}: {found['variant']} builds a {type(network).__name__}")
    network.load_state_dict(found["state"])
    return network.eval(), variant


def planes_of(file: Path) -> tuple[str, ...]:
    """The planes a checkpoint's windows have. Raises CheckpointFault."""
    return load_network(file)[1].planes


def load(file: Path) -> Judge:
    """A checkpoint as a function of windows (N, T, C, S, S) float32 of its planes. Raises CheckpointFault."""
    scored = ResidualScore(load_network(Path(file))[0]).eval()

    @torch.no_grad()
    def judge(windows: Floats) -> tuple[Floats, Floats]:
        parts = [scored(part) for part in torch.from_numpy(windows).split(CHUNK)]
        score, signed = (torch.cat(column).numpy() for column in zip(*parts, strict=True))
        return signed, score

    return judge
