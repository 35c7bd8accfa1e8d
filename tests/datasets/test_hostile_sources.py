"""What no data set is: pipes, devices, sheets and patterns that never end, other people's files."""

import io
import os
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from openpyxl import Workbook
from trees import plant

from fer_core.config.reading import Reading
from fer_core.datasets import sheets
from fer_core.datasets.audit import audit
from fer_core.datasets.fingerprint import data_config
from fer_core.datasets.images import load_rgb
from fer_core.datasets.open import open_dataset
from fer_core.datasets.readers.feature_table import read_feature_table
from fer_core.errors import DataError

SECRET = "FER_DATABASE_URL=postgresql://ada:hunter2@db/fer"


@pytest.mark.parametrize("name", ["set", "set.csv", "set.xlsx", "frames.csv"])
@pytest.mark.parametrize("layout", ["auto", "csv", "table", "folder", "generated"])
def test_a_pipe_and_a_device_are_no_data_set(tmp_path: Path, name: str, layout: str) -> None:
    for make in (os.mkfifo, lambda path: path.symlink_to("/dev/zero")):
        path = tmp_path / make.__name__ / name
        path.parent.mkdir()
        make(path)
        with pytest.raises(DataError):
            open_dataset(path, layout=layout)


def test_pipes_among_the_images_are_problems_and_the_rest_is_read(tmp_path: Path) -> None:
    plant(tmp_path, ["Happy/a.png", "Sad/b.png"])
    os.mkfifo(tmp_path / "Happy" / "pipe.png")
    (tmp_path / "Sad" / "endless.png").symlink_to("/dev/zero")
    dataset = open_dataset(tmp_path)
    assert [sample.name for sample in dataset.samples] == ["Happy/a.png", "Sad/b.png"]
    (tmp_path / "Happy" / "a.png").unlink()  # and what became a pipe since it was opened
    os.mkfifo(tmp_path / "Happy" / "a.png")
    assert data_config(dataset).images == 2
    assert [finding.name for finding in audit(dataset).unreadable] == ["Happy/a.png"]
    with pytest.raises(DataError, match="not a regular file"):
        load_rgb(tmp_path / "Happy" / "a.png")


def test_an_endless_group_pattern_ends_with_an_error(tmp_path: Path) -> None:
    plant(tmp_path, [f"Happy/{'a' * 200}!.png", "Sad/b.png"])
    with pytest.raises(DataError, match="A pattern may take"):
        open_dataset(tmp_path, reading=Reading(group_pattern=r"^Happy/((a|aa)+)$"))


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        f"{SECRET}\0HOME=/root\0",
        f"{SECRET},a,b\nx,y,z\n",
        f"path,{SECRET}\na.png,1\n",
        f"label;{SECRET}\nsad;b\n",
        f"{SECRET},1,2,3,4,5\n" * 3,
        f"{SECRET},99,0.1,0.2,0.3,0.4,0.5\n" * 3,
        f'"{SECRET}\n' * 3,
        f"\xff{SECRET}",
        f"name,class\n{SECRET},angry\nhunter2.png,FER_DATABASE_URL\n",
    ],
)
@pytest.mark.parametrize("layout", ["auto", "csv", "table", "generated", "sfew1"])
def test_no_error_repeats_what_stands_in_a_file_that_is_no_data_set(
    tmp_path: Path, text: str, layout: str
) -> None:
    (tmp_path / "some.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError) as refused:
        open_dataset(tmp_path / "some.csv", layout=layout)
    for part in ("hunter2", "FER_DATABASE", "99"):
        assert part not in str(refused.value)


def test_declared_columns_show_no_file_that_is_no_list(tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text("root:x:0:0:hunter2:/root\nada:x:1000:1000:hunter2:/home/ada\n" * 3)
    with pytest.raises(DataError) as refused:
        open_dataset(tmp_path / "passwd", reading=Reading(columns="path=1,label=1"))
    assert "hunter2" not in str(refused.value)
    assert "(line 1: no such file)" in str(refused.value)


def forged(path: Path, part: str, pieces: Iterable[bytes]) -> Path:
    """Write a sheet in which one part is replaced."""
    book, stored = Workbook(), io.BytesIO()
    book.active.append(["a.png", 1, *[0.5] * 10])  # type: ignore[union-attr]
    book.save(stored)
    with zipfile.ZipFile(stored) as whole, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name in {*whole.namelist(), part}:
            out.writestr(name, b"".join(pieces) if name == part else whole.read(name))
    return path


SPACE = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


@pytest.mark.parametrize(
    ("part", "around", "piece"),
    [
        (
            "xl/worksheets/sheet1.xml",
            (b"<worksheet %s><sheetData>", b"</sheetData></worksheet>"),
            b"<row r='1'/>",
        ),
        (
            "xl/worksheets/sheet1.xml",
            (b"<worksheet %s><sheetData><row>", b"</row></sheetData></worksheet>"),
            b"<c/>",
        ),
        ("xl/styles.xml", (b"<styleSheet %s><fonts>", b"</fonts></styleSheet>"), b"<font/>"),
    ],
)
def test_a_sheet_that_unfolds_without_end_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, around: tuple[bytes, bytes], piece: bytes
) -> None:
    path = forged(tmp_path / "t.xlsx", part, [around[0] % SPACE, piece * 400_000, around[1]])
    monkeypatch.setattr(sheets, "MEMORY", 16 << 20)
    with pytest.raises(DataError, match="A feature table must be readable"):
        read_feature_table(path)
    monkeypatch.setattr(sheets, "UNFOLDED", 1_000_000)
    monkeypatch.setattr(sheets, "SECONDS", 0)  # not even begun
    with pytest.raises(DataError, match="unfolded"):
        read_feature_table(path)
