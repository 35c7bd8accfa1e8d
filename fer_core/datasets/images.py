"""Images as 8-bit RGB whatever they are stored as, and what is wrong with those that can't be."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache as cache_once
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from fer_core.errors import DataError

from .base import Sample
from .file_records import file_records

#: Larger images are refused before they are decoded: a few kilobytes can unfold to gigabytes.
MAX_PIXELS = 50_000_000

#: Larger files are not read at all; no photograph within MAX_PIXELS needs as much.
MAX_BYTES = 512 * 2**20

#: Pillow's names of the formats that are opened: photographs and frames, none that runs another program (EPS).
FORMATS = (
    *("AVIF", "BMP", "DIB", "GIF", "HEIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TGA", "TIFF", "WEBP"),
)

Progress = Callable[[int, int], None]

_ORIENTATION = 0x0112  # EXIF tag
_TURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What is known of an image file after decoding it once.

    Attributes:
        width, height: pixels of the upright image, as `load_rgb` returns it; 0 where unreadable.
        mode: Pillow's mode as stored ('RGB', 'P', 'I;16' ...); '' where unreadable.
        reason: why it can't be used, or None.
        sha256: of the file's bytes, hex; '' where they could not be read.
    """

    width: int
    height: int
    mode: str
    reason: str | None
    sha256: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """An image's pixels and what else its file holds.

    Attributes:
        pixels: (H, W, 3) uint8 RGB, as `load_rgb` returns them.
        format: Pillow's name of the format that the bytes are in, whatever the file is called.
        several: whether the file holds more pictures than this first one.
    """

    pixels: np.ndarray
    format: str
    several: bool


def load_rgb(source: Path | str | bytes, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode an image to upright 8-bit RGB.

    Palettes are looked up; grey becomes three equal channels; transparency is laid over white, as a page
    shows it; 16-bit values are scaled (65535 becomes 255); CMYK and Lab are converted without their own ICC
    profile; EXIF orientation is applied; of an animation the first picture counts. 32-bit values are taken
    as 0..1 (floats) or 0..255, and refused beyond, where nothing says what white is.

    Args:
        source: a file, or the bytes of one.
        max_pixels: the largest width x height that is decoded.

    Returns:
        (H, W, 3) uint8, C-contiguous, writable.

    Raises:
        DataError: not an image, truncated or damaged, too large, missing; the message says which.
    """
    return decode(source, max_pixels=max_pixels).pixels


def decode(
    source: Path | str | bytes, *, max_pixels: int = MAX_PIXELS, formats: Sequence[str] = FORMATS
) -> Decoded:
    """As `load_rgb`, and say what kind of file it was; only `formats` are tried, by content."""
    read = _decode(source, max_pixels, tuple(formats))
    return Decoded(np.array(read.image, dtype=np.uint8), read.format, read.several)


def inspect(path: Path, *, max_pixels: int = MAX_PIXELS) -> ImageFacts:
    """Decode a file once and return what is known of it; never raises for a bad file."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return ImageFacts(0, 0, "", f"larger than {MAX_BYTES // 2**20} MB", "")
        data = path.read_bytes()
    except OSError as error:
        return ImageFacts(0, 0, "", _os_reason(error), "")
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        read = _decode(data, max_pixels)
    except DataError as error:
        return ImageFacts(0, 0, "", error.rule, sha256)
    return ImageFacts(*read.image.size, read.mode, None, sha256)


def inspect_all(
    samples: Sequence[Sample],
    *,
    cache: Path | None = None,
    progress: Progress | None = None,
    workers: int | None = None,
) -> dict[str, ImageFacts]:
    """Inspect every sample's file, in threads (decoding releases the interpreter lock).

    Args:
        samples: the images; their names must differ.
        cache: a folder where facts are kept by size and time of each file; None keeps nothing.
        progress: called with (files done, files in all) in the calling thread.
        workers: threads; as many as there are processors unless given.

    Returns:
        The facts by sample name, in the order of the samples.
    """
    records = file_records(
        samples, _record, needs=("sha256", "width"), cache=cache, progress=progress, workers=workers
    )
    return {name: _facts(record) for name, record in records.items()}


def _record(path: Path) -> dict[str, Any]:
    return asdict(inspect(path))


def _facts(record: Mapping[str, Any]) -> ImageFacts:
    return ImageFacts(**{name: record[name] for name in ImageFacts.__slots__})


@dataclass(frozen=True, slots=True)
class _Read:
    """An upright RGB image, the mode and format it was stored in, and whether others follow it."""

    image: Image.Image
    mode: str
    format: str
    several: bool


def _decode(source: Path | str | bytes, max_pixels: int, formats: tuple[str, ...] = FORMATS) -> _Read:
    if not isinstance(source, bytes):
        try:
            with Path(source).open("rb") as file:
                return _decode_stream(file, max_pixels, formats)
        except OSError as error:
            raise DataError(_os_reason(error)) from error
    return _decode_stream(io.BytesIO(source), max_pixels, formats)


def _decode_stream(file: IO[bytes], max_pixels: int, formats: tuple[str, ...]) -> _Read:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size == 0:
        raise DataError("empty file (0 bytes)")
    if size > MAX_BYTES:
        raise DataError(f"larger than {MAX_BYTES // 2**20} MB")
    # Decoders of damaged files raise whatever they stumble over (SyntaxError, struct.error, KeyError ...), and
    # one bad file must never end a run.
    try:
        with Image.open(file, formats=_formats(formats)) as image:
            if image.width * image.height > max_pixels:
                raise DataError(f"too large: {image.width}x{image.height}, {_limit(max_pixels)}")
            mode, several = image.mode, bool(getattr(image, "is_animated", False))
            image.load()
            upright = _upright(_to_rgb(image), _orientation(image))
            return _Read(upright, mode, image.format or "", several)
    except DataError:
        raise
    except UnidentifiedImageError as error:
        raise DataError("not an image, or of a format that can't be read") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"too large: {_limit(max_pixels)}") from error
    except MemoryError as error:
        raise DataError("not enough memory to decode it") from error
    except Exception as error:
        raise DataError(f"damaged or truncated image ({str(error) or type(error).__name__})") from error


@cache_once
def _formats(asked: tuple[str, ...]) -> tuple[str, ...]:
    """Return those formats that this Pillow was built with; HEIC comes by a package of its own."""
    from pillow_heif import register_heif_opener

    Image.init()
    register_heif_opener()
    return tuple(name for name in asked if name in Image.OPEN)


def _limit(max_pixels: int) -> str:
    return f"the limit is {max_pixels / 1e6:g} megapixels"


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return _from_numbers(np.asarray(image).astype(np.float64) / 257.0)
    if image.mode in ("I", "F"):
        return _from_numbers(_to_255(np.asarray(image), image.format))
    if image.mode == "LAB":
        rgb = ImageCms.profileToProfile(
            image, ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
        assert rgb is not None  # only with inPlace
        return rgb
    if image.mode == "La":
        image = image.convert("LA")
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        white = Image.new("RGBA", seen.size, "white")
        return Image.alpha_composite(white, seen).convert("RGB")
    return image.convert("RGB")


def _from_numbers(values: np.ndarray) -> Image.Image:
    return Image.fromarray(np.rint(values).astype(np.uint8)).convert("RGB")


def _to_255(values: np.ndarray, stored_as: str | None) -> np.ndarray:
    """Scale 32-bit values to 0..255 where their range is known."""
    low, high = float(values.min()), float(values.max())
    if stored_as in ("PNG", "PPM") and values.dtype.kind == "i":  # their deepest grey is 16 bits
        return values / 257.0
    if values.dtype.kind == "f" and low >= 0 and high <= 1:
        return values * 255.0
    if low >= 0 and high <= 255:
        return values
    raise DataError(f"32-bit values from {low:g} to {high:g} with no stated white; save it with 8 or 16 bits")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # broken EXIF comes in as many ways as broken images, and the picture is fine without
        return 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    turn = _TURN.get(orientation)
    return image if turn is None else image.transpose(turn)


def _os_reason(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, IsADirectoryError):
        return "a folder, not a file"
    return f"can't be read: {error.strerror or error}"
