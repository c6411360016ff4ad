"""The page with the search box, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from browser import Browser, Page, find_chromium
from program import hits_of, post

pytestmark = pytest.mark.skipif(
    find_chromium() is None, reason="no chromium on PATH (Debian: apt-get install chromium)"
)

FIELD = "input[name=q]"
QUESTION = "compress a file"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Page:
    return browser.page()


@pytest.fixture(scope="module")
def expected(url: str) -> list[str]:
    """The titles that a program gets for the question."""
    answer = post(f"{url}/endpoints/search/invocations", {"query": QUESTION, "k": 5})
    return [str(hit["title"]) for hit in hits_of(answer)]


def ask(page: Page, url: str, question: str) -> None:
    page.goto(f"{url}/")
    assert page.count(".hit") == 0
    page.type(FIELD, question)
    page.press("Enter")
    page.wait_for(".hit")


def test_a_typed_question_shows_the_hits_that_a_program_gets(
    page: Page, url: str, expected: list[str]
) -> None:
    ask(page, url, QUESTION)
    assert page.texts(".hit .title")[: len(expected)] == expected
    assert all(page.texts(".hit"))
    assert page.evaluate(f"document.querySelector('{FIELD}').value") == QUESTION


def test_the_page_works_without_scripts(page: Page, url: str, expected: list[str]) -> None:
    page.disable_scripts()
    ask(page, url, QUESTION)
    assert page.texts(".hit .title")[: len(expected)] == expected


@pytest.mark.parametrize("width", [320, 390, 768])
def test_a_narrow_screen_needs_no_sideways_scrolling(page: Page, url: str, width: int) -> None:
    page.set_viewport(width, 844, phone=True)
    ask(page, url, QUESTION)
    # A phone lays a page out at 980 pixels unless the page says that it can be narrow.
    assert page.evaluate("innerWidth") == width
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_field_has_a_label_and_the_page_a_language(page: Page, url: str) -> None:
    page.goto(f"{url}/")
    named = (
        f"(field => field.labels.length > 0 || field.ariaLabel)(document.querySelector('{FIELD}'))"
    )
    assert page.evaluate(f"Boolean({named})")
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.evaluate("document.title")


def test_markup_in_a_question_is_shown_as_text(page: Page, url: str) -> None:
    question = "<img src=x onerror=\"document.title='run'\"> & \"quotes\" 'too'"
    ask(page, url, question)
    assert page.evaluate(f"document.querySelector('{FIELD}').value") == question
    assert page.evaluate("document.title") != "run"
    assert page.count("img[onerror]") == 0


def test_an_answer_has_an_address_of_its_own(
    browser: Browser, page: Page, url: str, expected: list[str]
) -> None:
    ask(page, url, QUESTION)
    address = page.evaluate("location.href")
    other = browser.page()
    other.goto(str(address))
    other.wait_for(".hit")
    assert other.texts(".hit .title")[: len(expected)] == expected


def test_nothing_is_loaded_from_elsewhere(page: Page, url: str) -> None:
    ask(page, url, QUESTION)
    loaded = page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)")
    assert isinstance(loaded, list)
    assert [name for name in loaded if not str(name).startswith(url)] == []
