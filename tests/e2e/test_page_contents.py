"""The live page with unusual contents, and behind a proxy, in headless Chromium."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from loops import build_loop, numbered, read
from pages import CHROMIUM, Activity, open_page, screenshot
from playwright.sync_api import Browser, Locator, expect
from prometheus_client import CollectorRegistry
from proxy import proxy
from pydantic import SecretStr

from consumer.checkpoints.store import CheckpointStore
from consumer.evaluation.evaluator import LabelProbability, Prediction
from consumer.monitoring.progress import Progress
from consumer.web import api, server
from consumer.web.serving import Answer
from consumer.web.status import Health, Status
from newsreel.events.document import Document

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")

TOKEN = "open sesame"

ARABIC, HEBREW = "دعم (1)", "חיוב 2"

FORWARD = """label => {
    const number = document.createRange();
    number.selectNode(label.nextSibling);
    return [label.getBoundingClientRect().right, number.getBoundingClientRect().left];
}"""
"""Where a label ends and where the number after it begins."""


@contextmanager
def page(
    folder: Path,
    documents: Sequence[Document],
    top: Sequence[tuple[str, float]] = (),
    batch_size: int = 4,
    token: str | None = None,
    waiting: Callable[[], str | None] = lambda: None,
    notices: Callable[[], Collection[str]] = tuple,
) -> Iterator[str]:
    """Serve the page of a run that has read documents; each question is answered with ``top``."""
    progress, health = Progress(), Health()
    health.begin(lambda: None, [waiting], notices)
    # The stream goes on: a micro-batch that is not full waits.
    for step in read(build_loop(batch_size=batch_size), documents, ends=not documents):
        progress.observe(step)
    label, share = top[0] if top else (None, 0.0)
    prediction = Prediction(Document("", ""), LabelProbability(label, share, share), top=top)
    about = {"learner": "bayes", "encoder": "tiny"}
    status = Status(progress, health, CheckpointStore(folder, keep=1), about)
    app = api.app(
        server.monitoring(CollectorRegistry(), lambda: None, lambda: None),
        status.snapshot,
        lambda texts: Answer([prediction] * len(texts), None, 1),
        lambda: status.model([]),
        lambda count, seconds: None,
        "0",
    )
    secret = None if token is None else SecretStr(token)
    with server.serve(app, "127.0.0.1", 0, secret, api.OPEN_PATHS) as address:
        yield address


def ask(found: Locator) -> None:
    found.page.get_by_label("A text").fill("anything")
    found.page.get_by_role("button", name="Predict").click()


def test_labels_that_are_numbers(browser: Browser, tmp_path: Path) -> None:
    """Numeric labels come in the order of probability, and stand apart from the numbers."""
    labels = ["4"] * 8 + ["10", "4", "1", "4", "2", "4", "10", "4"] * 2
    top = [("4", 0.5), ("10", 0.3), ("1", 0.15), ("2", 0.05)]
    with page(tmp_path, numbered(labels), top) as address:
        shown, activity = open_page(browser, address)
        ask(shown.locator("#ask"))
        expect(shown.locator("#answer .label").first).to_have_text("4")
        names = shown.locator("#answer li .label").all_text_contents()
        assert names == [label for label, _ in top]
        shares = shown.locator("#answer li .value").all_text_contents()
        assert shares == ["50.0 %", "30.0 %", "15.0 %", "5.0 %"]
        verdict = shown.locator("#mistakes .verdict").first
        assert verdict.locator(".label").count() >= 2
        border = "label => getComputedStyle(label).borderTopWidth"
        assert verdict.locator(".label").first.evaluate(border) == "1px"
        options = shown.locator("#label option").all_text_contents()
        assert options == ["all", "1", "2", "4", "10"]
        recalls = shown.locator("#recall li").all_text_contents()
        assert [line.partition("0.0 %")[0] for line in recalls[:3]] == ["1", "2", "10"]
        screenshot(shown, "numbers")
        assert activity.errors == []


def test_scripts_that_are_written_from_right_to_left(browser: Browser, tmp_path: Path) -> None:
    """Right-to-left labels and texts are isolated: numbers stay behind their labels."""
    text = f"{HEBREW}! גול 3:2 (hockey)."
    documents = [Document(str(n), text, (ARABIC, HEBREW)[n % 2]) for n in range(16)]
    with page(tmp_path, documents, [(HEBREW, 0.75), (ARABIC, 0.25)]) as address:
        shown, activity = open_page(browser, address)
        ask(shown.locator("#ask"))
        expect(shown.locator("#answer li")).to_have_count(2)
        places = ("#answer p", "#answer li", "#recall li", "#mistakes .verdict")
        for place in places:
            for found in shown.locator(place).all():
                assert found.locator("bdi").first.text_content() in {ARABIC, HEBREW}
        for label in shown.locator("#mistakes .verdict .label").all():
            if label.evaluate("label => label.nextSibling !== null"):
                end, begin = label.evaluate(FORWARD)
                assert end <= begin + 1
        text_style = "text => getComputedStyle(text).direction"
        assert shown.locator("#mistakes .text").first.evaluate(text_style) == "rtl"
        assert shown.locator("#label option").nth(1).get_attribute("dir") == "auto"
        shown.get_by_label("A text").fill(text)
        assert shown.get_by_label("A text").evaluate(text_style) == "rtl"
        screenshot(shown, "right-to-left")
        assert activity.errors == []


@pytest.mark.parametrize(
    ("labels", "missing"),
    [
        ([], "the first document"),
        ([None] * 7, "the first label (documents so far: 7)"),
        (["a", "b"] * 6, "the first learning step: 12 of its 32 documents are here"),
        ([*[None] * 40, "a"], "the first learning step: 9 of its 32 documents are here"),
    ],
)
def test_quiet_topic(
    browser: Browser, tmp_path: Path, labels: list[str | None], missing: str
) -> None:
    """Before the first learning step, the page says what that step waits for."""
    with page(tmp_path, numbered(labels), batch_size=32) as address:
        shown, activity = open_page(browser, address, f"waiting for {missing}")
        ask(shown.locator("#ask"))
        expect(shown.locator("#answer p")).to_have_text(
            f"nothing is learned yet: waiting for {missing}"
        )
        assert activity.errors == []


def test_notices(browser: Browser, tmp_path: Path) -> None:
    """Notices stand beside the state until they are over; what documents wait for stands alone."""
    thin = "partition 0 of 'documents' has too few replicas in sync (1 at least)"
    notices, reasons = [thin, "a label is late"], list[str]()

    def waiting() -> str | None:
        return "; ".join(reasons) or None

    with page(tmp_path, numbered("ab" * 8), waiting=waiting, notices=lambda: notices) as address:
        shown, activity = open_page(browser, address, f"learning; {thin}; a label is late")
        status = shown.locator("#status")
        expect(status).to_have_attribute("data-state", "learning")
        screenshot(shown, "notices")
        reasons.append("partition 1 of 'documents' has no leader")
        expect(status).to_have_text(reasons[0])
        expect(status).to_have_attribute("data-state", "waiting")
        reasons.clear()
        notices.clear()
        expect(status).to_have_text("learning")
        assert activity.errors == []


@pytest.mark.parametrize("prefix", ["/newsreel/", "/a/b%20c/"])
def test_path_of_a_proxy(browser: Browser, tmp_path: Path, prefix: str) -> None:
    """Below a path of a proxy, page, token, questions and API documentation work."""
    with (
        page(tmp_path, numbered("ab" * 8), [("a", 1.0)], token=TOKEN) as target,
        proxy(target, prefix) as address,
    ):
        shown = browser.new_page()
        activity = Activity(shown)
        shown.goto(address)
        shown.get_by_label("This consumer asks for its token").fill(TOKEN)
        shown.get_by_role("button", name="Open").click()
        expect(shown.locator("#status")).to_have_text("learning")
        assert shown.locator("#curve polyline").count() == 2
        font = "body => getComputedStyle(body).maxWidth"
        assert shown.locator("body").evaluate(font) != "none"  # the style sheet has arrived
        ask(shown.locator("#ask"))
        expect(shown.locator("#answer .label").first).to_have_text("a")
        shown.get_by_role("link", name="API").click()
        expect(shown.locator("h2").first).to_have_text("POST /predict")
        expect(shown.locator("pre")).to_contain_text(f"curl {address}predict")
        link = shown.get_by_role("link", name="openapi.json").evaluate("link => link.href")
        assert shown.request.get(link).json()["servers"] == [{"url": "."}]
        shown.get_by_role("link", name="live page").click()
        expect(shown.locator("#status")).to_have_text("learning")
        assert {url.startswith((address, "data:")) for url in activity.requests} == {True}
        assert all("401" in error for error in activity.errors)
        shown.close()
