"""From a lost face to a better figure: after a drawn box, two clicks set the new run beside the old one."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from dashboards import Clicks, Server, quiet
from playwright.sync_api import Page, expect

from fer_core.faces.crops_artifact import read_boxes
from fer_core.results.rows import title
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.store import Store


def test_a_drawn_box_becomes_a_new_run_beside_the_old_one_in_two_clicks(
    page: Page, trained: Path, generated: Path, tmp_path: Path, server: Callable[..., Server]
) -> None:
    home = shutil.copytree(trained, tmp_path / "home")
    store = Store(home / "fer.sqlite")
    old = {run.id[:8]: run for run in store.runs(goal="train")}
    name = store.predictions(next(iter(old.values())).id)["name"][0]
    click = Clicks(page)
    lab = server(home, FER_DEVICE="cpu", FER_THREADS="1")
    page.goto(lab.at("faces", data=str(generated), frame=name, stage="Draw"), wait_until="commit")
    expect(page.get_by_text("No box on this frame yet.")).to_be_visible()
    assert page.get_by_text("on other faces").count() == 0
    quiet(page)
    stage = page.locator(".stage")
    stage.focus()
    stage.press("ArrowRight")  # a box in the middle of the frame
    click(page.get_by_role("button", name="Save box"))
    expect(page.get_by_text(f"{len(old)} runs rest on other faces.")).to_be_visible()
    click(page.get_by_role("button", name=re.compile(r"^Retrain (?!all)")))

    expect(page.get_by_role("heading", name="This frame, before and after")).to_be_visible()
    assert click.count == 2
    [new] = [run for run in store.runs(goal="train") if run.id[:8] not in old]
    boxes = read_boxes(Artifacts(home / "artifacts"), new.config.faces.manual_boxes)
    assert list(boxes) == [name]
    faces = page.get_by_text(re.compile("^face: |face: "))
    expect(faces).to_have_count(2)
    expect(faces.last).to_contain_text("face: manual")
    expect(faces.first).not_to_contain_text("face: manual")
    metrics = page.get_by_test_id("stMetric")
    expect(metrics.nth(1)).to_contain_text(title(new))
    before = old[parse_qs(urlsplit(page.url).query)["a"][0][-9:-1]]
    assert new.config == before.config.model_copy(update={"faces": new.config.faces})
