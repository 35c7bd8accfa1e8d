import numpy as np
import pytest

from fer_core.errors import DataError
from fer_core.evaluation.protocols import Fold
from fer_core.evaluation.protocols.by_group import inner_split

LABELS = np.arange(140) % 7
FOLD = Fold(3, 1, np.arange(0, 112), np.arange(112, 140))


def test_images_are_held_out_class_by_class() -> None:
    part = inner_split(FOLD, LABELS, None, 0.25)
    assert sorted([*part.fold.train, *part.inner]) == FOLD.train.tolist()
    assert np.bincount(LABELS[part.inner]).tolist() == [4] * 7
    assert part.fold.validation is FOLD.validation


def test_whole_groups_are_held_out_where_they_are_known() -> None:
    held = [f"film {index // 7 % 9}" for index in range(140)]
    part = inner_split(FOLD, LABELS, held, 0.25)
    trained = {held[index] for index in part.fold.train}
    inner = {held[index] for index in part.inner}
    assert inner
    assert not trained & inner
    assert 0.1 < len(part.inner) / len(FOLD.train) < 0.45


@pytest.mark.parametrize("held", [None, [f"film {index // 7}" for index in range(140)]])
def test_the_split_follows_from_seed_and_fold(held: list[str] | None) -> None:
    first, again = (inner_split(FOLD, LABELS, held, 0.2).inner for _ in range(2))
    other = inner_split(Fold(4, 1, FOLD.train, FOLD.validation), LABELS, held, 0.2).inner
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_class_in_one_film_alone_can_not_be_held_out() -> None:
    held = [f"class {label}" for label in LABELS]
    with pytest.raises(DataError, match=r"leave every class in training.*Report the last epoch"):
        inner_split(FOLD, LABELS, held, 0.2)
