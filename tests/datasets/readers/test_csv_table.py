"""A CSV manifest: columns by name, paths beside it, every bad row named."""

from functools import partial
from pathlib import Path

import pytest
from trees import plant

from fer_core.config.reading import Reading
from fer_core.config.run import CLASSES
from fer_core.datasets.base import Sample
from fer_core.datasets.open import open_dataset
from fer_core.errors import DataError

read_csv = partial(open_dataset, layout="csv")


def table(root: Path, text: str | bytes, name: str = "list.csv") -> Path:
    path = root / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_all_columns_in_any_order_and_case(tmp_path: Path) -> None:
    plant(tmp_path, ["a.png", "sub/b.png"])
    path = table(
        tmp_path,
        "Clip,LABEL,ignored, Path ,Split,Group\nc1,Anger,x,sub/b.png,VALID,Ann\n,sad,x,a.png,,\n",
    )
    dataset = read_csv(path)
    first, second = dataset.samples
    assert first == Sample("a.png", tmp_path / "a.png", CLASSES.index("sad"), None, "", "a.png")
    assert second == Sample("sub/b.png", tmp_path / "sub/b.png", 0, "validation", "Ann", "c1")
    assert (dataset.name, dataset.layout, dataset.root) == ("list", "csv", tmp_path)
    assert dataset.problems == ()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_delimiters_encodings_and_line_ends(
    tmp_path: Path, delimiter: str, encoding: str, newline: str
) -> None:
    plant(tmp_path, ["é.png", f"b{delimiter}c.png"])
    rows = [["path", "label"], ["é.png", "happy"], ["", ""], [f'"b{delimiter}c.png"', '"sad"']]
    text = newline.join(delimiter.join(row) for row in rows)
    dataset = read_csv(table(tmp_path, text.encode(encoding)))
    assert [(sample.name, CLASSES[sample.label]) for sample in dataset.samples] == [
        (f"b{delimiter}c.png", "sad"),
        ("é.png", "happy"),
    ]


def test_every_bad_row_is_a_problem_with_its_line(tmp_path: Path) -> None:
    root = plant(tmp_path / "data", ["a.png", "sub/b.png"])
    plant(tmp_path, ["outside.png"])
    rows = [
        "a.png,sad,",
        "gone.png,sad,",
        f"{tmp_path}/outside.png,sad,",
        "../outside.png,sad,",
        "a.png/../sub/b.png,contempt,",
        "sub/b.png,,",
        ",happy,",
        "sub,sad,",
        "sub/b.png,sad,someday",
        "lonely",
        f"{'x' * 5000},sad",
    ]
    dataset = read_csv(table(root, "path,label,split\n" + "\n".join(rows)))
    assert [sample.name for sample in dataset.samples] == ["a.png"]
    assert [(problem.name, problem.reason) for problem in dataset.problems] == [
        ("gone.png", "line 3: no such file"),
        (f"{tmp_path}/outside.png", "line 4: outside the CSV's folder"),
        ("../outside.png", "line 5: outside the CSV's folder"),
        ("a.png/../sub/b.png", "line 6: label 'contempt', which is none of the seven classes"),
        ("sub/b.png", "line 7: no label"),
        ("line 8", "line 8: no path"),
        ("sub", "line 9: a folder or special file"),
        ("sub/b.png", "line 10: split 'someday' is none of train, validation, test, set1, set2"),
        ("lonely", "line 11: no such file"),
        ("x" * 5000, "line 12: can't be found: File name too long"),
    ]


def test_absolute_and_windows_paths_below_the_folder_count(tmp_path: Path) -> None:
    plant(tmp_path, ["sub/a.png", "sub/b.png"])
    path = table(tmp_path, f"path,label\n{tmp_path}/sub/a.png,sad\nsub\\b.png,sad\n")
    for place in (path, tmp_path / "sub" / ".." / path.name):
        assert [sample.name for sample in read_csv(place).samples] == ["sub/a.png", "sub/b.png"]


def test_images_listed_twice(tmp_path: Path) -> None:
    plant(tmp_path, ["a.png", "b.png", "c.png"])
    text = "path,label\na.png,sad\n./a.png,sadness\nb.png,sad\nb.png,happy\nc.png,fear\n"
    dataset = read_csv(table(tmp_path, text))
    assert [sample.name for sample in dataset.samples] == ["a.png", "c.png"]
    again, *contradictions = dataset.problems
    assert again.reason == "line 3: listed again (first in line 2)"
    assert [problem.name for problem in contradictions] == ["b.png", "b.png"]
    assert all(
        "line 4: sad" in problem.reason and "line 5: happy" in problem.reason for problem in contradictions
    )


def test_numbers_need_their_codes(tmp_path: Path) -> None:
    plant(tmp_path, ["a.png", "b.png"])
    path = table(tmp_path, "path,label\na.png,7\nb.png,0\n")
    with pytest.raises(DataError, match=r"rafdb.*--label-map 4=sad"):
        read_csv(path)
    dataset = read_csv(path, reading=Reading(label_map="sfew"))
    assert [CLASSES[sample.label] for sample in dataset.samples] == ["surprise"]
    assert dataset.problems[0].reason == "line 3: label '0' is not in the label map sfew"


def test_groups_come_from_names_where_no_column_says(tmp_path: Path) -> None:
    films = ("IAmSam_012921760_00000084", "IAmSam_013827920__00000055", "iamsam_013827920_00000060")
    names = [f"{film}.png" for film in films]
    plant(tmp_path, names)
    rows = [f"{names[0]},sad,Ann,", f"{names[1]},sad,Ann,", f"{names[2]},sad,Ann,Somebody"]
    found = read_csv(table(tmp_path, "path,label,person,group\n" + "\n".join(rows))).samples
    assert [sample.group for sample in found] == ["IAmSam", "IAmSam", "Somebody"]
    assert found[2].clip == "IAmSam_013827920"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "header line"),
        ("path,something\na.png,sad\n", "label column.*none in"),
        ("a,sad\n", "path column"),
        ("gone.png,sad\n", r"\(line 1: no such file"),
        ("path,label\n", "at least one image"),
        ("path,label\ngone.png,sad\n", r"\(line 2: no such file"),
        (b"path,label\n\xe9.png,sad\n", "UTF-8"),
        (b"\x89PNG\r\n\x1a\n\xff\x00", "UTF-8"),
    ],
)
def test_what_is_no_manifest_says_why(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_csv(table(tmp_path, text))
