"""No split of ours: SFEW's two sets, a fixed train / validation / test, or nothing trained at all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fer_core.config.run import ProtocolConfig
from fer_core.errors import DataError

from .base import Fold, Images

#: The parts that a fixed split may have.
GIVEN = ["train", "validation", "test"]


def spi(config: ProtocolConfig, images: Images) -> list[Fold]:
    """Train on set1 and validate on set2, then the other way round."""
    splits = np.asarray(images.splits, dtype=object)
    sets = [np.flatnonzero(splits == name) for name in ("set1", "set2")]
    if not len(sets[0]) or not len(sets[1]) or len(sets[0]) + len(sets[1]) != len(splits):
        raise DataError(
            "the two-set protocol needs every image in set1 or set2",
            got=_found(images.splits),
            fix="Give the sets in a CSV manifest's split column, or choose the by-group protocol",
        )
    return [Fold(seed, index, sets[index], sets[1 - index]) for seed in config.seeds for index in (0, 1)]


def fixed(config: ProtocolConfig, images: Images) -> list[Fold]:
    """Train on train; validate on validation, or on test where there is no validation."""
    splits = np.asarray(images.splits, dtype=object)
    held = "validation" if "validation" in images.splits else "test"
    train, validation = np.flatnonzero(splits == "train"), np.flatnonzero(splits == held)
    if not len(train) or not len(validation) or not np.isin(splits, GIVEN).all():
        raise DataError(
            "a fixed split needs every image in train, validation or test, and some in train and another",
            got=_found(images.splits),
            fix="Use folders Train and Val (or Test) or a CSV manifest's split column, or choose k-fold",
        )
    return [Fold(seed, 0, train, validation) for seed in config.seeds]


def unseen(config: ProtocolConfig, images: Images) -> list[Fold]:
    """Hold every image out: nothing is trained."""
    everything = np.arange(len(images.labels))
    return [Fold(seed, 0, everything[:0], everything) for seed in config.seeds]


def _found(splits: Sequence[str | None]) -> str:
    names = sorted({name or "no split" for name in splits})
    return ", ".join(f"{sum((split or 'no split') == name for split in splits)} in {name}" for name in names)
