"""A box drawn on a failed frame: seen, counted and kept, by mouse, by keyboard and by choosing a face."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dashboards import Server, button, quiet
from faces_case import FRAMES, detect, frame_name, make_frames
from playwright.sync_api import BrowserContext, Locator, Page, expect

from fer_core.datasets.fingerprint import data_config
from fer_core.datasets.open import open_dataset
from fer_core.storage.store import Store


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_frames(tmp_path_factory.mktemp("data") / "small")


@pytest.fixture(scope="module")
def lab(frames: Path, tmp_path_factory: pytest.TempPathFactory, server: Callable[..., Server]) -> Server:
    """A dashboard whose faces have been detected."""
    home = tmp_path_factory.mktemp("home")
    detect(frames, home)
    return server(home)


def open_frame(page: Page, lab: Server, frames: Path, index: int) -> Locator:
    page.goto(lab.at("faces", data=str(frames), frame=frame_name(index)), wait_until="commit")
    stage = page.locator(".stage")
    expect(stage).to_be_visible()
    page.wait_for_function(IMAGE_THERE)
    quiet(page)
    return stage


IMAGE_THERE = """() => {
  const find = (root) => [...root.querySelectorAll('*')].flatMap((e) => e.shadowRoot
    ? [...e.shadowRoot.querySelectorAll('.stage img')] : []);
  return find(document).some((image) => image.complete && image.naturalWidth > 0);
}"""


def settled(page: Page, stage: Locator) -> dict[str, float]:
    """Return where the frame is once it has stopped moving: what appears above it pushes it down."""
    before: Any = None
    while (area := stage.locator("img").bounding_box()) is None or area != before:
        before = area
        page.wait_for_timeout(200)
    return dict(area)


def press(page: Page, name: str) -> None:
    """Press the button of this name once the one that it replaces has left."""
    quiet(page)
    page.get_by_role("button", name=name).click()


def drag(page: Page, stage: Locator, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag from one place to another, both as shares of the frame."""
    stage.scroll_into_view_if_needed()
    area = settled(page, stage)
    points = [(area["x"] + a * area["width"], area["y"] + b * area["height"]) for a, b in (start, end)]
    page.mouse.move(*points[0])
    page.mouse.down()
    page.mouse.move(*points[1], steps=6)
    page.mouse.up()


def stored(lab: Server, frames: Path) -> dict[str, dict[str, Any]]:
    data = data_config(open_dataset(str(frames)), cache=lab.home / "cache")
    table = Store(lab.home / "fer.sqlite").manual_boxes(data.fingerprint)
    return {row["name"]: row for row in table.to_dict("records")}


def test_a_drawn_box_turns_a_failed_frame_manual_and_is_kept(page: Page, lab: Server, frames: Path) -> None:
    none = sum(faces == 0 for *_, faces in FRAMES)
    stage = open_frame(page, lab, frames, 0)
    counts = page.get_by_text(re.compile(r"^7 frames:"))
    expect(counts).to_contain_text(f"none {none}")
    save = button(page, "Save box")
    expect(save).to_be_disabled()

    drag(page, stage, (0.6, 0.2), (0.85, 0.65))
    expect(page.locator(".said")).to_have_text(
        re.compile(r"Box from \(19[12], 4[78]\) to \(27[12], 15[567]\)")
    )
    expect(save).to_be_enabled()
    save.click()

    expect(counts).to_contain_text("manual 1")
    expect(counts).to_contain_text(f"none {none - 1}")
    expect(page.get_by_text(re.compile("Drawn by local"))).to_be_visible()
    entry = stored(lab, frames)[frame_name(0)]
    assert [entry[side] for side in ("x1", "y1", "x2", "y2")] == pytest.approx([192, 48, 272, 156], abs=2)
    assert entry["author"] == "local"

    page.reload(wait_until="commit")
    expect(counts).to_contain_text("manual 1")
    expect(page.locator(".said")).to_contain_text("Box from (19")

    press(page, "Remove")
    expect(counts).to_contain_text(f"none {none}")
    press(page, "Undo")
    expect(counts).to_contain_text("manual 1")
    press(page, "Undo")
    expect(counts).to_contain_text(f"none {none}")
    expect(counts).not_to_contain_text("manual")
    expect(button(page, "Undo")).to_be_disabled()
    press(page, "Redo")
    expect(counts).to_contain_text("manual 1")
    again = stored(lab, frames)[frame_name(0)]
    assert {name: again[name] for name in entry} == entry  # author and time as they were
    press(page, "History")
    expect(page.locator("[data-testid=stDataFrame]").last).to_be_visible()
    page.keyboard.press("Escape")
    press(page, "Redo")
    expect(counts).to_contain_text(f"none {none}")
    expect(button(page, "Redo")).to_be_disabled()


def test_the_keyboard_alone_draws_moves_and_resizes(page: Page, lab: Server, frames: Path) -> None:
    stage = open_frame(page, lab, frames, 2)
    said = page.locator(".said")
    stage.focus()
    page.keyboard.press("ArrowRight")  # begins with a third of the frame in its middle
    expect(said).to_have_text("Box from (120, 80) to (200, 160): 80 × 80 pixels.")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Control+ArrowUp")
    expect(said).to_have_text("Box from (121, 70) to (201, 150): 80 × 80 pixels.")
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Shift+Control+ArrowRight")
    expect(said).to_have_text("Box from (121, 70) to (211, 151): 90 × 81 pixels.")
    page.get_by_role("button", name="Top left corner").focus()
    page.keyboard.press("Control+ArrowLeft")
    expect(said).to_have_text("Box from (111, 70) to (211, 151): 100 × 81 pixels.")
    expect(button(page, "Save box")).to_be_enabled()
    page.keyboard.press("Escape")
    expect(said).to_have_text("No box on this frame yet.")
    expect(button(page, "Save box")).to_be_disabled()


def test_a_face_is_chosen_by_a_click_and_stays_inside_the_frame(
    page: Page, lab: Server, frames: Path
) -> None:
    stage = open_frame(page, lab, frames, 4)
    said = page.locator(".said")
    page.get_by_role("button", name=re.compile("^Take face 2")).click()
    expect(said).to_have_text("Box from (180, 40) to (240, 110): 60 × 70 pixels.")
    drag(page, stage, (0.65, 0.3), (0.99, 0.9))  # moved beyond the corner, it stops there
    expect(said).to_contain_text("to (320,")
    drag(page, stage, (0.1, 0.9), (0.1 + 1e-4, 0.9))  # a click beside it changes nothing
    expect(said).to_contain_text("60 × 70 pixels.")


def test_a_finger_draws_and_moves(visitor: Callable[..., BrowserContext], lab: Server, frames: Path) -> None:
    context = visitor(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    page = context.new_page()
    stage = open_frame(page, lab, frames, 6)
    touch = context.new_cdp_session(page)

    def swipe(*shares: tuple[float, float]) -> None:
        stage.scroll_into_view_if_needed()
        area = settled(page, stage)
        assert area["x"] >= 0
        assert area["x"] + area["width"] <= 390
        points = [(area["x"] + a * area["width"], area["y"] + b * area["height"]) for a, b in shares]
        for kind, at in zip(["touchStart"] + ["touchMove"] * (len(points) - 1), points, strict=True):
            event = {"type": kind, "touchPoints": [{"x": at[0], "y": at[1]}]}
            touch.send("Input.dispatchTouchEvent", event)
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    swipe((0.25, 0.25), (0.4, 0.4), (0.5, 0.75))
    said = page.locator(".said")
    expect(said).to_contain_text(re.compile(r"from \((79|80|81), (59|60|61)\)"))
    before = said.inner_text()
    swipe((0.4, 0.5), (0.5, 0.5), (0.65, 0.5))
    expect(said).not_to_have_text(before)
    assert (
        before.split(":")[1].split("×")[0] == said.inner_text().split(":")[1].split("×")[0]
    )  # as wide as before


def test_boxes_go_out_and_come_in(page: Page, lab: Server, frames: Path, tmp_path: Path) -> None:
    page.goto(lab.at("faces", data=str(frames)), wait_until="commit")
    panel = page.get_by_role("button", name="Hand-drawn boxes")
    file = tmp_path / "boxes.csv"
    rows = [f"{frame_name(2)},10,20,110,140,=ann", f"{frame_name(6)},10,20,110,999,", "nowhere.png,1,2,3,4,"]
    file.write_text("\n".join(["name,x1,y1,x2,y2,author", *rows]))
    panel.click()
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_text("1 box to add")).to_be_visible()
    expect(page.get_by_text("2 rows can't be used")).to_be_visible()
    page.get_by_role("button", name="Add them").click()
    expect(page.locator("[data-testid=stMetric]", has_text="Manual")).to_contain_text("1")
    assert stored(lab, frames)[frame_name(2)]["author"] == "=ann"

    with page.expect_download() as saved:
        page.get_by_role("button", name="CSV", exact=True).click()
    text = saved.value.path().read_text()
    assert f"{frame_name(2)},10.0,20.0,110.0,140.0,'=ann," in text
    with page.expect_download() as saved:
        page.get_by_role("button", name="COCO JSON").click()
    assert json.loads(saved.value.path().read_text())["annotations"][0]["bbox"] == [10.0, 20.0, 100.0, 120.0]
