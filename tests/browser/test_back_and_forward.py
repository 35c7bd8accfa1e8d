"""Back and Forward in Chromium: each leads to what was looked at, with its choices, and loads no page anew."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from dashboards import Clicks, Server, quiet
from playwright.sync_api import Page, expect


def test_back_and_forward_walk_through_the_pages_a_frame_and_a_run(
    page: Page, answered: Server, generated: Path
) -> None:
    stops: list[tuple[str, str]] = []
    heading, tiles = page.get_by_role("heading", level=1), page.locator(".fer-grid a")
    click = Clicks(page)

    def reached(name: str) -> None:
        expect(heading).to_have_text(name)
        quiet(page)

    def leave() -> None:
        quiet(page)
        stops.append((page.url, heading.inner_text()))

    def to(name: str) -> None:
        leave()
        click(page.get_by_test_id("stSidebar").get_by_role("link", name=name))
        reached(name)

    page.goto(answered.at(data=str(generated)), wait_until="commit")
    reached("Overview")
    page.evaluate("window.same = true")
    to("Faces")
    click(page.get_by_role("radio", name="Failed detections"))
    expect(page.get_by_text("What became of the frames, per class")).to_be_visible()
    leave()
    click(tiles.first)
    expect(page.get_by_text("What the network sees")).to_be_visible()
    to("Train")
    to("Compare")
    click(page.get_by_role("radio", name="Learning curves"))
    expect(page.get_by_role("heading", name="Learning curves")).to_be_visible()
    to("Train")
    to("Compare")  # which kept its view
    expect(page.get_by_role("radio", name="Learning curves")).to_be_checked()
    click(page.get_by_role("radio", name="All runs"))
    table = page.get_by_role("region", name="Table of 2 runs")
    name = table.get_by_test_id("glide-cell-1-0")
    expect(name).to_be_attached()
    leave()
    table.scroll_into_view_if_needed()
    title, box = name.text_content() or "", page.get_by_test_id("stDataFrame").first.bounding_box()
    assert title
    assert box
    click.at(box["x"] + 180, box["y"] + 35 * 1.5)
    expect(heading).to_contain_text(title)
    leave()
    assert click.count == 10
    for turn, way in ((page.go_back, stops[-2::-1]), (page.go_forward, stops[1:])):
        for url, shown in way:
            turn()
            expect(page).to_have_url(url)
            reached(shown)
    assert page.evaluate("window.same"), "no page was loaded anew"


#: Back, and once more at once, or while the page to come takes the place of the one that is left.
TWICE = {
    "at once": "history.back(); addEventListener('popstate', () => setTimeout(() => history.back()), {once: true})",
    "between pages": """
        const remove = document.removeEventListener;
        document.removeEventListener = (...heard) => {
          remove.apply(document, heard);
          if (heard[0] !== "click") return;
          document.removeEventListener = remove;
          setTimeout(() => history.back());
        };
        history.back();
    """,
}


@pytest.mark.parametrize("when", TWICE)
def test_back_pressed_twice_leaves_the_way_forward(
    page: Page, answered: Server, generated: Path, when: str
) -> None:
    heading, stops = page.get_by_role("heading", level=1), list[str]()
    page.goto(answered.at(data=str(generated)), wait_until="commit")
    for name in ("Compare", "Train", "Faces"):
        quiet(page)
        page.get_by_test_id("stSidebar").get_by_role("link", name=name).click()
        expect(heading).to_have_text(name)
        stops.append(page.url)
    quiet(page)
    page.evaluate(f"() => {{{TWICE[when]}}}")
    expect(page).to_have_url(stops[0])
    expect(heading).to_have_text("Compare")
    quiet(page)
    for url in stops[1:]:
        page.evaluate("history.forward()")
        page.wait_for_url(url, wait_until="commit")
    expect(heading).to_have_text("Faces")
    quiet(page)
    expect(page).to_have_url(stops[-1])


def test_a_run_of_a_table_opens_in_this_tab_and_with_control_in_another(
    page: Page, answered: Server, generated: Path
) -> None:
    page.goto(answered.at("compare", data=str(generated)), wait_until="commit")
    table = page.get_by_role("region", name="Table of 2 runs")
    cell = table.get_by_test_id("glide-cell-0-0")
    expect(cell).to_be_attached()
    quiet(page)
    link, box = cell.text_content() or "", page.get_by_test_id("stDataFrame").first.bounding_box()
    assert box
    page.evaluate("window.same = true")
    page.mouse.move(box["x"] + 35, box["y"] + 35 * 1.5, steps=4)
    page.keyboard.down("Control")
    with page.context.expect_page() as opened:
        page.mouse.click(box["x"] + 35, box["y"] + 35 * 1.5)
    page.keyboard.up("Control")
    assert link.removeprefix(".") in opened.value.url
    opened.value.close()
    expect(page).to_have_url(re.compile("/compare"))
    page.mouse.move(box["x"] + 36, box["y"] + 35 * 1.5)
    page.mouse.click(box["x"] + 36, box["y"] + 35 * 1.5)
    expect(page).to_have_url(re.compile(re.escape(link.removeprefix("."))))
    assert page.evaluate("window.same"), "no page was loaded anew"
