"""A recipe as text: what `boardgate recipe` writes and `read_toml` reads back as the same settings."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

from pydantic import BaseModel

from edge.recipe import RecipeFile


def recipe_toml(recipe: RecipeFile) -> str:
    """The text of `recipe.toml`: `read_toml` gives the same settings back."""
    head = {k: v for k, v in recipe.model_dump(exclude_none=True).items() if not isinstance(v, (dict, tuple, list))}
    lines = [f"# Made by `boardgate recipe new`. Places are squares in pixels of {recipe.picture.reference}."]
    lines += _assignments(head)
    lines += ["", "[picture]", *_assignments(_dumped(recipe.picture))]
    lines += ["", "[registration]", *_assignments(_dumped(recipe.registration))]
    for name, ref in recipe.bundles.items():
        lines += ["", f"[bundles.{_text(name)}]", *_assignments(_dumped(ref))]
    for name, part in recipe.parts.items():
        key = f"parts.{_text(name)}"
        lines += ["", f"[{key}]", *_assignments({"turns_deg": part.turns_deg})]
        for file in part.references:
            lines += ["", f"[[{key}.references]]", *_assignments(_dumped(file))]
    for place in recipe.places:
        lines += ["", "[[places]]", *_assignments(_dumped(place))]
    return "\n".join(lines) + "\n"


def settings_toml(settings: BaseModel, comment: str) -> str:
    """Settings without lists of tables as TOML: plain values first, then a table for each group of settings."""
    return "\n".join([f"# {comment}", *_table_lines((), _dumped(settings))]) + "\n"


def _table_lines(path: tuple[str, ...], values: Mapping[str, object]) -> list[str]:
    groups = {key: value for key, value in values.items() if isinstance(value, Mapping)}
    lines = _assignments({key: value for key, value in values.items() if key not in groups})
    for key, group in groups.items():
        if group:
            name = ".".join(part if part.isidentifier() else _text(part) for part in (*path, key))
            lines += ["", f"[{name}]", *_table_lines((*path, key), group)]
    return lines


def _dumped(settings: BaseModel) -> Mapping[str, object]:
    return settings.model_dump(exclude_none=True)


def _assignments(values: Mapping[str, object]) -> list[str]:
    return [f"{key} = {_value(value)}" for key, value in values.items()]


def _value(value: object) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)) and math.isfinite(value):
        return repr(value)
    if isinstance(value, Sequence):
        return f"[{', '.join(_value(entry) for entry in value)}]"
    raise TypeError(f"{value!r}: a recipe holds text, finite numbers, yes and no, and lists of them only")


def _text(value: str) -> str:
    """A TOML basic string: JSON's escapes, and DEL, which TOML wants escaped and JSON does not."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
