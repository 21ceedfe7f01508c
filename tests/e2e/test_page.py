"""The live page of a learning consumer, in headless Chromium."""

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers import SMALL, Consumer, documents, started, write
from pages import CHROMIUM, Activity, open_page, screenshot
from playwright.sync_api import Browser, expect

from newsreel.common.kafka import Connection
from newsreel.events.document import Document

HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script>'

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")


@pytest.fixture(scope="module")
def learning(
    connection: Connection, encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Consumer]:
    """Start a consumer that has learned all documents of its topic."""
    folder, topic = tmp_path_factory.mktemp("page"), f"test-{uuid.uuid4().hex[:12]}"
    right = documents(150)
    # Documents with an unusual label are mistakes that the page shows.
    wrong = [Document(f"odd-{n}", f"{HOSTILE} hockey goal {n}", HOSTILE) for n in range(10)]
    write(connection, topic, [*right, *wrong])
    (folder / "checkpoints").mkdir()
    curve = {"curve": [[60, 0.8, 0.8, 0.0], [150, 0.9, 0.9, 0.01]], "stride": 1.0}
    (folder / "checkpoints" / ".heldout.json").write_text(json.dumps(curve))
    options = ("--topic", topic, "--group", topic, "--checkpoint-dir", folder / "checkpoints")
    log = folder / "consumer.log"
    with started(
        log, connection.bootstrap_servers, *options, *SMALL, "--model", encoder
    ) as consumer:
        consumer.wait_for(lambda: "learning" in consumer.log)
        consumer.wait_for(lambda: consumer.progress()["documents"] == 160)
        yield consumer


def test_contents(browser: Browser, learning: Consumer) -> None:
    """The page shows accuracy, curve, recall and mistakes, without requests to other hosts."""
    page, activity = open_page(browser, learning.address, viewport={"width": 1280, "height": 900})
    expect(page.locator("#accuracy")).to_have_text(re.compile(r"^\d+\.\d %$"))
    expect(page.locator("#heldout")).to_have_text("90.0 %")
    expect(page.locator("#documents")).to_have_text("160 so far")
    expect(page.locator("#pace")).to_have_text("keeps up")
    assert page.locator("#curve polyline").count() == 3
    assert page.locator("#recall li").count() == 3
    assert page.locator("#experts li").count() == 3
    mistakes = page.locator("#mistakes li").count()
    assert 10 <= mistakes <= 50
    screenshot(page, "light")
    assert activity.errors == []
    assert {url.startswith((learning.address, "data:")) for url in activity.requests} == {True}


def test_markup_is_not_interpreted(browser: Browser, learning: Consumer) -> None:
    """Markup in a text or a label is shown as text."""
    page, activity = open_page(browser, learning.address)
    expect(page.locator("#mistakes li").first).to_contain_text("<script>")
    expect(page).to_have_title("newsreel")
    assert page.locator("main img, main script").count() == 0
    assert activity.errors == []


def test_mistakes_of_a_label(browser: Browser, learning: Consumer) -> None:
    """The selection of a label limits recall and mistakes to the label."""
    page, _ = open_page(browser, learning.address)
    page.get_by_label("of label").select_option(HOSTILE)
    assert page.locator("#recall li").count() == 1
    for verdict in page.locator("#mistakes .verdict").all_text_contents():
        assert HOSTILE in verdict
    page.get_by_label("of label").select_option("")
    assert page.locator("#recall li").count() == 3


def test_prediction_of_a_text(browser: Browser, learning: Consumer) -> None:
    """The form shows the prediction of a text with the most probable labels."""
    page, activity = open_page(browser, learning.address)
    page.get_by_label("A text").fill("orbit rocket moon launch satellite")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#answer p")).to_have_text("space")
    assert page.locator("#answer li").count() == 3
    assert activity.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_narrow_screen(browser: Browser, learning: Consumer, scheme: Any) -> None:
    """A narrow screen needs no horizontal scrolling, in light and dark colours."""
    size = {"width": 360, "height": 740}
    page, _ = open_page(browser, learning.address, viewport=size, color_scheme=scheme)
    expect(page.locator("#mistakes li").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(14, 19, 27)"
    assert dark == (scheme == "dark")
    screenshot(page, f"phone-{scheme}")


def test_updates(browser: Browser, learning: Consumer) -> None:
    """New progress appears without a reload; a stopped consumer is reported."""
    page, _ = open_page(browser, learning.address, color_scheme="dark")
    page.set_viewport_size({"width": 1280, "height": 900})
    screenshot(page, "dark")
    page.route("**/progress", lambda route: route.abort())
    expect(page.locator("#status")).to_have_text("the consumer does not answer")
    page.unroute("**/progress")
    expect(page.locator("#status")).to_have_text("learning")


def test_token(browser: Browser, learning: Consumer) -> None:
    """A page that gets 401 asks for the token and continues with it."""
    page = browser.new_page()

    def refuse(route: Any) -> None:
        if route.request.headers.get("authorization") == "Bearer open sesame":
            route.continue_()
        else:
            route.fulfill(status=401, body="a bearer token is needed")

    page.route("**/progress", refuse)
    page.goto(learning.address)
    page.get_by_label("This consumer asks for its token").fill("open sesame")
    page.get_by_role("button", name="Open").click()
    expect(page.locator("#status")).to_have_text("learning")
    expect(page.locator("#token")).to_be_hidden()


def test_api_documentation(browser: Browser, learning: Consumer) -> None:
    """The page /docs describes the API without requests to other hosts."""
    page = browser.new_page()
    activity = Activity(page)
    page.goto(learning.address + "/docs")
    expect(page.locator("h2").first).to_have_text("POST /predict")
    expect(page.locator("pre")).to_contain_text("/predict")
    expect(page.locator("#operations")).to_contain_text("401 token missing or wrong")
    expect(page.locator("#operations")).to_contain_text("413 body over 1 MiB")
    screenshot(page, "docs")
    assert activity.errors == []
    assert {url.startswith((learning.address, "data:")) for url in activity.requests} == {True}
