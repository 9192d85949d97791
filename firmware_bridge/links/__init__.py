"""The wires a gate can hang on: one file each, with a frozen config and `open(config) -> Link`, and one row here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from firmware_bridge.links import serial
from firmware_bridge.links.link import Link

__all__ = ["LINKS", "Link", "LinkKind"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkKind:
    """One row: the settings a transport takes, and how it is opened with them (LinkLost if it cannot be)."""

    config: type[Any]
    open: Callable[[Any], Link]


LINKS: Mapping[str, LinkKind] = MappingProxyType(
    {
        "serial": LinkKind(config=serial.SerialConfig, open=serial.open),
    }
)
