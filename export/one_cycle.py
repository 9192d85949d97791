"""AdamW over one cycle of the learning rate, with a running mean of the weights: how classifiers are trained.

Single steps differ more from each other, on a board never seen, than their mean does from any.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

MAX_GRADIENT_NORM = 5.0


class CycleSettings(Protocol):
    """What a cycle is made of: `epochs` of `steps` steps up to `learning_rate` and down to nothing."""

    epochs: int
    steps: int
    learning_rate: float
    weight_decay: float


class OneCycle:
    """One training of `network`. `mean` follows its weights; the rate rises over `warm_up_frac` of the steps."""

    def __init__(
        self, network: nn.Module, settings: CycleSettings, *, warm_up_frac: float, mean: AveragedModel
    ) -> None:
        self.network, self.mean = network, mean
        self._optimiser = torch.optim.AdamW(
            network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
        )
        self._rate = torch.optim.lr_scheduler.OneCycleLR(
            self._optimiser,
            settings.learning_rate,
            total_steps=settings.epochs * settings.steps,
            pct_start=warm_up_frac,
        )

    @property
    def learning_rate(self) -> float:
        return float(self._rate.get_last_lr()[0])

    def step(self, loss: Tensor) -> float:
        """Follow the loss of a batch () one step down; its value."""
        self._optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), MAX_GRADIENT_NORM)
        self._optimiser.step()
        self._rate.step()
        self.mean.update_parameters(self.network)
        return float(loss.detach())

    def take_mean(self) -> None:
        """Give the network the mean weights and put it in evaluation mode."""
        self.network.load_state_dict(self.mean.module.state_dict())
        self.network.to(memory_format=torch.contiguous_format).eval()
