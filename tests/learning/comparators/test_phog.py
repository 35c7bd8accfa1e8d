import math

import numpy as np
import pytest

from fer_core.config.comparators import PhogConfig
from fer_core.learning.comparators import phog


def blobs(seed: int, height: int, width: int) -> np.ndarray:
    """Smooth shapes with clear edges, 0..255."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    image = np.full((height, width), 40.0)
    for _ in range(6):
        cy, cx, r = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(4, 15)
        image[(y - cy) ** 2 + (x - cx) ** 2 < r**2] = rng.uniform(0, 255)
    return image


def sobel_at(image: np.ndarray, row: int, column: int) -> tuple[float, float]:
    """3x3 Sobel by hand, the nearest pixel repeated outside; returns (down, across)."""
    down = across = 0.0
    for i, outer in enumerate((-1, 0, 1)):
        for j, inner in enumerate((1, 2, 1)):
            r = lambda value: min(max(value, 0), image.shape[0] - 1)  # noqa: E731
            c = lambda value: min(max(value, 0), image.shape[1] - 1)  # noqa: E731
            down += outer * inner * image[r(row + i - 1), c(column + j - 1)]
            across += outer * inner * image[r(row + j - 1), c(column + i - 1)]
    return round(down, phog.DECIMALS), round(across, phog.DECIMALS)


def by_loops(image: np.ndarray, edges: np.ndarray, config: PhogConfig) -> np.ndarray:
    height, width = image.shape
    parts: list[float] = []
    for level in range(config.levels + 1):
        side = 2**level
        cells = [[[0.0] * config.bins for _ in range(side)] for _ in range(side)]
        for row in range(height):
            for column in range(width):
                if edges[row, column]:
                    down, across = sobel_at(image, row, column)
                    angle = math.degrees(math.atan2(down, across)) % config.degrees
                    which = int(angle / (config.degrees / config.bins)) % config.bins
                    cell = cells[row * side // height][column * side // width]
                    cell[which] += math.hypot(down, across)
        parts += [value for line in cells for cell in line for value in cell]
    return np.array(parts) / sum(parts)


@pytest.mark.parametrize("degrees", [180, 360])
@pytest.mark.parametrize(("levels", "bins"), [(3, 8), (4, 16)])
@pytest.mark.parametrize("shape", [(48, 48), (45, 61)])
def test_matches_plain_loops(degrees: int, levels: int, bins: int, shape: tuple[int, int]) -> None:
    config = PhogConfig(levels=levels, bins=bins, degrees=degrees)  # type: ignore[arg-type]
    image = blobs(1, *shape)
    edges = phog.edge_map(image)
    assert 20 < edges.sum() < edges.size / 2
    found = phog.describe_one(image, config)
    assert found.dtype == np.float32
    assert found.shape == (bins * sum(4**level for level in range(levels + 1)),)
    np.testing.assert_allclose(found, by_loops(image, edges, config), rtol=1e-5, atol=1e-9)


def test_a_dark_copy_has_the_same_descriptor() -> None:
    image = blobs(3, 64, 64)
    np.testing.assert_allclose(
        phog.describe_one(image, PhogConfig()), phog.describe_one(image * 0.1, PhogConfig()), atol=1e-5
    )


def test_a_flat_image_has_no_votes() -> None:
    assert not phog.describe_one(np.full((32, 32), 17.3), PhogConfig()).any()
