"""Open pages in headless Chromium."""

import shutil
from typing import Any

from helpers import ROOT
from playwright.sync_api import Browser, Page, expect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

SCREENSHOTS = ROOT / "build" / "screenshots"


class Activity:
    """Requests and errors of a page."""

    def __init__(self, page: Page) -> None:
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on(
            "console", lambda line: self.errors.append(line.text) if line.type == "error" else 0
        )
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))


def open_page(
    browser: Browser, address: str, status: str = "learning", **options: Any
) -> tuple[Page, Activity]:
    """Open a page, and wait until it shows a status."""
    page = browser.new_page(**options)
    activity = Activity(page)
    page.goto(address)
    expect(page.locator("#status")).to_have_text(status)
    return page, activity


def screenshot(page: Page, name: str) -> None:
    """Save a picture of a page."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
