import numpy as np

from fer_core.config.comparators import PixelsConfig
from fer_core.learning.comparators.pixels import describe_one


def test_each_pixel_is_the_mean_of_its_square() -> None:
    image = np.random.default_rng(0).uniform(0, 255, (160, 160))
    found = describe_one(image, PixelsConfig(side=32)).reshape(32, 32)
    for row in range(32):
        for column in range(32):
            square = image[5 * row : 5 * row + 5, 5 * column : 5 * column + 5]
            assert abs(found[row, column] - square.sum() / 25 / 255) < 1e-5


def test_values_stay_between_0_and_1() -> None:
    found = describe_one(np.full((160, 160), 255.0), PixelsConfig(side=7))
    assert found.shape == (49,)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, 1.0, atol=1e-6)
