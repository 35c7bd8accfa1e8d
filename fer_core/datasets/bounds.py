"""What an image file may claim, judged by its header before a pixel is decoded: a few bytes can unfold to gigabytes."""

import re
from typing import IO

from PIL import Image

from fer_core.errors import DataError

#: Larger images are refused; a JPEG may be larger, for it is decoded at a half, a quarter or an eighth of its size.
MAX_PIXELS = 50_000_000

#: How many times as large a JPEG may be; Pillow itself warns beyond 89 megapixels.
JPEG_TIMES, MAX_JPEG_PIXELS = 4, 89_000_000

#: Larger files are not read at all; no photograph within MAX_PIXELS needs as much.
MAX_BYTES = 512 * 2**20

#: Pixels of an image's longer side.
MAX_SIDE = 16_384

#: Scans of a JPEG: encoders write up to twenty, and each costs a pass over all its pixels.
MAX_SCANS = 64

#: Pictures in a file, where its header counts them; the first one counts.
MAX_FRAMES = 1000

#: Bytes that a byte of deflated data holds at most (zlib's technical details).
DEFLATE = 1032

#: Channels by a PNG's colour type.
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}

#: A marker of a JPEG; within a scan's data 0xFF stands before a zero or a restart marker.
MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd8])")
START_OF_FRAME = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
START_OF_SCAN, END = 0xDA, 0xD9


def check(image: Image.Image, file: IO[bytes], size: int, max_pixels: int) -> None:
    """Refuse an opened image that would cost too much to decode.

    Args:
        image: as `Image.open` returns it, not loaded.
        file: where it was opened; read, and left where it was.
        size: bytes of the file.
        max_pixels: width x height of the largest that is decoded.

    Raises:
        DataError: too long a side, too many pixels, scans or pictures, or fewer bytes than the pixels need.
    """
    width, height = image.size
    jpeg = is_jpeg(image)
    most = min(JPEG_TIMES * max_pixels, MAX_JPEG_PIXELS) if jpeg else max_pixels
    if max(width, height) > MAX_SIDE:
        raise DataError(f"too large: {width}x{height}, a side may have {MAX_SIDE:,} pixels")
    if width * height > most:
        raise DataError(f"too large: {width}x{height}, {limit(most)}")
    frames = vars(image).get("n_frames", 1)  # a count that is a property visits each of them
    if frames > MAX_FRAMES:
        raise DataError(f"it holds {frames:,} pictures; the limit is {MAX_FRAMES:,}")
    place = file.tell()
    if jpeg and scans(file) > MAX_SCANS:
        raise DataError(f"a JPEG of more than {MAX_SCANS} scans")
    if image.format == "PNG" and _png_bytes(file) > DEFLATE * size:
        raise DataError(f"damaged or truncated image ({size:,} bytes can't hold {width}x{height} pixels)")
    file.seek(place)


def is_jpeg(image: Image.Image) -> bool:
    """Return whether an image can be decoded at reduced scale."""
    return image.format in ("JPEG", "MPO")


def limit(pixels: int) -> str:
    """Return the limit of pixels in words."""
    return f"the limit is {pixels / 1e6:g} megapixels"


def scans(file: IO[bytes]) -> int:
    """Return how many scans a JPEG has, none decoded: no more than one over `MAX_SCANS`, and 1 where that holds all."""
    file.seek(0)
    data = file.read(1 << 20)
    found, complete = _scans(data)
    return found if complete else _scans(data + file.read())[0]


def _scans(data: bytes) -> tuple[int, bool]:
    found, components, progressive, at = 0, 0, False, 2
    while marker := MARKER.search(data, at):
        kind, at = marker[1][0], marker.end()
        if kind == END or found > MAX_SCANS:
            return found, True
        body = at + 2
        if kind in START_OF_FRAME:
            components, progressive = int.from_bytes(data[body + 5 : body + 6]), kind in PROGRESSIVE
        if kind == START_OF_SCAN:
            found += 1
            if not progressive and data[body : body + 1] == bytes([components]):
                return found, True  # all components in one scan: decoders stop there
        at += max(2, int.from_bytes(data[at:body]))
    return found, False


def _png_bytes(file: IO[bytes]) -> int:
    """Return the bytes that a PNG's pixels take before they are deflated."""
    file.seek(16)
    head = file.read(10)
    width, height = int.from_bytes(head[:4]), int.from_bytes(head[4:8])
    return height * (1 + width * head[8] * CHANNELS.get(head[9], 1) // 8)
