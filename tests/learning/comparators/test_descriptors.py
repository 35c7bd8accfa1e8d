import numpy as np
import pytest

from fer_core.config.comparators import LpqConfig, LpqPhogConfig, PhogConfig, PixelsConfig
from fer_core.errors import DataError
from fer_core.learning.comparators.descriptors import DESCRIPTORS, describe

CONFIGS = [PixelsConfig(side=8), PhogConfig(), LpqConfig(window=5), LpqPhogConfig()]


@pytest.fixture
def crops() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 40, 40, 3), dtype=np.uint8)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.kind)
def test_each_row_is_its_own_crop(crops: np.ndarray, config: PhogConfig) -> None:
    together = describe(crops, config)
    assert together.dtype == np.float32
    for index in range(len(crops)):
        np.testing.assert_array_equal(together[index], describe(crops[index : index + 1], config)[0])


def test_gray_is_bt601(crops: np.ndarray) -> None:
    crops[:] = (200, 50, 100)
    gray = 0.299 * 200 + 0.587 * 50 + 0.114 * 100
    np.testing.assert_allclose(describe(crops, PixelsConfig(side=4)), gray / 255, rtol=1e-5)


def test_lpq_and_phog_stand_side_by_side(crops: np.ndarray) -> None:
    parts = [describe(crops, config) for config in (LpqConfig(), PhogConfig())]
    np.testing.assert_array_equal(describe(crops, LpqPhogConfig()), np.concatenate(parts, axis=1))


def test_every_config_has_its_row() -> None:
    assert {config.kind for config in CONFIGS} == set(DESCRIPTORS)


@pytest.mark.parametrize(
    "wrong", [np.zeros((0, 40, 40, 3), np.uint8), np.zeros((2, 40, 40), np.uint8), np.zeros((2, 40, 40, 3))]
)
def test_other_arrays_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(DataError, match="bytes"):
        describe(wrong, PixelsConfig())
