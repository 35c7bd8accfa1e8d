"""One door: the right reader for each path, the generated set under its name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from trees import plant

from fer_core import ROOT
from fer_core.datasets.fingerprint import data_config
from fer_core.datasets.generated import frames
from fer_core.datasets.generated.movie_plan import GeneratedConfig
from fer_core.datasets.generated.table import generate_table
from fer_core.datasets.open import LAYOUTS, open_dataset
from fer_core.errors import DataError

FILM = "IAmSam_013827920_00000055.png"


@pytest.mark.parametrize(
    ("names", "layout"),
    [
        ([f"Happy/{FILM}", "Sad/21_001010160_00000010.png"], "sfew1"),
        ([f"Train/Happy/{FILM}", f"Val/Sad/{FILM}"], "sfew2"),
        (["happy/1.png", "sad/2.png"], "folder"),
        (["train/happy/1.png", "val/sad/2.png"], "folder"),
        (["happy/1.png", f"sad/{FILM}"], "folder"),
    ],
)
def test_trees_are_told_apart(tmp_path: Path, names: list[str], layout: str) -> None:
    plant(tmp_path, names)
    dataset = open_dataset(tmp_path)
    assert dataset.layout == layout
    assert not dataset.generated
    again = open_dataset(dataset.source, layout=dataset.layout)
    assert again == dataset


def test_a_file_is_a_table(tmp_path: Path) -> None:
    plant(tmp_path, ["a.png"])
    (tmp_path / "list.txt").write_text("path,label\na.png,3\n")
    dataset = open_dataset(tmp_path / "list.txt", label_codes="0-6")
    assert (dataset.layout, dataset.name, dataset.samples[0].label) == ("csv", "list", 3)
    assert open_dataset(dataset.source, layout="csv", label_codes="0-6") == dataset


def test_relative_paths_are_kept_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path / "data", ["sad/a.png"])
    monkeypatch.chdir(tmp_path)
    assert open_dataset("data").source == str(tmp_path / "data")


def test_group_patterns_reach_every_reader(tmp_path: Path) -> None:
    plant(tmp_path, ["sad/012_08.png"])
    (tmp_path / "list.csv").write_text("path,label\nsad/012_08.png,sad\n")
    for source in (tmp_path, tmp_path / "list.csv"):
        assert open_dataset(source, group_pattern=r"(\d+)_").samples[0].group == "012"


def test_the_mark_of_generated_images_counts_below_it_too(tmp_path: Path) -> None:
    plant(tmp_path, ["sad/a.png", "part/sad/b.png"])
    (tmp_path / "SYNTHETIC.txt").write_text("drawn")
    (tmp_path / "list.csv").write_text("path,label\nsad/a.png,sad\n")
    for source in (tmp_path, tmp_path / "part", tmp_path / "list.csv"):
        assert open_dataset(source).generated
    assert open_dataset(tmp_path, layout="folder").generated


@pytest.mark.parametrize("name", ["sheet.xlsx", "sheet.csv"])
def test_a_generated_sheet_is_known_by_its_rows_under_any_name(tmp_path: Path, name: str) -> None:
    path = generate_table(tmp_path / name, rows=21)
    assert open_dataset(path, layout="table").generated


def test_a_sheet_of_other_films_is_not_generated(tmp_path: Path) -> None:
    path = generate_table(tmp_path / "sheet.csv", rows=21)
    first, rest = path.read_text().split("\n", 1)
    path.write_text(first.replace("SyntheticFilm", "Film") + "\n" + rest)
    assert not open_dataset(path, layout="table").generated


def test_a_generated_folder_is_read_by_its_manifest(tmp_path: Path) -> None:
    plant(tmp_path / "set", ["sad/a.png", "sad/b.png"])
    (tmp_path / "set" / "SYNTHETIC.txt").write_text("drawn")
    (tmp_path / "set" / "frames.csv").write_text(
        "path,label,group,clip,person,kind\nsad/a.png,sad,Film,c1,p,ordinary\n"
    )
    for source in (tmp_path / "set", tmp_path / "set" / "frames.csv"):
        dataset = open_dataset(source)
        assert (dataset.layout, dataset.generated, dataset.name, len(dataset)) == (
            "generated",
            True,
            "set",
            1,
        )
        assert (dataset.samples[0].group, dataset.samples[0].clip) == ("Film", "c1")
        assert open_dataset(dataset.source, layout=dataset.layout) == dataset


def test_the_demo_is_drawn_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = GeneratedConfig(ordinary=14, hard=0)
    drawn: list[Path] = []

    def generate(config: GeneratedConfig, folder: Path, **_: object) -> Path:
        if not folder.exists():
            drawn.append(folder)
            plant(folder, ["sad/a.png", "happy/b.png"])
            (folder / "SYNTHETIC.txt").write_text("drawn")
            (folder / "frames.csv").write_text(
                "path,label,group,clip\nsad/a.png,sad,F,c\nhappy/b.png,happy,F,d\n"
            )
        return folder

    monkeypatch.setattr(frames, "GeneratedConfig", lambda: small)
    monkeypatch.setattr(frames, "generate", generate)
    dataset = open_dataset("demo", demo_root=tmp_path)
    assert (dataset.name, dataset.source, dataset.layout) == ("Generated faces", "demo", "generated")
    assert dataset.generated
    assert len(dataset) == 2
    assert dataset.root == tmp_path / f"generated-{small.key()}"
    config = data_config(dataset)
    assert open_dataset(config.source, layout=config.layout, demo_root=tmp_path) == dataset
    assert len(drawn) == 1


def test_what_cannot_be_opened_says_why(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="folder or a CSV"):
        open_dataset(tmp_path / "none")
    with pytest.raises(DataError, match="folder or a CSV"):
        open_dataset("")
    for strange in ("~no-such-user/data", "x" * 5000):
        with pytest.raises(DataError, match="data set's path"):
            open_dataset(strange)
    with pytest.raises(DataError, match=f"auto, {', '.join(LAYOUTS)}"):
        open_dataset(tmp_path, layout="imagenet")
    with pytest.raises(DataError, match="0-6 or 1-7"):
        open_dataset(tmp_path, label_codes="0-9")
    plant(tmp_path, ["sad/a.png"])
    with pytest.raises(DataError, match=r"frames.csv"):
        open_dataset(tmp_path, layout="generated")


def test_the_photographs_open_as_a_plain_folder(photos: list[Path]) -> None:
    dataset = open_dataset(photos[0].parents[1])
    assert dataset.layout == "folder"
    assert dataset.class_counts() | {"happy": 0, "neutral": 0} == dict.fromkeys(dataset.class_counts(), 0)
    assert len(dataset) == len(photos)


def test_no_torch_is_loaded() -> None:
    code = (
        "import sys, fer_core.datasets.open, fer_core.datasets.audit, fer_core.datasets.fingerprint;"
        "import fer_core.storage.artifacts;"
        "sys.exit(any(name in sys.modules for name in ('torch', 'scipy', 'pandas', 'streamlit')))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_copy_of_generated_images_is_still_known_as_generated(generated: Path, awkward: Path) -> None:
    assert not (awkward / "SYNTHETIC.txt").exists()
    assert open_dataset(generated).generated
    assert open_dataset(awkward).generated
