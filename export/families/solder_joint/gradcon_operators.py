"""GradCon's score in forward operators, so that an engine without autograd computes it: dynamic batch, one gradient a
crop.

The network is taken folded (each transposed convolution with its BatchNorm one convolution). What the fold does to the
gradient: with respect to the weight as it was trained it is the folded one times s, the channel's BatchNorm scale,
which stands in the one-hot kernels that unfold δ. Constant factors of the error drop out of a cosine, so δ starts at
(y - x)(1 - y²), the derivative behind the Tanh.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from export.families.solder_joint.gradcon import ConstrainedAutoencoder
from export.families.solder_joint.net import BicubicDouble
from export.onnx import deployable

KERNEL = 3
GAIN = 1024.0  # on every gradient: a cosine does not see it, and TINY is then 1e-12 of squares that lie above 1e-3
TINY = 1e-6  # keeps 0 / 0 from a crop that is reconstructed to the last bit; below 1e-8 torch's exporter takes it for 0


class GradConOperators(nn.Module):
    """Score (N,) and map (N, h, w) of crops (N, 3, h, w), by the network's weights and averages as they are now."""

    def __init__(self, net: ConstrainedAutoencoder, gamma: float) -> None:
        super().__init__()
        folded = deployable(net)
        self.gamma = gamma
        self.encoder = nn.Sequential(folded.encoder, folded.mu_head)
        self.decoder = nn.ModuleList(_stages(folded.decoder))
        self.backward = BackwardPass(net, folded)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        taken, given = [], [self.encoder(x)]
        for stage in self.decoder:
            taken.append(stage.upsampled(given[-1]))
            given.append(stage.layer(taken[-1]))
        difference = given[-1] - x
        error = difference.square().mean(dim=1)
        cosine = self.backward(difference, taken, given[1:])
        return error.mean(dim=(1, 2)) + self.gamma * (1.0 - cosine), error


class Stage(nn.Module):
    """One layer of the decoder with the upsampling before it, where there is one."""

    def __init__(self, upsampling: BicubicDouble | None, layer: nn.Sequential) -> None:
        super().__init__()
        self.upsampling = upsampling
        self.layer = layer

    def upsampled(self, x: Tensor) -> Tensor:
        """What the layer's convolution takes, (N, Cin, n, n)."""
        return x if self.upsampling is None else self.upsampling(x)


class BackwardPass(nn.Module):
    """From the reconstruction's difference back to the first decoder layer: the mean cosine of its layers, (N,).

    To stay in FP32 at every precision: in FP16 single cosines are off by up to 0.85.
    """

    def __init__(self, net: ConstrainedAutoencoder, folded: nn.Module) -> None:
        super().__init__()
        stages = list(_stages(folded.decoder))
        norms = [module for module in net.decoder.modules() if isinstance(module, nn.BatchNorm2d)]
        layers = zip(stages, norms, net.averages(), strict=True)
        self.gradients = nn.ModuleList(WeightGradient(norm, average) for _, norm, average in layers)
        self.to_inputs = nn.ModuleList(
            ToInput(stage, slope=before.layer[-1].negative_slope) for before, stage in itertools.pairwise(stages)
        )

    def forward(self, difference: Tensor, taken: list[Tensor], given: list[Tensor]) -> Tensor:
        """`taken` and `given` are each layer's input (N, Cin, n, n) and output (N, Cout, n, n)."""
        delta = difference * (1.0 - given[-1] * given[-1])
        found = [self.gradients[-1](taken[-1], delta)]
        for k in range(len(taken) - 2, -1, -1):
            delta = self.to_inputs[k](delta, given[k])
            found.append(self.gradients[k](taken[k], delta))
        along, square = (torch.cat(column, dim=1) for column in zip(*found, strict=True))  # (N, 6, 1) each
        return (along / torch.sqrt(square + TINY)).mean(dim=(1, 2))


class WeightGradient(nn.Module):
    """A layer's weight gradient, one a crop: how much of it lies along the average training gradient, and its mean
    square.

    The gradient is a product of matrices over places: δ unfolded by one-hot kernels, and the layer's input.
    """

    def __init__(self, norm: nn.BatchNorm2d, average: Tensor) -> None:
        super().__init__()
        c_in, c_out = average.shape[:2]
        taps = KERNEL * KERNEL
        one_hot = torch.eye(taps).reshape(taps, 1, KERNEL, KERNEL).repeat(c_out, 1, 1, 1)
        scale = GAIN * _norm_scale(norm).repeat_interleave(taps)
        self.unfold = nn.Conv2d(c_out, c_out * taps, KERNEL, padding=1, groups=c_out, bias=False)
        with torch.no_grad():
            self.unfold.weight.copy_(one_hot * scale[:, None, None, None])
        unit = functional.normalize(average.flatten(), dim=0).reshape(c_in, c_out * taps)
        # sqrt(K) lets means over the K weights stand for sums, so that the graph has one kind of reduction
        self.register_buffer("unit", unit.T.contiguous() * math.sqrt(unit.numel()))

    def forward(self, taken: Tensor, delta: Tensor) -> tuple[Tensor, Tensor]:
        """The layer's input (N, Cin, n, n) and δ behind its BatchNorm (N, Cout, n, n) to two (N, 1, 1); the cosine is
        the first over the root of the second."""
        n_shifted, n_taken = self.unit.shape
        places = taken.shape[2] * taken.shape[3]
        shifted = self.unfold(delta).reshape(-1, n_shifted, places)
        gradient = torch.matmul(shifted, taken.reshape(-1, n_taken, places).transpose(1, 2))
        return (gradient * self.unit).mean(dim=(1, 2), keepdim=True), gradient.square().mean(dim=(1, 2), keepdim=True)


class ToInput(nn.Module):
    """δ of a layer to δ of the one before: convolution with the weights turned round, the upsampling's transpose,
    LeakyReLU's derivative."""

    def __init__(self, stage: Stage, slope: float) -> None:
        super().__init__()
        weight = stage.layer[0].weight.detach()
        self.convolution = nn.Conv2d(weight.shape[0], weight.shape[1], KERNEL, padding=1, bias=False)
        with torch.no_grad():
            self.convolution.weight.copy_(weight.flip(2, 3).transpose(0, 1))
        self.slope = slope
        self.register_buffer("u", None if stage.upsampling is None else stage.upsampling.u.clone())

    def forward(self, delta: Tensor, given: Tensor) -> Tensor:
        """δ (N, Cout, n, n) and the output of the layer before to δ behind that layer's BatchNorm."""
        back = self.convolution(delta)
        if self.u is not None:
            back = torch.matmul(self.u.T, torch.matmul(back, self.u))
        return torch.where(given > 0, back, self.slope * back)


def _stages(decoder: nn.Sequential) -> Iterator[Stage]:
    upsampling: BicubicDouble | None = None
    for module in decoder:
        if isinstance(module, BicubicDouble):
            upsampling = module
        else:
            yield Stage(upsampling, module)
            upsampling = None


def _norm_scale(norm: nn.BatchNorm2d) -> Tensor:
    """What BatchNorm multiplies each channel by in evaluation, (C,)."""
    return (norm.weight / torch.sqrt(norm.running_var + norm.eps)).detach()
