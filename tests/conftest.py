"""What a test needs is said by a marker, looked for here, and skipped by that name where it is missing.

`BOARDGATE_MUST_RUN="mosquitto data"` turns such a skip into a failure: a gate that skips what it should run is no gate.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from tests.edge.rtx import rtx_folder

# A console keeps the width it had when its module was first imported: the same one, whichever test comes first.
os.environ["COLUMNS"] = "200"

settings.register_profile("boardgate", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("boardgate")

DATA = Path(os.environ.get("BOARDGATE_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")

NEEDS: dict[str, Callable[[], bool]] = {
    "data": DATA.is_dir,
    "openvino": lambda: importlib.util.find_spec("openvino") is not None,
    "rtx": lambda: rtx_folder("1.7") is not None,
    "chromium": lambda: any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")),
    "torch": lambda: importlib.util.find_spec("torch") is not None,
    "mosquitto": lambda: bool(shutil.which("mosquitto")) or Path("/usr/sbin/mosquitto").exists(),
    "systemd": lambda: shutil.which("systemd-analyze") is not None,
}


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real picture sets; only for tests marked `needs_data`."""
    return DATA


def pytest_runtest_setup(item: pytest.Item) -> None:
    for name, there in NEEDS.items():
        if item.get_closest_marker(f"needs_{name}") is not None and not there():
            pytest.skip(f"needs_{name}")


_SKIPPED: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        _SKIPPED.append(f"{report.nodeid}: {reason}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    must = os.environ.get("BOARDGATE_MUST_RUN", "").split()
    wrong = [line for line in _SKIPPED if any(f"needs{mark}{name}" in line for name in must for mark in "_ ")]
    if wrong:
        print("\nskipped, but had to run here:\n  " + "\n  ".join(wrong))
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
