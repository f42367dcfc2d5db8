"""A headless Chromium for the tests of the page; skipped, with the reason, where there is none.

`tox run -e browser` installs playwright's Python side and uses the system's Chromium (CHROMIUM names another one).
With SCREENSHOTS=DIR the tests leave pictures there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reports import page as pages
from reports import sources
from tests.reports import full, samples

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: tox run -e browser")
    path = os.environ.get("CHROMIUM") or next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("there is no Chromium: install the package chromium, or name one with CHROMIUM=PATH")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def golden(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the page of the golden results."""
    path = tmp_path_factory.mktemp("golden") / "report.html"
    pages.write(path, pages.html(sources.read([samples.BATTERY, samples.RACE]), "Golden results"))
    return path.as_uri()


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the page of the full matrix."""
    path = tmp_path_factory.mktemp("full") / "report.html"
    pages.write(path, pages.html(full.sources(), "Full matrix"))
    return path.as_uri()


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open an address in a context of its own. At the end: no error was logged, nothing else was asked for."""
    opened: list[tuple[Any, list[str], list[str]]] = []

    def open_page(address: str, *, width: int = 1280, height: int = 900, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        page = context.new_page()
        errors: list[str] = []
        requests: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: requests.append(request.url))
        page.goto(address)
        opened.append((context, errors, requests))
        return page

    yield open_page
    for context, errors, requests in opened:
        context.close()
        assert errors == []
        assert all(url.startswith("file:") for url in requests)
        assert len(requests) == 1


@pytest.fixture
def picture() -> Callable[[Any, str], None]:
    """Leave a screenshot, if somebody wants them."""

    def take(page: Any, name: str) -> None:
        if directory := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=str(Path(directory) / f"{name}.png"))

    return take
