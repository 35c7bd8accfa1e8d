"""One door: the right reader for each path, the generated set under its name."""

import subprocess
import sys
from pathlib import Path

import pytest
from trees import plant

from fer_core import ROOT
from fer_core.config.reading import Reading
from fer_core.datasets.fingerprint import data_config
from fer_core.datasets.generated.movie_plan import GeneratedConfig, plan
from fer_core.datasets.generated.table import generate_table
from fer_core.datasets.open import LAYOUTS, open_dataset
from fer_core.errors import DataError


def test_a_file_is_a_table_and_patterns_reach_every_reader(tmp_path: Path) -> None:
    plant(tmp_path, ["sad/012_08.png"])
    (tmp_path / "list.txt").write_text("path,label\nsad/012_08.png,5\n")
    dataset = open_dataset(tmp_path / "list.txt", reading=Reading(label_map="ours", group_pattern=r"(\d+)_"))
    assert (dataset.layout, dataset.name, dataset.samples[0].label) == ("csv", "list", 5)
    assert dataset.reading == Reading(label_map="ours", group_pattern=r"(\d+)_")
    for found in (dataset, open_dataset(tmp_path, reading=Reading(group_pattern=r"(\d+)_"))):
        assert found.samples[0].group == "012"


def test_relative_paths_are_kept_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path / "data", ["sad/a.png"])
    monkeypatch.chdir(tmp_path)
    assert open_dataset("data").source == str(tmp_path / "data")


def test_the_mark_of_generated_images_counts_below_it_too(tmp_path: Path) -> None:
    plant(tmp_path, ["sad/a.png", "part/sad/b.png"])
    (tmp_path / "SYNTHETIC.txt").write_text("drawn")
    (tmp_path / "list.csv").write_text("path,label\nsad/a.png,sad\n")
    for source in (tmp_path, tmp_path / "part", tmp_path / "list.csv"):
        assert open_dataset(source).generated
    assert open_dataset(tmp_path, layout="folder").generated


@pytest.mark.parametrize("name", ["sheet.xlsx", "sheet.csv"])
def test_a_generated_sheet_is_known_by_its_rows(tmp_path: Path, name: str) -> None:
    path = generate_table(tmp_path / name, rows=21)
    assert open_dataset(path, layout="table").generated
    if name.endswith(".xlsx"):
        assert open_dataset(path).layout == "table"
    else:
        first, rest = path.read_text().split("\n", 1)
        path.write_text(first.replace("SyntheticFilm", "Film") + "\n" + rest)
        assert not open_dataset(path, layout="table").generated


def test_a_generated_folder_is_read_by_its_manifest(tmp_path: Path) -> None:
    plant(tmp_path / "set", ["sad/a.png", "sad/b.png"])
    (tmp_path / "set" / "SYNTHETIC.txt").write_text("drawn")
    (tmp_path / "set" / "frames.csv").write_text(
        "path,label,group,clip,person,kind,x1,y1,x2,y2\nsad/a.png,sad,Film,c1,p,ordinary,1,2,30,40\n"
    )
    for source in (tmp_path / "set", tmp_path / "set" / "frames.csv"):
        dataset = open_dataset(source)
        assert (dataset.layout, dataset.generated) == ("generated", True)
        assert (dataset.name, len(dataset)) == ("set", 1)
        assert (dataset.samples[0].group, dataset.samples[0].clip) == ("Film", "c1")
        assert (dataset.samples[0].name, dataset.remarks) == (
            "sad/a.png",
            (),
        )  # whole frames, not the known boxes
        assert open_dataset(dataset.source, layout=dataset.layout) == dataset


def test_the_demo_lies_under_its_key(tmp_path: Path) -> None:
    config = GeneratedConfig()
    root = tmp_path / f"generated-{config.key()}"
    names = [shot.path for shot in plan(config)]
    plant(root, names)
    (root / "SYNTHETIC.txt").write_text(f"key: {config.key()}\n")
    (root / "frames.csv").write_text(
        "\n".join(["path,label", *(f"{name},{name.split('/')[0]}" for name in names)])
    )
    dataset = open_dataset("demo", demo_root=tmp_path)
    assert (dataset.name, dataset.source, dataset.layout) == ("Generated faces", "demo", "generated")
    assert (dataset.generated, len(dataset), dataset.root) == (True, 480, root)
    found = data_config(dataset)
    assert open_dataset(found.source, layout=found.layout, demo_root=tmp_path) == dataset


def test_what_cannot_be_opened_says_why(tmp_path: Path) -> None:
    for strange in (tmp_path / "none", "", "~no-such-user/data", "x" * 5000):
        with pytest.raises(DataError, match="data set's path must"):
            open_dataset(strange)
    with pytest.raises(DataError, match=f"auto, {', '.join(LAYOUTS)}"):
        open_dataset(tmp_path, layout="imagenet")
    with pytest.raises(DataError, match="label map must be a name"):
        open_dataset(tmp_path, reading=Reading(label_map="0-9"))
    plant(tmp_path, ["sad/a.png"])
    with pytest.raises(DataError, match=r"frames.csv"):
        open_dataset(tmp_path, layout="generated")


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
