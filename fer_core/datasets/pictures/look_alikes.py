"""Images that look the same though their bytes differ: saved again, scaled, brightened.

ImageHash's difference hash (Krawetz 2013) of 16 x 16 bits: whether each patch of the grey picture is darker than the
next. On 80 photographs of 40 people before one background, hashes of two people differ in 29 bits at least, and of two
faces of one in 21; of a picture saved at quality 50, halved or brightened by 15 %, 219 of 240 in `MOST_BITS` at most.
"""

from collections.abc import Sequence

import imagehash
import numpy as np
from PIL import Image

SIDE = 16

#: Bits in which the hashes of two images that look the same may differ.
MOST_BITS = 18

#: Pixels of the shorter side, or nearly, that a picture has before it is hashed: its means, which are quick.
_REDUCED = 64

#: Hashes compared at once with all others, so that few megabytes are used.
_AT_ONCE = 256


def look(pixels: np.ndarray) -> str:
    """Return the hash of a picture, (H, W, 3) uint8: 64 hex digits."""
    grey = Image.fromarray(pixels).convert("L")
    return str(imagehash.dhash(grey.reduce(max(1, min(grey.size) // _REDUCED)), SIDE))


def pairs(first: Sequence[str], second: Sequence[str]) -> list[tuple[int, int]]:
    """Return which hashes of two lists differ in `MOST_BITS` at most: their indices, in order.

    Hashes with hardly a bit, of images of one colour, are like none.
    """
    left, right = _words(first), _words(second)
    found: list[tuple[int, int]] = []
    for start in range(0, len(left), _AT_ONCE):
        some = left[start : start + _AT_ONCE]
        rows, columns = np.nonzero(np.bitwise_count(some[:, None, 0] ^ right[None, :, 0]) <= MOST_BITS)
        bits = np.bitwise_count(some[rows] ^ right[columns]).sum(axis=1)
        told = np.bitwise_count(some[rows]).sum(axis=1) > MOST_BITS
        near = (bits <= MOST_BITS) & told
        found += zip((rows[near] + start).tolist(), columns[near].tolist(), strict=True)
    return found


def _words(hashes: Sequence[str]) -> np.ndarray:
    """Return hashes as (N, 4) uint64."""
    data = bytes.fromhex("".join(hashes))
    return np.frombuffer(data, dtype=np.uint64).reshape(len(hashes), -1 if hashes else 4)
