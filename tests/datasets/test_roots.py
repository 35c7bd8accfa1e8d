"""Where folders are allowed, no path, link or '..' leads a data set out of them."""

import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from fer_core.cli.main import main
from fer_core.config.run import TransferConfig
from fer_core.datasets.generated.table import generate_table
from fer_core.datasets.open import open_dataset
from fer_core.errors import DataError, WeightsError
from fer_core.learning.networks.weights import load_weights
from fer_core.runs.plans.comparison import inputs_of
from fer_core.runs.plans.requests import weights_values


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a folder with `allowed/set` and `secret`, one image a class in each."""
    for place in ("allowed/set", "secret"):
        for label in ("happy", "sad"):
            target = tmp_path / place / label / "a.png"
            target.parent.mkdir(parents=True)
            Image.new("RGB", (8, 8)).save(target)
    return tmp_path


def test_inside_is_opened_and_outside_refused(tree: Path) -> None:
    roots = [tree / "allowed"]
    assert len(open_dataset(tree / "allowed" / "set", roots=roots)) == 2
    (tree / "allowed" / "door").symlink_to(tree / "secret")
    said = set()
    for outside in ("secret", "allowed/../secret", "allowed/door", "allowedness"):  # the last is not there
        with pytest.raises(DataError, match="FER_DATA_ROOTS") as caught:
            open_dataset(f"{tree}/{outside}", roots=roots)
        said.add(str(caught.value).replace(outside, ""))
    assert len(said) == 1, "nothing is said about what lies outside"


def test_a_path_that_no_system_takes_is_refused() -> None:
    with pytest.raises(DataError, match="path without NUL"):
        open_dataset("/tmp/a\0b")


def test_images_that_links_lead_out_are_problems(tree: Path) -> None:
    inside = tree / "allowed" / "set"
    (inside / "happy" / "link.png").symlink_to(tree / "secret" / "happy" / "a.png")
    (inside / "fear").symlink_to(tree / "secret" / "sad")
    found = open_dataset(inside, roots=[tree / "allowed"])
    assert [sample.name for sample in found.samples] == ["happy/a.png", "sad/a.png"]
    assert {problem.name for problem in found.problems} == {"happy/link.png", "fear/a.png"}
    assert len(open_dataset(inside, roots=[])) == 4


def test_a_set_of_nothing_but_links_out_is_refused(tree: Path) -> None:
    inside = tree / "allowed" / "set"
    for label in ("happy", "sad"):
        shutil.rmtree(inside / label)
        (inside / label).symlink_to(tree / "secret" / label)
    with pytest.raises(DataError, match="links out of it"):
        open_dataset(inside, roots=[tree / "allowed"])


def test_a_table_lists_nothing_outside_its_folder(tree: Path) -> None:
    table = tree / "allowed" / "list.csv"
    secret = tree / "secret" / "sad" / "a.png"
    table.write_text(f"path,label\nset/happy/a.png,happy\n../secret/sad/a.png,sad\n{secret},sad\n")
    found = open_dataset(table, roots=[tree / "allowed"])
    assert [sample.name for sample in found.samples] == ["set/happy/a.png"]
    assert ["outside" in problem.reason for problem in found.problems] == [True, True]


def test_the_settings_name_the_folders(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_DATA_ROOTS", f"{tree / 'allowed'}:/nowhere")
    codes = [main(["data", "audit", "--data", str(tree / place)]) for place in ("allowed/set", "secret")]
    assert codes == [0, 2]


def test_feature_tables_lie_inside_too(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("allowed", "secret"):
        generate_table(tree / place / "sheet.csv", rows=21)
    monkeypatch.setenv("FER_DATA_ROOTS", f"{tree / 'allowed'}:/nowhere")
    assert inputs_of("table", tree / "allowed" / "sheet.csv").kind == "table"
    (tree / "allowed" / "door.csv").symlink_to(tree / "secret" / "sheet.csv")
    for outside in ("secret/sheet.csv", "allowed/door.csv", "secret/no-such.csv"):
        with pytest.raises(DataError, match=r"A feature table must lie .*FER_DATA_ROOTS"):
            inputs_of("table", tree / outside)


def test_weights_lie_inside_too_when_asked_for_and_when_read(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("allowed", "secret"):
        save_file({"fc.weight": torch.zeros(7, 512)}, tree / place / "own.safetensors")
    inside, outside = (tree / place / "own.safetensors" for place in ("allowed", "secret"))
    monkeypatch.setenv("FER_DATA_ROOTS", str(tree / "allowed"))
    known = weights_values(str(inside))
    assert set(load_weights(TransferConfig(**known), None)) == {"fc.weight"}
    with pytest.raises(DataError, match=r"A file of weights must lie"):
        weights_values(str(outside))
    with pytest.raises(
        DataError, match=r"A file of weights must lie"
    ):  # as an imported definition may have it
        load_weights(TransferConfig(**known | {"weights_file": str(outside)}), None)
    with pytest.raises(WeightsError, match="weights must be"):
        weights_values(str(tree / "allowed" / "no-such"))


@pytest.mark.parametrize("place", ["/proc/self/environ", "/proc/self/../self/environ", "/sys", "/dev/zero"])
def test_the_kernels_folders_are_refused_without_roots_too(tmp_path: Path, place: str) -> None:
    link = tmp_path / "list.csv"
    link.symlink_to(place)
    for source in (place, link):
        with pytest.raises(DataError, match="folder of the kernel"):
            open_dataset(source)
