"""From a folder of bare numbers to the Train page: a label map is chosen, seen, and holds on every page."""

import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from dashboards import Server, button, quiet
from playwright.sync_api import Page, expect

#: RAF-DB's numbers.
NUMBERS = {"surprise": 1, "fear": 2, "disgust": 3, "happy": 4, "sad": 5, "angry": 6, "neutral": 7}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, server: Callable[..., Server]) -> Server:
    return server(tmp_path_factory.mktemp("home"), FER_DEVICE="cpu")


@pytest.fixture
def numbered(generated: Path, tmp_path: Path) -> Path:
    """Return drawn faces below RAF-DB's numbers."""
    for name, number in NUMBERS.items():
        shutil.copytree(generated / name, tmp_path / "faces" / str(number))
    return tmp_path / "faces"


def choose(page: Page, field: str, value: str) -> None:
    quiet(page)
    page.get_by_role("combobox", name=field).fill(value)
    page.get_by_role("option", name=value, exact=True).click()


def test_a_folder_of_numbers_is_declared_seen_opened_and_stands_on_train(
    page: Page, numbered: Path, lab: Server
) -> None:
    page.goto(lab.at(data=numbered), wait_until="commit")
    page.get_by_role("link", name="Say how it is read").click()
    expect(page.get_by_role("heading", name="Bring data")).to_be_visible()
    expect(page.get_by_role("textbox", name="Where it lies")).to_have_value(str(numbered))
    choose(page, "Label map", "rafdb")
    expect(page.get_by_role("img", name="Images of 4 = happy")).to_be_visible()
    expect(page).to_have_url(re.compile("label_map=rafdb"))
    quiet(page)
    button(page, "Open data set").click()
    expect(page.get_by_role("heading", name="faces", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile("data=faces"))
    page.get_by_test_id("stSidebar").get_by_role("link", name="Train").click()
    expect(page.get_by_role("combobox", name="Data set")).to_have_value("faces")
    expect(page.get_by_role("button", name="Train 3 runs")).to_be_visible()


def test_a_zip_is_unpacked_and_read(page: Page, generated: Path, lab: Server, tmp_path: Path) -> None:
    packed = tmp_path / "set.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in sorted(generated.glob("*/*.png"))[:6]:
            archive.write(file, f"set/{file.parent.name}/{file.name}")
    page.goto(lab.at("bring"), wait_until="commit")
    page.get_by_role("button", name="Upload a zip").click()
    page.locator("input[type=file]").set_input_files(packed)
    quiet(page)
    button(page, "Unpack").click()
    expect(page.get_by_role("heading", name="6 images, read as layout")).to_be_visible()
