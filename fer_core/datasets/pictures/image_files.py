"""What makes a file an image, in data sets, folders and zips alike: its content, or a name that says so.

A file with an image's extension counts whatever it holds, so that a broken one is named and not overlooked. Any
other counts when its first bytes are an image's (`x`, `x.jpg_large`, `x.dng`). What systems add by themselves (names
that begin with a dot, `__MACOSX`, `@eaDir`) never counts, nor do notes, landmark files and Thumbs.db.
"""

import io
import os
from collections.abc import Iterator
from pathlib import Path
from posixpath import splitext
from typing import IO

from PIL import Image

from fer_core.datasets.base import Problem, readable
from fer_core.datasets.images import formats_here

#: Extensions that make a file an image, whatever it holds.
IMAGE_SUFFIXES = frozenset(
    {
        *(".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jpe", ".jpeg", ".jpg", ".jp2"),
        *(".pbm", ".pgm", ".png", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
    }
)

#: Pillow's names of the formats that are known by their first bytes; the others of `images.FORMATS` by extension alone.
BY_CONTENT = ("AVIF", "BMP", "GIF", "HEIF", "JPEG", "JPEG2000", "MPO", "PNG", "TIFF", "WEBP")

#: Folders that file managers and systems keep their own copies in.
SYSTEM_FOLDERS = frozenset({"__MACOSX", "@eaDir"})


def of_the_system(name: str) -> bool:
    """Return whether a file or folder of this name is what systems add by themselves."""
    return name.startswith(".") or name in SYSTEM_FOLDERS


def has_image_suffix(name: str) -> bool:
    """Return whether a name ends as an image's does."""
    return splitext(name)[1].lower() in IMAGE_SUFFIXES


def holds_image(data: bytes) -> bool:
    """Return whether bytes begin as an image that is read here does."""
    return _holds_image(io.BytesIO(data))


def is_image(path: Path) -> bool:
    """Return whether a regular file is an image by its name or its content."""
    if has_image_suffix(path.name):
        return True
    try:
        with path.open("rb") as file:
            return _holds_image(file)
    except OSError:
        return False


def walk(root: Path, problems: list[Problem]) -> Iterator[tuple[str, Path]]:
    """Yield name and path of every image below a folder, sorted, links to other folders followed.

    What can't be looked into, dead links, special files with an image's name and names that are no UTF-8 go to
    `problems`.
    """
    yield from _walk(root, "", (_identity(root),), problems)


def _walk(
    folder: Path, prefix: str, above: tuple[tuple[int, int], ...], problems: list[Problem]
) -> Iterator[tuple[str, Path]]:
    """Walk below one folder.

    Args:
        prefix: the folder's name inside the data set, with a slash behind it.
        above: the identities of the folder and those above it, into which no link is followed.
    """
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        problems.append(Problem(readable(prefix) or ".", f"folder can't be read: {error.strerror}"))
        return
    for entry in entries:
        if of_the_system(entry.name):
            continue
        name, path = prefix + entry.name, folder / entry.name
        try:
            leads_on = entry.is_dir()
        except OSError as error:  # a link onto itself
            problems.append(Problem(readable(name), f"can't be looked at: {error.strerror}"))
            continue
        if leads_on:
            identity = _identity(path)
            if identity in above:
                problems.append(Problem(readable(name) + "/", "a link to a folder above it"))
            else:
                yield from _walk(path, name + "/", (*above, identity), problems)
        elif not entry.is_file():
            if has_image_suffix(name):
                reason = "a dead link" if entry.is_symlink() else "not a regular file"
                problems.append(Problem(readable(name), reason))
        elif is_image(path):
            if name == (shown := readable(name)):
                yield name, path
            else:
                problems.append(Problem(shown, "its name is not valid UTF-8; rename it"))


def _holds_image(file: IO[bytes]) -> bool:
    try:
        with Image.open(file, formats=formats_here(BY_CONTENT)):
            return True
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return True  # an image, too large to be read: that is said where it is
    except Exception:  # Pillow's plugins raise many kinds for bytes that only begin as an image
        return False


def _identity(folder: Path) -> tuple[int, int]:
    facts = folder.stat()
    return facts.st_dev, facts.st_ino
