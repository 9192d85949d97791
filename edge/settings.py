"""Reading a settings file is checking it: frozen typed models, unknown keys refused, all faults reported at once."""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

MAX_SETTINGS_BYTES = 4 * 1024 * 1024  # a recipe of 10,000 places is about 1 MB


class Settings(BaseModel):
    """Base of every settings model: frozen, strict about unknown keys and types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class SettingsFault(Exception):
    """A settings file cannot be used. `faults` holds every fault found, one line each, file and field named."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


Model = TypeVar("Model", bound=BaseModel)


def read_toml(path: Path, model: type[Model]) -> Model:
    """Read and check one TOML file. Raises SettingsFault with all faults."""
    return read_toml_as(path, lambda data: model)


def read_toml_as(path: Path, model_for: Callable[[Mapping[str, Any]], type[Model]]) -> Model:
    """The same, by the model that the file's own keys ask for."""
    data = _parse_toml(path)
    # By way of JSON, where strict checking still takes a list for a tuple and text for a path or an enum.
    return _checked(path, json.dumps(data, default=str), model_for(data))


def read_json(path: Path, model: type[Model]) -> Model:
    """Read and check one JSON file. Raises SettingsFault with all faults."""
    return _checked(path, _read_bounded(path), model)


def _parse_toml(path: Path) -> dict[str, Any]:
    try:
        data: dict[str, Any] = tomllib.loads(_read_bounded(path).decode("utf-8"))
        return data
    except UnicodeDecodeError as err:
        raise SettingsFault([f"{path}: not UTF-8 text: {err.reason} at byte {err.start}"]) from None
    except tomllib.TOMLDecodeError as err:
        raise SettingsFault([f"{path}: not TOML: {err}"]) from None


def _read_bounded(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SETTINGS_BYTES + 1)
    except OSError as err:
        raise SettingsFault([f"{path}: cannot be read: {err.strerror}"]) from None
    if len(data) > MAX_SETTINGS_BYTES:
        raise SettingsFault([f"{path}: larger than {MAX_SETTINGS_BYTES} bytes"])
    return data


def _checked(path: Path, data: str | bytes, model: type[Model]) -> Model:
    try:
        return model.model_validate_json(data)
    except ValidationError as err:
        raise SettingsFault(_fault_lines(path, err, model)) from None


def _fault_lines(path: Path, err: ValidationError, model: type[BaseModel]) -> list[str]:
    lines = []
    for fault in err.errors(include_url=False):
        where = ".".join(str(part) for part in fault["loc"]) or "file"
        if fault["type"] == "extra_forbidden":
            lines.append(f"{path} {where}: unknown key{_did_you_mean(fault['loc'], model)}")
        else:
            got = "" if fault["type"] == "missing" else f" (got {fault['input']!r:.80})"
            lines.append(f"{path} {where}: {fault['msg']}{got}")
    return lines


def _did_you_mean(loc: tuple[int | str, ...], model: type[BaseModel]) -> str:
    near = difflib.get_close_matches(str(loc[-1]), _all_field_names(model), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _all_field_names(model: type[BaseModel]) -> list[str]:
    names: list[str] = []
    stack: list[Any] = [model]
    seen: set[Any] = set()
    while stack:
        kind = stack.pop()
        if kind in seen:
            continue
        seen.add(kind)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            names.extend(kind.model_fields)
            stack.extend(f.annotation for f in kind.model_fields.values())
        else:
            stack.extend(getattr(kind, "__args__", ()))
    return names
