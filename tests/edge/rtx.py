"""Where TensorRT-RTX is: a test-only, proprietary stand-in for TensorRT that parses and compiles without a GPU.

Two generations of the interface share one module name, so one process has one of them; the other runs in a child. Each
lies in a folder of its own, made by

    pip install --only-binary=:all: --no-deps --target .venv/rtx-1.7 \
        tensorrt-rtx-cu13-libs==1.7.1.116 tensorrt-rtx-cu13-bindings==1.7.1.116
    pip install --only-binary=:all: --no-deps --target .venv/rtx-1.4 \
        tensorrt-rtx-cu12-libs==1.4.0.76 tensorrt-rtx-cu12-bindings==1.4.0.76
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import pytest

from edge.engine.api import Api, api_of

ROOT = Path(__file__).resolve().parents[2]
MODULE = "tensorrt_rtx_bindings"


def rtx_folder(version: str) -> Path | None:
    """The folder of TensorRT-RTX "1.7" or "1.4", or None: `BOARDGATE_RTX` names the parent of the two, else .venv."""
    folder = Path(os.environ.get("BOARDGATE_RTX") or ROOT / ".venv") / f"rtx-{version}"
    return folder if (folder / MODULE).is_dir() else None


def rtx_api(version: str = "1.7") -> Api:
    """TensorRT-RTX in this process; skips the test by name where it is not installed."""
    folder = rtx_folder(version)
    if folder is None:
        pytest.skip("needs_rtx")
    if MODULE not in sys.modules:
        sys.path.insert(0, str(folder))
    api = api_of(importlib.import_module(MODULE))
    assert api.version.startswith(f"{version}."), f"TensorRT-RTX {api.version} is already loaded in this process"
    return api
