"""Without a mouse, in Chromium: from a figure to the wrong frames, what is said and done of runs, all of Predict."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from dashboards import Keys, Server, button, quiet
from playwright.sync_api import Locator, Page, expect

from fer_core.config.run import CLASSES
from fer_core.results.rows import title
from fer_core.runs.jobs.queue import cancel, submit, submit_together
from fer_core.storage.store import Store


def table(page: Page, column: str) -> Locator:
    """Return the canvas of the last table with a column."""
    return page.get_by_test_id("data-grid-canvas").filter(has_text=column).last


def down(page: Page, rows: int) -> str:
    """Walk down a table that has the focus and return the text of the cell that is reached."""
    page.wait_for_function("document.activeElement.closest('[role=row]')")
    for row in range(1, rows + 1):
        page.keyboard.press("ArrowDown")
        page.wait_for_function(f"document.activeElement.dataset.testid?.endsWith('-{row}')")
    return str(page.evaluate("document.activeElement.textContent"))


def test_a_class_of_a_figure_leads_to_its_frames_and_one_of_them_by_keys_alone(
    page: Page, answered: Server, generated: Path
) -> None:
    run = Store(answered.home / "fer.sqlite", read_only=True).runs(status=["done"], goal="train")[0]
    press = Keys(page)
    page.goto(answered.at("train", data=str(generated), run=run.id), wait_until="commit")
    expect(page.get_by_text("Per class", exact=True)).to_be_visible()
    press.reach(table(page, "precision"))
    name = down(page, 1)
    assert name in CLASSES
    press(table(page, "precision"))
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


def test_a_cell_of_the_confusion_leads_to_its_frames_by_keys_alone(
    page: Page, answered: Server, generated: Path
) -> None:
    run = Store(answered.home / "fer.sqlite", read_only=True).runs(status=["done"], goal="train")[0]
    counts = np.array(run.summary["confusion"])
    mistakes = counts * (1 - np.eye(len(CLASSES), dtype=int))
    assert np.count_nonzero(mistakes) > 5, "the table must scroll to the last of them"
    press = Keys(page)
    page.goto(answered.at("train", data=str(generated), run=run.id), wait_until="commit")
    press.reach(table(page, "True → predicted"))
    true, said = down(page, np.count_nonzero(mistakes) - 1).split(" → ")
    assert true != said
    count = int(counts[CLASSES.index(true), CLASSES.index(said)])
    press(table(page, "True → predicted"))
    expect(page).to_have_url(re.compile(f"[?&]true={true}&predicted={said}"))
    captions = page.locator(".fer-grid figcaption")
    expect(captions).to_have_count(count)
    assert all(text.startswith(f"{true} → {said}") for text in captions.all_inner_texts())
    assert press.count == 1


def test_runs_are_named_told_apart_asked_for_again_and_tried_again_by_keys_alone(
    page: Page, trained: Path, generated: Path, tmp_path: Path, server: Callable[..., Server]
) -> None:
    home = shutil.copytree(trained, tmp_path / "home")
    store = Store(home / "fer.sqlite")
    other, run = store.runs(status=["done"], goal="train")
    submit_together(store, [one.config for one in (other, run)], sweep="both")
    shorter = run.config.training.model_copy(update={"epochs": 1})
    stopped, _ = submit(store, run.config.model_copy(update={"training": shorter}))
    cancel(store, stopped)
    press, heading = Keys(page), page.get_by_role("heading", level=1)
    opener, focused = page.get_by_role("button", name="Name, note, tags"), page.locator(":focus")
    lab = server(home, FER_DEVICE="cpu", FER_THREADS="1")
    page.goto(lab.at("train", data=str(generated), backbone="efficientnet_lite0"), wait_until="commit")
    press.reach(table(page, "Setting"))
    assert run.id in down(page, 2)
    press(table(page, "Setting"))
    expect(heading).to_contain_text(f"n={run.unfreeze}")

    press(opener)
    expect(page.get_by_role("textbox", name="Name")).to_be_focused()
    for field, text in (("Name", "Night scenes"), ("Tags", "paper night"), ("Note", "Watch this")):
        press.write(page.get_by_role("textbox", name=field), text)
    press(page.get_by_role("switch", name="Archived"), "Space")
    press(page.get_by_test_id("stPopoverBody").get_by_role("button", name="Save", exact=True))
    expect(heading).to_have_text("Night scenes")
    quiet(page)
    expect(focused).to_have_text("Save")
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()
    said = store.run(run.id)
    assert (said.name, said.tags, said.note, said.archived) == (
        "Night scenes",
        "paper night",
        "Watch this",
        True,
    )

    press(page.get_by_role("button", name="What differs"))
    choice = page.get_by_role("combobox", name="From")
    expect(choice).to_be_focused()
    press.write(choice, other.id[:8])
    press(choice)
    expect(page.get_by_role("region", name="1 differences")).to_be_attached()
    expect(choice).to_be_focused()
    press(button(page, "Open the other"))
    expect(heading).to_contain_text(f"n={other.unfreeze}")

    press(button(page, "Sweep of 2 runs"))
    expect(heading).to_have_text("2 runs asked for together")
    press.reach(table(page, "Verdict"))
    down(page, 0)
    press(table(page, "Verdict"))
    expect(button(page, "Sweep of 2 runs")).to_be_visible()
    press(button(page, "Again with changes"))
    epochs = page.get_by_role("spinbutton", name="Epochs")
    expect(epochs).to_have_value(str(run.config.epochs))
    press(epochs, "ArrowUp")
    expect(page.get_by_text("as runs like these took here")).to_be_visible()
    expect(epochs).to_be_focused()

    press.reach(table(page, "Setting"))
    assert stopped in down(page, 0)
    press(table(page, "Setting"))
    press(button(page, "Try again"))
    expect(page.get_by_role("button", name="Try again")).to_have_count(0)
    assert store.run(stopped).status != "cancelled"
    assert press.count == 17


def test_photos_are_sent_shown_and_answered_by_another_run_by_keys_alone(
    page: Page, answered: Server, generated: Path
) -> None:
    run, other = Store(answered.home / "fer.sqlite", read_only=True).runs(status=["done"], goal="train")
    photos = sorted(generated.glob("*/*.png"))[1:3]
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
    expect(shown.first).to_have_attribute("alt", re.compile(re.escape(photos[0].name)))
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
    expect(shown.first).to_have_attribute("alt", re.compile(re.escape(photos[0].name)))
    assert press.count == 9
