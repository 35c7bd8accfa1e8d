"""PHOG: a pyramid of histograms of oriented gradients along edges (Bosch, Zisserman and Munoz, CIVR 2007)."""

import numpy as np
from scipy import ndimage
from skimage.feature import canny

from fer_core.config.comparators import PhogConfig

#: MATLAB's Canny, which the authors' code calls: sqrt(2) pixels of smoothing; the upper threshold leaves
#: 70 % of the pixels below it, on a scale of 64 steps; the lower is 0.4 of it. Relative thresholds suit
#: dark film frames.
SIGMA, BELOW_UPPER, STEPS, LOWER_OF_UPPER = 2.0**0.5, 0.7, 64, 0.4

#: Gradients are rounded to so many decimals (gray values are 0..255): along a straight edge one part is 0,
#: and its rounding noise must not choose between the first bin and the last.
DECIMALS = 6


def describe_one(gray: np.ndarray, config: PhogConfig) -> np.ndarray:
    """Return the PHOG of one gray image.

    Every Canny edge pixel votes for the bin of its gradient's orientation with the gradient's magnitude
    (3x3 Sobel, no smoothing: the paper's section 2). A cell of level l is one of 2^l x 2^l equal parts.
    Deviation: pixels go to the nearest bin, as in the authors' code, without interpolation.

    Args:
        gray: (H, W), 0..255, H and W at least 2^L.
        config: L, bins and range of orientations.

    Returns:
        (bins x cells,) float32, level 0 first, cells row by row; the sum is 1, or 0 where no edge is.
    """
    gray = np.asarray(gray, dtype=np.float64)
    edges = edge_map(gray)
    rows, columns = np.nonzero(edges)
    across = ndimage.sobel(gray, axis=1, mode="nearest")[rows, columns].round(DECIMALS)
    down = ndimage.sobel(gray, axis=0, mode="nearest")[rows, columns].round(DECIMALS)
    bins = orientation_bins(down, across, config)

    side = 2**config.levels
    height, width = gray.shape
    cells = (rows * side // height) * side + columns * side // width
    votes = np.bincount(
        cells * config.bins + bins, weights=np.hypot(across, down), minlength=side * side * config.bins
    ).reshape(side, side, config.bins)
    pyramid = [votes]
    while len(votes) > 1:  # a parent's four cells are its own pixels exactly, so their sum is its histogram
        votes = votes.reshape(len(votes) // 2, 2, len(votes) // 2, 2, config.bins).sum(axis=(1, 3))
        pyramid.append(votes)
    found = np.concatenate([level.ravel() for level in reversed(pyramid)])
    total = found.sum()
    return (found / total if total > 0 else found).astype(np.float32)


def edge_map(gray: np.ndarray) -> np.ndarray:
    """Return the Canny edges of a gray image: (H, W) bool; none where the image is flat."""
    smooth = ndimage.gaussian_filter(gray, SIGMA, mode="nearest")
    strength = np.hypot(
        ndimage.sobel(smooth, axis=0, mode="nearest"), ndimage.sobel(smooth, axis=1, mode="nearest")
    )
    strongest = float(strength.max())
    if strongest < 10.0**-DECIMALS:
        return np.zeros(gray.shape, dtype=bool)
    upper = max(float(np.quantile(strength, BELOW_UPPER)), strongest / STEPS)
    return canny(gray, SIGMA, LOWER_OF_UPPER * upper, upper, mode="nearest")


def orientation_bins(down: np.ndarray, across: np.ndarray, config: PhogConfig) -> np.ndarray:
    """Return the bin, 0..bins-1, of each gradient (down, across); bin 0 starts at the positive x axis."""
    angle = np.degrees(np.arctan2(down, across)) % config.degrees
    return (angle * config.bins / config.degrees).astype(np.intp) % config.bins
