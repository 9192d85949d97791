"""What a measurement was made on, for the record beside its figures."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime as ort


def machine() -> dict[str, Any]:
    """Processor, cores, load and the versions that matter."""
    return {
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "load_1_min": round(os.getloadavg()[0], 2),
        "onnxruntime": ort.__version__,
        "opencv": cv2.__version__,
        "numpy": np.__version__,
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        fields = dict(line.split(":", 1) for line in info.read_text("utf-8").splitlines() if ":" in line)
        named = {key.strip(): value.strip() for key, value in fields.items()}
        if "model name" in named:
            return f"{named['model name']} ({(named.get('flags', '').count('avx512') and 'AVX-512') or 'no AVX-512'})"
    return platform.machine()
