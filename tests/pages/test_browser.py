"""The page of `rnn-sentiment try` in a real browser: one server, whose answers are compared with those of `predict`."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import keras
import pytest

from rnnapps.apps.sentiment.cli import TASK, main
from rnnapps.apps.sentiment.model import SentimentClassifier
from rnnapps.cli import try_page
from rnnapps.pages.server import running
from tests.apps.contract import invoke, write_config
from tests.pages.browser import chromium

TEXTS = ("a superb film", "an awful film, awful")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of a small model with random weights."""
    folder = tmp_path_factory.mktemp("page") / "run"
    folder.mkdir()
    keras.utils.set_random_seed(1)
    model = SentimentClassifier(
        ["a", "film", "superb", "awful"], ("bad", "good"), ngram_bins=64, units=8, embedding_units=8
    )
    model.build()
    for layer in (model.embedding, model.head):  # so that answers differ
        layer.set_weights([20 * weights for weights in layer.get_weights()])
    model.save(folder / "model.keras")
    write_config(folder, TASK)
    return folder


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def address(run, browser) -> Iterator[str]:
    """The page of `rnn-sentiment try RUN`, served until the tests of this module are over."""
    found: list[str] = []
    ready, over = threading.Event(), threading.Event()

    def show(page, host, port, share, browser):
        with running(page, host, port, share) as url:
            found.append(url)
            ready.set()
            over.wait()

    def serve():
        with main.make_context("rnn-sentiment", ["try", str(run)]) as context:
            main.invoke(context)

    with pytest.MonkeyPatch.context() as patched, ThreadPoolExecutor() as pool:
        patched.setattr(try_page, "show", show)
        done = pool.submit(serve)
        done.add_done_callback(lambda _: ready.set())
        ready.wait()
        try:
            if not found:
                done.result()
            yield found[0]
        finally:
            over.set()


@pytest.fixture
def page(browser, address):
    """A new user: a context of its own, in which nothing is requested from other servers."""
    with user(browser, address) as page:
        yield page


class user:
    """A page in a context of its own."""

    def __init__(self, browser, address, width=1280):
        self.context = browser.new_context(viewport={"width": width, "height": 900})
        self.address = address

    def __enter__(self):
        page = self.context.new_page()
        page.set_default_timeout(60_000)
        self.requested: list[str] = []
        page.on("request", lambda request: self.requested.append(request.url))
        page.goto(self.address)
        page.get_by_label("Text", exact=True).wait_for()
        return page

    def __exit__(self, *error):
        self.context.close()
        hosts = {urlsplit(url).hostname for url in self.requested if urlsplit(url).scheme.startswith(("http", "ws"))}
        assert hosts == {"127.0.0.1"}


@pytest.fixture(scope="module")
def expected(run):
    """What `predict` answers to each text: the label, and its probability as the page writes it."""
    lines = invoke(main, "predict", run, "--json", "--", *TEXTS).stdout.splitlines()
    answers = [json.loads(line) for line in lines]
    return {text: (answer["label"], f"{answer['score']:.0%}") for text, answer in zip(TEXTS, answers, strict=True)}


def shown(page):
    """The label of the page's answer, and its probability."""
    answer = page.get_by_test_id("label-output-value")
    answer.wait_for()
    return answer.inner_text(), page.get_by_text(re.compile(r"^\d+%$")).first.inner_text()


def test_a_typed_text_is_answered_as_predict_does_and_its_words_are_coloured(expected, page):
    page.get_by_label("Text", exact=True).fill(TEXTS[0])
    page.get_by_role("button", name="Answer").click()
    assert shown(page) == expected[TEXTS[0]]
    assert page.locator(".words").inner_text() == TEXTS[0]
    assert page.locator(".words mark").count() > 0
    assert len(page.screenshot()) > 10_000


def test_an_empty_text_is_a_sentence_and_the_next_answer_takes_its_place(page):
    page.get_by_role("button", name="Answer").click()
    alert = page.get_by_role("alert").filter(has_text="Type a text first")
    alert.wait_for()
    assert "Traceback" not in page.content()
    page.get_by_label("Text", exact=True).fill(TEXTS[1])
    page.get_by_role("button", name="Answer").click()
    page.locator(".words").wait_for()
    assert alert.count() == 0


def test_two_users_at_once_get_their_own_answers(expected, browser, address):
    with user(browser, address) as one, user(browser, address) as two:
        for _ in range(3):
            for page, text in ((one, TEXTS[0]), (two, TEXTS[1])):
                page.get_by_label("Text", exact=True).fill(text)
            for page in (one, two):
                page.get_by_role("button", name="Answer").click()
            for page, text in ((one, TEXTS[0]), (two, TEXTS[1])):
                page.locator(".words").filter(has_text=text).wait_for()
                assert shown(page) == expected[text]


def test_the_keyboard_is_enough(expected, page):
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "TEXTAREA":
            break
    page.keyboard.type(TEXTS[0])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Answer"
    page.keyboard.press("Enter")
    assert shown(page) == expected[TEXTS[0]]
    page.keyboard.press("Tab")  # the first example
    page.keyboard.press("Enter")
    page.locator(".words").filter(has_text="superb film: funny").wait_for()


def test_a_narrow_screen_does_not_scroll_sideways(browser, address):
    with user(browser, address, width=390) as page:
        page.get_by_label("Text", exact=True).fill("word" * 100 + " superb " + "long " * 300)
        page.get_by_role("button", name="Answer").click()
        page.locator(".words").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") == 390
