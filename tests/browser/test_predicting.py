"""Predict in a browser: an upload explained, a webcam shot, a shared link, a face drawn by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dashboards import PATIENCE, Clicks, Server, quiet
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect

from fer_core.results.rows import title
from fer_core.storage.store import Store, StoredRun

CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@pytest.fixture
def lab(answered: Server) -> Server:
    return answered


def at(lab: Server, data: Path, **query: object) -> str:
    return lab.at("predict", data=str(data), **query)


def test_an_upload_is_answered_then_another_then_by_another_run_and_back_in_four_clicks(
    page: Page, lab: Server, generated: Path
) -> None:
    run, other = Store(lab.home / "fer.sqlite").runs(status=["done"], goal="train")
    first, second = sorted(generated.glob("*/*.png"))[:2]
    page.goto(at(lab, generated, run=run.id), wait_until="commit")
    expect(page.get_by_text("which of seven expressions it shows")).to_be_visible()
    click = Clicks(page)

    def send(photo: Path) -> None:
        with page.expect_file_chooser() as asked:
            click(
                page.get_by_test_id("stFileUploader").get_by_role(
                    "button", name=re.compile("^(Upload|Add files)$")
                )
            )
        asked.value.set_files(photo)

    def answered_by(one: StoredRun) -> None:
        expect(page.get_by_text(f"{title(one)}, trained on")).to_be_visible()
        expect(page.get_by_role("combobox", name="Answered by")).to_have_value(re.compile(title(one)))
        expect(page).to_have_url(re.compile(f"[?&]run={one.id}"))

    send(first)
    expect(page.get_by_role("img", name="Crop of face 1").first).to_be_visible()
    expect(page.get_by_role("img", name="Grad-CAM of face 1").first).to_be_visible()
    expect(page.get_by_role("img", name="Training face near face 1").first).to_be_visible()
    expect(page.get_by_test_id("stVegaLiteChart").first).to_be_visible()
    expect(page.get_by_text("not calibrated", exact=True).first).to_be_visible()
    quiet(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    assert "confidence" in download.value.path().read_text().splitlines()[0]

    send(second)  # what was added is what is shown
    shown = page.get_by_role("img", name=f"{second.name} with")
    expect(shown).to_be_visible()
    answered_by(run)
    click(page.get_by_role("combobox", name="Answered by"))
    click(page.get_by_role("option", name=title(other)))
    answered_by(other)
    expect(shown).to_be_visible()
    quiet(page)
    page.go_back()
    answered_by(run)
    expect(shown).to_be_visible()
    assert click.count == 4


def test_a_batch_has_a_table_a_gallery_and_a_zip(page: Page, lab: Server, generated: Path) -> None:
    page.goto(at(lab, generated), wait_until="commit")
    page.locator("input[type=file]").set_input_files(sorted(generated.glob("*/*.png"))[:3])
    expect(page.get_by_test_id("stDataFrame").first).to_be_visible()
    page.get_by_role("radio", name="Gallery").click()
    name = sorted(generated.glob("*/*.png"))[1].name
    page.get_by_role("button", name=name, exact=True).click()
    expect(page.get_by_role("img", name=f"{name} with").first).to_be_visible()
    quiet(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Annotated images").click()
    assert download.value.path().read_bytes().startswith(b"PK")


def test_a_link_shows_the_same_view_in_another_browser(
    page: Page, lab: Server, generated: Path, visitor: Callable[..., BrowserContext]
) -> None:
    page.goto(at(lab, generated, **{"from": "sample", "unsure": "0.9"}), wait_until="commit")
    expect(page.get_by_role("img", name="Grad-CAM").first).to_be_visible()
    expect(page.get_by_text("perhaps", exact=False).first).to_be_visible()
    shown = page.get_by_role("heading", level=2).all_inner_texts()
    picture = page.get_by_role("img", name="faces boxed").first.get_attribute("alt")
    assert shown
    for part in ("run=", "image=", "from=sample"):
        expect(page).to_have_url(re.compile(f"[?&]{part}"))
    elsewhere = visitor(viewport={"width": 1280, "height": 1000}).new_page()
    elsewhere.goto(page.url, wait_until="commit")
    expect(elsewhere.get_by_role("img", name="Grad-CAM").first).to_be_visible()
    expect(elsewhere.get_by_role("img", name="faces boxed").first).to_have_attribute("alt", picture or "")
    expect(elsewhere.get_by_role("heading", level=2)).to_have_text(shown)


def test_where_no_face_is_found_a_drawn_box_is_classified(
    page: Page, lab: Server, generated: Path, tmp_path: Path
) -> None:
    Image.new("RGB", (320, 240), (90, 120, 90)).save(tmp_path / "plain.png")
    page.goto(at(lab, generated), wait_until="commit")
    page.locator("input[type=file]").set_input_files(tmp_path / "plain.png")
    expect(page.get_by_text("No face was found").first).to_be_visible()
    expect(page.get_by_text("Why: what each stage kept and removed")).to_be_visible()
    quiet(page)
    frame = page.locator(".stage img").first
    expect(frame).to_be_visible()
    frame.scroll_into_view_if_needed()
    edges = frame.bounding_box()
    assert edges is not None
    page.mouse.move(edges["x"] + edges["width"] * 0.3, edges["y"] + edges["height"] * 0.3)
    page.mouse.down()
    page.mouse.move(edges["x"] + edges["width"] * 0.6, edges["y"] + edges["height"] * 0.7, steps=4)
    page.mouse.up()
    quiet(page)
    page.get_by_role("button", name="Classify this box").click()
    expect(page.get_by_text("drawn by hand").first).to_be_visible()


@pytest.fixture
def camera(browser: Browser, chromium: str) -> Iterator[Page]:
    """Return a tab of a Chromium with a made-up camera."""
    with_camera = browser.browser_type.launch(
        executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", *CAMERA]
    )
    context = with_camera.new_context(permissions=["camera"])
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    with_camera.close()


def test_a_webcam_shot_is_classified(camera: Page, lab: Server, generated: Path) -> None:
    camera.goto(at(lab, generated, **{"from": "webcam"}), wait_until="commit")
    # Streamlit's button does nothing before the camera's first picture has come: wait, as a visitor would, to see it.
    camera.wait_for_function(
        "document.querySelector('video')?.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA"
    )
    camera.get_by_role("button", name="Take Photo").click()
    expect(camera.get_by_text("webcam.jpg ·").first).to_be_visible()
    expect(camera.get_by_role("img", name="Grad-CAM").first).to_be_visible()
