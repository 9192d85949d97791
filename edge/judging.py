"""One board's way to its verdict, whatever the machine saw: what may hold it on the way, and by which reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from edge.axi.board import AxiFault
from edge.board import Board, Finding, Reason, Verdict
from edge.clock import Clock
from edge.deadline import Deadline, DeadlineMissed
from edge.gate import Judged, judge, undecided
from edge.paste.panel import PasteFault
from edge.register import NotRegistered
from edge.scorers import ScorerFault

HELD_FOR: dict[type[Exception], Reason] = {
    NotRegistered: Reason.NOT_REGISTERED,
    PasteFault: Reason.CAPTURE_FAULT,
    AxiFault: Reason.CAPTURE_FAULT,
    DeadlineMissed: Reason.DEADLINE,
    ScorerFault: Reason.SCORER_FAULT,
}


class Seen(Protocol):
    """What was seen of a board before it is judged."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The regions that were scored, or the worst of very many."""
        ...

    @property
    def n_unlisted(self) -> int:
        """How many more were scored."""
        ...


S = TypeVar("S", bound=Seen)


@dataclass(frozen=True, slots=True)
class Judging:
    """What every verdict of an inspection has in common. `verdict` gives exactly one for every board."""

    by: Judged
    clock: Clock
    budget_ms: int

    def verdict(
        self, board: Board, look: Callable[[Deadline], S], on_stage: Callable[[], object] | None
    ) -> tuple[Verdict, S | None]:
        """Look at a board within its budget and judge it; what was seen, or None where it is held. Whatever of
        `HELD_FOR` goes wrong is UNDECIDED with the reason, never a pass."""
        deadline = Deadline(self.clock, start_ns=board.trigger_ns, budget_ms=self.budget_ms, on_stage=on_stage)
        try:
            deadline.stamp("capture")
            seen = look(deadline)
            now_ns = self.clock.now_ns()
            verdict = judge(board, self.by, seen.findings, now_ns, deadline.stages, n_unlisted=seen.n_unlisted)
            deadline.stamp("judge")
        except tuple(HELD_FOR) as err:
            reason = next(reason for kind, reason in HELD_FOR.items() if isinstance(err, kind))
            return self.held(board, reason, str(err), deadline), None
        return verdict, seen

    def held(self, board: Board, reason: Reason, detail: str, deadline: Deadline | None = None) -> Verdict:
        """The board is held, and `detail` says why."""
        stages = deadline.stages if deadline is not None else ()
        return undecided(board, self.by, reason, detail, self.clock.now_ns(), stages)
