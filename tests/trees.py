"""Small folders of images for the tests of the readers."""

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image


def png(seed: int, height: int = 60, width: int = 64) -> bytes:
    """Return the bytes of a PNG that differs for every seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def plant(root: Path, names: Iterable[str]) -> Path:
    """Write an image of its own under every name below `root`."""
    for seed, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(seed))
    return root
