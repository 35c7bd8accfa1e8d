"""SFEW 1 and 2.0 as they are distributed."""

from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from trees import plant

from fer_core.config.reading import Reading
from fer_core.config.run import CLASSES
from fer_core.datasets.open import open_dataset
from fer_core.errors import DataError

read_sfew1, read_sfew2 = (partial(open_dataset, layout=layout) for layout in ("sfew1", "sfew2"))

FOLDERS = ("Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise")
MOVIES = ("OceansThirteen", "IAmSam", "21")


def frames(*parents: str) -> list[str]:
    """Name two frames of one shot of each movie for every class, below each parent folder."""
    return [
        f"{parent}{folder}/{movie}_0{shot}06194{index}0_000000{frame}7.png"
        for parent in parents
        for index, folder in enumerate(FOLDERS)
        for shot, movie in enumerate(MOVIES)
        for frame in (1, 2)
    ]


def test_sfew1_joins_irregular_names_to_their_movie(tmp_path: Path) -> None:
    irregular = ["Happy/OceansThirteen-010619400_00000087.png", "Sad/IAmSam_013827920__00000055.png"]
    plant(tmp_path, frames("") + irregular)
    dataset = read_sfew1(tmp_path)
    assert dataset.layout == "sfew1"
    assert Counter(sample.group for sample in dataset.samples) == {
        "OceansThirteen": 15,
        "IAmSam": 15,
        "21": 14,
    }
    assert {sample.name: sample.clip for sample in dataset.samples if sample.name in irregular} == {
        irregular[0]: "OceansThirteen_010619400",
        irregular[1]: "IAmSam_013827920",
    }
    assert open_dataset(tmp_path) == dataset
    assert all(CLASSES[s.label] == s.name.split("/")[0].lower() for s in dataset.samples)
    sizes = Counter(sample.clip for sample in dataset.samples if sample.name not in irregular)
    assert set(sizes.values()) == {2}


def test_sfew1_person_independent_sets_are_splits(tmp_path: Path) -> None:
    plant(tmp_path, frames("Set1/", "Set2/"))
    dataset = open_dataset(tmp_path)
    assert dataset.layout == "sfew1"
    assert Counter(sample.split for sample in dataset.samples) == {"set1": 42, "set2": 42}


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("Train/", "Val/", "Test/"),
        ("Train/Train/", "Val/Val/", "Test/Test/"),
        ("Train/Train_Aligned_Faces/", "Val/Val_Aligned_Faces/", "Test/Test_Aligned_Faces/"),
        ("Train_Aligned_Faces/", "Val_Aligned_Faces_new/", "Test_Aligned_Faces/"),
        ("SFEW_2/Train/", "SFEW_2/Val/Val_Aligned_Faces_new/Val_Aligned_Faces/", "SFEW_2/Test/"),
    ],
)
def test_sfew2_in_the_nestings_it_is_met_in(tmp_path: Path, train: str, validation: str, test: str) -> None:
    plant(tmp_path, [*frames(train, validation), f"{test}Orphan_011442920_00000003.png"])
    dataset = open_dataset(tmp_path)
    assert dataset.layout == "sfew2"
    assert dataset == read_sfew2(tmp_path)
    assert Counter(sample.split for sample in dataset.samples) == {"train": 42, "validation": 42}
    (problem,) = dataset.problems
    assert "test image without a label" in problem.reason


def test_sfew2_with_labelled_test_frames_keeps_them(tmp_path: Path) -> None:
    plant(tmp_path, frames("Train/", "Test/"))
    assert Counter(sample.split for sample in read_sfew2(tmp_path).samples) == {"train": 42, "test": 42}


def test_other_images_are_not_taken_for_sfew(tmp_path: Path) -> None:
    plant(tmp_path, ["train/happy/1.png", "train/sad/2.png", "test/sad/3.png"])
    dataset = open_dataset(tmp_path)
    assert dataset.layout == "folder"
    assert [sample.split for sample in dataset.samples] == ["test", "train", "train"]
    for read in (read_sfew1, read_sfew2):
        with pytest.raises(DataError, match="Movie_HHMMSScc0_FFFFFFFF"):
            read(tmp_path)
    plant(tmp_path / "mixed", ["happy/1.png", "sad/IAmSam_013827920_00000055.png"])
    assert open_dataset(tmp_path / "mixed").layout == "folder"


def test_sfew2_needs_its_split_folders(tmp_path: Path) -> None:
    plant(tmp_path, frames(""))
    with pytest.raises(DataError, match="Train and Val folders"):
        read_sfew2(tmp_path)


def test_whole_frames_or_aligned_faces_are_chosen_not_mixed(tmp_path: Path) -> None:
    plant(tmp_path, frames("Train/", "Train_Aligned_Faces/", "Val/", "Val_Aligned_Faces/"))
    with pytest.raises(DataError, match=r"84 whole frames and 84 aligned faces.*--variant whole"):
        open_dataset(tmp_path)
    aligned = open_dataset(tmp_path, reading=Reading(variant="aligned"))
    whole = open_dataset(tmp_path, reading=Reading(variant="whole"))
    assert {sample.name.split("/")[0] for sample in aligned.samples} == {
        "Train_Aligned_Faces",
        "Val_Aligned_Faces",
    }
    assert {sample.name.split("/")[0] for sample in whole.samples} == {"Train", "Val"}
    assert (len(aligned), len(whole)) == (84, 84)
    assert "aligned faces; 84 others" in aligned.remarks[0]
