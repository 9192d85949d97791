"""What graphs are given in the workshop: crops as float tensors, and for a family that compares the approved pictures
of each crop's part, which the graph at hand embeds for itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from edge.board import Floats
from edge.bundle import EMBEDDING, Contract
from edge.references import Rows

MASK = "mask"  # the plane of a window that says where a pad was measured
CHUNK = 64  # rows at a time, so that memory does not grow with their number


@dataclass(frozen=True, slots=True)
class Fed:
    """What a graph that compares takes: crops (N, C, h, w) and references (N, K, E) float32. Rows are taken as from an
    array."""

    crops: Floats
    references: Floats

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, rows: Rows) -> Fed:
        return Fed(self.crops[rows], self.references[rows])


@dataclass(frozen=True, slots=True)
class GraphInputs:
    """Crops (N, C, h, w) float32 with the approved pictures of all parts (P, K, C, h, w) float32 and each crop's part
    (N,), an index into those. Rows are taken as from an array."""

    crops: Floats
    pictures: Floats
    part: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, rows: Rows) -> GraphInputs:
        return GraphInputs(self.crops[rows], self.pictures, self.part[rows])

    def fed(self, embed: Callable[[Floats], Floats]) -> Fed:
        """With the pictures embedded by (M, C, h, w) → (M, E)."""
        n_parts, n_pictures = self.pictures.shape[:2]
        flat = self.pictures.reshape(n_parts * n_pictures, *self.pictures.shape[2:])
        vectors = np.concatenate([embed(flat[i : i + CHUNK]) for i in range(0, len(flat), CHUNK)])
        return Fed(self.crops, vectors.reshape(n_parts, n_pictures, -1)[self.part])


Feedable = Floats | Fed  # what one graph takes
Inputs = Feedable | GraphInputs  # what is asked about several graphs, each of which embeds pictures for itself


def tensor_of(inputs: Inputs) -> Floats:
    """The crops alone, (N, C, h, w) float32."""
    return inputs if isinstance(inputs, np.ndarray) else inputs.crops


def onnx_session(model: bytes, threads: int) -> ort.InferenceSession:
    """A CPU session with a fixed number of threads."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def session_feeds(session: ort.InferenceSession, inputs: Inputs) -> Feedable:
    """The inputs as this very graph compares them: approved pictures embedded by itself."""
    if not isinstance(inputs, GraphInputs):
        return inputs
    crops, references = session.get_inputs()

    def embed(pictures: Floats) -> Floats:
        nothing = np.zeros((len(pictures), *references.shape[1:]), np.float32)
        vectors: Floats = session.run([EMBEDDING], {crops.name: pictures, references.name: nothing})[0]
        return vectors

    return inputs.fed(embed)


def random_feeds(contract: Contract, n: int, seed: int = 0) -> Feedable:
    """Rows of noise in a graph's own shapes, crops within its range: for timing, not for judging."""
    rng = np.random.default_rng(seed)
    crops, *others = (
        np.tanh(rng.normal(0, 0.5, (n, *map(int, spec.shape[1:])))).astype(np.float32) for spec in contract.inputs
    )
    if contract.window is not None and MASK in contract.window.planes:
        crops[:, :, contract.window.planes.index(MASK)] = 1.0  # a mask is no noise: everywhere a pad that was measured
    return Fed(crops, others[0]) if others else crops


def named(names: Sequence[str], feeds: Feedable) -> dict[str, Floats]:
    """Rows by the names of a graph's inputs."""
    return dict(zip(names, tensors_of(feeds), strict=True))


def tensors_of(feeds: Feedable) -> tuple[Floats, ...]:
    """In the order of a graph's inputs."""
    return (feeds.crops, feeds.references) if isinstance(feeds, Fed) else (feeds,)


def session_names(session: ort.InferenceSession) -> list[str]:
    """The names of a graph's inputs."""
    return [value.name for value in session.get_inputs()]
