"""Zip files that come from outside: what is wrong with an entry before a byte of it is unpacked."""

import re
import stat
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import IO, Any

#: Entries that a zip of anyone's may list, folders included.
MOST_ENTRIES = 10_000

#: An entry may unfold to so many times its packed size: photographs and numbers hardly shrink, bombs do by thousands.
MOST_RATIO = 100

#: Packed sizes below this count as this: a small plain drawing packs well and harms nobody.
LEAST_PACKED = 1 << 16

#: What unpacking a damaged zip may raise, and OSError where it is opened.
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError)

#: Bytes of a zip's directory: `zipfile` reads it in one go and makes an object of each entry.
MOST_DIRECTORY = 4 << 20

_BEGINNINGS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # bzip2 and LZMA need far more memory than they show


def is_zip(data: bytes) -> bool:
    """Return whether bytes begin as a zip does; an image with a zip behind it is an image."""
    return data.startswith(_BEGINNINGS)


def open_zip(file: IO[bytes], most: int | None = None, directory: int = MOST_DIRECTORY) -> zipfile.ZipFile:
    """Open a zip for reading.

    Args:
        most: entries that it may list; None for `MOST_ENTRIES`.
        directory: bytes that the list may have.

    Raises:
        Exception: one of `BROKEN`, also where it lists more, or an entry without a name.
    """
    most = MOST_ENTRIES if most is None else most
    guarded = _Guarded(file, directory)
    archive = zipfile.ZipFile(guarded)  # type: ignore[call-overload]
    guarded.most = None
    entries = archive.infolist()
    if len(entries) > most:
        raise zipfile.BadZipFile(f"it lists {len(entries):,} files; {most:,} is the limit")
    if not all(entry.filename for entry in entries):  # Python 3.11's `is_dir` ends in an IndexError for such
        raise zipfile.BadZipFile("a file in it has no name")
    return archive


class _Guarded:
    """A file that gives at most `most` bytes a read while `zipfile` reads its directory."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self.file, self.most = file, most  # type: IO[bytes], int | None

    def read(self, size: int = -1) -> bytes:
        """Read as the file does. Raises BadZipFile above `most`."""
        if self.most is not None and size > self.most:
            raise zipfile.BadZipFile(f"its directory has more than {self.most >> 20} MiB")
        return self.file.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


def distrusted(entry: zipfile.ZipInfo, most: int) -> str:
    """Return why an entry is refused by what the zip's directory says of it, or ''.

    Args:
        most: bytes that it may unfold to.
    """
    path = entry.filename.replace("\\", "/")
    if path.startswith("/") or ".." in PurePosixPath(path).parts or re.match(r"[A-Za-z]:", path):
        return "its path leads out of the zip"
    if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
        return "a link or a device, not a file"
    if entry.flag_bits & 0x1:
        return "it is encrypted"
    if entry.compress_type not in _METHODS:
        return "it is packed by a method other than stored or deflate"
    if entry.file_size > most:
        return f"a file may have {most / 1e6:,.0f} MB"
    if entry.file_size > MOST_RATIO * max(entry.compress_size, LEAST_PACKED):
        return f"it unfolds to more than {MOST_RATIO} times its packed size, as zip bombs do"
    return ""
