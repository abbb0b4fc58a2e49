"""A headless Chromium for tests of pages; they are skipped where there is none."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Error, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A browser of Playwright: the machine's own Chromium, or the one that `playwright install chromium` brought."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    with sync_playwright() as driver:
        try:
            browser = driver.chromium.launch(executable_path=path)
        except Error as error:
            pytest.skip(f"no Chromium to drive: {str(error).splitlines()[0]}")
        try:
            yield browser
        finally:
            browser.close()
