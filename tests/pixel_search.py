"""Whether pictures or parts of them are in files and messages: encoded, as arrays, in archives, as plain bytes."""

import base64
import io
import re
import sqlite3
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors

#: Side of a picture made small, and the cosine from which two of them are one picture: encoded anew, boxed, resized.
SIDE, ALIKE = 24, 0.97
#: Bytes of a picture that are looked for as they are.
STRIP = 48
PICTURE = re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|RIFF....WEBP|GIF8[79]a", re.DOTALL)
BASE64 = re.compile(rb"[A-Za-z0-9+/]{200,}={0,2}")


class PixelSearch:
    """Looks for pictures, (H, W, 3) uint8 each, in bytes."""

    def __init__(self, pictures: Sequence[np.ndarray]) -> None:
        self.small = np.stack([_small(Image.fromarray(one)) for one in pictures])
        self.strips = [strip for one in pictures for strip in _strips(one)]

    def within(self, folder: Path) -> dict[str, str]:
        """Return the files below a folder in which something of the pictures is, and how it was found."""
        found = {path.name: self.found(path.read_bytes()) for path in folder.rglob("*") if path.is_file()}
        return {name: how for name, how in found.items() if how}

    def found(self, data: bytes) -> str:
        """Return how something of the pictures is in some bytes, '' where nothing is."""
        for how, part in _parts(data):
            if isinstance(part, Image.Image):
                if min(part.size) >= 16 and (self.small @ _small(part)).max() > ALIKE:
                    return how
            elif any(strip in part for strip in self.strips):
                return how
        return ""


def _strips(picture: np.ndarray) -> Iterator[bytes]:
    """Yield the most varied bytes of a picture's liveliest rows, its colours together and one alone."""
    rows = picture.std(axis=(1, 2)).argsort()[-2:]
    for row in rows:
        middle = picture.shape[1] // 2
        yield picture[row, middle - STRIP // 6 : middle + STRIP // 6].tobytes()
        yield picture[row, middle - STRIP // 2 : middle + STRIP // 2, 1].tobytes()


def _small(picture: Image.Image) -> np.ndarray:
    values = np.asarray(
        ImageOps.grayscale(picture.convert("RGB")).resize((SIDE, SIDE), Image.Resampling.BOX), float
    )
    values = values.ravel() - values.mean()
    return values / max(float(np.linalg.norm(values)), 1e-9)


def _parts(data: bytes, depth: int = 0) -> Iterator[tuple[str, bytes | Image.Image]]:
    """Yield the bytes, and what can be decoded in them: pictures, arrays, archives' files, a database's values."""
    yield "as bytes", data
    if depth > 3:
        return
    for place in PICTURE.finditer(data):
        with (
            suppress(OSError, ValueError, SyntaxError),
            Image.open(io.BytesIO(data[place.start() :])) as picture,
        ):
            yield f"as a {picture.format}", picture.convert("RGB")
    for how, inner in _inner(data):
        for deeper, part in _parts(inner, depth + 1):
            yield f"{how}, {deeper}", part
    for array in _arrays(data):
        yield from _of_array(array)


def _inner(data: bytes) -> Iterator[tuple[str, bytes]]:
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield from ((f"in a zip's {name}", archive.read(name)) for name in archive.namelist())
    if data.startswith(b"SQLite format 3\0"):
        yield from (("in the database", value) for value in _values(data))
    for place in BASE64.finditer(data):
        yield "in base64", base64.b64decode(place[0][: len(place[0]) // 4 * 4])


def _values(data: bytes) -> Iterator[bytes]:
    connection = sqlite3.connect(":memory:")
    connection.deserialize(data)
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for row in connection.execute(f'SELECT * FROM "{table}"'):
            yield from (cell if isinstance(cell, bytes) else str(cell).encode() for cell in row if cell)
    connection.close()


def _arrays(data: bytes) -> Iterator[np.ndarray]:
    if data.startswith(b"\x93NUMPY"):
        yield np.load(io.BytesIO(data), allow_pickle=False)
    elif data[8:9] == b"{":
        with suppress(SafetensorError, ValueError, KeyError):
            yield from load_tensors(data).values()


def _of_array(array: np.ndarray) -> Iterator[tuple[str, bytes | Image.Image]]:
    """Yield an array's values as bytes of pixels, and every picture that its last axes may be."""
    if array.dtype.kind not in "fiu" or array.size < STRIP:
        return
    values = np.nan_to_num(array.astype(np.float32))
    pixels = (values * (255 if values.max() <= 1 else 1)).clip(0, 255).round().astype(np.uint8)
    yield "as an array", pixels.tobytes()
    if pixels.ndim >= 3 and pixels.shape[-1] == 3:
        pictures = pixels.reshape(-1, *pixels.shape[-3:])
        yield from (("as an array", Image.fromarray(one)) for one in pictures)
