"""The audit finds what was planted, says it in words, and holds its tongue on a sound set."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from PIL import Image
from trees import plant, png

from fer_core.config.reading import Reading
from fer_core.config.run import CLASSES
from fer_core.datasets.audit import AuditReport, Finding, audit
from fer_core.datasets.base import Dataset
from fer_core.datasets.open import open_dataset
from fer_core.datasets.readers.image_folder import read_folder


def film(movie: str, shot: int, frame: int) -> str:
    return f"{movie}_0101{shot:02d}400_{frame:08d}.png"


def sound(root: Path) -> Path:
    """Plant six movies, every class in each, half of the movies in each split."""
    names = [
        f"{'Train' if number < 3 else 'Val'}/{folder}/{film(f'Film{number}x', shot, frame)}"
        for number in range(6)
        for shot, folder in enumerate(CLASSES)
        for frame in (1, 9)
    ]
    return plant(root, names)


def codes(report: AuditReport) -> dict[str, str]:
    return {finding.code: finding.severity for finding in report.findings}


def finding(report: AuditReport, code: str) -> Finding:
    (found,) = [one for one in report.findings if one.code == code]
    return found


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return open_dataset(sound(tmp_path / "data"))


def test_a_sound_set_has_no_errors_or_warnings(dataset: Dataset) -> None:
    report = audit(dataset)
    assert codes(report) == {}
    assert (report.images, report.groups, report.clips) == (84, 6, 42)
    assert report.classes == dict.fromkeys(CLASSES, 12)
    assert report.splits == {"train": dict.fromkeys(CLASSES, 6), "validation": dict.fromkeys(CLASSES, 6)}
    assert report.class_groups == dict.fromkeys(CLASSES, 6)
    assert report.sizes == {"64x60": 84}
    assert report.unreadable == report.problems == report.duplicates == ()


def test_unreadable_files_keep_their_reason_and_copies_of_them_count(dataset: Dataset) -> None:
    first, second, third, fourth = dataset.samples[:4]
    first.path.write_bytes(first.path.read_bytes()[:500])
    second.path.write_bytes(b"")
    third.path.write_bytes(b"")
    fourth.path.unlink()
    report = audit(dataset)
    found = {problem.name: problem.reason for problem in report.unreadable}
    assert "truncated" in found.pop(first.name)
    empty = "empty file (0 bytes)"
    assert found == {second.name: empty, third.name: empty, fourth.name: "no such file"}
    one = finding(report, "unreadable")
    assert (one.severity, one.title, len(one.names)) == ("error", "4 images can't be read", 4)
    assert report.images == 84
    assert report.duplicates == ((second.name, third.name),)
    weights = [("error", "warning", "note").index(one.severity) for one in report.findings]
    assert weights == sorted(weights)


def test_copies_are_told_apart_by_label_and_split(dataset: Dataset) -> None:
    copies = {
        "plain": ("Train/angry/p1.png", "Train/angry/p2.png", "Train/angry/p3.png"),
        "label": ("Train/angry/l1.png", "Train/sad/l2.png"),
        "split": ("Train/fear/s1.png", "Val/fear/s2.png"),
        "both": ("Train/happy/b1.png", "Val/sad/b2.png"),
        "outside the splits": ("Train/sad/x.png", "sad/x.png"),
    }
    for seed, names in enumerate(copies.values(), 1000):
        for name in names:
            (dataset.root / name).parent.mkdir(exist_ok=True)
            (dataset.root / name).write_bytes(png(seed))
    report = audit(open_dataset(dataset.root))
    assert {frozenset(names) for names in report.duplicates} == {
        frozenset(names) for names in copies.values()
    }
    for code, severity, kinds in (
        ("duplicates", "warning", ("plain", "outside the splits")),
        ("two_labels", "error", ("label", "both")),
        ("two_splits", "error", ("split", "both")),
    ):
        one = finding(report, code)
        assert (one.severity, set(one.names)) == (severity, {" = ".join(copies[kind]) for kind in kinds})


def test_clips_and_groups_that_straddle_splits(dataset: Dataset) -> None:
    plant(dataset.root, [f"Val/angry/{film('Film0x', 0, 77)}", f"Val/sad/{film('film1X', 30, 1)}"])
    plant(dataset.root / "Train/sad", ["unknown 1.png"])
    plant(dataset.root / "Val/sad", ["unknown 2.png"])
    report = audit(open_dataset(dataset.root))
    assert finding(report, "clip_straddles").names == ("Film0x_010100400",)
    assert finding(report, "clip_straddles").severity == "error"
    assert finding(report, "group_straddles").names == ("Film0x", "Film1x")


def test_small_images(dataset: Dataset) -> None:
    for name, size in {"a": (19, 400), "b": (20, 400), "c": (47, 48), "d": (48, 48)}.items():
        (dataset.root / f"Train/sad/{name}.png").write_bytes(png(7, *size))
    report = audit(open_dataset(dataset.root))
    assert finding(report, "tiny").names == ("Train/sad/a.png",)
    assert finding(report, "small").names == ("Train/sad/b.png", "Train/sad/c.png")
    assert len(finding(report, "unknown_group").names) == 4


def test_unbalanced_and_empty_classes(tmp_path: Path) -> None:
    counts = {"happy": 6, "sad": 2, "fear": 2}
    plant(tmp_path, [f"{label}/{i}.png" for label, images in counts.items() for i in range(images)])
    report = audit(read_folder(tmp_path))
    assert finding(report, "imbalance").title == "Classes are unbalanced: 6 of happy, 2 of fear"
    assert set(finding(report, "empty_class").names) == {"angry", "disgust", "neutral", "surprise"}
    assert finding(report, "empty_class").title == "4 classes without an image"
    assert (report.groups, report.clips) == (0, 0)
    assert finding(report, "no_groups").severity == "note"
    (tmp_path / "happy/5.png").unlink()
    assert "imbalance" not in codes(audit(read_folder(tmp_path)))


def test_few_groups(tmp_path: Path) -> None:
    names = [f"{folder}/{film(movie, 1, 1)}" for folder in CLASSES for movie in ("A", "B")]
    report = audit(open_dataset(plant(tmp_path, names)))
    assert finding(report, "few_groups").names == ("A", "B")
    assert set(finding(report, "scarce_class").names) == set(CLASSES)


def test_problems_and_the_generated_mark_are_passed_on(tmp_path: Path) -> None:
    plant(tmp_path, ["sad/a.png", "cats/b.png"])
    (tmp_path / "SYNTHETIC.txt").write_text("drawn")
    report = audit(open_dataset(tmp_path))
    assert report.generated
    assert [problem.name for problem in report.problems] == ["cats/b.png"]
    assert finding(report, "problems").title == "1 file left out"
    assert "generated" in codes(report)


def test_the_report_is_complete_as_json(dataset: Dataset, tmp_path: Path) -> None:
    dataset.samples[0].path.write_bytes(b"")
    steps: list[tuple[int, int]] = []
    report = audit(
        dataset, cache=tmp_path / "cache", progress=lambda done, total: steps.append((done, total))
    )
    plain = json.loads(json.dumps(asdict(report), allow_nan=False))
    assert plain["unreadable"] == [{"name": dataset.samples[0].name, "reason": "empty file (0 bytes)"}]
    assert [one["code"] for one in plain["findings"]] == [one.code for one in report.findings]
    assert set(plain) == set(AuditReport.__dataclass_fields__)
    assert steps[-1] == (84, 84)
    assert audit(dataset, cache=tmp_path / "cache") == report


def test_near_copies_across_splits_are_pairs_to_look_at(tmp_path: Path, photos: list[Path]) -> None:
    for number, path in enumerate(photos[:4]):
        for split in ("train", "test"):
            place = tmp_path / split / "happy" / f"{split}{number}.jpg"
            place.parent.mkdir(parents=True, exist_ok=True)
            with Image.open(path) as image:
                if split == "train":
                    image.save(place, quality=90)
                elif number < 2:  # the same again, smaller and saved once more
                    image.resize((image.width // 2, image.height // 2)).save(place, quality=60)
    (pairs,) = [one for one in audit(open_dataset(tmp_path)).findings if one.code == "look_alikes"]
    assert pairs.names == tuple(f"test/happy/test{n}.jpg = train/happy/train{n}.jpg" for n in (0, 1))


def test_images_of_one_colour_are_no_near_copies(tmp_path: Path) -> None:
    for split, grey in (("train", 10), ("test", 200)):
        place = tmp_path / split / "sad"
        place.mkdir(parents=True)
        Image.new("RGB", (64, 64), (grey, grey, grey)).save(place / "x.png")
    assert "look_alikes" not in codes(audit(open_dataset(tmp_path)))


def test_images_without_a_split_beside_others_name_their_folder(tmp_path: Path) -> None:
    plant(
        tmp_path, ["train/sad/a.png", "test/sad/b.png", "extra/sad/c.png", "extra/happy/d.png", "fear/e.png"]
    )
    one = finding(audit(open_dataset(tmp_path)), "some_without_split")
    assert (one.severity, one.names) == ("warning", ("extra (2)", "fear (1)"))


def test_groups_that_are_classes_are_a_warning(tmp_path: Path) -> None:
    plant(tmp_path, [f"{label}/{label}_{number}.png" for label in ("happy", "sad") for number in range(3)])
    report = audit(open_dataset(tmp_path, reading=Reading(group_pattern=r"^([a-z]+)_")))
    assert finding(report, "groups_are_classes").names == ("happy", "sad")
    report = audit(open_dataset(tmp_path, reading=Reading(group_pattern=r"_(\d)")))
    assert "groups_are_classes" not in codes(report)


def test_irregular_names_mixed_clips_and_odd_sizes_are_notes(tmp_path: Path) -> None:
    names = [f"{folder}/{film('Film', number, 1)}" for number, folder in enumerate(CLASSES * 3)]
    plant(tmp_path, [*names, "sad/Film-010100400__00000009.png"])  # the clip of the first, which is angry
    (tmp_path / "happy" / film("Other", 1, 1)).write_bytes(png(99, 70, 70))
    report = audit(open_dataset(tmp_path))
    assert finding(report, "irregular_names").names == ("sad/Film-010100400__00000009.png",)
    assert finding(report, "clip_labels").names == ("Film_010100400 (angry, sad)",)
    assert finding(report, "odd_sizes").names == (f"happy/{film('Other', 1, 1)}",)


def test_columns_that_are_not_used_are_named(tmp_path: Path) -> None:
    plant(tmp_path, ["a.png"])
    (tmp_path / "list.csv").write_text("path,label,fold,valence,actor\na.png,sad,3,0.1,Ann\n")
    report = audit(open_dataset(tmp_path / "list.csv"))
    assert {one.title for one in report.findings if one.code == "reading"} == {
        "Persons or movies are those of the column 'actor'",
        "Columns that are not used: fold, valence (folds are drawn by the protocol)",
    }


def test_faces_per_frame_are_counted_once_they_were_looked_for(dataset: Dataset) -> None:
    assert audit(dataset).understood.faces == {}
    names = [one.name for one in dataset.samples[:4]]
    found = audit(dataset, faces=dict(zip(names, (1, 0, 2, 1), strict=True)))
    assert found.understood.faces == {0: 1, 1: 2, 2: 1}
    assert "faces per frame: none in 1, 1 in 2, 2 in 1" in list(found.understood.lines())
