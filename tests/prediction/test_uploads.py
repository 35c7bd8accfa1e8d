"""What visitors send is decoded by content or refused with a reason; nothing crashes, nothing is written."""

import importlib.util
import io
import os
import stat
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pillow_heif import register_heif_opener

from fer_core import ROOT
from fer_core.config.settings import Limits
from fer_core.prediction.uploads import Refusal, Upload, read, shown_name, unfold

LIMITS = Limits(file_mb=1, upload_mb=2, files=4, megapixels=1)
SMOOTH = np.linspace(0, 255, 40 * 60 * 3).reshape(40, 60, 3).astype(np.uint8)


def encoded(kind: str = "PNG", pixels: np.ndarray = SMOOTH, **options: object) -> bytes:
    register_heif_opener()
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def outcomes(*files: tuple[str, bytes], limits: Limits = LIMITS) -> list[Upload | Refusal]:
    found, refused = unfold(files, limits)
    return [*refused, *(read(one, limits) for one in found)]


def refusal(data: bytes, name: str = "x.zip", limits: Limits = LIMITS) -> str:
    (found,) = outcomes((name, data), limits=limits)
    assert isinstance(found, Refusal)
    return found.reason


def taken(data: bytes, name: str = "x.jpg") -> Upload:
    (found,) = outcomes((name, data))
    assert isinstance(found, Upload)
    return found


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "JPEG", "WEBP", "HEIF"])
def test_every_kind_is_read_by_content_whatever_its_name_says(kind: str) -> None:
    found = taken(encoded(kind), "notes.txt")
    assert found.pixels.shape == SMOOTH.shape
    assert np.abs(found.pixels.astype(int) - SMOOTH).mean() < 12
    assert found.note == ""


def test_a_zip_gives_its_images_with_names_of_their_own() -> None:
    data = zipped({"a/face.png": encoded(), "b/face.png": encoded("JPEG"), "__MACOSX/._face.png": b"x"})
    found = outcomes(("all.zip", data), ("face.png", encoded()))
    assert [one.name for one in found] == ["face.png", "face (2).png", "face (3).png"]
    assert all(isinstance(one, Upload) for one in found)


def test_of_several_pictures_the_first_counts_and_that_is_said() -> None:
    second = Image.fromarray(SMOOTH[::-1].copy())
    for kind in ("TIFF", "GIF"):
        found = taken(encoded(kind, save_all=True, append_images=[second]))
        assert "first of several" in found.note
        assert np.abs(found.pixels.astype(int) - SMOOTH).mean() < 12


def test_an_image_with_a_zip_behind_it_is_the_image_alone() -> None:
    found = outcomes(("both.jpg", encoded("JPEG") + zipped({"b.png": encoded()})))
    assert [one.name for one in found] == ["both.jpg"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"<html><script>alert(1)</script></html>", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
        (encoded()[:-60], "truncated"),
        (encoded("JPEG")[:300], "truncated"),
        (os.urandom(1_100_000), "1 MB"),
        (encoded(pixels=np.zeros((1001, 1000, 3), np.uint8)), "megapixel"),
    ],
)
def test_what_is_no_image_is_refused_with_a_reason(data: bytes, reason: str) -> None:
    assert reason in refusal(data, "x.png")


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        *(
            (name, stat.S_IFREG, "out of the zip")
            for name in ("../evil.png", "a/../../evil.png", "/etc/evil.png")
        ),
        *((name, stat.S_IFREG, "out of the zip") for name in ("C:\\evil.png", "..\\evil.png")),
        ("face.png", stat.S_IFLNK, "a link"),
        ("face.png", stat.S_IFCHR, "a device"),
    ],
)
def test_what_could_reach_out_of_a_zip_is_refused(name: str, kind: int, reason: str) -> None:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (kind | 0o777) << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    assert reason in refusal(buffer.getvalue())


def test_zip_bombs_are_refused_by_ratio_by_size_and_in_all() -> None:
    wide = Limits(file_mb=50, upload_mb=60, files=4)
    assert "zip bombs" in refusal(zipped({"x.bmp": bytes(40_000_000)}), limits=wide)
    assert "1 MB" in refusal(zipped({"x.bmp": bytes(1_100_000)}))
    parts = {f"{index}.bin": os.urandom(1000) * 900 for index in range(4)}
    found = outcomes(("x.zip", zipped(parts)))
    assert sum("more than may be sent" in one.reason for one in found if isinstance(one, Refusal)) == 2


def test_a_header_that_lies_about_its_size_unfolds_no_further() -> None:
    data = bytearray(zipped({"x.bmp": bytes(900_000)}))
    central = data.index(b"PK\x01\x02")
    data[central + 24 : central + 28] = struct.pack("<I", 100)
    taken_files, refused = unfold([("x.zip", bytes(data))], LIMITS)
    assert not taken_files
    assert "damaged" in refused[0].reason


def test_zips_that_hide_things_are_refused() -> None:
    assert "inside a zip" in refusal(zipped({"inner.png": zipped({"a.png": encoded()})}))
    assert "method" in refusal(zipped({"a.png": encoded()}, zipfile.ZIP_LZMA))
    assert "no image" in refusal(zipped({}))
    assert "no image" in refusal(zipped({"notes.txt": b"only words", "Thumbs.db": b"\xd0\xcf\x11\xe0"}))
    assert "can't be opened" in refusal(zipped({"a.png": encoded()})[:-30])
    assert "no name" in refusal(zipped({"a.png": encoded()}).replace(b"a.png", b"\0.png"))
    locked = bytearray(zipped({"a.png": encoded()}))
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    assert "encrypted" in refusal(bytes(locked))


def test_a_directory_is_refused_before_it_takes_the_memory_of_its_entries() -> None:
    one = zipped({"a.png": b""})
    start, end = one.index(b"PK\x01\x02"), one.index(b"PK\x05\x06")
    listed = one[start:end] * 100_000
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65_535, 65_535, len(listed), start, 0)
    tracemalloc.start()
    assert "its directory has more than 4 MiB" in refusal(one[:start] + listed + tail, limits=Limits())
    assert tracemalloc.get_traced_memory()[1] < 4 * len(listed)
    tracemalloc.stop()
    assert "10,001 files; 10,000 is the limit" in refusal(zipped(dict.fromkeys(map(str, range(10_001)), b"")))


def test_more_than_may_be_sent_is_refused_and_counted() -> None:
    files = [(f"{index}.png", encoded()) for index in range(6)]
    taken_files, refused = unfold(files, LIMITS)
    assert len(taken_files) == 4
    assert all("first 4 images" in one.reason for one in refused)
    noise = [(f"{index}.bin", os.urandom(900_000)) for index in range(3)]
    assert "2 MB in all" in unfold(noise, LIMITS)[1][0].reason


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\face.png", "face.png"),
        ("\u202egnp.exe\x00\n.png", "gnp.exe.png"),
        ("a\u200b\u2066b\u2069.png", "ab.png"),
        ("..", "unnamed"),
        ("\x07", "unnamed"),
        ("x" * 300 + ".jpeg", "x" * 74 + "….jpeg"),
        ("=cmd|' /C calc'!A0.png", "C calc'!A0.png"),
    ],
)
def test_names_are_shown_without_paths_and_tricks(name: str, shown: str) -> None:
    assert shown_name(name) == shown


def test_malformed_uploads_end_in_pixels_or_a_reason_and_leave_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = ROOT / "benchmarks" / "uploads.py"
    spec = importlib.util.spec_from_file_location("benchmark_uploads", place)
    assert spec is not None
    assert spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.chdir(tmp_path)
    ends = [found for sent in benchmark.mutated(150, seed=7) for found in outcomes(sent, limits=Limits())]
    assert {type(found) for found in ends} == {Upload, Refusal}
    assert all(found.reason for found in ends if isinstance(found, Refusal))
    assert not list(tmp_path.iterdir())
