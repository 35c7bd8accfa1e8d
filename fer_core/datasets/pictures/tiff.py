"""What TIFF files hold that Pillow reads wrong: thumbnails first, 16-bit channels one after the other, other whites."""

from collections.abc import Callable
from typing import IO

import numpy as np
from PIL import Image

from fer_core.errors import DataError

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
