"""Teaches a `LocalNet`: first, in closed form, what good components of one part do not differ in; then by episodes that
painted errors count and harmless changes do not. The score itself is what is learned from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edge.board import Floats
from export.families.pth_component.best_episodes import Episode, Episodes, Maker, approved_embeddings, loss_of
from export.families.pth_component.best_paint import bad_picture
from export.families.pth_component.local_features import CHANNELS, LocalNet, LocalReference
from export.families.pth_component.part_crops import GraphInput, PartCrops
from export.settle import fresh_statistics
from export.training_record import EpochReport, FitReport, TrainingRecord

SHRINKAGE_FRAC = 0.1  # of the mean variance, added to each: 20 pictures of a part know no small variance well
CHUNK = 64
GAIN, OFFSET, JUDGE_RATE = 2.0, 1.0, 0.02  # a score's log odds of an error: gain x (score - offset), where they start
MAX_GRADIENT = 1.0
VAL_EPISODES, VAL_SEED = 12, 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeTraining:
    """How `best` is taught: `steps` an epoch of `episodes` each, of whose `queries` half are good. A backbone with
    ImageNet weights moves at `backbone_rate` with its BatchNorm statistics kept; one without is trained `scratch_times`
    as long at `scratch_rate`."""

    epochs: int
    steps: int
    episodes: int
    queries: int
    backbone_rate: float
    projection_rate: float
    scratch_times: int
    scratch_rate: float
    weight_decay: float
    bfloat16: bool = False  # convolutions in bfloat16 while training: a third of the time on processors that have it


@torch.no_grad()
def fit_projection(net: LocalNet, crops: Floats, parts: NDArray[np.str_]) -> None:
    """Set the projection to where parts and places differ most against how pictures of one part do (linear discriminant
    analysis), scaled so that the latter have variance 1. `crops` (N, 3, 128, 128) are good ones of `parts` (N,).

    A network without ImageNet's weights takes BatchNorm's statistics from these crops first: it has no others."""
    if net.weights == "random":
        settle_statistics(net, crops)
    net.eval()
    features = torch.cat([net.features(torch.from_numpy(crops[i : i + CHUNK])) for i in range(0, len(crops), CHUNK)])
    features = features.double()
    mean = features.mean(dim=(0, 2, 3))
    of_part = [features[torch.from_numpy(parts == part)] for part in np.unique(parts)]
    within = _covariance(torch.cat([f - f.mean(dim=0, keepdim=True) for f in of_part]))
    total = _covariance(features - mean[:, None, None])
    within = within + SHRINKAGE_FRAC * within.diagonal().mean() * torch.eye(len(within), dtype=torch.double)
    values, vectors = torch.linalg.eigh(within)
    whitener = vectors * values.rsqrt()
    directions = torch.linalg.eigh(whitener.T @ total @ whitener)[1]
    projection = whitener @ directions[:, -CHANNELS:]
    net.project.weight.copy_(projection.T[:, :, None, None])
    net.project.bias.copy_(-(mean @ projection))


def fit_episodes(
    scored: LocalReference,
    train: PartCrops,
    val: PartCrops,
    settings: EpisodeTraining,
    graph_input: GraphInput,
    seed: int,
    on_epoch: Callable[[EpochReport], None] = lambda report: None,
    make_bad: Maker = bad_picture,
) -> FitReport:
    """Train in place and leave it in evaluation mode with its last weights: the rate has then fallen to nothing.

    The same seed, data and thread count give the same weights. Raises TrainingFault where no part has two good pictures
    or the loss stops being finite.
    """
    record = TrainingRecord(on_epoch)
    torch.manual_seed(seed)
    run = _Run(scored, settings, graph_input)
    draw = Episodes(train, settings.queries, seed, make_bad)
    held_out = Episodes(val, settings.queries, VAL_SEED, make_bad)
    val_episodes = [held_out.draw() for _ in range(VAL_EPISODES)]
    for _ in range(run.epochs):
        train_loss = run.epoch(draw)
        if run.from_scratch:
            settle_statistics(scored.net, graph_input(train.crops))
        record.add(train_loss, run.loss(val_episodes), run.learning_rate)
    scored.to(memory_format=torch.contiguous_format).eval()
    return record.report()


@torch.no_grad()
def settle_statistics(net: LocalNet, crops: Floats) -> None:
    """BatchNorm's statistics from the weights as they are now, over `crops` (N, 3, 128, 128); running ones lag."""
    net.eval()
    with fresh_statistics([m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]):
        for start in range(0, len(crops), CHUNK):
            net.features(torch.from_numpy(crops[start : start + CHUNK]))
    net.eval()


class _Run:
    """One training: the network, the line between good and bad scores, their optimiser."""

    def __init__(self, scored: LocalReference, settings: EpisodeTraining, graph_input: GraphInput) -> None:
        self.scored, self.settings, self.graph_input = scored, settings, graph_input
        scored.to(memory_format=torch.channels_last)  # faster on processors
        self.from_scratch = scored.net.weights == "random"
        self.epochs = settings.epochs * (settings.scratch_times if self.from_scratch else 1)
        self.log_gain = nn.Parameter(torch.tensor(math.log(GAIN)))
        self.offset = nn.Parameter(torch.tensor(OFFSET))
        backbone_rate = settings.scratch_rate if self.from_scratch else settings.backbone_rate
        projection = list(scored.net.project.parameters())
        groups = [
            {
                "params": [w for w in scored.net.parameters() if all(w is not p for p in projection)],
                "lr": backbone_rate,
            },
            {"params": projection, "lr": settings.projection_rate},
            {"params": [self.log_gain, self.offset], "lr": JUDGE_RATE, "weight_decay": 0.0},
        ]
        self.optimiser = torch.optim.AdamW(groups, weight_decay=settings.weight_decay)
        steps = max(2, self.epochs * settings.steps)
        rates = [group["lr"] for group in groups]
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimiser, rates, total_steps=steps)

    @property
    def learning_rate(self) -> float:
        return float(self.optimiser.param_groups[0]["lr"])

    def epoch(self, draw: Episodes) -> float:
        """`steps` steps; their mean loss."""
        self.scored.train(self.from_scratch)  # ImageNet's statistics stay
        return float(np.mean([self._step(draw) for _ in range(self.settings.steps)]))

    @torch.no_grad()
    def loss(self, episodes: Sequence[Episode]) -> float:
        """In evaluation mode."""
        self.scored.eval()
        return float(np.mean([float(loss_of(self._logits([episode]))) for episode in episodes]))

    def _step(self, draw: Episodes) -> float:
        loss = loss_of(self._logits([draw.draw() for _ in range(self.settings.episodes)]))
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.scored.net.parameters(), MAX_GRADIENT)
        self.optimiser.step()
        self.schedule.step()
        return float(loss.detach())

    def _logits(self, episodes: Sequence[Episode]) -> list[Tensor]:
        """Of each episode's queries. All pictures are one batch, so that BatchNorm sees every part."""
        pictures = np.concatenate([episode.pictures for episode in episodes])
        x = torch.from_numpy(self.graph_input(pictures)).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.settings.bfloat16):
            embeddings = self.scored.embed(x)
        embeddings = embeddings.float()
        logits = []
        for episode, own in zip(episodes, embeddings.split([len(e.pictures) for e in episodes]), strict=True):
            n_references, n_queries = len(episode.references), len(episode.queries)
            approved = approved_embeddings(own[:n_references]).expand(n_queries, -1, -1)
            score = self.scored.compare(own[n_references:], approved)[0]
            logits.append(self.log_gain.exp() * (score - self.offset))
        return logits


def _covariance(features: Tensor) -> Tensor:
    """Of channels, over all pictures (N, C, h, w) and places."""
    rows = features.permute(0, 2, 3, 1).flatten(0, 2)
    return rows.T @ rows / len(rows)
