"""From a figure to the wrong frames, and from a list to a run, in Chromium: clicks counted, no page loaded anew."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dashboards import Clicks, Server, button, quiet
from playwright.sync_api import Page, expect

from fer_core.config.run import CLASSES
from fer_core.storage.store import Store, StoredRun
from fer_core.ui.cache.finished_runs import labels

#: What a page that was loaded anew no longer has.
MARK = "window.stillHere"


@pytest.fixture(scope="module")
def lab(trained: Path, server: Callable[..., Server], tmp_path_factory: pytest.TempPathFactory) -> Server:
    home = Path(shutil.copytree(trained, tmp_path_factory.mktemp("frames") / "home"))
    return server(home, FER_DEVICE="cpu", FER_THREADS="1")


@pytest.fixture
def run(lab: Server) -> StoredRun:
    store = Store(lab.home / "fer.sqlite", read_only=True)
    found = store.runs(status=["done"], goal="train")[0]
    store.close()
    return found


def named(run: StoredRun) -> str:
    return next(iter(labels([run])))


def opened(page: Page, url: str) -> None:
    page.goto(url, wait_until="commit")
    quiet(page)
    page.evaluate(f"{MARK} = true")


def test_a_cell_of_the_confusion_opens_its_frames_and_one_of_them_its_evidence(
    page: Page, lab: Server, generated: Path, run: StoredRun
) -> None:
    counts = np.array(run.summary["confusion"]) * (1 - np.eye(len(CLASSES), dtype=int))
    true, said = np.unravel_index(int(counts.argmax()), counts.shape)
    opened(page, lab.at("train", data=str(generated), run=run.id))
    chart = page.get_by_test_id("stPlotlyChart").filter(has_text="Predicted class")
    chart.scroll_into_view_if_needed()
    cells = chart.locator(".heatmaplayer image")
    expect(cells).to_be_visible()
    box = cells.bounding_box()
    assert box
    side = box["width"] / len(CLASSES), box["height"] / len(CLASSES)
    clicks = Clicks(page)
    clicks.at(box["x"] + (int(said) + 0.5) * side[0], box["y"] + (int(true) + 0.5) * side[1])
    tiles = page.locator(".fer-grid a")
    expect(tiles).to_have_count(int(counts.max()))
    expect(page).to_have_url(re.compile(f"true={CLASSES[true]}"))
    expect(page).to_have_url(re.compile(f"predicted={CLASSES[said]}"))
    for tile in page.locator(".fer-grid figcaption").all_inner_texts():
        assert tile.startswith(f"{CLASSES[true]} → {CLASSES[said]}")
    clicks(tiles.first)
    expect(page.get_by_text(f"{CLASSES[true]} taken for {CLASSES[said]}")).to_be_visible()
    expect(page.get_by_role("img", name=f"Grad-CAM for {CLASSES[said]}")).to_be_visible()
    expect(page.get_by_text("Nearest training faces of that network")).to_be_visible()
    expect(page).to_have_url(re.compile("[?&]frame="))
    clicks(button(page, "The whole frame, its box and why"))
    assert clicks.count == 3
    expect(page.get_by_role("heading", name="Faces", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile("faces?.*frame="))
    assert page.evaluate(MARK), "no page was loaded anew"
    page.go_back()
    expect(page.get_by_text("Nearest training faces of that network")).to_be_visible()
    quiet(page)
    button(page, "Back to the frames").click()
    expect(tiles).to_have_count(int(counts.max()))


def test_the_wrong_frames_of_a_run_are_found_in_the_gallery_of_faces_and_back(
    page: Page, lab: Server, generated: Path, run: StoredRun
) -> None:
    opened(page, lab.at("train", data=str(generated), run=run.id, part="Frames", answer="wrong"))
    tiles = page.locator(".fer-grid figcaption")
    expect(tiles.first).to_be_visible()
    wrong = [text.partition("\n")[0] for text in tiles.all_inner_texts()]
    button(page, "In the gallery of faces").click()
    expect(page.get_by_role("heading", name="Faces", exact=True)).to_be_visible()
    expect(page.get_by_text(f"{len(wrong)} of {len(wrong)} frames")).to_be_visible()
    expect(tiles).to_have_count(len(wrong))
    assert {text.partition("\n")[0] for text in tiles.all_inner_texts()} == {f"✗ {text}" for text in wrong}
    quiet(page)
    button(page, "On the run's page").click()
    expect(page).to_have_url(re.compile(f"train.*run={run.id}.*answer=wrong"))
    expect(tiles).to_have_count(len(wrong))
    assert page.evaluate(MARK), "no page was loaded anew"


def test_a_run_opens_from_its_row_by_enter(page: Page, lab: Server, generated: Path) -> None:
    opened(page, lab.at("train", data=str(generated), backbone="efficientnet_lite0"))
    table = page.get_by_role("region", name="Table of 2 runs")
    cell = table.get_by_test_id("glide-cell-1-1")
    expect(cell).to_be_attached()
    table.scroll_into_view_if_needed()
    quiet(page)
    name = cell.text_content() or ""
    box = page.get_by_test_id("stDataFrame").last.bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] - 20, box["y"] + 35 * 2.5)
    page.wait_for_function("document.activeElement.closest('[role=row]')")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)
    assert page.evaluate(MARK), "no page was loaded anew"


def test_what_is_best_is_said_first_and_a_run_is_asked_for_again_with_changes_in_one_click(
    page: Page, lab: Server, generated: Path, run: StoredRun
) -> None:
    opened(page, lab.at("compare", data=str(generated)))
    expect(page.get_by_text("The best setting that doesn't leak is")).to_be_visible()
    opened(page, lab.at("train", data=str(generated), run=run.id))
    click = Clicks(page)
    click(button(page, "Again with changes"))
    expect(page.get_by_role("spinbutton", name="Epochs")).to_have_value(str(run.config.epochs))
    expect(page.get_by_role("spinbutton", name="Folds k")).to_have_value(str(run.config.protocol.folds))
    expect(button(page, "Train 1 run")).to_be_enabled()
    assert click.count == 1
    assert page.evaluate(MARK), "no page was loaded anew"


@pytest.mark.parametrize("drawing", ["stVegaLiteChart", "stPlotlyChart"], ids=["frame", "lasso"])
def test_the_map_shows_the_faces_within_what_is_drawn(
    page: Page, lab: Server, generated: Path, run: StoredRun, drawing: str
) -> None:
    lasso = {"lasso": "true"} if drawing == "stPlotlyChart" else {}
    opened(page, lab.at("train", data=str(generated), run=run.id, part="Map", **lasso))
    chart = page.get_by_test_id(drawing)
    expect(chart).to_be_visible()
    quiet(page)
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box
    left, right, top, foot = box["x"] + 10, box["x"] + box["width"] - 30, box["y"] + 90, box["y"] + 370
    page.mouse.move(left, top)
    page.mouse.down()
    around = [(right, top), (right, foot), (left, foot), (left, top)] if lasso else [(right, foot)]
    for x, y in around:
        page.mouse.move(x, y, steps=4)
    page.mouse.up()
    tiles = page.locator(".fer-grid a")
    expect(tiles.first).to_be_visible()
    quiet(page)
    inside = tiles.count()
    button(page, f"Select all {inside}").click()
    expect(page.get_by_text(f"{inside} selected")).to_be_visible()
    expect(page.locator(".fer-grid input:checked")).to_have_count(inside)
    expect(button(page, f"Exclude {inside}")).to_be_enabled()
    button(page, "Clear").click()
    expect(page.locator(".fer-grid input:checked")).to_have_count(0)
    quiet(page)
    tiles.first.click()
    expect(button(page, "Back to the frames")).to_be_visible()


def test_wrong_frames_are_excluded_and_the_run_without_them_stands_beside_the_old_one(
    page: Page, lab: Server, generated: Path, run: StoredRun
) -> None:
    opened(page, lab.at("train", data=str(generated), run=run.id, part="Frames", answer="wrong"))
    click = Clicks(page)
    ticks = page.locator(".fer-grid input")
    expect(ticks.first).to_be_visible()
    for index in (0, 1):
        click(ticks.nth(index))
        expect(page.get_by_text(f"{index + 1} selected")).to_be_visible()
    click(button(page, "Exclude 2"))
    expect(page.get_by_role("combobox", name="Frames")).to_have_value(re.compile("^without 2 "))
    click(button(page, "Train 1 run"))
    expect(page.get_by_text("2 of 48 frames excluded by local")).to_be_visible()
    expect(page.get_by_text("Validation accuracy", exact=True)).to_be_visible()
    assert click.count == 4
    store = Store(lab.home / "fer.sqlite", read_only=True)
    [new] = [one for one in store.runs(goal="train", data=run.data) if one.config.data.excluded]
    assert new.config.model_copy(update={"data": run.config.data}) == run.config
    left = set(store.predictions(run.id)["name"]) - set(store.predictions(new.id)["name"])
    assert left == set(new.config.data.excluded)
    assert store.run(run.id).summary == run.summary

    page.goto(lab.at("compare", data=str(generated), view="Two runs", a=named(new), b=named(run)))
    expect(page.get_by_text("only the 46 images held out in both are compared")).to_be_visible()
