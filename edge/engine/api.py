"""TensorRT 10.3 (JetPack 6) to 11.x behind one small surface: every difference between versions is in this file.

TensorRT-RTX offers the same two generations of the interface (1.4 the one of TensorRT 10, 1.7 that of 11) and runs
without a GPU as far as compiling goes, so the module is a parameter and both are exercised where no TensorRT can be
installed. What stayed from 10.3 to 11 is used as it is; what is gone in 11 (weak typing and its FP16 and INT8 flags,
calibrators, dynamic ranges, EXPLICIT_BATCH) is not used at all.
"""

from __future__ import annotations

import collections
import importlib
import logging
import re
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from edge.engine.faults import ApiFault, NoDevice

OLDEST, NEWEST_MAJOR = (10, 3), 11
OLDEST_RTX, NEWEST_RTX_MAJOR = (1, 4), 1
MAX_KEPT_LINES = 64  # of TensorRT's own warnings and errors, for the text of a fault

_LOG = logging.getLogger("edge.engine")
_LEVELS = {"INTERNAL_ERROR": logging.ERROR, "ERROR": logging.ERROR, "WARNING": logging.WARNING}


class Api:
    """One TensorRT-like module, checked to be a known version. Make one per module and process: see `api_of`."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.version = str(module.__version__)
        self.is_rtx = "rtx" in module.__name__
        self.name = "TensorRT-RTX" if self.is_rtx else "TensorRT"
        self._check_version()
        self._lines: collections.deque[str] = collections.deque(maxlen=MAX_KEPT_LINES)
        self.logger = _logger(module, self._lines)

    @property
    def generation(self) -> int:
        """10 while the interface still has weakly typed networks, else 11."""
        return 10 if hasattr(self.module.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH") else 11

    def strongly_typed(self) -> int:
        """The flags of a strongly typed network. The flag's number is 1 in TensorRT 10 and 0 in 11, so a literal is
        wrong in one of them, silently."""
        return 1 << int(self.module.NetworkDefinitionCreationFlag.STRONGLY_TYPED)

    def configure(self, config: Any, workspace_bytes: int, capability: tuple[int, int] | None) -> None:
        """Set what every build here has. Raises ApiFault for a `capability` this TensorRT cannot build for.

        TF32 is cleared: its 10-bit mantissa is FP16's, and the gradient part of a score was measured to break in FP16.
        """
        trt = self.module
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace_bytes)
        config.clear_flag(trt.BuilderFlag.TF32)
        if self.is_rtx:
            config.set_flag(trt.BuilderFlag.REQUIRE_USER_ALLOCATION)  # or its engines cannot be captured as a graph
        if capability is None:
            return
        if not hasattr(config, "set_compute_capability"):
            raise ApiFault(f"{self.name} {self.version} builds for the device it runs on, not for sm_{_sm(capability)}")
        target = getattr(trt.ComputeCapability, f"SM{_sm(capability)}", None)
        if target is None:
            known = sorted(name for name in trt.ComputeCapability.__members__ if name.startswith("SM"))
            raise ApiFault(f"{self.name} {self.version} cannot build for sm_{_sm(capability)}; it knows {known}")
        config.num_compute_capabilities = 1
        config.set_compute_capability(target, 0)

    @property
    def has_timing_cache(self) -> bool:
        """TensorRT-RTX times nothing when it builds, and warns when asked for the cache."""
        return not self.is_rtx

    def forget_lines(self) -> None:
        """Start a new record of what TensorRT says."""
        self._lines.clear()

    def said(self, most: int = 4) -> str:
        """TensorRT's last errors and warnings since `forget_lines`, for the text of a fault."""
        return "; ".join(list(self._lines)[-most:]) or "it gave no reason"

    def _check_version(self) -> None:
        got = tuple(int(part) for part in re.findall(r"\d+", self.version)[:2])
        oldest, newest = (OLDEST_RTX, NEWEST_RTX_MAJOR) if self.is_rtx else (OLDEST, NEWEST_MAJOR)
        if not (len(got) == 2 and oldest <= got and got[0] <= newest):
            known = f"{oldest[0]}.{oldest[1]} to {newest}.x"
            raise ApiFault(f"{self.name} {self.version} is installed here; boardgate knows {known}")


_APIS: dict[str, Api] = {}


def api_of(module: ModuleType) -> Api:
    """The one `Api` of a module: TensorRT keeps the first logger it is given for the whole process."""
    known = _APIS.get(module.__name__)
    if known is None or known.module is not module:
        known = _APIS[module.__name__] = Api(module)
    return known


def installed_api(names: Sequence[str] = ("tensorrt",)) -> Api:
    """The first of the named TensorRT modules that is installed. Raises NoDevice when none is, ApiFault for one too old
    or too new."""
    for name in names:
        try:
            return api_of(importlib.import_module(name))
        except ModuleNotFoundError as err:
            if (err.name or "").partition(".")[0] != name.partition(".")[0]:
                raise
    raise NoDevice(f"{' or '.join(names)} is not installed; on a Jetson TensorRT comes with JetPack, from apt")


def _sm(capability: tuple[int, int]) -> str:
    return f"{capability[0]}{capability[1]}"


def _logger(module: ModuleType, lines: collections.deque[str]) -> Any:
    """TensorRT's messages to this project's log, errors and warnings kept for the text of faults too."""

    class Listener(module.ILogger):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            module.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            level = _LEVELS.get(getattr(severity, "name", ""), logging.DEBUG)
            _LOG.log(level, "%s: %s", module.__name__, message)
            if level >= logging.WARNING:
                lines.append(message)

    return Listener()
