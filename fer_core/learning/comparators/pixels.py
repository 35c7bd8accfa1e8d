"""The crop itself as a descriptor: M x M gray pixels (paper, table 1: inputs of shape (N, M^2))."""

import numpy as np
from PIL import Image

from fer_core.config.comparators import PixelsConfig


def describe_one(gray: np.ndarray, config: PixelsConfig) -> np.ndarray:
    """Return the pixels of one gray image at M x M, row by row.

    Args:
        gray: (H, W), 0..255.
        config: M.

    Returns:
        (M * M,) float32, 0..1; shrunk with Pillow's area average (its box filter).
    """
    image = Image.fromarray(np.asarray(gray, dtype=np.float32))
    size = (config.side, config.side)
    small = np.asarray(image.resize(size, Image.Resampling.BOX), dtype=np.float32)
    return small.ravel() / np.float32(255.0)
