"""What people's data sets look like and was once read wrong: ../shared/cases, each right as its README says."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fer_core import ROOT
from fer_core.config.reading import Reading
from fer_core.config.run import CLASSES
from fer_core.config.settings import Limits
from fer_core.datasets.audit import audit
from fer_core.datasets.base import Dataset
from fer_core.datasets.file_records import inspect
from fer_core.datasets.images import load_rgb
from fer_core.datasets.open import open_dataset
from fer_core.datasets.pictures.image_files import walk
from fer_core.errors import DataError
from fer_core.prediction.uploads import unfold

CASES = ROOT.parent / "shared" / "cases"


def case(name: str) -> Path:
    place = CASES / name
    if not place.exists():
        pytest.skip("the shared cases are not beside this checkout")
    return place


def opened(name: str, **reading: str) -> Dataset:
    return open_dataset(case(name), reading=Reading(**reading))


def counts(dataset: Dataset) -> list[int]:
    return list(dataset.class_counts().values())


def test_label_numbers_mean_what_their_authors_said() -> None:
    with pytest.raises(DataError, match=r"--label-map NAME \(fer2013"):
        opened("fer2013_codes/fer.csv")
    found = opened("fer2013_codes/fer.csv", label_map="fer2013")
    assert all(CLASSES[one.label] in one.name for one in found.samples)
    assert [found.class_counts()[name] for name in ("sad", "surprise", "neutral")] == [10, 11, 12]
    given = opened(
        "fer2013_codes/fer.csv", label_map="0=angry,1=disgust,2=fear,3=happy,4=sad,5=surprise,6=neutral"
    )
    assert [one.label for one in given.samples] == [one.label for one in found.samples]
    with pytest.raises(DataError, match="--label-map"):
        opened("rafdb_codes/set")
    assert opened("rafdb_codes/set", label_map="rafdb").class_counts() == {
        **{"surprise": 11, "fear": 8, "disgust": 7, "happy": 9, "sad": 10, "angry": 6, "neutral": 12}
    }


def test_splits_of_the_fer2013_challenge() -> None:
    found = opened("fer2013_usage_csv/fer.csv")
    assert found.problems == ()
    for one in (*found.samples, *opened("fer2013_folders/set").samples):
        usage = next(word for word in ("Training", "PublicTest", "PrivateTest") if word in one.name)
        assert one.split == {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}[usage]


@pytest.mark.parametrize(("name", "word"), [("splits_faces_train", "faces_{}"), ("splits_trainset", "{}set")])
def test_splits_by_folder(name: str, word: str) -> None:
    found = opened(f"{name}/set")
    pairs = {(one.name.split("/")[0], one.split) for one in found.samples}
    known = {"train": "train", "val": "validation", "test": "test"}
    assert pairs == {(word.format(short), split) for short, split in known.items()}


def test_groups() -> None:
    spelled = {one.group.casefold() for one in opened("group_spelling/list.csv").samples}
    assert len(spelled) == len({one.group for one in opened("group_spelling/list.csv").samples}) == 3
    assert {one.group for one in opened("group_nan/list.csv").samples} == {""}
    assert {one.group for one in opened("subject_id_csv/list.csv").samples} == {f"S00{n}" for n in range(6)}
    by_pattern = opened("group_pattern/set", group_pattern=r"(\d+)_")
    assert {one.group for one in by_pattern.samples} == {f"00{n}" for n in range(8)}


def test_stray_numbers_are_named() -> None:
    found = opened("stray_numbered/set")
    assert (len(found), [one.name for one in found.problems]) == (21, ["unsorted/2/x.jpg"])
    (problem,) = opened("stray_numeric_label/list.csv").problems
    assert problem.name == "happy1.jpg"
    assert problem.reason.startswith("line 12: label '4' is a number")


def test_images_are_known_by_their_content() -> None:
    found = opened("no_extension/set")
    assert counts(found) == [3] * 7
    (odd,) = [one for one in audit(found).findings if one.code == "odd_suffix"]
    assert len(odd.names) == 9


def test_lists_as_they_come() -> None:
    assert counts(opened("hf_metadata")) == counts(opened("hf_metadata/metadata.csv")) == [2] * 7
    assert counts(opened("nfd_names/list.csv")) == [2] * 7
    (problem,) = opened("label_invisible/list.csv").problems  # the one whose a is Cyrillic
    assert (problem.name, "\\u0430" in problem.reason) == ("9.jpg", True)
    for source in ("rafdb_txt", "rafdb_txt/list_patition_label.txt"):
        found = opened(source)
        assert found.layout == "rafdb"
        assert counts(found) == [2] * 7
    assert counts(opened("fer2013_pixels/fer2013.csv")) == [2] * 7
    assert {one.split for one in opened("fer2013_pixels").samples} == {"train"}


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("set.zip", "Unpack it first, then give the folder"),
        ("set_tar.tar.gz", "Unpack it first, then give the folder"),
        ("one.jpg", "Give the folder"),
        ("coco.json", "Save it as CSV"),
        ("list.xlsx", "save it as CSV"),
    ],
)
def test_what_is_no_data_set_says_what_to_do(name: str, fix: str) -> None:
    with pytest.raises(DataError, match=fix):
        opened(f"dataset_as_zip/{name}")


def test_pixels_are_right_and_bombs_refused() -> None:
    planar, chunky = (load_rgb(case("formats") / name) for name in ("rgb16_planar.tif", "rgb16.tif"))
    np.testing.assert_array_equal(planar, chunky)
    assert "a side may have 16,384 pixels" in str(inspect(case("hostile") / "tall.png").reason)


def test_what_systems_add_is_no_picture() -> None:
    photos = case("appledouble") / "photos"
    assert [name for name, _ in walk(photos, [])] == [one.name for one in open_dataset(photos).samples]
    packed = (case("appledouble") / "photos.zip").read_bytes()
    assert zipfile.is_zipfile(case("appledouble") / "photos.zip")
    taken, refused = unfold(
        [("photos.zip", packed)], Limits(file_mb=10, upload_mb=10, files=100, megapixels=9)
    )
    assert (len(taken), refused) == (4, [])


def test_links_are_followed(tmp_path: Path) -> None:
    shutil.copytree(case("symlinks"), tmp_path / "links", symlinks=True)
    photos = tmp_path / "links" / "photos"
    photos.chmod(0o755)  # where the cases lie read only
    for name, target in {
        "linked": "../elsewhere",
        "dead.jpg": "../gone.jpg",
    }.items():  # as git left them
        (photos / name).unlink()
        (photos / name).symlink_to(target)
    problems: list = []
    assert [name for name, _ in walk(photos, problems)] == ["c.jpg", "linked/a.jpg", "linked/b.jpg"]
    assert [(one.name, one.reason) for one in problems] == [("dead.jpg", "a dead link")]
