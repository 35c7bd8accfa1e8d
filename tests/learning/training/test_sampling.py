import numpy as np
import pytest
from training_case import PlainFold

from fer_core.errors import TrainingError
from fer_core.learning.training.recipe import cut_batches, draw_order


def fold(train: np.ndarray, seed: int = 0) -> PlainFold:
    return PlainFold(seed, 0, train, np.array([0]))


def test_balanced_draws_each_class_equally_often() -> None:
    labels = np.repeat([0, 1, 4], [900, 90, 10])
    counts = sum(
        np.bincount(labels[draw_order(fold(np.arange(1000)), e, labels, "balanced")]) for e in range(1, 21)
    )
    assert counts[[2, 3]].sum() == 0
    assert counts.sum() == 20_000
    assert np.allclose(counts[[0, 1, 4]] / 20_000, 1 / 3, atol=0.02)


def test_only_training_images_are_drawn() -> None:
    part = np.array([3, 5, 8, 13])
    labels = np.zeros(20, int)
    assert set(draw_order(fold(part), 1, labels, "balanced")) <= set(part.tolist())
    assert sorted(draw_order(fold(part), 1, labels, "shuffled")) == part.tolist()


@pytest.mark.parametrize("sampler", ["balanced", "shuffled"])
def test_the_order_depends_on_seed_and_epoch_alone(sampler: str) -> None:
    labels = np.arange(50) % 7
    first = draw_order(fold(np.arange(50)), 1, labels, sampler)
    assert np.array_equal(first, draw_order(fold(np.arange(50)), 1, labels, sampler))
    assert not np.array_equal(first, draw_order(fold(np.arange(50)), 2, labels, sampler))
    assert not np.array_equal(first, draw_order(fold(np.arange(50), seed=1), 1, labels, sampler))


@pytest.mark.parametrize(
    ("images", "sizes"), [(16, [8, 8]), (17, [8, 9]), (18, [8, 8, 2]), (2, [2]), (8, [8]), (9, [9])]
)
def test_a_last_batch_of_one_joins_the_one_before(images: int, sizes: list[int]) -> None:
    batches = cut_batches(np.arange(images), 8)
    assert [len(batch) for batch in batches] == sizes
    assert np.array_equal(np.concatenate(batches), np.arange(images))


@pytest.mark.parametrize("images", [0, 1])
def test_one_image_is_refused(images: int) -> None:
    with pytest.raises(TrainingError, match="at least two training images"):
        cut_batches(np.arange(images), 8)
