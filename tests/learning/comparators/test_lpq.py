import cmath
import math

import numpy as np
import pytest

from fer_core.config.comparators import LpqConfig
from fer_core.learning.comparators import lpq


def texture(seed: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.0, 255.0, (height, width))


def frequencies(window: int) -> list[tuple[float, float]]:
    """(vertical, horizontal) frequencies in the order of the authors' code."""
    a = 1.0 / window
    return [(0.0, a), (a, 0.0), (a, a), (a, -a)]


def covariance_by_loops(window: int, correlation: float) -> np.ndarray:
    places = [(y, x) for y in range(window) for x in range(window)]
    rows = []
    for v, u in frequencies(window):
        waves = [
            cmath.exp(-2j * math.pi * (v * (y - window // 2) + u * (x - window // 2))) for y, x in places
        ]
        # The authors' filters are flipped by the convolution: sum over k of f(x - k) exp(-i w k).
        rows += [[wave.real for wave in waves], [-wave.imag for wave in waves]]
    found = np.zeros((8, 8))
    for i in range(8):
        for j in range(8):
            found[i, j] = sum(
                rows[i][p] * rows[j][q] * correlation ** math.dist(places[p], places[q])
                for p in range(len(places))
                for q in range(len(places))
            )
    return found


def codes_by_loops(image: np.ndarray, config: LpqConfig) -> np.ndarray:
    vectors = lpq.whitening(config.window, config.correlation)
    radius = config.window // 2
    height, width = image.shape
    codes = np.zeros((height - 2 * radius, width - 2 * radius), dtype=int)
    for row in range(radius, height - radius):
        for column in range(radius, width - radius):
            parts = []
            for v, u in frequencies(config.window):
                total = 0j
                for dy in range(-radius, radius + 1):
                    for dx in range(-radius, radius + 1):
                        total += image[row - dy, column - dx] * cmath.exp(-2j * math.pi * (v * dy + u * dx))
                parts += [total.real, total.imag]
            for bit in range(8):
                value = sum(vectors[bit, k] * parts[k] for k in range(8))
                codes[row - radius, column - radius] += (value > lpq.NOISE) << bit
    return codes


@pytest.mark.parametrize("window", [3, 5, 7, 9])
def test_codes_match_plain_loops(window: int) -> None:
    config = LpqConfig(window=window)  # type: ignore[arg-type]
    image = texture(window, 16, 19)
    np.testing.assert_array_equal(lpq.code_image(image, config), codes_by_loops(image, config))


@pytest.mark.parametrize(("window", "correlation"), [(3, 0.9), (5, 0.9), (3, 0.5)])
def test_whitening_is_a_rotation_that_decorrelates(window: int, correlation: float) -> None:
    vectors = lpq.whitening(window, correlation)
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(8), atol=1e-12)
    rotated = vectors @ covariance_by_loops(window, correlation) @ vectors.T
    off = rotated - np.diag(np.diag(rotated))
    # Not exactly diagonal: the weighting that makes the singular values distinct moves it by parts in 1e6.
    assert np.abs(off).max() < 1e-4 * rotated.max()
    assert (np.diff(np.diag(rotated)) < 1e-4 * rotated.max()).all()
    assert all(row[np.abs(row).argmax()] > 0 for row in vectors)


@pytest.mark.parametrize("blocks", [3, 4])
def test_histograms_match_plain_loops(blocks: int) -> None:
    config = LpqConfig(window=5, blocks=blocks)  # type: ignore[arg-type]
    image = texture(4, 33, 30)
    codes = lpq.code_image(image, config)
    height, width = codes.shape
    counts = [[0] * 256 for _ in range(blocks * blocks)]
    for row in range(height):
        for column in range(width):
            block = (row * blocks // height) * blocks + column * blocks // width
            counts[block][codes[row, column]] += 1
    expected = np.concatenate([np.array(block) / sum(block) for block in counts])
    found = lpq.describe_one(image, config)
    assert found.dtype == np.float32
    assert found.shape == (lpq.size(config),)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_flat_image_has_one_code() -> None:
    for value in (0.0, 77.7, 255.0):
        assert not lpq.code_image(np.full((20, 20), value), LpqConfig()).any()
