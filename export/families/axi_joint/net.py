"""The paper's two networks: the 3D-CNN of Table II and the slices' CNN with the LSTM of Table III.

Slices are (N, 6, S, S) float32, 0 to 1, slice 00 first, missing ones all zero; both give two logits, good and
defective, (N, 2). A 3D convolution is written as a 2D convolution of neighbouring slices, and the LSTM as six steps by
hand: the same sums in plain operators, which every engine has in every precision.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

N_SLICES = 6
INPUT_PX = 128  # Algorithm 1
CLASSES = ("good", "defective")
BATCH_NORM_EPS, BATCH_NORM_MOMENTUM = 1e-3, 0.01  # Keras' own: the paper gives none
DROPOUT_FRAC = 0.5  # the paper gives none


class DepthConv(nn.Module):
    """A 3D convolution of kernel 3 x 3 x `depth`, "valid" on all axes, ReLU: (N, D, C, h, w) to
    (N, D - depth + 1, C', h - 2, w - 2)."""

    def __init__(self, c_in: int, c_out: int, depth: int) -> None:
        super().__init__()
        self.depth = depth
        self.plane = nn.Conv2d(depth * c_in, c_out, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Neighbouring slices side by side as channels, all depths as one batch."""
        n_out = x.shape[1] - self.depth + 1
        if self.depth > 1:
            x = torch.cat([x[:, k : k + n_out] for k in range(self.depth)], dim=2)
        y = functional.relu(self.plane(x.flatten(0, 1)))
        return y.unflatten(0, (-1, n_out))


class DepthPool(nn.Module):
    """Max pooling of 2 x 2 x 2: (N, D, C, h, w) to (N, D / 2, C, h / 2, w / 2)."""

    def forward(self, x: Tensor) -> Tensor:
        """D is even."""
        n_out = x.shape[1] // 2
        planes = functional.max_pool2d(x.flatten(0, 1), 2).unflatten(0, (-1, 2 * n_out))
        return torch.maximum(planes[:, 0::2], planes[:, 1::2])


class ChannelNorm(nn.BatchNorm2d):
    """Batch normalisation that is plain arithmetic in evaluation mode, where no convolution before it can take it
    up."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=BATCH_NORM_EPS, momentum=BATCH_NORM_MOMENTUM)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) to the same."""
        if self.training:
            return super().forward(x)
        scale = self.weight / torch.sqrt(self.running_var + self.eps)
        shift = self.bias - self.running_mean * scale
        return x * scale[:, None, None] + shift[:, None, None]


class Cnn3d(nn.Module):
    """Table II. Its rows contradict each other: the first pooling leaves a depth of 2, the next row says 1 with a
    kernel of 3 x 3 x 1, which keeps 2. Here the weights are as printed and both poolings are 2 x 2 x 2 (Keras' own);
    the depth stays 2 until the second, which makes the printed 29 x 29 x 1 x 64 = 53,824.

    `side_px` and `widths` other than the paper's are for a small twin of it.
    """

    def __init__(
        self,
        side_px: int = INPUT_PX,
        widths: tuple[int, int, int, int] = (8, 16, 32, 64),
        hidden: int = 1024,
        dropout_frac: float = DROPOUT_FRAC,
        shrink: int = 1,
    ) -> None:
        super().__init__()
        self.shrink = shrink
        a, b, c, d = widths
        self.convolutions = nn.Sequential(
            DepthConv(1, a, 2),
            DepthConv(a, b, 2),
            DepthPool(),
            DepthConv(b, c, 1),
            DepthConv(c, d, 1),
            DepthPool(),
        )
        side = ((side_px // shrink - 4) // 2 - 4) // 2
        self.norm = ChannelNorm(d)
        n_features = d * side * side
        self.dense = nn.Linear(n_features, hidden)
        self.head = nn.Linear(hidden, len(CLASSES))
        self.dropout = nn.Dropout(dropout_frac)
        start_like_keras(self)

    def features(self, x: Tensor) -> Tensor:
        """(N, 6, S, S) to the last map (N, C, h, w)."""
        return self.convolutions(shrunk(x, self.shrink)[:, :, None])[:, 0]

    def classify(self, maps: Tensor) -> Tensor:
        """The last map to logits (N, 2)."""
        y = self.dropout(self.norm(maps).flatten(1))
        return self.head(self.dropout(functional.relu(self.dense(y))))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 6, S, S) to logits (N, 2)."""
        return self.classify(self.features(x))


class SliceLstm(nn.Module):
    """Table III: features of each slice by one CNN, an LSTM of 2048 over the six, two fully connected layers.

    The slices' CNN is left open in the paper. The choice here: the four widths of Table II, 3 x 3, each with ReLU and a
    2 x 2 max pooling, so that six slices cost less than the LSTM itself, and batch normalisation at the end as there.
    Without it the features are so small that steps of 1e-5 teach the LSTM nothing in hundreds of steps.
    """

    def __init__(
        self,
        widths: tuple[int, int, int, int] = (8, 16, 32, 64),
        cells: int = 2048,
        hidden: int = 512,
        dropout_frac: float = DROPOUT_FRAC,
        shrink: int = 1,
    ) -> None:
        super().__init__()
        self.shrink = shrink
        layers: list[nn.Module] = []
        for c_in, c_out in zip((1, *widths[:-1]), widths, strict=True):
            layers += [nn.Conv2d(c_in, c_out, 3, padding=1 if shrink > 1 else 0), nn.ReLU(), nn.MaxPool2d(2)]
        self.slice_maps = nn.Sequential(*layers)
        self.norm = ChannelNorm(widths[-1])
        self.cells = cells
        side = _side_after(INPUT_PX // shrink, len(widths), padded=shrink > 1)
        self.from_slice = nn.Linear(widths[-1] * side * side, 4 * cells)
        self.from_past = nn.Linear(cells, 4 * cells, bias=False)
        self.dense = nn.Linear(cells, hidden)
        self.head = nn.Linear(hidden, len(CLASSES))
        self.dropout = nn.Dropout(dropout_frac)
        start_like_keras(self)
        with torch.no_grad():
            nn.init.orthogonal_(self.from_past.weight)
            self.from_slice.bias[cells : 2 * cells] = 1.0  # the forget gate starts open

    def features(self, x: Tensor) -> Tensor:
        """(N, 6, S, S) to a map a slice, (N * 6, C, h, w)."""
        return self.slice_maps(shrunk(x, self.shrink).flatten(0, 1)[:, None])

    def classify(self, maps: Tensor) -> Tensor:
        """Maps of all slices to logits (N, 2)."""
        given = self.from_slice(self.norm(maps).flatten(1)).unflatten(0, (-1, N_SLICES))
        memory, state = _lstm_step(given[:, 0], None)
        for n in range(1, N_SLICES):
            memory, state = _lstm_step(given[:, n] + self.from_past(state), memory)
        return self.head(self.dropout(functional.relu(self.dense(state))))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 6, S, S) to logits (N, 2)."""
        return self.classify(self.features(x))


def _lstm_step(gates: Tensor, memory: Tensor | None) -> tuple[Tensor, Tensor]:
    """Memory and state after one step; without memory the first, from zeros."""
    let_in, kept, new, shown = gates.chunk(4, dim=1)
    added = torch.sigmoid(let_in) * torch.tanh(new)
    memory = added if memory is None else torch.sigmoid(kept) * memory + added
    return memory, torch.sigmoid(shown) * torch.tanh(memory)


def shrunk(x: Tensor, factor: int) -> Tensor:
    """Slices (N, 6, S, S) to (N, 6, S / factor, S / factor): means, so nothing is aliased."""
    return x if factor == 1 else functional.avg_pool2d(x, factor)


def start_like_keras(network: nn.Module) -> None:
    """First weights as Keras, which the paper used, draws them: Glorot's even spread, biases 0. With a learning rate of
    1e-5 they matter."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def _side_after(side: int, poolings: int, *, padded: bool) -> int:
    for _ in range(poolings):
        side = (side if padded else side - 2) // 2
    return side
