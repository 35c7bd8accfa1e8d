"""Whole groups or clips dealt to folds, so that none straddles; and the inner split of a fold's training images.

By the inner split training decides, so that the reported part needn't.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fer_core.config.run import CLASSES, ProtocolConfig
from fer_core.errors import DataError

from .base import Fold, Images, Indices

#: Random deals among which the most even one is taken, per seed.
DEALS = 200


def deal_whole(kind: str, config: ProtocolConfig, images: Images) -> list[Fold]:
    """Deal whole groups or clips to k folds, evenly in classes and size.

    scikit-learn's StratifiedGroupKFold is not used: its seed only breaks ties, so on film data its folds
    hardly differ between seeds and a seed interval would be too narrow. Here each seed draws `DEALS`
    random deals and keeps the most even.
    """
    names = images.groups if kind == "group" else images.clips
    if not any(names):
        raise DataError(
            f"a by-{kind} protocol needs to know which {kind} an image belongs to",
            got=f"no {kind} for any of {len(names)} images",
            fix="Give groups in a CSV manifest (columns path, label, group, clip) or by a name pattern, "
            "or choose stratified k-fold, which leaks",
        )
    member, table = tally([name or f"\0{index}" for index, name in enumerate(names)], images.labels)
    _check_spread(table, np.unique(images.labels), config.folds, kind)
    folds = []
    for seed in config.seeds:
        part = most_even_deal(table, config.folds, seed)
        if part is None:
            raise DataError(
                f"every class must stay in every training part when whole {kind}s are held out",
                got=f"no such deal among {DEALS} random ones of {len(table)} {kind}s into {config.folds} folds",
                fix="Use more folds, which makes the held-out parts smaller, or fewer classes",
            )
        of_image = part[member]
        folds += [
            Fold(seed, index, np.flatnonzero(of_image != index), np.flatnonzero(of_image == index))
            for index in range(config.folds)
        ]
    return folds


def tally(names: Sequence[str], labels: NDArray[np.integer]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return each image's group as a number, (N,), and the counts of images by group and class present."""
    member = np.unique(list(names), return_inverse=True)[1]
    classes, label = np.unique(labels, return_inverse=True)
    table = np.zeros((member.max() + 1, len(classes)))
    np.add.at(table, (member, label), 1)
    return member, table


def most_even_deal(table: NDArray[np.float64], folds: int, seed: int | Sequence[int]) -> Indices | None:
    """Return each group's fold from a (groups, classes) table of counts, or None where no deal keeps every
    class in every training part.

    Even means: small spread over folds of each class's share and of the size.
    """
    rng = np.random.default_rng(seed)
    totals = table.sum(axis=0)
    best, best_spread = None, np.inf
    for _ in range(DEALS):
        part = rng.permutation(np.arange(len(table)) % folds)
        counts = np.zeros((folds, table.shape[1]))
        np.add.at(counts, part, table)
        if (counts == totals).any():
            continue
        spread = (counts / totals).std(axis=0).mean() + (counts.sum(axis=1) / totals.sum()).std()
        if spread < best_spread:
            best, best_spread = part, spread
    return best


def _check_spread(table: NDArray[np.float64], classes: NDArray[np.integer], folds: int, kind: str) -> None:
    if len(table) < folds:
        raise DataError(
            f"there must be at least as many {kind}s as folds",
            got=f"{len(table)} {kind}s for {folds} folds",
            fix=f"Use at most {len(table)} folds" if len(table) > 1 else f"Add images of another {kind}",
        )
    places = (table > 0).sum(axis=0)
    if places.min() < 2:
        name = CLASSES[classes[places.argmin()]]
        raise DataError(
            f"every class must occur in at least two {kind}s",
            got=f"{name} in one alone",
            fix=f"Add images of {name} from another {kind}, or leave the class out",
        )


@dataclass(frozen=True)
class Part:
    """A fold without its inner split, and the (m,) positions of that, sorted; none where it is not needed."""

    fold: Fold
    inner: Indices = field(default_factory=lambda: np.empty(0, np.intp))


def inner_split(fold: Fold, labels: NDArray[np.integer], held: Sequence[str] | None, share: float) -> Part:
    """Hold out about `share` of a fold's training images, by the rule by which the fold was drawn.

    Whole movies, persons or clips where the protocol keeps them together (`held`); else a share of each class. The
    reported part is not looked at, and the draw follows from the fold's seed and number alone.

    Args:
        labels: (N,) indices into `CLASSES`.
        held: (N,) names of what must not straddle; None to draw images one by one.

    Raises:
        DataError: no such split leaves every class in training.
    """
    seed = [fold.seed, fold.fold, 1]
    inside = labels[fold.train]
    if held is None:
        inner = _by_image(inside, share, seed)
    else:
        member, table = tally([held[index] for index in fold.train], inside)
        part = most_even_deal(table, max(2, round(1 / share)), seed)
        inner = np.zeros(len(inside), bool) if part is None else part[member] == 0
    lost = np.setdiff1d(inside, inside[~inner])
    if not inner.any() or len(lost):
        names = ", ".join(CLASSES[index] for index in lost) or "no whole groups to hold out that would"
        raise DataError(
            "an inner split must leave every class in training",
            got=f"{names} in fold {fold.fold + 1}",
            fix="Report the last epoch without early stopping or temperature, or use more images or folds",
        )
    return Part(dataclasses.replace(fold, train=fold.train[~inner]), fold.train[inner])


def _by_image(labels: NDArray[np.integer], share: float, seed: list[int]) -> NDArray[np.bool_]:
    rng = np.random.default_rng(seed)
    inner = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        inner[rows[: round(share * len(rows))]] = True
    return inner
