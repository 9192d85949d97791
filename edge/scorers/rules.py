"""Classical inspection (being written)."""

from edge.board import Floats, Image
from edge.bundle import Bundle
from edge.scorers.fault import ScorerFault


class RulesScorer:
    def __init__(self, bundle: Bundle, threads: int) -> None:
        raise ScorerFault("not there yet")

    def score(self, crops: Image) -> tuple[Floats, Floats | None]:
        raise ScorerFault("not there yet")
