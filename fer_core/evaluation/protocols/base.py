"""What a protocol is, and the folds it draws."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_core.config.run import CLASSES, ProtocolConfig
from fer_core.errors import DataError

Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Fold:
    """One training and one validation part, as sorted positions in the arrays given to `draw`.

    Attributes:
        seed: the protocol's seed that drew it.
        fold: its index under that seed.
        train, validation: (n,) and (m,) positions, disjoint.
    """

    seed: int
    fold: int
    train: Indices
    validation: Indices

    def split(self, epoch: int) -> tuple[Indices, Indices]:
        """Return the training and validation part of an epoch (counted from 1): here always the same."""
        return self.train, self.validation

    def seen(self, epochs: int) -> Indices:
        """Return every position that training sees in so many epochs, sorted."""
        return self.train


@dataclass(frozen=True)
class Images:
    """What a protocol knows of the images: (N,) each; "" and None stand for unknown."""

    labels: NDArray[np.integer]
    groups: Sequence[str]
    clips: Sequence[str]
    splits: Sequence[str | None]


@dataclass(frozen=True)
class Protocol:
    """One way to draw folds.

    Attributes:
        name: as in `ProtocolConfig.name`.
        title: what pages call it.
        leaks: True where validation images may have frames of the same shot, film or person in training.
        why: one or two sentences on what its accuracy does and doesn't say.
        draw: (config, images) -> folds.
    """

    name: str
    title: str
    leaks: bool
    why: str
    draw: Callable[[ProtocolConfig, Images], list[Fold]]


def check_counts(labels: NDArray[np.integer], least: int) -> None:
    """Raise DataError unless every class that has images has at least so many."""
    classes, counts = np.unique(labels, return_counts=True)
    if counts.min() < least:
        fewest = counts.argmin()
        raise DataError(
            "every class needs at least as many images as there are folds, and at least 2",
            got=f"{counts[fewest]} of {CLASSES[classes[fewest]]} where {least} are needed",
            fix="Add images of that class, leave it out, or use fewer folds",
        )
