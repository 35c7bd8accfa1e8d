"""One frame close up: all of it on one screen, and the next by a key."""

from pathlib import Path

from dashboards import Server, quiet
from faces_case import frame_name
from playwright.sync_api import Page, expect

NAMES = sorted(frame_name(index) for index in range(7))


def test_a_frame_fits_one_screen_and_keys_lead_on_and_back(page: Page, framed: tuple[Server, Path]) -> None:
    lab, folder = framed
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(lab.at("faces", data=str(folder), frame=NAMES[0]), wait_until="commit")
    expect(page.get_by_text("What the network sees")).to_be_visible()
    expect(page.get_by_role("button", name="Try other settings")).to_be_visible()
    expect(page.get_by_text("No face can be made out")).to_be_visible()
    quiet(page)
    main = page.get_by_test_id("stMain")
    page.wait_for_function(
        "document.querySelector('[data-testid=stMain]').scrollHeight <= window.innerHeight"
    )
    assert main.evaluate("area => area.scrollHeight <= area.clientHeight")

    quiet(page)
    page.keyboard.press("j")
    expect(page.get_by_text(NAMES[1], exact=True)).to_be_visible()
    quiet(page)
    page.keyboard.press("k")
    expect(page.get_by_text(NAMES[0], exact=True)).to_be_visible()
    for key, name in (("ArrowRight", NAMES[1]), ("ArrowLeft", NAMES[0])):
        quiet(page)
        page.keyboard.press(key)
        expect(page.get_by_text(name, exact=True)).to_be_visible()
    quiet(page)
    page.keyboard.press("n")
    expect(page.get_by_text(NAMES[2], exact=True)).to_be_visible()
