"""LPQ: local phase quantisation, decorrelated (Ojansivu and Heikkila, ICISP 2008), in blocks."""

from functools import lru_cache

import numpy as np
from scipy import ndimage

from fer_core.config.comparators import LpqConfig

CODES = 256

#: Responses below this are rounding noise (gray values are 0..255): a flat patch has no phase, and without
#: this its code would depend on the machine.
NOISE = 1e-6

#: The eight real coefficients (real and imaginary part at (0, a), (a, 0), (a, a) and (a, -a), vertical first)
#: from products of one-dimensional responses: flat x cos, flat x sin, cos x flat, sin x flat, cos x cos,
#: sin x sin, sin x cos, cos x sin (vertical x horizontal).
COMBINE = np.array(
    [
        [1, 0, 0, 0, 0, 0, 0, 0],
        [0, 1, 0, 0, 0, 0, 0, 0],
        [0, 0, 1, 0, 0, 0, 0, 0],
        [0, 0, 0, 1, 0, 0, 0, 0],
        [0, 0, 0, 0, 1, -1, 0, 0],
        [0, 0, 0, 0, 0, 0, 1, 1],
        [0, 0, 0, 0, 1, 1, 0, 0],
        [0, 0, 0, 0, 0, 0, 1, -1],
    ],
    dtype=np.float64,
)


def size(config: LpqConfig) -> int:
    """Return the number of figures: 256 for each block."""
    return CODES * config.blocks**2


def describe_one(gray: np.ndarray, config: LpqConfig) -> np.ndarray:
    """Return the LPQ histograms of one gray image.

    Args:
        gray: (H, W), 0..255; H and W at least window + blocks - 1.
        config: window, blocks and correlation.

    Returns:
        (256 x blocks^2,) float32, blocks row by row; each block's histogram sums to 1.
    """
    codes = code_image(gray, config)
    height, width = codes.shape
    rows = np.arange(height) * config.blocks // height
    columns = np.arange(width) * config.blocks // width
    block = rows[:, None] * config.blocks + columns[None, :]
    counts = np.bincount((block * CODES + codes).ravel(), minlength=size(config))
    counts = counts.reshape(config.blocks**2, CODES)
    return (counts / counts.sum(axis=1, keepdims=True)).astype(np.float32).ravel()


def code_image(gray: np.ndarray, config: LpqConfig) -> np.ndarray:
    """Return the LPQ code of every pixel whose window lies inside the image.

    The windowed Fourier transform is taken at four frequencies, a = 1 / window, with a uniform window; bit k
    of the code is the sign of the k-th decorrelated coefficient.

    Returns:
        (H - window + 1, W - window + 1) uint8.
    """
    gray = np.asarray(gray, dtype=np.float64)
    inside = slice(config.window // 2, -(config.window // 2))

    def down(kernel: np.ndarray) -> np.ndarray:
        return ndimage.correlate1d(gray, kernel, axis=0)[inside]

    def across(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        return ndimage.correlate1d(image, kernel, axis=1)[:, inside]

    # The transform sums f(x - k) exp(-i w k): correlation with the conjugate, hence plus signs in COMBINE.
    one, cos, sin = _kernels(config.window)
    flat, even, odd = down(one), down(cos), down(sin)
    products = np.stack(
        [
            across(flat, cos),
            across(flat, sin),
            across(even, one),
            across(odd, one),
            across(even, cos),
            across(odd, sin),
            across(odd, cos),
            across(even, sin),
        ]
    )
    mixing = whitening(config.window, config.correlation) @ COMBINE
    coefficients = mixing @ products.reshape(8, -1)
    codes = np.zeros(coefficients.shape[1], dtype=np.uint8)
    for bit, row in enumerate(coefficients):
        codes |= (row > NOISE).astype(np.uint8) << bit
    return codes.reshape(products.shape[1:])


@lru_cache(maxsize=32)
def whitening(window: int, correlation: float) -> np.ndarray:
    """Return the (8, 8) matrix that decorrelates the eight real coefficients.

    Pixels at distance d are taken to correlate as correlation^d; the matrix is V^T of the singular value
    decomposition of the coefficients' covariance (the authors' section 2.2). As in their code a tiny
    weighting makes the singular values distinct; the sign of each vector, which they leave open, is chosen
    here so that its largest entry is positive.
    """
    one, cos, sin = _kernels(window)
    pairs = [(one, cos), (one, sin), (cos, one), (sin, one), (cos, cos), (sin, sin), (sin, cos), (cos, sin)]
    filters = COMBINE @ np.stack([np.outer(*pair).ravel() for pair in pairs])
    y, x = np.indices((window, window)).reshape(2, -1)
    pixels = correlation ** np.hypot(x[:, None] - x[None, :], y[:, None] - y[None, :])
    distinct = np.diag(1.0 + 1e-6 * np.arange(7, -1, -1))
    vectors = np.linalg.svd(distinct @ filters @ pixels @ filters.T @ distinct)[2]
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=1)[:, None], axis=1)
    return vectors * np.sign(largest)


def _kernels(window: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    angle = 2.0 * np.pi / window * (np.arange(window) - window // 2)
    return np.ones(window), np.cos(angle), np.sin(angle)
