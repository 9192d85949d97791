"""What an installed package holds: every file that is no Python beside the code that reads it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[1]
PACKAGES = ("edge", "export", "calibration", "firmware_bridge")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_file_that_is_no_python_is_installed(package: str) -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["package-data"]
    folder = ROOT / package
    packed = {path for pattern in settings.get(package, ()) for path in folder.glob(pattern)}
    beside = {
        path
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc", ".md"} and "__pycache__" not in path.parts
    }
    assert beside == {path for path in packed if path.is_file()}
