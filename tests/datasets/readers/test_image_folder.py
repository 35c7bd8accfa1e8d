"""Trees of class folders: what counts, what is reported, what is ignored."""

import os
from pathlib import Path

import pytest
from trees import plant

from fer_core.config.reading import Reading
from fer_core.config.run import CLASSES
from fer_core.datasets.readers.image_folder import read_folder
from fer_core.datasets.readers.meanings.labels import parse_split
from fer_core.errors import DataError


def labels(root: Path, **kwargs: str) -> dict[str, str]:
    return {sample.name: CLASSES[sample.label] for sample in read_folder(root, Reading(**kwargs)).samples}


def test_class_folders_in_any_case_depth_and_alias(tmp_path: Path) -> None:
    expected = {
        "HAPPY/b.png": "happy",
        "happy/a.PNG": "happy",
        "Anger/p1/c.jpg": "angry",
        "set of faces/sadness/d.jpeg": "sad",
        "person 3/Fear/e.bmp": "fear",
        "sad/a/1.png": "sad",
        "sad/a-b/2.png": "sad",
        "sad/a.png": "sad",
    }
    dataset = read_folder(plant(tmp_path, expected))
    assert [sample.name for sample in dataset.samples] == sorted(expected)
    assert labels(tmp_path) == expected
    first = dataset.samples[0]
    assert first.path.is_file()
    assert (first.split, first.group, first.clip) == (None, "", first.name)
    assert (dataset.problems, dataset.source) == ((), str(tmp_path))


def test_split_folders_above_or_below_the_class(tmp_path: Path) -> None:
    expected = {
        "TRAIN/sad/a.png": "train",
        "Valid/sad/b.png": "validation",
        "fear/test/c.png": "test",
        "Validation set/fear/d.png": "validation",
        "sad/e.png": None,
    }
    assert {one.name: one.split for one in read_folder(plant(tmp_path, expected)).samples} == expected


@pytest.mark.parametrize(
    ("text", "split"),
    [("Train", "train"), ("val", "validation"), ("VALID", "validation"), ("Val_Aligned_Faces_new", "validation"),
     ("Test-images", "test"), ("Set 1", "set1"), ("set2", "set2"), ("training", "train"), ("testimony", None),
     ("test_subject", None), ("", None), ("set", None), ("trainer", None), ("aligned", None)],
)  # fmt: skip
def test_folder_names_that_mean_a_split(text: str, split: str | None) -> None:
    assert parse_split(text) == split


def test_images_without_a_class_are_problems_with_a_reason(tmp_path: Path) -> None:
    reasons = {
        "loose.png": "no class's folder",
        "contempt/b.png": "'contempt'",
        "Test/c.png": "test image without a label",
        "happy/sad/d.png": "two classes (happy and sad)",
        "train/test/sad/e.png": "two splits",
    }
    problems = read_folder(plant(tmp_path, ["happy/a.png", *reasons])).problems
    assert [problem.name for problem in problems] == sorted(reasons)
    assert all(reasons[problem.name] in problem.reason for problem in problems)


def test_what_is_no_image_is_ignored_and_what_looks_like_one_is_kept(tmp_path: Path) -> None:
    ignored = (
        ".hidden.png",
        "._a.png",
        ".git/x.png",
        "__MACOSX/a.png",
        ".ipynb_checkpoints/a-checkpoint.png",
    )
    plant(tmp_path, ["sad/a.png", *(f"sad/{name}" for name in ignored)])
    for name in ("Thumbs.db", "notes.txt", "a.pts"):
        (tmp_path / "sad" / name).write_bytes(b"P1 is how a note may begin, or BM")
    (tmp_path / "sad/broken.jpg").write_bytes(b"no picture, but its name says so")
    dataset = read_folder(tmp_path)
    assert [sample.name for sample in dataset.samples] == ["sad/a.png", "sad/broken.jpg"]
    assert dataset.problems == ()


def test_links_are_followed_and_loops_are_not(tmp_path: Path) -> None:
    elsewhere, root = tmp_path / "elsewhere", tmp_path / "data"
    plant(elsewhere, ["a.png"])
    plant(root, ["sad/b.png"])
    (root / "happy").symlink_to(elsewhere)
    (root / "sad" / "again").symlink_to(root)
    (root / "sad" / "dead.png").symlink_to(tmp_path / "gone.png")
    (root / "sad" / "itself.png").symlink_to("itself.png")
    os.mkfifo(root / "sad" / "pipe.png")
    dataset = read_folder(root)
    assert [sample.name for sample in dataset.samples] == ["happy/a.png", "sad/b.png"]
    assert {problem.name: problem.reason for problem in dataset.problems} == {
        "sad/again/": "a link to a folder above it",
        "sad/dead.png": "a dead link",
        "sad/itself.png": "can't be looked at: Too many levels of symbolic links",
        "sad/pipe.png": "not a regular file",
    }


def test_numbered_folders_need_their_codes(tmp_path: Path) -> None:
    plant(tmp_path, ["1/a.png", "7/b.png"])
    with pytest.raises(DataError, match=r"rafdb.*--label-map 4=sad"):
        read_folder(tmp_path)
    assert labels(tmp_path, label_map="sfew") == {"1/a.png": "angry", "7/b.png": "surprise"}
    assert labels(tmp_path, label_map="rafdb") == {"1/a.png": "surprise", "7/b.png": "neutral"}
    plant(tmp_path, ["2/c.png"])
    dataset = read_folder(tmp_path, Reading(label_map="fer2013"))
    assert [(sample.name, sample.written) for sample in dataset.samples] == [
        ("1/a.png", "1"),
        ("2/c.png", "2"),
    ]
    assert dataset.problems[0].reason == "label '7' is not in the label map fer2013"


def test_numbered_folders_of_storage_are_no_labels(tmp_path: Path) -> None:
    plant(tmp_path, [f"{number}/a.png" for number in range(1, 40)])
    with pytest.raises(DataError, match=r"29 of 39 .* folders of storage"):
        read_folder(tmp_path, Reading(label_map="affectnet"))


def test_a_stray_number_among_names_is_left_out_and_named(tmp_path: Path) -> None:
    plant(tmp_path, ["happy/a.png", "sad/b.png", "unsorted/2/c.png"])
    dataset = read_folder(tmp_path)
    assert len(dataset) == 2
    assert [(one.name, "'2' is a number" in one.reason) for one in dataset.problems] == [
        ("unsorted/2/c.png", True)
    ]


def test_a_persons_number_is_no_class(tmp_path: Path) -> None:
    expected = {"happy/3/a.png": "happy", "001/sad/b.png": "sad"}
    plant(tmp_path, expected)
    assert labels(tmp_path) == labels(tmp_path, label_map="ours") == expected


def test_film_names_and_patterns_give_groups(tmp_path: Path) -> None:
    plant(tmp_path, ["sad/012_08.png", "sad/IAmSam_013827920__00000055.png"])
    assert [sample.group for sample in read_folder(tmp_path).samples] == ["", "IAmSam"]
    assert [sample.group for sample in read_folder(tmp_path, Reading(group_pattern=r"/(\d+)_")).samples] == [
        "012",
        "",
    ]


def test_what_is_no_data_set_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="folder or a CSV"):
        read_folder(tmp_path / "none")
    with pytest.raises(DataError, match="folders named after the classes"):
        read_folder(tmp_path)
    plant(tmp_path, ["cats/a.png"])
    with pytest.raises(DataError, match=r"1 without, such as cats/a.png"):
        read_folder(tmp_path)
    (tmp_path / "labels.csv").write_text("path,label\n")
    with pytest.raises(DataError, match=r"Give the path of labels.csv"):
        read_folder(tmp_path)


def test_names_that_are_no_utf8_are_problems(tmp_path: Path) -> None:
    plant(tmp_path, ["sad/a.png"])
    path = os.fsencode(tmp_path / "sad") + b"/caf\xe9.png"
    try:
        with open(path, "wb") as file:  # noqa: PTH123 (a name in bytes)
            file.write(b"x")
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    dataset = read_folder(tmp_path)
    assert len(dataset) == 1
    (problem,) = dataset.problems
    assert problem.name == "sad/caf\ufffd.png"
    problem.name.encode("utf-8")


def test_folders_that_may_not_be_read_are_problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path, ["sad/a.png", "happy/b.png"])
    scan = os.scandir

    def forbid(path: Path) -> object:
        if Path(path).name == "happy":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr("fer_core.datasets.pictures.image_files.os.scandir", forbid)
    (problem,) = read_folder(tmp_path).problems
    assert (problem.name, problem.reason) == ("happy/", "folder can't be read: Permission denied")
