"""Crops -> one descriptor an image: gray values, then the row of `DESCRIPTORS` that the config names."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from fer_core.config.comparators import ImageInputs, LpqPhogConfig
from fer_core.datasets.base import Progress
from fer_core.errors import DataError

from . import lpq, phog, pixels


def lpq_phog(gray: np.ndarray, config: LpqPhogConfig) -> np.ndarray:
    """Return both descriptors of one (H, W) gray crop, LPQ first: (D,) float32."""
    return np.concatenate([lpq.describe_one(gray, config.lpq), phog.describe_one(gray, config.phog)])


#: kind -> (gray (H, W) float64, config) -> (D,) float32. A new descriptor is one file and one row.
DESCRIPTORS: dict[str, Callable[[np.ndarray, Any], np.ndarray]] = {
    "pixels": pixels.describe_one,
    "phog": phog.describe_one,
    "lpq": lpq.describe_one,
    "lpq+phog": lpq_phog,
}

#: Weights of red, green and blue in a gray value (ITU-R BT.601, as MATLAB's rgb2gray and Pillow's 'L').
LUMA = np.array([0.299, 0.587, 0.114])


def describe(crops: np.ndarray, config: ImageInputs, progress: Progress | None = None) -> np.ndarray:
    """Describe every crop.

    Args:
        crops: (N, H, W, 3) uint8 RGB; an array or a memory-map.
        config: which descriptor and how.
        progress: called with (done, N) after each image.

    Returns:
        (N, D) float32, rows in the order of the crops.

    Raises:
        DataError: the crops are not N x H x W x 3 bytes, or there is none.
    """
    if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[-1] != 3 or not len(crops):
        raise DataError(
            "crops must be at least one image of (H, W, 3) bytes", got=f"{crops.shape} {crops.dtype}"
        )
    describe_one = DESCRIPTORS[config.kind]
    rows: list[np.ndarray] = []
    # One image is too small a matrix for BLAS's own threads: beside these they would only get in each other's way.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        for row in pool.map(lambda crop: describe_one(crop @ LUMA, config), crops):
            rows.append(row)
            if progress is not None:
                progress(len(rows), len(crops))
    return np.stack(rows)
