"""The gallery in Chromium: a frame opens in the same session, a return finds its place, ticks are kept and walked."""

from pathlib import Path

from dashboards import Server, quiet
from faces_case import frame_name
from playwright.sync_api import Page, expect

NAMES = sorted(frame_name(index) for index in range(7))


def test_a_return_finds_scroll_and_selection_and_the_selected_are_walked(
    page: Page, framed: tuple[Server, Path]
) -> None:
    lab, folder = framed
    page.set_viewport_size({"width": 700, "height": 420})
    page.goto(lab.at("faces", data=str(folder), stage="Faces"), wait_until="commit")
    ticks = page.locator(".fer-grid input")
    expect(ticks).to_have_count(7)
    quiet(page)
    page.get_by_label(f"Select {NAMES[4]}").check()
    expect(page.get_by_text("1 selected")).to_be_visible()
    quiet(page)
    page.get_by_label(f"Select {NAMES[1]}").check()
    expect(page.get_by_text("2 selected")).to_be_visible()
    quiet(page)
    page.evaluate("window.before = true")
    main = page.get_by_test_id("stMain")
    tile = page.get_by_role("link", name=NAMES[5])
    tile.scroll_into_view_if_needed()
    scrolled = main.evaluate("area => area.scrollTop")
    assert scrolled > 0
    tile.click()
    expect(page.get_by_text("What the network sees")).to_be_visible()
    assert page.evaluate("window.before")  # no other page was loaded
    quiet(page)
    page.keyboard.press("g")
    expect(ticks).to_have_count(7)
    page.wait_for_function(
        f"Math.abs(document.querySelector('[data-testid=stMain]').scrollTop - {scrolled}) < 2"
    )
    expect(page.locator(".fer-grid input:checked")).to_have_count(2)
    expect(tile).to_be_focused()

    quiet(page)
    page.get_by_role("button", name="Look through and draw").click()
    expect(page.get_by_text(NAMES[1], exact=True)).to_be_visible()
    for name in (NAMES[4], NAMES[1]):
        quiet(page)
        page.keyboard.press("n")
        expect(page.get_by_text(name, exact=True)).to_be_visible()
