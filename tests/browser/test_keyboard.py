"""Without a mouse, in Chromium: from a figure to the wrong frames and one's evidence, and all of Predict."""

from __future__ import annotations

import re
from pathlib import Path

from dashboards import Keys, Server, button, quiet
from playwright.sync_api import Page, expect

from fer_core.config.run import CLASSES
from fer_core.results.rows import title
from fer_core.storage.store import Store


def test_a_class_of_a_figure_leads_to_its_frames_and_one_of_them_by_keys_alone(
    page: Page, answered: Server, generated: Path
) -> None:
    run = Store(answered.home / "fer.sqlite", read_only=True).runs(status=["done"], goal="train")[0]
    press = Keys(page)
    page.goto(answered.at("train", data=str(generated), run=run.id), wait_until="commit")
    expect(page.get_by_text("Per class", exact=True)).to_be_visible()
    press(page.get_by_test_id("data-grid-canvas").filter(has_text="precision"), "ArrowDown")
    quiet(page)
    page.wait_for_function("document.activeElement.closest('[role=row]')")
    name = page.evaluate("document.activeElement.textContent")
    assert name in CLASSES
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"[?&]true={name}"))
    captions, tiles = page.locator(".fer-grid figcaption"), page.locator(".fer-grid a")
    expect(captions.first).to_be_visible()
    assert all(text.startswith(name) for text in captions.all_inner_texts())
    press(tiles.nth(1))
    expect(page.get_by_text("Nearest training faces of that network")).to_be_visible()
    quiet(page)
    page.keyboard.press("g")
    expect(tiles.nth(1)).to_be_focused()  # where it was left
    page.keyboard.press("Enter")
    press(button(page, "The whole frame, its box and why"))
    expect(page.get_by_role("heading", name="Faces", exact=True)).to_be_visible()
    assert press.count == 3


def test_photos_are_sent_shown_and_answered_by_another_run_by_keys_alone(
    page: Page, answered: Server, generated: Path
) -> None:
    run, other = Store(answered.home / "fer.sqlite", read_only=True).runs(status=["done"], goal="train")
    photos = sorted(generated.glob("*/*.png"))[:2]
    press = Keys(page)
    page.goto(answered.at("predict", data=str(generated), run=run.id), wait_until="commit")
    add = page.get_by_test_id("stFileUploader").get_by_role("button", name=re.compile("^(Upload|Add files)$"))
    shown = page.get_by_role("img", name=re.compile(" with "))
    for photo in photos:  # the one that is added is the one shown
        with page.expect_file_chooser() as asked:
            press(add)
        asked.value.set_files(photo)
        expect(shown).to_have_attribute("alt", re.compile(re.escape(photo.name)))

    press(page.get_by_role("radio", name="Table"), "ArrowRight")
    gallery = page.get_by_role("radio", name="Gallery")
    press(gallery, "Space")
    expect(gallery).to_be_checked()
    picture = page.get_by_role("button", name=photos[0].name, exact=True)
    press(picture)
    expect(shown).to_have_attribute("alt", re.compile(re.escape(photos[0].name)))
    quiet(page)
    expect(picture).to_be_focused()

    answers = page.get_by_role("combobox", name="Answered by")
    press.write(answers, title(other))
    press(answers)
    expect(page).to_have_url(re.compile(f"[?&]run={other.id}"))
    expect(page.get_by_text(f"{title(other)}, trained on")).to_be_visible()
    quiet(page)
    expect(answers).to_be_focused()
    press(page.locator("summary").filter(has_text="Options"))
    press(page.get_by_role("slider", name="Unsure below"), "ArrowRight")
    expect(page).to_have_url(re.compile("[?&]unsure=0.45"))
    quiet(page)
    expect(page.get_by_role("slider", name="Unsure below")).to_be_focused()
    expect(shown).to_have_attribute("alt", re.compile(re.escape(photos[0].name)))
    assert press.count == 9
