"""Images as 8-bit RGB whatever they are stored as, and what is wrong with those that can't be."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache as cache_once
from functools import cached_property
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from fer_core.config.regular_files import opened, read
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


@dataclass(frozen=True)
class Decoded:
    """A decoded image and what else its file holds.

    Attributes:
        image: upright RGB.
        mode: Pillow's mode as stored.
        format: Pillow's name of the format that the bytes are in, whatever the file is called.
        several: whether the file holds more pictures than this first one.
    """

    image: Image.Image
    mode: str
    format: str
    several: bool

    @cached_property
    def pixels(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB, as `load_rgb` returns them."""
        return np.array(self.image, dtype=np.uint8)


def load_rgb(source: Path | str | bytes) -> np.ndarray:
    """Decode an image to upright 8-bit RGB.

    Palettes are looked up; grey becomes three equal channels; transparency is laid over white, as a page
    shows it; 16-bit values are scaled (65535 becomes 255); CMYK and Lab are converted without their ICC
    profile; EXIF orientation is applied; of an animation the first picture counts. 32-bit values are taken
    as 0..1 (floats) or 0..255, and refused beyond, where nothing says what white is.

    Args:
        source: a file, or the bytes of one.

    Returns:
        (H, W, 3) uint8, C-contiguous, writable.

    Raises:
        DataError: not an image, truncated or damaged, too large, missing; the message says which.
    """
    return decode(source).pixels


def decode(
    source: Path | str | bytes, *, max_pixels: int = MAX_PIXELS, formats: Sequence[str] = FORMATS
) -> Decoded:
    """As `load_rgb`, and say what kind of file it was.

    Args:
        max_pixels: the largest width x height that is decoded.
        formats: Pillow's names of those that are tried, by content.
    """
    if isinstance(source, bytes):
        return _decode(io.BytesIO(source), max_pixels, tuple(formats))
    try:
        with opened(source, MAX_BYTES) as file:
            return _decode(file, max_pixels, tuple(formats))
    except OSError as error:
        raise DataError(_os_reason(error)) from error


def inspect(path: Path) -> ImageFacts:
    """Decode a file once and return what is known of it; never raises for a bad file."""
    try:
        data = read(path, MAX_BYTES)
    except DataError as error:
        return ImageFacts(0, 0, "", error.rule, "")
    except OSError as error:
        return ImageFacts(0, 0, "", _os_reason(error), "")
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        found = decode(data)
    except DataError as error:
        return ImageFacts(0, 0, "", error.rule, sha256)
    return ImageFacts(*found.image.size, found.mode, None, sha256)


def inspect_all(
    samples: Sequence[Sample],
    *,
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, ImageFacts]:
    """Inspect every sample's file, in threads (decoding releases the interpreter lock).

    Args:
        samples: the images; their names must differ.
        cache: a folder where facts are kept by size and time of each file; None keeps nothing.
        progress: called with (files done, files in all) in the calling thread.

    Returns:
        The facts by sample name, in the order of the samples.
    """
    records = file_records(
        samples,
        lambda path: asdict(inspect(path)),
        needs=("sha256", "width"),
        cache=cache,
        progress=progress,
    )
    names = ImageFacts.__slots__
    return {
        sample: ImageFacts(**{name: record[name] for name in names}) for sample, record in records.items()
    }


def _decode(file: IO[bytes], max_pixels: int, formats: tuple[str, ...]) -> Decoded:
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
            with suppress(
                Exception
            ):  # EXIF is broken in as many ways as images, and the picture is fine without
                ImageOps.exif_transpose(image, in_place=True)
            return Decoded(_to_rgb(image), mode, image.format or "", several)
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
    """Return those formats that this Pillow was built with; HEIC comes by another package."""
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


def _os_reason(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, IsADirectoryError):
        return "a folder, not a file"
    return f"can't be read: {error.strerror or error}"
