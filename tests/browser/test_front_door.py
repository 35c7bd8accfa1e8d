"""For those who have nothing yet: a first start, an answer without a run, a demo from its link to the evidence."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_case import at_home
from dashboards import PATIENCE, Clicks, Server, quiet
from playwright.sync_api import BrowserContext, Page, expect

from fer_core.cli.main import main
from fer_core.config.run import CLASSES
from fer_core.storage.store import Store


def test_a_first_start_shows_how_far_it_is_then_faces_and_an_answer_two_clicks_on(
    page: Page, fresh: Server
) -> None:
    click = Clicks(page)
    page.goto(fresh.url, wait_until="commit")
    expect(page.get_by_text("The generated faces are being made")).to_be_visible()
    expect(page.get_by_text("The first five minutes")).to_be_visible()
    expect(page.get_by_text(re.compile(r"\d+ of 480 · .+ left"))).to_be_visible()
    expect(page.get_by_text("480 frames:")).to_contain_text("found", timeout=4 * PATIENCE)
    expect(page.locator(".fer-grid").get_by_role("img", name="(found)")).to_have_count(len(CLASSES))
    expect(page.get_by_role("button", name="Train n = 1, 2, 3")).to_be_enabled()
    click(page.get_by_role("link", name="4. Predict"))
    click(page.get_by_role("button", name="Try face 1", exact=True))
    expect(page.get_by_role("img", name="Crop of face 1")).to_be_visible()
    expect(page.get_by_text(re.compile("Most likely|No class reaches"))).to_be_visible()
    assert click.count == 2


def test_a_photo_is_answered_on_an_empty_installation(page: Page, fresh: Server, photos: list[Path]) -> None:
    page.goto(fresh.at("predict"), wait_until="commit")
    first, second = photos[0], photos[-1]
    page.locator("input[type=file]").set_input_files(first)
    expect(page.get_by_role("heading", name=first.parent.name.capitalize(), exact=True)).to_be_visible()
    expect(page.get_by_text("Most likely")).to_be_visible()
    expect(page.get_by_role("img", name="Grad-CAM of face 1")).to_be_visible()
    expect(page.get_by_text("right on about two thirds of such pictures").first).to_be_visible()
    expect(page.get_by_text("a guess about a picture")).to_be_visible()

    quiet(page)
    page.locator("input[type=file]").set_input_files(second)  # what is added is what is shown
    expect(page.get_by_role("img", name=f"{second.name} with 1 faces boxed")).to_be_visible()
    expect(page.get_by_role("heading", name=second.parent.name.capitalize(), exact=True)).to_be_visible()
    page.get_by_role("radio", name="Gallery").click()
    quiet(page)
    picture = page.get_by_role("button", name=first.name, exact=True)
    picture.focus()
    picture.press("Enter")
    expect(page.get_by_role("img", name=f"{first.name} with 1 faces boxed")).to_be_visible()


def test_a_published_demo_leads_from_its_link_to_an_answer_and_its_evidence_in_two_clicks(
    server: Callable[..., Server], trained: Path, tmp_path: Path, visitor: Callable[..., BrowserContext]
) -> None:
    run = Store(trained / "fer.sqlite").runs(status=["done"], goal="train")[0]
    with pytest.MonkeyPatch.context() as patch:
        at_home(patch, trained)
        assert main(["publish", "--run", run.id, "-o", str(tmp_path / "demo"), "--pictures", "none"]) == 0
    shutil.move(tmp_path / "demo", tmp_path / "elsewhere")
    demo = server(FER_DEMO=str(tmp_path / "elsewhere"), FER_DEVICE="cpu", FER_THREADS="1")
    phone = visitor(viewport={"width": 390, "height": 844}).new_page()
    phone.goto(demo.url, wait_until="commit")
    expect(phone.get_by_text("which of seven expressions it shows")).to_be_visible()
    expect(phone).to_have_url(re.compile("/predict"))
    quiet(phone)
    expect(phone.get_by_role("img", name="Try face 1")).to_have_js_property("complete", True)
    face = phone.get_by_role("button", name="Try face 1", exact=True)
    assert (box := face.bounding_box())
    assert min(box["width"], box["height"]) > 48, "a finger's width"
    face.click()
    expect(phone.get_by_role("img", name="Crop of face 1")).to_be_visible()
    expect(phone.get_by_text(re.compile("Most likely|No class reaches"))).to_be_visible()
    expect(phone.get_by_text("were right").or_(phone.get_by_text("in its test"))).to_be_visible()
    expect(phone.get_by_text("were not published")).to_be_visible()
    quiet(phone)
    phone.get_by_role("link", name="How it was made and measured").click()
    expect(phone.get_by_role("heading", name="How often it is right")).to_be_visible()
    expect(phone.get_by_text("95 % interval").first).to_be_visible()
    expect(phone.get_by_test_id("stSidebar").get_by_role("link", name="Train")).to_have_count(0)
