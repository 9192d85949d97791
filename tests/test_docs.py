"""Pages that name tests, files and commands name ones that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.tables import pages, tables_in

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[1]


def test_every_row_of_the_fault_table_is_a_test() -> None:
    rows = [line for line in (ROOT / "docs/faults.md").read_text().splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 20
    defined = set()
    for file in (ROOT / "tests").rglob("test_*.py"):
        defined.update(re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE))
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row)
        assert named, row
        assert not set(named) - defined, row


PAGES = [str(page.relative_to(ROOT)) for page in pages()]


@pytest.mark.parametrize("page", PAGES)
def test_files_named_in_pages_exist(page: str) -> None:
    text = (ROOT / page).read_text()
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in link:
            assert (ROOT / page).parent.joinpath(link).exists(), f"{page}: {link}"


def test_walls_between_rooms() -> None:
    """edge/ never knows export/ or torch; firmware_bridge/ never knows edge/."""
    walls = {
        "edge": ("torch", "export", "calibration", "onnx"),
        "firmware_bridge": ("torch", "edge", "export", "calibration", "numpy"),
    }
    for room, forbidden in walls.items():
        for file in (ROOT / room).rglob("*.py"):
            for match in re.finditer(r"^\s*(?:from|import) ([\w]+)", file.read_text(), re.MULTILINE):
                assert match[1] not in forbidden, f"{file}: imports {match[1]}"


@pytest.mark.parametrize("page", PAGES)
def test_the_figures_of_a_page_are_the_measured_ones(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    assert tables_in(text) == text, "run: boardgate bench tables"


def test_the_main_pages_show_figures() -> None:
    for page in ("README.md", "docs/measured.md"):
        assert "<!-- table:" in (ROOT / page).read_text("utf-8")
