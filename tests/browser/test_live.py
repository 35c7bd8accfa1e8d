"""The live webcam: a box and an answer over the picture, averaged with those before; without a camera, single shots."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from dashboards import PATIENCE, Server, quiet
from PIL import Image, ImageOps
from playwright.sync_api import Browser, Page, expect


@pytest.fixture
def before_camera(browser: Browser, chromium: str, photos: list[Path], tmp_path: Path) -> Iterator[Page]:
    """Return a tab of a Chromium before whose camera a photo is held."""
    frame = BytesIO()
    ImageOps.pad(Image.open(photos[0]).convert("RGB"), (640, 480)).save(frame, "JPEG")
    (tmp_path / "camera.mjpeg").write_bytes(frame.getvalue() * 20)
    camera = ["ui-for-media-stream", "device-for-media-stream"]
    flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    flags += [f"--use-fake-{one}" for one in camera]
    flags.append(f"--use-file-for-fake-video-capture={tmp_path / 'camera.mjpeg'}")
    started = browser.browser_type.launch(executable_path=chromium, args=flags)
    page = started.new_page()
    page.set_default_timeout(PATIENCE)
    yield page
    started.close()


def test_a_face_before_the_camera_is_boxed_and_answered(
    before_camera: Page, page: Page, fresh: Server, photos: list[Path]
) -> None:
    lab, live = fresh, "Live: an answer a second"
    pictures = {path for path in lab.home.rglob("*") if path.suffix in (".jpg", ".png")}
    before_camera.goto(lab.at("predict", **{"from": "webcam"}), wait_until="commit")
    before_camera.get_by_text(live).click()
    expect(before_camera.locator(".faces span")).to_contain_text(photos[0].parent.name)
    expect(before_camera.locator(".faces div")).to_be_visible()
    quiet(before_camera)
    before_camera.get_by_text(live).click()
    expect(before_camera.get_by_test_id("stCameraInput")).to_be_visible()
    assert pictures >= {path for path in lab.home.rglob("*") if path.suffix in (".jpg", ".png")}

    page.goto(lab.at("predict", **{"from": "webcam"}), wait_until="commit")  # nobody allows it
    page.get_by_text(live).click()
    expect(page.get_by_text("or switch Live off")).to_be_visible()
