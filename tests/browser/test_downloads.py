"""Every figure is saved as PNG, SVG and CSV from its small menu, on white whatever the page's colours."""

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from dashboards import Server
from PIL import Image
from playwright.sync_api import BrowserContext, Page, Route, expect


@pytest.fixture
def lab(answered: Server) -> Server:
    return answered


@pytest.fixture
def dark(visitor: Callable[..., BrowserContext]) -> Page:
    """Return a tab with a dark page."""
    return visitor(color_scheme="dark", viewport={"width": 1280, "height": 900}).new_page()


def save(page: Page, kind: str, target: Path) -> Path:
    """Open the first figure's menu, press one of its buttons and return the file."""
    choice = page.get_by_role("button", name=kind, exact=True)
    if not choice.count():
        page.get_by_role("button", name="Save", exact=True).first.click()
    with page.expect_download() as download:
        choice.click()
    assert download.value.suggested_filename.endswith(f".{kind.lower()}")
    download.value.save_as(target / download.value.suggested_filename)
    return target / download.value.suggested_filename


@pytest.mark.parametrize("view", ["All runs", "Two runs"])  # one figure of Plotly, one of Altair
def test_a_figure_is_saved_in_three_forms(
    dark: Page, lab: Server, generated: Path, view: str, tmp_path: Path
) -> None:
    dark.goto(lab.at("compare", data=str(generated), view=view), wait_until="commit")
    expect(
        dark.locator("[data-testid=stPlotlyChart] .main-svg, [data-testid=stVegaLiteChart] svg").first
    ).to_be_visible()
    png = Image.open(save(dark, "PNG", tmp_path)).convert("RGBA")
    assert png.getpixel((1, 1)) == (255, 255, 255, 255)
    darkest = min(sum(pixel[:3]) for _, pixel in png.getcolors(png.width * png.height) or ())
    assert darkest < 300  # texts are dark on it
    assert "<svg" in save(dark, "SVG", tmp_path).read_text(encoding="utf-8")
    rows = list(csv.DictReader(save(dark, "CSV", tmp_path).open(encoding="utf-8")))
    assert len(rows) == {"All runs": 2, "Two runs": 7}[view]


def test_a_button_pressed_before_the_figure_is_drawn_waits_for_it(
    dark: Page, lab: Server, generated: Path, tmp_path: Path
) -> None:
    held: list[Route] = []
    dark.route(re.compile(r"/static/js/.*[Pp]lotly.*\.js"), lambda route: held.append(route))
    dark.goto(lab.at("compare", data=str(generated), view="All runs"), wait_until="commit")
    dark.get_by_role("button", name="Save", exact=True).first.click()
    with dark.expect_download() as download:
        dark.get_by_role("button", name="PNG", exact=True).click()
        expect(dark.get_by_role("button", name="PNG", exact=True)).to_be_disabled()
        assert held
        assert not dark.locator(".js-plotly-plot").count()
        for request in held:
            request.continue_()
    download.value.save_as(tmp_path / "late.png")
    assert Image.open(tmp_path / "late.png").width > 400
    expect(dark.get_by_role("button", name="PNG", exact=True)).to_be_enabled()  # and the menu is still open


def test_a_table_gives_no_csv_of_its_own(page: Page, lab: Server, generated: Path) -> None:
    page.goto(lab.at(data=str(generated)), wait_until="commit")
    table = page.get_by_test_id("stDataFrame").filter(visible=True).first  # others are folded away
    expect(table).to_be_visible()
    table.hover()
    expect(page.get_by_role("button", name=re.compile("^Search")).first).to_be_visible()
    assert page.locator(
        "button[aria-label^='Download as CSV']"
    ).count()  # Streamlit still draws it under this name
    expect(page.get_by_role("button", name=re.compile("Download as CSV"))).to_have_count(0)
