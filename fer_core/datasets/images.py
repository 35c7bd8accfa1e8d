"""Images as 8-bit RGB whatever they are stored as, and what is wrong with those that can't be."""

import io
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from fer_core.config.regular_files import opened
from fer_core.errors import DataError

from .bounds import MAX_BYTES, MAX_PIXELS, check, is_jpeg, limit
from .pictures.parts import Box, cut, drawn_row, file_of, part_of, stored

#: Tags, TIFF 6.0 and its supplements.
SUBFILE, BITS, PHOTOMETRIC, PLANAR, SUB_FILES = 254, 258, 262, 284, 330

_THUMBNAIL = (
    "its first picture is a thumbnail of another in the file, as in RAW and DNG; develop it and save a JPEG"
)


def garbled_by_pillow(image: Image.Image, file: IO[bytes]) -> Image.Image | None:
    """Return the picture of a TIFF that Pillow garbles, read otherwise; None where Pillow reads it right.

    Args:
        image: as opened, not loaded yet.
        file: where it was opened from; its position is kept.

    Raises:
        DataError: the first picture is a thumbnail, or of a kind that isn't read right.
    """
    tags = image.tag_v2  # type: ignore[attr-defined]
    if tags.get(SUBFILE, 0) & 1:
        raise DataError(_THUMBNAIL)
    bits = tags.get(BITS, (1,))
    planar = tags.get(PLANAR) == 2 and len(bits) > 1 and max(bits) > 8
    if SUB_FILES not in tags and not planar:
        return None
    import tifffile

    place = file.tell()
    file.seek(0)
    try:
        first = tifffile.TiffFile(file).pages.first
        if any(page.size > first.size for page in first.pages or ()):
            raise DataError(_THUMBNAIL)
        if not planar:
            return None
        pixels = first.asarray()
    except ValueError as error:
        raise DataError(f"a TIFF of this kind is not read: {error}") from error
    finally:
        file.seek(place)
    if tags.get(PHOTOMETRIC) != 2 or pixels.dtype != np.uint16 or pixels.shape[0] != 3:
        raise DataError("channels one after the other are read of RGB with 16 bits; save it interleaved")
    return Image.fromarray((np.moveaxis(pixels, 0, -1) >> 8).astype(np.uint8))


def from_white(image: Image.Image) -> Callable[[np.ndarray], np.ndarray]:
    """Return what makes 0..255 of an image's values of more than 8 bits; white is what the file says it is."""
    tags = getattr(image, "tag_v2", {})
    times = 255.0 / (2 ** int(tags.get(BITS, (16,))[0]) - 1)
    if tags.get(PHOTOMETRIC) == 0:
        return lambda values: 255.0 - values * times
    return lambda values: values * times


#: Pillow's names of the formats that are opened: photographs and frames, none that runs another program (EPS).
FORMATS = "AVIF", "BMP", "DIB", "GIF", "HEIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TGA", "TIFF", "WEBP"

#: Pixels converted at a time.
STRIP = 1 << 20


@dataclass(frozen=True)
class Decoded:
    """A decoded image and what else its file holds.

    Attributes:
        pixels: (H, W, 3) uint8 RGB, upright, as `load_rgb` returns them.
        mode: Pillow's mode as stored.
        format: Pillow's name of the format that the bytes are in, whatever the file is called.
        several: whether the file holds more pictures than this first one.
        scale: how many of the file's pixels one of these stands for, across and down; 1 unless the file has more
            than asked for.
    """

    pixels: np.ndarray
    mode: str
    format: str
    several: bool
    scale: int


def load_rgb(source: Path | str | bytes) -> np.ndarray:
    """Decode an image to upright 8-bit RGB.

    Palettes are looked up; grey becomes three equal channels; transparency is laid over white, as a page
    shows it; 16-bit values are scaled (65535 becomes 255); CMYK and Lab are converted without their ICC
    profile; EXIF orientation is applied; of an animation the first picture counts. 32-bit values are taken
    as 0..1 (floats) or 0..255, and refused beyond, where nothing says what white is.

    A JPEG of more than `MAX_PIXELS` is decoded at a half (or less) of its size; that smaller picture is then the
    source: boxes, sizes and crops count in its pixels.

    Args:
        source: a file, a part of one (`parts`), or the bytes of one.

    Returns:
        (H, W, 3) uint8, C-contiguous, writable.

    Raises:
        DataError: not an image, truncated or damaged, too large, missing; the message says which.
    """
    return decode(source).pixels


def decode(
    source: Path | str | bytes,
    *,
    max_pixels: int = MAX_PIXELS,
    formats: Sequence[str] = FORMATS,
    most: int | None = None,
) -> Decoded:
    """As `load_rgb`, and say what kind of file it was.

    Args:
        max_pixels: the largest width x height that is decoded (`bounds.check`).
        formats: Pillow's names of those that are tried, by content.
        most: width x height that is wanted at most; larger images come reduced by a whole number (`Decoded.scale`).
            `max_pixels` unless given.
    """
    bounds = max_pixels, most or max_pixels
    if isinstance(source, bytes):
        return _decode(io.BytesIO(source), *bounds, tuple(formats))
    part = part_of(Path(source))
    try:
        if part and part.box:
            whole = decode(part.file, max_pixels=max_pixels, formats=formats)
            box = tuple(number // whole.scale for number in part.box)
            return replace(whole, pixels=cut(whole.pixels, cast(Box, box)), scale=1)
        if part:
            grey = drawn_row(stored(Path(source)))
            return Decoded(np.repeat(grey[:, :, None], 3, axis=2), "L", "CSV", False, 1)
        with opened(source, MAX_BYTES) as file:
            return _decode(file, *bounds, tuple(formats))
    except OSError as error:
        raise DataError(os_reason(error)) from error


def pixels_claimed(path: Path) -> int:
    """Return about how many pixels `load_rgb` will return, by a file's header; 0 where it can't be read."""
    with (
        suppress(Exception),
        opened(file_of(path)) as file,
        Image.open(file, formats=formats_here(FORMATS)) as image,
    ):
        return min(image.width * image.height, MAX_PIXELS)
    return 0


def _decode(file: IO[bytes], max_pixels: int, most: int, formats: tuple[str, ...]) -> Decoded:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size == 0:
        raise DataError("empty file (0 bytes)")
    if size > MAX_BYTES:
        raise DataError(f"larger than {MAX_BYTES // 2**20} MB")
    # Decoders of damaged files raise whatever they stumble over (SyntaxError, struct.error, KeyError ...), and
    # one bad file must never end a run.
    try:
        with Image.open(file, formats=formats_here(formats)) as image:
            check(image, file, size, max_pixels)
            garbled = garbled_by_pillow(image, file) if image.format == "TIFF" else None
            mode, several = image.mode, bool(getattr(image, "is_animated", False))
            width, height = image.size
            scale = 1
            while -(-width // scale) * -(-height // scale) > most:
                scale += _step(scale) if is_jpeg(image) else 1
            if is_jpeg(image):
                quick = scale & -scale  # the power of two in it: what a JPEG's decoder reduces by
                image.draft(None, (width // quick, height // quick))
            if garbled is None:
                image.load()
            pixels = _to_rgb(garbled or image, scale // round(width / image.width))
            turn: Any = 1
            with suppress(Exception):  # EXIF is broken in many ways, and the picture is fine without
                turn = image.getexif().get(ExifTags.Base.Orientation, 1)
            kind = image.format or ""
        return Decoded(_upright(pixels, turn), mode, kind, several, scale)
    except DataError:
        raise
    except UnidentifiedImageError as error:
        raise DataError("not an image, or of a format that can't be read") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"too large: {limit(max_pixels)}") from error
    except MemoryError as error:
        raise DataError("not enough memory to decode it") from error
    except Exception as error:
        raise DataError(f"damaged or truncated image ({str(error) or type(error).__name__})") from error


def _step(scale: int) -> int:
    """Return how far it is to a JPEG's next scale among 1, 2, 3, 4, 6, 8, 12 ...: most of it costs no time."""
    return max(1, scale // (2 if scale & (scale - 1) == 0 else 3))


@cache
def formats_here(asked: tuple[str, ...]) -> tuple[str, ...]:
    """Return those formats that this Pillow was built with; HEIC comes by another package."""
    from pillow_heif import register_heif_opener

    Image.init()
    register_heif_opener()
    return tuple(name for name in asked if name in Image.OPEN)


def _to_rgb(image: Image.Image, scale: int) -> np.ndarray:
    """Return an image as RGB, each pixel the mean of scale x scale; strip by strip, for a copy of all takes memory."""
    convert = _converter(image)
    width, height = image.size
    rows = max(1, STRIP // width) * scale
    if rows >= height and scale == 1:
        return np.array(convert(image), dtype=np.uint8)
    whole = np.empty((-(-height // scale), -(-width // scale), 3), np.uint8)
    for top in range(0, height, rows):
        strip = convert(image.crop((0, top, width, min(height, top + rows))))
        whole[top // scale : (top + rows) // scale] = np.asarray(strip.reduce(scale) if scale > 1 else strip)
    return whole


def _upright(pixels: np.ndarray, orientation: Any) -> np.ndarray:
    """Turn or mirror a picture as EXIF's orientation says."""
    if orientation in (5, 7):
        pixels = pixels.transpose(1, 0, 2)
    quarters, mirrored = {2: (0, 1), 3: (2, 0), 4: (2, 1), 6: (3, 0), 7: (2, 0), 8: (1, 0)}.get(
        orientation, (0, 0)
    )
    pixels = np.rot90(pixels, quarters)
    return np.ascontiguousarray(pixels[:, ::-1] if mirrored else pixels)


def _converter(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """Return what turns a part of an image into RGB, whichever part it is."""
    if image.mode.startswith("I;16"):
        to_255 = from_white(image)
        return lambda part: _from_numbers(to_255(np.asarray(part)))
    if image.mode in ("I", "F"):
        times = _to_255(image)
        return lambda part: _from_numbers(times(np.asarray(part)))
    if image.mode == "LAB":
        return _from_lab
    if image.has_transparency_data:
        return _over_white
    return lambda part: part.convert("RGB")


def _from_lab(part: Image.Image) -> Image.Image:
    rgb = ImageCms.profileToProfile(
        part, ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    assert rgb is not None  # only with inPlace
    return rgb


def _over_white(part: Image.Image) -> Image.Image:
    seen = (part.convert("LA") if part.mode == "La" else part).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen).convert("RGB")


def _from_numbers(values: np.ndarray) -> Image.Image:
    return Image.fromarray(np.rint(values).astype(np.uint8)).convert("RGB")


def _to_255(image: Image.Image) -> Callable[[np.ndarray], np.ndarray]:
    """Return what scales an image's 32-bit values to 0..255, where their range is known."""
    low, high = (float(value) for value in image.getextrema())  # type: ignore[arg-type]
    if image.format in ("PNG", "PPM") and image.mode == "I":  # their deepest grey is 16 bits
        return lambda values: values / 257.0
    if image.mode == "F" and low >= 0 and high <= 1:
        return lambda values: values * 255.0
    if low >= 0 and high <= 255:
        return lambda values: values
    raise DataError(f"32-bit values from {low:g} to {high:g} with no stated white; save it with 8 or 16 bits")


def os_reason(error: OSError) -> str:
    """Return why a file can't be read, in words."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, IsADirectoryError):
        return "a folder, not a file"
    return f"can't be read: {error.strerror or error}"
