"""A trained `best` on disk, and back again as something that scores windows. Tensors and plain values, no code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import torch

from edge.board import Floats
from export.families.paste_print.best_net import PasteNet, SignedScore
from export.faults import WorkshopFault

CHUNK = 32


class BestFault(WorkshopFault):
    """A checkpoint of `best` that cannot be used, or windows that are none: what came, what was expected."""


@dataclass(frozen=True, slots=True)
class Scorer:
    """Windows (N, T, C, S, S) float32 of `planes` to (map (N, S, S), score (N,)) float32."""

    scored: SignedScore
    seed: int
    without: tuple[str, ...]  # kinds of faults it was never shown

    @property
    def planes(self) -> tuple[str, ...]:
        """What the windows hold, in order."""
        return self.scored.planes

    @property
    def boards(self) -> int:
        """T."""
        return self.scored.net.boards

    @torch.inference_mode()
    def __call__(self, windows: Floats) -> tuple[Floats, Floats]:
        """Raises BestFault for windows of another shape."""
        if windows.ndim != 5 or windows.shape[1:3] != (self.boards, len(self.planes)):
            raise BestFault(f"windows {windows.shape}, expected (N, {self.boards}, {len(self.planes)}, S, S)")
        parts = [self.scored(torch.from_numpy(windows[k : k + CHUNK])) for k in range(0, len(windows), CHUNK)]
        score, signed = (torch.cat(values).numpy() for values in zip(*parts, strict=True))
        return signed, score


def save(path: Path, net: PasteNet, *, seed: int, without: tuple[str, ...] = ()) -> None:
    """Write weights and how they came about."""
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {"boards": net.boards, "width": net.width, "seed": seed, "without": list(without)}
    torch.save({"record": record, "state": net.state_dict()}, path)


def load(path: Path | str) -> Scorer:
    """Read and build. Raises BestFault naming the file."""
    try:
        content = torch.load(path, weights_only=True)
        record = content["record"]
        net = PasteNet(int(record["boards"]), int(record["width"]))
        net.load_state_dict(content["state"])
    except (OSError, UnpicklingError, KeyError, TypeError, ValueError, RuntimeError) as err:
        raise BestFault(f"{path}: is no checkpoint of best: {err}") from None
    return Scorer(SignedScore(net).eval(), int(record["seed"]), tuple(record["without"]))
