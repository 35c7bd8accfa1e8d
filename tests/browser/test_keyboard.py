"""From a figure to the wrong frames, one of them and its evidence, in Chromium without a mouse."""

from __future__ import annotations

import re
from pathlib import Path

from dashboards import Keys, Server, button, quiet
from playwright.sync_api import Page, expect

from fer_core.config.run import CLASSES
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
