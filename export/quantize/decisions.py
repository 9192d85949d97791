"""The gate of every precision: it must say what FP32 says, each at its own threshold.

Ranks and values may move; verdicts may not. A defect that FP32 catches and a smaller graph passes is an escape that the
speed bought, so none is allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from edge.board import Floats
from edge.bundle import Parity
from export.agreement import agreement
from export.graph_inputs import Inputs, named, onnx_session, session_feeds, session_names
from export.quantize.faults import QuantizeFault
from export.quantize.graph import chunks

MIN_AGREEMENT_FRAC = 0.995
MAX_LOST_DEFECTS = 0

ThresholdOf = Callable[[Floats], float]  # the scores (M,) of all validation inputs to the threshold they would set


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A graph with its scores (M,) on the validation inputs, the threshold they set, and how it stands to FP32."""

    model: bytes
    score: Floats
    threshold: float
    parity: Parity
    error_frac: float  # RMS of the difference to FP32's scores, over FP32's standard deviation

    @property
    def refusal(self) -> str:
        """Why it may not be shipped; empty when it may."""
        return refusal_of(self.parity)


class Judge:
    """FP32's scores and verdicts on the validation inputs (M, C, h, w), and what else is held against them."""

    def __init__(
        self,
        model_fp32: bytes,
        val_inputs: Inputs,
        val_is_good: NDArray[np.bool_],
        threshold_of: ThresholdOf,
        threads: int = 2,
    ) -> None:
        self._inputs, self._is_good = val_inputs, val_is_good
        self._threshold_of, self._threads = threshold_of, threads
        self.score = score_of(model_fp32, val_inputs, threads)
        self.threshold = threshold_of(self.score)

    def judge(self, model: bytes, stand_in: bytes | None = None) -> Candidate:
        """Score the validation inputs with a graph and compare; with `stand_in` where the CPU would not round as the
        graph says. Raises QuantizeFault on scores that are not finite."""
        score = score_of(model if stand_in is None else stand_in, self._inputs, self._threads)
        threshold = self._threshold_of(score)
        parity = agreement(
            self.score,
            score,
            thresholds=(self.threshold, threshold),
            is_defect=~self._is_good,
            compared_with=f"the FP32 graph, ONNX Runtime {ort.__version__} on the CPU, on validation crops",
        )
        difference = score.astype(np.float64) - self.score
        error = float(np.sqrt(np.mean(difference**2)) / max(float(self.score.std(dtype=np.float64)), 1e-12))
        return Candidate(model=model, score=score, threshold=threshold, parity=parity, error_frac=error)


def refusal_of(parity: Parity) -> str:
    """What of a graph's agreement is not enough, in one line; empty when all is."""
    reasons = []
    if parity.verdict_agreement_frac < MIN_AGREEMENT_FRAC:
        got, wanted = 100 * parity.verdict_agreement_frac, 100 * MIN_AGREEMENT_FRAC
        reasons.append(f"agreement {got:.1f} % of {parity.n} verdicts < {wanted:g} %")
    if parity.lost_defects > MAX_LOST_DEFECTS:
        reasons.append(f"loses {parity.lost_defects} defects that FP32 catches")
    return ", ".join(reasons)


def score_of(model: bytes, inputs: Inputs, threads: int = 2) -> Floats:
    """A graph's scores (N,) float32 of inputs (N, C, h, w), as it compares them itself, on the CPU.

    Raises QuantizeFault on scores that are not finite.
    """
    session = onnx_session(model, threads)
    names, feeds = session_names(session), session_feeds(session, inputs)
    score = np.concatenate([session.run(["score"], named(names, batch))[0] for batch in chunks(feeds)])
    if bad := int((~np.isfinite(score)).sum()):
        raise QuantizeFault(f"{bad} of {len(score)} scores are not finite")
    return score.astype(np.float32, copy=False)
