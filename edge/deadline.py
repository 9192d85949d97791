"""The time budget of one board, with a stamp per stage, so that a miss says where the time went."""

from __future__ import annotations

from collections.abc import Callable

from edge.board import StageTime
from edge.clock import Clock


class DeadlineMissed(Exception):
    """The budget ran out: `stage` is the one that was running when it did."""

    def __init__(self, stage: str, detail: str) -> None:
        super().__init__(detail)
        self.stage = stage


class Deadline:
    """Counts from the trigger on the monotonic clock. `stamp` closes a stage; it raises once the budget is spent.

    `on_stage` is called at each stamp: finished work, which is what a loop counter and a watchdog want to hear of.
    """

    def __init__(
        self, clock: Clock, *, start_ns: int, budget_ms: int, on_stage: Callable[[], object] | None = None
    ) -> None:
        self._clock = clock
        self._start_ns = start_ns
        self._last_ns = start_ns
        self.budget_ms = budget_ms
        self._stages: list[StageTime] = []
        self._on_stage = on_stage

    def remaining_ms(self) -> float:
        """Milliseconds left; negative once missed."""
        return self.budget_ms - (self._clock.now_ns() - self._start_ns) / 1e6

    def stamp(self, stage: str) -> None:
        """Close `stage`. Raises DeadlineMissed, naming the stage that ate the budget, when time is up."""
        now_ns = self._clock.now_ns()
        self._stages.append(StageTime(stage=stage, ms=(now_ns - self._last_ns) / 1e6))
        self._last_ns = now_ns
        if self._on_stage is not None:
            self._on_stage()
        if now_ns - self._start_ns > self.budget_ms * 1_000_000:
            slowest = max(self._stages, key=lambda s: s.ms)
            spent = ", ".join(f"{s.stage} {s.ms:.0f} ms" for s in self._stages)
            raise DeadlineMissed(slowest.stage, f"{spent}; budget {self.budget_ms} ms; most in {slowest.stage}")

    @property
    def stages(self) -> tuple[StageTime, ...]:
        """The stages closed so far."""
        return tuple(self._stages)
