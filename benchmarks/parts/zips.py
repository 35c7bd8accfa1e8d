"""Zips that are none, or worse: what Bring data unpacks onto the disk and Predict unfolds in memory."""

import io
import os
import random
import shutil
import stat
import struct
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from fer_core.config.settings import Limits
from fer_core.datasets.open import open_dataset
from fer_core.datasets.pictures.image_files import is_image
from fer_core.datasets.readers.unpacking import LISTS, unpack
from fer_core.errors import FerError
from fer_core.prediction.uploads import unfold

from .hostile import plain

#: CPU seconds that a zip of a runner's may take, bytes it may leave; of a visitor's, CPU seconds.
MOST_SECONDS, MOST_BYTES, MOST_VISIT = 10.0, 4 * Limits().upload_mb << 20, 3.0

NAMES = (
    *(
        "../a.png",
        "happy/../../a.png",
        "/etc/a.png",
        "..\\a.png",
        "C:\\a.png",
        "\\\\host\\share\\a.png",
        "~/a.png",
    ),
    *(
        "\0a.png",
        "\0",
        ".",
        "./",
        "a//b.png",
        ".left-out",
        ".left-out/a.png",
        "happy/.a.png",
        "CON.png",
        "a:b.png",
    ),
    *(
        "a" * 300 + ".png",
        "a/" * 900 + "b.png",
        "a/" * 30_000 + "b.png",
        "b" * 65_000,
        "-rf.png",
        "=cmd|x.png",
    ),
    *("\u202egnp.png", "<img src=x onerror=alert(1)>.png", "a\nb.png", "a\x1b[2J.png", "e\u0301.png", "\x7f"),
)
KINDS = (stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK, stat.S_IFDIR)


def packed(
    entries: Sequence[tuple[str | zipfile.ZipInfo, bytes]], method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    """Return a zip of names and contents, names as they are given."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in entries:
            entry = name
            if isinstance(name, str):
                entry = zipfile.ZipInfo("x")
                entry.filename = name  # `ZipInfo` itself cuts a name at NUL
            assert isinstance(entry, zipfile.ZipInfo)
            entry.compress_type = method
            archive.writestr(entry, content)
    return file.getvalue()


def changed(data: bytes, at: int, value: bytes, of: bytes = b"PK\x01\x02") -> bytes:
    """Return a zip with a field of its first entry in the directory overwritten."""
    place = data.index(of) + at
    return data[:place] + value + data[place + len(value) :]


def directory(count: int) -> bytes:
    """Return a zip whose directory lists one empty file many times."""
    one = packed([("a.png", b"")])
    start, end = one.index(b"PK\x01\x02"), one.index(b"PK\x05\x06")
    listed = one[start:end] * count
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, *[min(count, 65_535)] * 2, len(listed), start, 0)
    return one[:start] + listed + tail


def hostile() -> Iterator[tuple[str, bytes]]:
    """Yield names and zips, each made when it is asked for."""
    image, megabyte = plain(), 1 << 20
    for name in NAMES:
        yield f"named {name[:24]!r}", packed([(name, image)])
    for kind in KINDS:
        entry = zipfile.ZipInfo("happy/a.png")
        entry.external_attr = (kind | 0o777) << 16
        yield f"a file of type {kind:o}", packed([(entry, b"/etc/passwd")])
    yield "a bomb", packed([("happy/a.png", bytes(300 * megabyte))])
    yield "a bomb as a list", packed([("a.csv", bytes(300 * megabyte))])
    least = os.urandom(1000) + bytes(98_000)
    yield "5,000 small bombs below the ratio", packed([(f"happy/{n}.png", least) for n in range(5000)])
    inner = packed([("a.png", bytes(90 * megabyte))])
    for _ in range(4):
        inner = packed([(f"{n}.zip", inner) for n in range(9)])
    yield "zips in zips", inner
    yield "zips in zips, called images", packed([("a.png", inner), ("b.xlsx", inner)])
    one = packed([("a.png", image), ("b.png", image)])
    for count in (10_001, 60_000, 100_001, 1_900_000):
        yield f"{count:,} entries", directory(count)
    yield "10,001 files", packed([(f"{n}.png", b"") for n in range(10_001)], zipfile.ZIP_STORED)
    deep = [("/".join(f"{n}-{level}" for level in range(15)) + "/a.png", b"") for n in range(9_000)]
    yield "135,000 folders", packed(deep, zipfile.ZIP_STORED)
    yield "twice", packed([("a.png", image), ("a.png", image)])
    yield "a file that is a folder", packed([("a", image), ("a/b.png", image)])
    for field, at, sizes in (
        ("packed", 20, (0, 1, 2**31, 2**32 - 2)),
        ("unpacked", 24, (0, 1, 2**31, 2**32 - 2)),
    ):
        for size in sizes:
            yield f"{field} size {size}", changed(one, at, struct.pack("<L", size))
    small = changed(packed([("a.png", bytes(90 * megabyte))]), 24, struct.pack("<L", 1000))
    yield "a bomb that says it is small", small
    yield "offset beyond the end", changed(one, 42, struct.pack("<L", 2**31))
    yield "wrong sum", changed(one, 16, b"\0\1\2\3")
    yield "encrypted", changed(one, 8, b"\1\0")
    for method in (1, 12, 14, 93, 99):
        yield f"method {method}", changed(one, 10, struct.pack("<H", method))
    yield "by LZMA", packed([("a.png", image)], zipfile.ZIP_LZMA)
    yield "by bzip2", packed([("a.png", bytes(90 * megabyte))], zipfile.ZIP_BZIP2)
    yield "names of no UTF-8", changed(changed(one, 8, b"\0\x08"), 46, b"\xff\xfe")
    yield "all on one other disk", changed(one, 34, b"\7\0")
    yield "behind a program", b"\x7fELF" + bytes(5000) + one
    rng = random.Random(0)
    for number in range(300):
        torn = bytearray(one)
        for _ in range(rng.randint(1, 6)):
            torn[rng.randrange(len(torn))] = rng.randrange(256)
        yield (
            f"changed {number}",
            bytes(torn[: rng.randint(len(torn) // 2, len(torn))] if number % 3 == 0 else torn),
        )


def trials(folder: Path) -> dict[str, Callable[[bytes], bool]]:
    """Return by name what does with a zip as a page does, and says whether it was refused or did no harm."""
    place = folder / "zips"
    place.mkdir()

    def brought(data: bytes) -> bool:
        uploads, used, kept = place / "uploads", time.process_time(), True
        with suppress(FerError):
            found, _ = unpack(io.BytesIO(data), uploads, MOST_BYTES)
            files = [path for path in uploads.rglob("*") if not path.is_dir() and path.name != ".left-out"]
            kept = all(path.is_file() and not path.is_symlink() for path in files)
            kept &= all(is_image(path) or path.suffix.lower() in LISTS for path in files)
            kept &= sum(path.stat().st_size for path in files) <= MOST_BYTES and found.is_relative_to(uploads)
            with suppress(FerError):
                open_dataset(found)
            shutil.rmtree(next(uploads.iterdir()))
        clean = not list(uploads.iterdir()) and list(place.iterdir()) == [uploads]
        return kept and clean and time.process_time() - used < MOST_SECONDS

    def visited(data: bytes) -> bool:
        used, limits = time.process_time(), Limits()
        taken, refused = unfold([("a.zip", data)], limits)
        small = sum(len(one.data) for one in taken) <= limits.upload_mb * 1_000_000
        few = len(taken) + len(refused) <= 2 * limits.files + 1
        return small and few and time.process_time() - used < MOST_VISIT

    return {"brought": brought, "to predict": visited}
