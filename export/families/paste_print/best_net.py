"""The network of `best`: which pads of the last board differ from what the line does, by all that a window shows.

What limits on single pads leave lying is read here: the level of the good pads where the median is no longer theirs (a
learned soft histogram of all pads); how much each pad moves from print to print; what it did on earlier boards, on this
stroke and on the other; its neighbours, its row and its column; and how many pads of the board are off at all, which
says how much to believe one. Convolutions, rectifiers, means and matrix products; nothing is unrolled over the boards.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from export.families.paste_print.best_planes import PLANES
from export.families.paste_print.best_residuals import Residuals, residuals_of

NOISE = (
    0.27  # table sigmas that a typical pad moves from print to print: the network's unit, `noise` is learned from it
)
NOISE_RANGE = 6.0  # times more or less than that
FAR = 32.0  # units from a board's median that are told apart
CLIP = 10.0  # repeat sigmas from the good pads' level: more makes nothing surer, and would drown the neighbours
SCALE = 0.5  # of these for what follows
CHANNELS = 4  # volume and area against the board, and against the group
AREA_OF_LEVEL = 0.85  # of a level in sigmas of volume, how much area shows in its own: where learning begins
BOARD_BINS, BINS = 12, 32  # pieces of the learned soft histograms, of every board and of all averages
PER_BOARD, HISTORY, CONTEXT = 12, 64, 32
AVERAGES = 3  # learned weightings of boards, beside the last one and those of either stroke
SHARED = 12  # mixed features that neighbours are asked for
JOINED = 40
FIRST_ODDS = -3.0
ODDS_OFFSET = 3.0  # log odds that a map shows nearly as 0: good pads lie well below
TINY = 1e-6


class PasteNet(nn.Module):
    """Windows (N, T, C, S, S) of `planes` to log odds (N, 2, S, S): excess, insufficient."""

    planes = PLANES

    def __init__(self, boards: int = 10, width: int = 24) -> None:
        super().__init__()
        self.boards, self.width = boards, width
        self.histogram = nn.Conv2d(3, BOARD_BINS, 1, bias=False)
        self.per_board = nn.Linear(BOARD_BINS + 4, PER_BOARD)
        self.history = nn.Sequential(
            nn.Linear(boards * PER_BOARD, HISTORY), nn.ReLU(), nn.Linear(HISTORY, HISTORY), nn.ReLU()
        )
        self.shift = nn.Linear(HISTORY, boards * CHANNELS)
        self.noise_near = nn.Sequential(nn.Conv2d(8, 12, 5, padding=2), nn.ReLU())
        self.noise = nn.Sequential(nn.Conv2d(20, 12, 1), nn.ReLU(), nn.Conv2d(12, 3, 1))
        self.weightings = nn.Parameter(_first_weightings(boards))
        own = CHANNELS * (AVERAGES + 3) + 3
        self.stem = _convolution(own, width, 1)
        self.pads = nn.Conv2d(own, BINS, 1, bias=False)
        self.context = nn.Sequential(nn.Linear(HISTORY + BINS, CONTEXT), nn.ReLU())
        self.near = _convolution(width + 1, width, 3)
        self.mixed = nn.Conv2d(own, SHARED, 1, bias=False)
        self.wide = nn.Sequential(
            _convolution(SHARED + 1, 32, 3), _convolution(32, 32, 3), _convolution(32, 32, 3, dilation=2)
        )
        self.far = nn.Sequential(_convolution(SHARED + 1, 24, 3), _convolution(24, 24, 3, dilation=2))
        self.rows = _line(SHARED, JOINED, (5, 1))
        self.columns = _line(SHARED, JOINED, (1, 5))
        self.join_own, self.join_stem, self.join_near = (nn.Conv2d(k, JOINED, 1) for k in (own, width, width))
        self.join_wide, self.join_far = nn.Conv2d(32, JOINED, 1), nn.Conv2d(24, JOINED, 1)
        self.join_context = nn.Linear(CONTEXT, JOINED)
        self.head = nn.Sequential(nn.ReLU(), nn.Conv2d(JOINED, 24, 1), nn.ReLU(), nn.Conv2d(24, 2, 1))
        _start(self)

    def forward(self, window: Tensor) -> Tensor:
        return self.judge(window)[0]

    def judge(self, window: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log odds (N, 2, S, S); the shift (N, T, 4) in units from what levels the medians say to those of good pads;
        the logarithms (N, 2, S, S) of how many units each pad's volume and area move from print to print."""
        left = residuals_of(window)
        to_board = (left.to_board / NOISE).clamp(-FAR, FAR)
        levels = torch.cat([0.3 / NOISE * left.level, left.present[:, :, None], left.stroke[:, :, None]], dim=2)
        seen = functional.relu(self.per_board(torch.cat([self._histogram(to_board, left), levels], dim=2)))
        history = self.history(seen.flatten(1))
        shift = self.shift(history).view(-1, self.boards, CHANNELS)
        here = left.mask[:, -1]
        noise, area_of_level = self._noise(to_board, left, here)
        group = left.group_level / NOISE
        to_group = to_board - torch.cat([group, group * area_of_level[:, None]], dim=2)
        averages = self._averaged(torch.cat([to_board, to_group], dim=2).clamp(-FAR, FAR), shift, left)
        averages = averages * torch.exp(-noise).repeat(1, averages.shape[1] // 2, 1, 1)
        own = torch.cat([averages.clamp(-CLIP, CLIP) * (SCALE * here), noise, here], dim=1)
        return self._spatial(own, here, left.density[:, -1], history), shift, noise

    def _histogram(self, to_board: Tensor, left: Residuals) -> Tensor:
        """(N, T, BOARD_BINS): soft histograms of every board over its pads, both channels at once."""
        n, boards, _, side, _ = to_board.shape
        pads = torch.cat([to_board, left.mask], dim=2).view(n * boards, 3, side, side)
        bins = functional.relu(self.histogram(pads)).mean(dim=(2, 3)).view(n, boards, BOARD_BINS)
        return bins / (left.density + TINY)[:, :, None]

    def _noise(self, to_board: Tensor, left: Residuals, here: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 2, S, S) and (N, 1, S, S), from how far a pad and its neighbours went from board to board: volume, area,
        and the one minus the other, in which faults of both cancel; all as they are, and cut off where faults begin."""
        both = (left.present[:, 1:] * left.present[:, :-1])[:, :, None, None, None]
        three = torch.cat([to_board, to_board[:, :, :1] - to_board[:, :, 1:]], dim=2)
        moved = (three[:, 1:] - three[:, :-1]).abs().clamp(max=8.0) * both
        steps = both.sum(dim=1)
        means = torch.cat([moved.sum(dim=1), moved.clamp(max=1.5).sum(dim=1)], dim=1) / (steps + 0.1)
        seen = torch.cat([means, here * (steps / self.boards), here], dim=1)
        found = self.noise(torch.cat([seen, self.noise_near(seen)], dim=1))
        noise = NOISE_LOG * torch.tanh(found[:, :2] / NOISE_LOG) * here
        return noise, AREA_OF_LEVEL + found[:, 2:]

    def _averaged(self, z: Tensor, shift: Tensor, left: Residuals) -> Tensor:
        """(N, 4K, S, S) of z - shift: the last board, means of the boards of its stroke and of the other, and learned
        ones. Each weighting has squares that sum to 1, so that a good pad has the same spread in all."""
        n, boards, _, side, _ = z.shape
        same = 0.5 * (1.0 + left.stroke * left.stroke[:, -1:])
        last = functional.one_hot(torch.tensor([boards - 1]), boards).to(z.dtype).expand(n, boards)
        fixed = torch.stack([last, same * left.present, (1.0 - same) * left.present], dim=1)
        learned = functional.softplus(self.weightings)[None] * left.present[:, None]
        weights = torch.cat([fixed, learned], dim=1)
        weights = weights / ((weights * weights).sum(dim=2, keepdim=True) + TINY).sqrt()
        shifted = torch.bmm(weights, z.flatten(2)).view(n, -1, CHANNELS, side, side)
        return (shifted - torch.bmm(weights, shift)[:, :, :, None, None]).flatten(1, 2)

    def _spatial(self, own: Tensor, here: Tensor, density: Tensor, history: Tensor) -> Tensor:
        pooled = functional.relu(self.pads(own)).mean(dim=(2, 3)) / (density + TINY)[:, None]
        context = self.context(torch.cat([history, pooled], dim=1))
        stem = self.stem(own) * here
        near = self.near(torch.cat([stem, here], dim=1))
        mixed = self.mixed(own)
        wide = self.join_wide(self.wide(_pooled(mixed, here, 2)))
        far = self.join_far(self.far(_pooled(mixed, here, 4)))
        lines = self.rows(_line_sum(mixed, here, 3)) + self.columns(_line_sum(mixed, here, 2))
        joined = self.join_own(own) + self.join_stem(stem) + self.join_near(near) + _doubled(wide + _doubled(far))
        odds: Tensor = self.head(joined + lines + self.join_context(context)[:, :, None, None])
        return odds


class SignedScore(nn.Module):
    """A `PasteNet` with its score: windows to `score` (N,) and the signed `map` (N, S, S).

    The map is near 0 where nothing is seen, and grows with the log odds of excess (above) and insufficient (below).
    """

    def __init__(self, net: PasteNet) -> None:
        super().__init__()
        self.net = net
        self.planes = net.planes

    def forward(self, window: Tensor) -> tuple[Tensor, Tensor]:
        belief = functional.softplus(self.net(window) + ODDS_OFFSET)
        signed = (belief[:, 0] - belief[:, 1]) * window[:, -1, 0]
        return signed.abs().amax(dim=(1, 2)), signed


NOISE_LOG = float(torch.log(torch.tensor(NOISE_RANGE)))


def _convolution(inputs: int, outputs: int, side: int, dilation: int = 1) -> nn.Sequential:
    """Without BatchNorm: inputs are in units already, and a batch's mean would tell a window of the others' faults."""
    padding = dilation * (side // 2)
    convolution = nn.Conv2d(inputs, outputs, side, padding=padding, dilation=dilation)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    return nn.Sequential(convolution, nn.ReLU())


def _line(inputs: int, outputs: int, kernel: tuple[int, int]) -> nn.Sequential:
    padding = (kernel[0] // 2, kernel[1] // 2)
    return nn.Sequential(
        nn.Conv2d(inputs, 12, kernel, padding=padding),
        nn.ReLU(),
        nn.Conv2d(12, outputs, kernel, padding=padding),
    )


def _pooled(features: Tensor, here: Tensor, times: int) -> Tensor:
    """Sums over cells of `times` x `times`, by the root of their pads: as spread as one good pad; and that density."""
    cells = times * times
    count = functional.avg_pool2d(here, times)
    scaled = functional.avg_pool2d(features, times) * cells / (count * cells + TINY).sqrt()
    return torch.cat([scaled, count], dim=1)


def _line_sum(features: Tensor, here: Tensor, dim: int) -> Tensor:
    """Sums over rows (3) or columns (2), by the root of their pads."""
    return features.sum(dim=dim, keepdim=True) / (here.sum(dim=dim, keepdim=True) + 1.0).sqrt()


def _doubled(x: Tensor) -> Tensor:
    """Every cell 2 x 2."""
    n, channels, rows, columns = x.shape
    x = x[:, :, :, None, :, None].expand(n, channels, rows, 2, columns, 2)
    return x.reshape(n, channels, rows * 2, columns * 2)


def _first_weightings(boards: int) -> Tensor:
    """(AVERAGES, T) before softplus: the last 1.5 to all boards, evenly spread."""
    age = torch.arange(boards - 1, -1, -1).float()
    memory = torch.tensor([2.0, 5.0, 100.0])
    weights = torch.exp(-age[None] / memory[:, None]).clamp(min=0.02)
    return torch.log(torch.expm1(weights))


def _start(net: PasteNet) -> None:
    """Pieces of both histograms begin spread over what z can be; a pad is good until something is learned."""
    with torch.no_grad():
        for convolution in (net.histogram, net.pads):
            bins = convolution.out_channels
            directions = torch.randn(bins, convolution.in_channels - 1, 1, 1)
            directions /= directions.flatten(1).norm(dim=1)[:, None, None, None]
            convolution.weight[:, :-1] = directions
            at = torch.linspace(-1.0, 1.0, bins)[torch.randperm(bins)]
            convolution.weight[:, -1] = (CLIP * at.abs() ** 1.5 * at.sign())[:, None, None]
            convolution.weight.mul_(SCALE)
        for small in (net.shift, net.noise[-1]):
            assert isinstance(small, nn.Linear | nn.Conv2d)
            small.weight.mul_(0.1)
            nn.init.zeros_(_bias(small))
        nn.init.constant_(_bias(net.head[-1]), FIRST_ODDS)


def _bias(layer: nn.Module) -> nn.Parameter:
    bias = layer.bias
    assert isinstance(bias, nn.Parameter)
    return bias
