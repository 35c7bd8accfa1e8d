"""Small imitations of data sets as their authors distribute them: each is read as its paper and files say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from trees import plant, png

from fer_core.config.reading import Reading
from fer_core.config.run import CLASSES
from fer_core.datasets.base import Dataset
from fer_core.datasets.file_records import inspect_all
from fer_core.datasets.fingerprint import fingerprint
from fer_core.datasets.images import load_rgb
from fer_core.datasets.open import open_dataset
from fer_core.datasets.understood import understood
from fer_core.errors import DataError


def labels(dataset: Dataset) -> dict[str, str]:
    return {one.name: CLASSES[one.label] for one in dataset.samples}


def reasons(dataset: Dataset) -> dict[str, int]:
    return {left.reason: left.images for left in understood(dataset).left_out}


def write(root: Path, texts: dict[str, str]) -> Path:
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def test_rafdb_aligned_or_original(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"EmoLabel/list_patition_label.txt": "train_00001.jpg 1\ntest_0001.jpg 6\ntest_0002.jpg 9\n"},
    )
    names = ("train_00001", "test_0001", "test_0002")
    plant(tmp_path / "Image/original", [f"{name}.jpg" for name in names])
    found = open_dataset(tmp_path)
    assert (found.layout, found.label_map) == ("rafdb", "rafdb")
    assert {one.split: CLASSES[one.label] for one in found.samples} == {"train": "surprise", "test": "angry"}
    assert reasons(found) == {"label '9' is not in the label map rafdb": 1}
    plant(tmp_path / "Image/aligned", [f"{name}_aligned.jpg" for name in names])
    with pytest.raises(DataError, match="--variant whole"):
        open_dataset(tmp_path)
    aligned = open_dataset(tmp_path, reading=Reading(variant="aligned"))
    assert set(labels(aligned)) == {f"Image/aligned/{name}_aligned.jpg" for name in names[:2]}


def pixels(root: Path) -> np.ndarray:
    """Write a table of pixels as FER2013's, and return its images: (4, 48, 48) uint8."""
    images = np.random.default_rng(4).integers(0, 256, (4, 48, 48), dtype=np.uint8)
    usage = ("Training", "PublicTest", "PrivateTest", "Training")
    rows = [
        f"{code},{' '.join(map(str, image.ravel()))},{where}"
        for code, image, where in zip((0, 3, 6, 7), images, usage, strict=True)
    ]
    write(root, {"fer2013.csv": "\n".join(["emotion,pixels,Usage", *rows, ""])})
    return images


def test_fer2013_stays_in_its_table(tmp_path: Path) -> None:
    images = pixels(tmp_path)
    for source in (tmp_path, tmp_path / "fer2013.csv"):
        found = open_dataset(source)
        assert labels(found) == {
            "training/00001": "angry",
            "publictest/00002": "happy",
            "privatetest/00003": "neutral",
        }
    by_name = {one.name: one for one in found.samples}
    assert {one.split for one in found.samples} == {"train", "validation", "test"}
    assert reasons(found) == {"label '7' is not in the label map fer2013": 1}
    for number, name in enumerate(("training/00001", "publictest/00002", "privatetest/00003")):
        np.testing.assert_array_equal(
            load_rgb(by_name[name].path), np.repeat(images[number][:, :, None], 3, 2)
        )
    facts = inspect_all(found.samples)
    assert {(one.width, one.height, one.reason) for one in facts.values()} == {(48, 48, None)}
    before = fingerprint(found)
    table = tmp_path / "fer2013.csv"
    table.write_text(table.read_text().replace(" 1", " 2", 1))
    assert fingerprint(open_dataset(tmp_path)) != before


@pytest.mark.parametrize("in_table", [True, False])
def test_ferplus_takes_the_most_votes_and_keeps_how_many(tmp_path: Path, in_table: bool) -> None:
    head = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    votes = ["0,8,2,0,0,0,0,0,0,0", "5,0,0,5,0,0,0,0,0,0", "0,0,0,0,0,0,0,9,1,0", "0,0,0,0,0,0,6,0,4,0"]
    rows = [f"{'PublicTest' if n else 'Training'},fer000000{n}.png,{each}" for n, each in enumerate(votes)]
    write(tmp_path, {"fer2013new.csv": "\n".join([head, *rows])})
    if in_table:
        pixels(tmp_path)
    else:
        plant(tmp_path / "FER2013Train", [f"fer000000{n}.png" for n in range(4)])
    found = open_dataset(tmp_path)
    assert found.layout == "ferplus"
    assert [(CLASSES[one.label], one.agreement) for one in found.samples] == [("happy", 0.8), ("fear", 0.6)]
    assert reasons(found) == {
        "the annotators' votes are tied": 1,
        "label 'contempt', which is none of the seven classes": 1,
    }
    assert understood(found).agreement == pytest.approx(0.7)
    assert all(load_rgb(one.path).ndim == 3 for one in found.samples)


def test_affectnet_by_lists_over_folders_of_storage(tmp_path: Path) -> None:
    plant(tmp_path / "Manually_Annotated_Images", ["1/a.jpg", "2/b.jpg", "7/c.jpg", "9/d.jpg"])
    head = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"
    train = "\n".join([head, "1/a.jpg,1,1,9,9,1;2,6,0.1,0.2", "2/b.jpg,1,1,9,9,1;2,7,0.1,0.2"])
    write(
        tmp_path,
        {
            "training.csv": train,
            "validation.csv": "7/c.jpg,1,1,9,9,1;2,1,0.1,0.2\n9/d.jpg,1,1,9,9,1;2,9,0,0\n",
        },
    )
    found = open_dataset(tmp_path)
    assert found.layout == "affectnet"
    assert labels(found) == {"1/a.jpg": "angry", "7/c.jpg": "happy"}
    assert [one.split for one in found.samples] == ["train", "validation"]
    assert set(reasons(found)) == {
        f"label {code!r} means {word}, which is none of the seven classes"
        for code, word in (("7", "contempt"), ("9", "uncertain"))
    }
    with pytest.raises(DataError, match="label map"):
        open_dataset(tmp_path / "Manually_Annotated_Images")


def test_affectnet_by_a_file_of_annotation_an_image(tmp_path: Path) -> None:
    plant(tmp_path, ["train_set/images/0.jpg", "train_set/images/1.jpg", "val_set/images/2.jpg"])
    codes = {"train_set/annotations/0": "5", "train_set/annotations/1": "7", "val_set/annotations/2": "0"}
    for name, code in codes.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        np.save(tmp_path / f"{name}_exp.npy", np.array(code))
    found = open_dataset(tmp_path)
    assert labels(found) == {"train_set/images/0.jpg": "disgust", "val_set/images/2.jpg": "neutral"}
    assert [one.split for one in found.samples] == ["train", "validation"]


def test_ck_takes_the_peak_of_a_labelled_sequence(tmp_path: Path) -> None:
    plant(
        tmp_path / "cohn-kanade-images",
        [f"S005/001/S005_001_0000000{n}.png" for n in (1, 2, 3)]
        + ["S010/002/S010_002_00000001.png", "S010/003/S010_003_00000009.png"],
    )
    write(
        tmp_path,
        {
            "Emotion/S005/001/S005_001_00000003_emotion.txt": "   3.0000000e+00\n",
            "Emotion/S010/002/S010_002_00000001_emotion.txt": "   2.0000000e+00\n",
        },
    )
    found = open_dataset(tmp_path)
    assert found.layout == "ck"
    (peak,) = found.samples
    assert (peak.name, CLASSES[peak.label]) == (
        "cohn-kanade-images/S005/001/S005_001_00000003.png",
        "disgust",
    )
    assert (peak.group, peak.clip) == ("S005", "S005_001")
    assert reasons(found)["not the peak of its sequence"] == 2
    assert reasons(found)["its sequence has no label"] == 1
    assert "means contempt" in "".join(reasons(found))


def test_expw_has_as_many_images_as_faces(tmp_path: Path) -> None:
    plant(tmp_path / "image/origin", ["a.jpg", "b.jpg"])
    lines = ["a.jpg 0 10 5 45 40 60.1 3", "a.jpg 1 0 30 60 20 60.1 6", "b.jpg 0 0 0 64 60 9.9 4"]
    lines += ["gone.jpg 0 0 0 9 9 1 1", "b.jpg 1 50 9 9 9 1 1"]
    write(tmp_path, {"label/label.lst": "\n".join(lines)})
    found = open_dataset(tmp_path)
    assert found.layout == "expw"
    assert labels(found) == {
        "image/origin/a.jpg#30,0,60,20": "neutral",
        "image/origin/a.jpg#5,10,45,40": "happy",
        "image/origin/b.jpg#0,0,64,60": "sad",
    }
    whole = np.asarray(Image.open(tmp_path / "image/origin/a.jpg"))
    assert [one.reason for one in found.problems] == [
        "label.lst line 4: no such file",
        "label.lst line 5: its box spans nothing",
    ]
    second, first, _ = found.samples
    np.testing.assert_array_equal(load_rgb(first.path), whole[10:40, 5:45])
    np.testing.assert_array_equal(load_rgb(second.path), whole[0:20, 30:60])
    assert [one.width for one in inspect_all(found.samples).values()] == [30, 40, 64]


def test_affwild2_has_a_text_a_video(tmp_path: Path) -> None:
    plant(tmp_path / "cropped_aligned", ["v1/00001.jpg", "v1/00003.jpg", "v2/00001.jpg"])
    head = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other"
    write(
        tmp_path,
        {
            "EXPR_Set/Train_Set/v1.txt": f"{head}\n1\n2\n-1\n",
            "EXPR_Set/Validation_Set/v2.txt": f"{head}\n6\n",
        },
    )
    found = open_dataset(tmp_path)
    assert found.layout == "affwild2"
    assert [(CLASSES[one.label], one.split, one.group, one.clip) for one in found.samples] == [
        ("angry", "train", "v1", "v1"),
        ("surprise", "validation", "v2", "v2"),
    ]
    assert reasons(found) == {
        "its frame was not extracted": 1,
        "label '-1' means unlabelled, which is none of the seven classes": 1,
    }


def test_hugging_faces_image_folder(tmp_path: Path) -> None:
    plant(tmp_path, ["train/a.png", "train/b.png", "test/c.png"])
    write(
        tmp_path,
        {
            "train/metadata.csv": "file_name,label,age\na.png,sad,3\nb.png,4,5\n",
            "test/metadata.jsonl": '{"file_name": "c.png", "label": "happy"}\n'
            '{"file_name": "gone.png", "label": "sad"}\n',
        },
    )
    found = open_dataset(tmp_path)
    assert found.layout == "imagefolder"
    assert [(one.name, one.split) for one in found.samples] == [
        ("test/c.png", "test"),
        ("train/a.png", "train"),
    ]
    assert {one.name: one.reason for one in found.problems} == {
        "test/gone.png": "test/metadata.jsonl line 2: no such file",
        "train/b.png": "train/metadata.csv line 3: label '4' is a number, and no label map says what it means",
    }
    assert found.remarks == ("Columns that are not used: age",)


@pytest.mark.parametrize(
    ("layout", "names", "expected"),
    [
        ("jaffe", ["KA.AN1.39.tiff", "KM.SU3.13.tiff"], [("angry", "KA"), ("surprise", "KM")]),
        ("kdef", ["AF01AFFL.JPG", "BM35SUHR.JPG", "AF01NES.JPG"],
         [("fear", "F01"), ("neutral", "F01"), ("surprise", "M35")]),
        (
            "rafd",
            ["Rafd090_01_Caucasian_female_angry_frontal.jpg", "Rafd045_02_Moroccan_male_contemptuous_left.jpg",
             "Rafd045_03_Caucasian_male_surprised_left.jpg"],
            [("surprise", "03"), ("angry", "01")],
        ),
    ],
)  # fmt: skip
def test_names_say_label_and_person(
    tmp_path: Path, layout: str, names: list[str], expected: list[tuple[str, str]]
) -> None:
    plant(tmp_path, [f"some/{name}" for name in names])
    declared = open_dataset(tmp_path, reading=Reading(label_pattern=layout), layout="names")
    for found in (open_dataset(tmp_path), declared):
        assert [(CLASSES[one.label], one.group) for one in found.samples] == expected
    assert open_dataset(tmp_path).layout == layout


def test_a_given_pattern_says_label_and_person(tmp_path: Path) -> None:
    plant(tmp_path, ["train/S01_joy_1.png", "train/S02_fear_1.png", "readme.png"])
    found = open_dataset(tmp_path, reading=Reading(label_pattern=r"^(?P<group>S\d+)_(?P<label>[a-z]+)"))
    assert [(CLASSES[one.label], one.group, one.split) for one in found.samples] == [
        ("happy", "S01", "train"),
        ("fear", "S02", "train"),
    ]
    assert reasons(found) == {"its name is not as the label pattern says": 1}
    with pytest.raises(DataError, match=r"label pattern must be a regular expression"):
        open_dataset(tmp_path, reading=Reading(label_pattern="("))


def test_lists_without_header_with_boxes_root_and_declared_columns(tmp_path: Path) -> None:
    plant(tmp_path / "pictures", ["a.png", "b c.png"])
    write(
        tmp_path,
        {
            "plain.txt": "a.png happy\n",
            "excel.csv": "sep=;\npath;label\na.png;sad\nb c.png;fear\n",
            "boxes.csv": "img,emo,x,y,w,h\na.png,sad,1,2,30,40\na.png,happy,40,2,20,20\n",
        },
    )
    at = {"image_root": str(tmp_path / "pictures")}
    assert labels(open_dataset(tmp_path / "plain.txt", reading=Reading(**at))) == {"a.png": "happy"}
    assert labels(open_dataset(tmp_path / "excel.csv", reading=Reading(**at))) == {
        "a.png": "sad",
        "b c.png": "fear",
    }
    with pytest.raises(DataError, match="--columns label=TITLE"):
        open_dataset(tmp_path / "boxes.csv", reading=Reading(**at))
    boxed = open_dataset(tmp_path / "boxes.csv", reading=Reading(columns="label=emo", **at))
    assert [load_rgb(one.path).shape for one in boxed.samples] == [(40, 30, 3), (20, 20, 3)]
    with pytest.raises(DataError, match="no column of"):
        open_dataset(tmp_path / "boxes.csv", reading=Reading(columns="label=nothing", **at))


def test_a_wrong_map_is_seen_at_a_glance(tmp_path: Path) -> None:
    for code, name in {"1": "surprise", "4": "happy"}.items():
        (tmp_path / code).mkdir()
        (tmp_path / code / f"{name}.png").write_bytes(png(int(code)))
    shown = list(understood(open_dataset(tmp_path, reading=Reading(label_map="rafdb"))).lines())
    assert "labels by the map rafdb" in shown
    assert "  1 = surprise: 1, such as 1/surprise.png" in shown
    wrong = list(understood(open_dataset(tmp_path, reading=Reading(label_map="ours"))).lines())
    assert "  1 = disgust: 1, such as 1/surprise.png" in wrong
