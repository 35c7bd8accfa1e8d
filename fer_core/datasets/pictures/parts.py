"""Images that are part of a file: a face's box in a picture, a row of pixels in a table.

Such an image has a path of its own, the file's with the part behind it (`x.jpg/box=10,20,90,110`,
`fer2013.csv/row=8192+8700`), so that it goes wherever an image file goes.
"""

import csv
import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_core.config.regular_files import opened, read
from fer_core.datasets.bounds import MAX_BYTES
from fer_core.errors import DataError

_PART = re.compile(r"box=(-?\d+),(-?\d+),(-?\d+),(-?\d+)|row=(\d+)\+(\d+)")

#: x1, y1, x2, y2 in whole pixels of the upright picture, x2 and y2 outside of it.
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Part:
    """What of a file is meant: the `box` of a picture, or else `length` bytes of a table from `offset` on."""

    file: Path
    box: Box | None = None
    offset: int = 0
    length: int = 0


def in_box(path: Path, box: Box) -> Path:
    """Return the path of what a box of a picture shows."""
    return path / f"box={','.join(map(str, box))}"


def in_row(path: Path, offset: int, length: int) -> Path:
    """Return the path of the image that a row of a table holds as numbers."""
    return path / f"row={offset}+{length}"


def part_of(path: Path) -> Part | None:
    """Return which part of which file a path means, None for a whole file."""
    found = _PART.fullmatch(path.name)
    if found is None:
        return None
    numbers = [int(number) for number in found.groups() if number is not None]
    if len(numbers) == 4:
        return Part(path.parent, (numbers[0], numbers[1], numbers[2], numbers[3]))
    return Part(path.parent, None, numbers[0], numbers[1])


def file_of(path: Path) -> Path:
    """Return the file that an image lies in."""
    part = part_of(path)
    return part.file if part else path


def stored(path: Path) -> bytes:
    """Return what an image consists of on disk: its file's bytes, with the box's behind them, or its row's.

    Raises:
        DataError: no regular file, or too large.
        OSError: it can't be read.
    """
    part = part_of(path)
    if part is None:
        return read(path, MAX_BYTES)
    if part.box:
        return read(part.file, MAX_BYTES) + path.name.encode()
    if part.length > MAX_BYTES:
        raise DataError(f"larger than {MAX_BYTES >> 20:,} MB")
    with opened(part.file) as file:
        file.seek(part.offset)
        return file.read(part.length)


def cut(pixels: np.ndarray, box: Box) -> np.ndarray:
    """Return what lies in a box, at most the picture: (H, W, 3) of its type.

    Raises:
        DataError: nothing of the picture does.
    """
    x1, y1, x2, y2 = (max(number, 0) for number in box)
    found = pixels[y1:y2, x1:x2]
    if not found.size:
        height, width = pixels.shape[:2]
        raise DataError(f"its box {box} lies outside of the picture of {width}x{height}")
    return np.ascontiguousarray(found)


def drawn_row(row: bytes) -> np.ndarray:
    """Return the square grey image of a table's row whose longest cell lists its pixels: (N, N) uint8.

    Raises:
        DataError: the numbers are none of 0-255, or no square.
    """
    try:
        cells = next(csv.reader([row.decode()]))
        values = np.array(max(cells, key=len).split(), dtype=np.int64)
    except (ValueError, StopIteration, csv.Error, OverflowError) as error:
        raise DataError("its pixels must be whole numbers") from error
    side = math.isqrt(len(values))
    if not side or side * side != len(values):
        raise DataError(f"its pixels must be a square, not {len(values)}")
    if values.min() < 0 or values.max() > 255:
        raise DataError(f"its pixels must be 0-255, not {values.min()} to {values.max()}")
    return values.astype(np.uint8).reshape(side, side)
