"""Data sets sent as zips: what is unpacked, what is left out, and what is refused as a whole."""

import io
import os
import time
import zipfile
from pathlib import Path

import pytest
from trees import png

from fer_core.datasets.open import open_dataset
from fer_core.datasets.readers.unpacking import TORN_SECONDS, unpack
from fer_core.errors import DataError
from fer_core.storage.zips import MOST_ENTRIES

MOST = 8 << 20


def packed(*entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return file


def link(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o120777 << 16
    return entry


def test_images_and_lists_are_unpacked_once_and_the_rest_is_counted(tmp_path: Path) -> None:
    names = ("set/happy/a.png", "set/sad/b", "__MACOSX/set/happy/._a.png", "set/.DS_Store")
    file = packed(
        *((name, png(number)) for number, name in enumerate(names)),
        ("set/run.sh", b"echo"),
        ("set/inner.zip", packed(("x.png", png(9))).getvalue()),
        ("set/notes.txt", b"of the set"),
    )
    place, out = unpack(file, tmp_path / "uploads", MOST)
    assert (place.name, out) == ("set", 2)
    found = sorted(one.relative_to(place).as_posix() for one in place.rglob("*") if one.is_file())
    assert found == ["happy/a.png", "notes.txt", "sad/b"]
    assert [one.name for one in open_dataset(place).samples] == ["happy/a.png", "sad/b"]
    assert unpack(file, tmp_path / "uploads", MOST) == (place, out)
    assert len(list((tmp_path / "uploads").iterdir())) == 1


def test_a_zip_of_more_files_than_a_visitor_may_send_is_a_data_set_like_any(tmp_path: Path) -> None:
    listed = [(f"__MACOSX/{number}", b"") for number in range(MOST_ENTRIES)]
    place, _ = unpack(packed(("set/happy/a.png", png(0)), *listed, method=zipfile.ZIP_STORED), tmp_path, MOST)
    assert (place / "happy" / "a.png").is_file()


def test_what_a_killed_process_left_half_unpacked_goes(tmp_path: Path) -> None:
    for name, age in ((".torn", 2 * TORN_SECONDS), (".now", 0.0)):
        (tmp_path / name / "happy").mkdir(parents=True)
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    unpack(packed(("set/happy/a.png", png(0))), tmp_path, MOST)
    assert not (tmp_path / ".torn").exists()
    assert (tmp_path / ".now").exists()


@pytest.mark.parametrize("folder", ["happy", "3", "train"])
def test_a_folder_alone_that_is_a_class_or_a_split_is_kept(tmp_path: Path, folder: str) -> None:
    place, _ = unpack(packed((f"set/{folder}/a.png", png(0))), tmp_path, MOST)
    assert place.name == "set"


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (packed(("../a.png", png(0))), "leads out of the zip"),
        (packed(("/etc/a.png", png(0))), "leads out of the zip"),
        (packed((link("happy/a.png"), b"/etc/passwd")), "a link or a device"),
        (packed(("happy/a.png", b"\0" * MOST)), "zip bombs"),
        (packed(("a.csv", b"x" * (MOST + 1)), method=zipfile.ZIP_STORED), "may have"),
        (
            packed(*((f"{n}.csv", b"x" * MOST) for n in range(2)), method=zipfile.ZIP_STORED),
            "unfolds to more",
        ),
        (packed(("happy/a.png", png(0)), ("happy\\a.png", png(1))), "File exists"),
        (packed(("happy", png(1)), ("happy/a.png", png(0))), "File exists"),
        (io.BytesIO(b"PK\x03\x04 broken"), "not a zip"),
        (packed(("a/" * 17 + "b.png", png(0))), "more than 16 folders deep"),
        (
            packed(*(("/".join(f"{n}.{level}" for level in range(9)) + "/a", b"") for n in range(1300))),
            "more than 10,000 folders",
        ),
        (packed((f"{'a' * 300}.png", png(0))), "got File name too long"),
    ],
    ids=[
        "above",
        "absolute",
        "link",
        "bomb",
        "large",
        "large in all",
        "twice",
        "file and folder",
        "broken",
        "deep",
        "wide",
        "long",
    ],
)
def test_a_zip_that_is_not_safe_is_refused_and_nothing_stays(
    tmp_path: Path, file: io.BytesIO, said: str
) -> None:
    folder = tmp_path / "uploads"
    with pytest.raises(DataError, match=said) as caught:
        unpack(file, folder, MOST)
    assert "give the folder's path" in str(caught.value)
    assert list(folder.iterdir()) == []
