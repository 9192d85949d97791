"""What the agent must not forget: how far the consumer has acknowledged, and its own session number."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from edge.durable import replace_file
from edge.settings import Settings, SettingsFault, read_json

Count = Annotated[int, Field(ge=0, lt=2**63)]


class AgentState(Settings):
    """`agent.json`. Lost or damaged, it starts from nothing: rows go out again, and the consumer drops what it has."""

    epoch: str = ""  # of the journal it speaks of
    acked: Count = 0
    event_id: Count = 0  # last event handed over
    session: Count = 0


def load_state(path: Path) -> AgentState:
    """The state kept at `path`; a fresh one where there is none or it cannot be read."""
    try:
        return read_json(path, AgentState)
    except SettingsFault:
        return AgentState()


def save_state(path: Path, state: AgentState) -> None:
    """Write aside, fsync, rename. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # 0644: the gate process reads what it may forget; the folder keeps others out
    replace_file(path.with_suffix(".new"), path, state.model_dump_json().encode(), mode=0o644)
