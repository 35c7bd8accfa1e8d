"""What visitors send, made into pixels or refused: images and zips of them, in memory, judged by content alone.

Nothing is written, nothing keeps its name or metadata: a file's bytes are decoded to RGB and forgotten. What a
file is called is only shown, cleaned; what it is, its first bytes say.
"""

import io
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from fer_core.config.settings import Limits
from fer_core.datasets.images import decode
from fer_core.datasets.pictures.image_files import has_image_suffix, holds_image, of_the_system
from fer_core.errors import DataError
from fer_core.storage.zips import BROKEN, distrusted, is_zip, open_zip

#: Pillow's names of the formats taken from visitors: what cameras, phones and browsers write.
FORMATS = ("AVIF", "BMP", "GIF", "HEIF", "JPEG", "MPO", "PNG", "TIFF", "WEBP")

#: What people call them.
FORMAT_NAMES = "JPEG, PNG, WebP, TIFF, HEIC, AVIF, BMP or GIF"

#: What a file chooser offers; not trusted afterwards.
SUFFIXES = ("jpg", "jpeg", "png", "webp", "tif", "tiff", "heic", "heif", "avif", "bmp", "gif", "zip")

#: Pixels that a visitor's picture is read with: one of more, such as a phone's of 12 or 50 megapixels, is read at a
#: half or a quarter of its size. Looking for faces in so many holds the device for half a second, and the faces that
#: only more would show are below 40 pixels across in a picture of 12 megapixels, a quarter of a network's input.
MOST_PIXELS = 2048 * 1536

#: Characters of a name that are shown.
MOST_NAME = 80


@dataclass(frozen=True)
class Sent:
    """A file as it came, not decoded yet: the name to show (unique in its upload) and its bytes."""

    name: str
    data: bytes


@dataclass(frozen=True)
class Upload:
    """A decoded image.

    Attributes:
        name: as shown: no path, no control or direction characters, `MOST_NAME` characters at most.
        pixels: (H, W, 3) uint8 RGB, upright.
        note: what a visitor should know about it, or ''.
    """

    name: str
    pixels: np.ndarray
    note: str = ""


@dataclass(frozen=True)
class Refusal:
    """A file that is not taken: the name to show and why, a sentence."""

    name: str
    reason: str


def unfold(files: Iterable[tuple[str, bytes]], limits: Limits) -> tuple[list[Sent], list[Refusal]]:
    """Open zips and check sizes and counts; nothing is decoded as an image yet.

    Args:
        files: (name, bytes) as sent.

    Returns:
        The files to decode, at most `limits.files`, and what is refused, each with its reason.
    """
    taken: list[Sent] = []
    refused: list[Refusal] = []
    names: dict[str, int] = {}
    room = limits.upload_mb * 1_000_000
    for name, data in _members(files, limits, refused):
        if len(taken) == limits.files:
            refused.append(Refusal(shown_name(name), f"only the first {limits.files} images are taken"))
        elif len(data) > room:
            refused.append(Refusal(shown_name(name), f"an upload may have {limits.upload_mb} MB in all"))
        else:
            room -= len(data)
            taken.append(Sent(_unique(shown_name(name), names), data))
    return taken, refused


def read(sent: Sent, limits: Limits) -> Upload | Refusal:
    """Decode one file by its content, in this process; a visitor's is decoded by `decoders.Decoders`.

    Animations and files of several pictures give their first one, and say so, as do pictures that come smaller.
    EXIF is used for orientation alone. What follows an image in its file is never looked at.
    """
    try:
        found = decode(sent.data, max_pixels=limits.megapixels * 1_000_000, formats=FORMATS)
    except DataError as error:
        return Refusal(sent.name, str(error))
    return upload(sent.name, found.pixels, several=found.several, scale=found.scale)


def upload(name: str, pixels: np.ndarray, *, several: bool, scale: int) -> Upload:
    """Return a decoded image with what is to be said of it (see `images.Decoded`)."""
    notes = ["the first of several pictures in the file"] * several
    if scale > 1:
        notes.append(
            f"read at 1/{scale} of its size: boxes count in {pixels.shape[1]} x {pixels.shape[0]} pixels"
        )
    return Upload(name, pixels, "; ".join(notes))


def shown_name(name: str) -> str:
    """Return what is shown of a file's name: its last part without control, format and direction characters."""
    plain = unicodedata.normalize("NFC", name.replace("\\", "/").rstrip("/").rpartition("/")[2])
    plain = "".join(letter for letter in plain if unicodedata.category(letter)[0] != "C")
    plain = " ".join(plain.split())
    if len(plain) > MOST_NAME:
        stem, dot, suffix = plain.rpartition(".")
        tail = dot + suffix if dot and len(suffix) <= 5 else ""
        plain = (stem if tail else plain)[: MOST_NAME - len(tail) - 1] + "…" + tail
    return plain if plain.strip(". ") else "unnamed"


def _members(
    files: Iterable[tuple[str, bytes]], limits: Limits, refused: list[Refusal]
) -> Iterator[tuple[str, bytes]]:
    for name, data in files:
        if len(data) > limits.file_mb * 1_000_000 and not is_zip(data):
            refused.append(Refusal(shown_name(name), f"a file may have {limits.file_mb} MB"))
        elif len(data) > limits.upload_mb * 1_000_000:
            refused.append(Refusal(shown_name(name), f"an upload may have {limits.upload_mb} MB in all"))
        elif is_zip(data):
            yield from _unzip(name, data, limits, refused)
        else:
            yield name, data


def _unzip(name: str, data: bytes, limits: Limits, refused: list[Refusal]) -> Iterator[tuple[str, bytes]]:
    """Yield a zip's files; each member that is refused is named, and a broken zip as a whole."""
    archive = shown_name(name)
    try:
        opened = open_zip(io.BytesIO(data))
    except (*BROKEN, OSError) as error:
        refused.append(Refusal(archive, f"a zip that can't be opened ({_said(error)})"))
        return
    with opened:
        room, found, bad = limits.upload_mb * 1_000_000, 0, 0
        for entry in opened.infolist():
            if entry.is_dir() or _of_the_system(entry.filename):
                continue
            reason = distrusted(entry, limits.file_mb * 1_000_000)
            content = b""
            if not reason:
                most = min(room, limits.file_mb * 1_000_000)
                content, reason = _content(opened, entry, most)
            if not reason and is_zip(content):
                reason = "a zip inside a zip is not opened"
            room -= len(content)
            if not reason and not has_image_suffix(entry.filename) and not holds_image(content):
                continue  # a note or what a file manager keeps, as in a folder
            if reason:
                bad += 1
                if bad <= limits.files:
                    refused.append(Refusal(f"{archive}: {shown_name(entry.filename)}", reason))
                continue
            found += 1
            yield entry.filename, content
            if found > limits.files:
                return
        if bad > limits.files:
            refused.append(Refusal(archive, f"{bad - limits.files} more of its files are not taken"))
        if not found and not bad:
            refused.append(Refusal(archive, "a zip with no image in it"))


def _content(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int) -> tuple[bytes, str]:
    """Unpack one entry, never more than `most` bytes whatever its header says."""
    try:
        with opened.open(entry) as file:
            content = file.read(most + 1)
    except (*BROKEN, OSError) as error:
        return b"", f"damaged in the zip ({_said(error)})"
    if len(content) > most:
        return b"", "the zip unfolds to more than may be sent"
    return content, ""


def _of_the_system(path: str) -> bool:
    """Return whether an entry is what systems add to zips by themselves."""
    parts = PurePosixPath(path.replace("\\", "/")).parts
    return not parts or any(of_the_system(part) for part in parts if part != "..")


def _unique(name: str, names: dict[str, int]) -> str:
    """Return a name that no other file of the upload has."""
    names[name] = names.get(name, 0) + 1
    if names[name] == 1:
        return name
    stem, dot, suffix = name.rpartition(".")
    numbered = f"{stem} ({names[name]}){dot}{suffix}" if dot else f"{name} ({names[name]})"
    return _unique(numbered, names)


def _said(error: BaseException) -> str:
    return shown_name(str(error) or type(error).__name__)
