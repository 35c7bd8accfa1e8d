"""A newcomer's way through the five pages in Chromium, from an empty state folder to a prediction.

Each step stands on the one before: run the file whole, in one process (`--dist loadfile` where there are several).
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from dashboards import Server, quiet
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect

from fer_core.ui.parts.gallery import PAGE_SIZE

#: The addresses of pictures that were asked for and did not come.
BROKEN = "[...document.images].filter(image => image.complete && !image.naturalWidth).map(image => image.src)"
LINKS = ("Faces", "Train", "Compare", "Predict", "Overview")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, server: Callable[..., Server]) -> Server:
    """Return a dashboard with an empty state folder; its worker is started by the first launch."""
    return server(tmp_path_factory.mktemp("home"), FER_DEVICE="cpu", FER_THREADS="1")


@pytest.fixture
def errors(page: Page) -> Iterator[list[str]]:
    """Collect what the page's console calls an error, and fail the test with it or with a picture that is broken.

    Opened at a sub-page, Streamlit's front end asks for its health below that page first: these two 404 are
    its way of finding the server. A picture of a view that is left while it loads is gone from the server, so
    pictures are judged by what the page shows at the end.
    """
    found: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        place = message.location.get("url", "")
        expected = place.endswith(("_stcore/health", "_stcore/host-config")) or "/media/" in place
        if message.type == "error" and not expected:
            found.append(f"{message.text} {place}")

    page.on("console", listen)
    page.on("pageerror", lambda error: found.append(str(error)))
    yield found
    quiet(page)
    assert not found
    page.wait_for_function("[...document.images].every(image => image.loading === 'lazy' || image.complete)")
    assert page.evaluate(BROKEN) == []


def at(lab: Server, data: Path, name: str = "", **query: object) -> str:
    return lab.at(name, data=str(data), **query)


def test_the_five_pages_open_one_after_another(
    page: Page, lab: Server, generated: Path, errors: list[str]
) -> None:
    page.goto(at(lab, generated), wait_until="commit")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    expect(page.get_by_text("Audit, before anything is trained")).to_be_visible()
    for name in LINKS:
        page.get_by_test_id("stSidebar").get_by_role("link", name=name).click()
        expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
        expect(page.get_by_role("combobox", name="Data set")).to_have_value(str(generated))
        expect(page).to_have_url(re.compile(re.escape(f"data={quote(str(generated), safe='')}")))


def test_faces_are_detected_from_the_page_and_survive_a_reload(
    page: Page, lab: Server, generated: Path, errors: list[str]
) -> None:
    page.goto(at(lab, generated, "faces"), wait_until="commit")
    page.get_by_role("button", name="Detect faces").click()
    tiles = page.locator(".fer-grid img")
    expect(tiles).to_have_count(PAGE_SIZE)
    page.reload(wait_until="commit")
    expect(tiles).to_have_count(PAGE_SIZE)
    assert all(tiles.nth(index).get_attribute("alt") for index in range(3))


def test_a_run_is_launched_watched_and_found_again_by_its_link(
    page: Page, lab: Server, generated: Path, errors: list[str], visitor: Callable[..., BrowserContext]
) -> None:
    query = {"backbone": "efficientnet_lite0", "epochs": 2, "folds": 2, "unfreeze": "1"}
    page.goto(at(lab, generated, "train", **query), wait_until="commit")
    page.get_by_role("button", name="Train 1 run").click()
    expect(page.get_by_text("Validation accuracy", exact=True)).to_be_visible()
    shown = page.get_by_test_id("stMetricValue").first.inner_text()
    expect(page).to_have_url(re.compile("[?&]run="))
    elsewhere = visitor().new_page()
    elsewhere.goto(page.url, wait_until="commit")
    expect(elsewhere.get_by_test_id("stMetricValue").first).to_have_text(shown)


def test_an_upload_is_classified(page: Page, lab: Server, generated: Path, errors: list[str]) -> None:
    page.goto(at(lab, generated, "predict"), wait_until="commit")
    page.locator("input[type=file]").set_input_files(sorted(generated.glob("happy/*.png"))[0])
    expect(page.get_by_text("put the same class first").first).to_be_visible()
    expect(page.get_by_role("button", name="JSON")).to_be_visible()


def test_compare_sets_the_run_beside_the_paper(
    page: Page, lab: Server, generated: Path, errors: list[str]
) -> None:
    page.goto(at(lab, generated, "compare"), wait_until="commit")
    expect(page.get_by_test_id("stPlotlyChart").first).to_be_visible()
