"""Transitions as a Markdown table, so that the pages and the code cannot disagree. Pure."""

import enum
from collections.abc import Mapping
from typing import TypeVar

StateT = TypeVar("StateT", bound=enum.Enum)
InputT = TypeVar("InputT", bound=enum.Enum)


def markdown(transitions: Mapping[tuple[StateT, InputT], StateT]) -> str:
    """One row a state, one column an input; a dash where the input changes nothing or cannot happen."""
    states = list(type(next(iter(transitions.values()))))
    inputs = list(dict.fromkeys(key[1] for key in transitions))
    lines = ["| state | " + " | ".join(each.name for each in inputs) + " |", "|---" * (len(inputs) + 1) + "|"]
    for state in states:
        cells = [transitions[state, each].name if (state, each) in transitions else "–" for each in inputs]
        lines.append(f"| {state.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
