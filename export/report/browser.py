"""A real browser without a screen: what the page is after it was laid out, as a picture or as a document.

For the tests and for the picture in the docs; writing a report needs no browser.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from export.faults import WorkshopFault

NAMES = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT_S = 90.0
FLAGS = (
    "--headless",
    "--no-sandbox",  # containers have no user namespaces; the page is our own and reaches no network
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


class BrowserFault(WorkshopFault):
    """The page could not be opened: what was tried, what came."""


def find_browser() -> str | None:
    """The first browser of NAMES that is installed."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def screenshot(page: Path, png: Path, *, width_px: int, height_px: int) -> Path:
    """The top `height_px` of a page in a window of that size. Raises BrowserFault."""
    _run(page, f"--screenshot={png.resolve()}", f"--window-size={width_px},{height_px}")
    if not png.is_file():
        raise BrowserFault(f"{page}: the browser left no picture at {png}")
    return png


def document(page: Path) -> str:
    """The page's document after loading, as HTML. Raises BrowserFault."""
    return _run(page, "--dump-dom")


def _run(page: Path, *what: str) -> str:
    browser = find_browser()
    if browser is None:
        raise BrowserFault(f"no browser: install one of {', '.join(NAMES)}")
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, *FLAGS, f"--user-data-dir={profile}", *what, page.resolve().as_uri()]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        except subprocess.TimeoutExpired:
            raise BrowserFault(f"{page}: {browser} took longer than {TIMEOUT_S:.0f} s") from None
    if done.returncode:
        raise BrowserFault(f"{page}: {browser} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return done.stdout
