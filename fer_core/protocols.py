"""How folds are drawn: stratified, by group, by clip, SFEW's two-set SPI, a fixed split, the paper's reshuffle.

A protocol that lets validation images be recognised from training ones carries `leaks` in its data, and
`leakage` measures for the folds at hand how much of the validation part has relatives in training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from .config import CLASSES, ProtocolConfig
from .errors import DataError

Indices = NDArray[np.intp]

#: Random deals of groups among which the most even one is taken, per seed.
DEALS = 200


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


@dataclass(frozen=True, eq=False)
class ReshuffledFold(Fold):
    """The paper's fold (section 2.4): each epoch holds another random 1/k out; `train` and so on are epoch 1's.

    Epoch e's parts follow from the seed and e alone, so a resumed run meets the same ones. A draw that left
    a class out of training is repeated, which the paper doesn't mention; with SFEW's counts it never happens.
    """

    labels: NDArray[np.integer]
    folds: int

    def split(self, epoch: int) -> tuple[Indices, Indices]:
        """Return the training and validation part of an epoch (counted from 1)."""
        return _reshuffled(self.labels, self.folds, self.seed, epoch)

    def seen(self, epochs: int) -> Indices:
        """Return every position that training sees in so many epochs, sorted."""
        return np.unique(np.concatenate([self.split(epoch)[0] for epoch in range(1, epochs + 1)]))


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
        leaks: True where validation images may have frames of their own shot, film or person in training.
        why: one or two sentences on what its accuracy does and doesn't say.
        needs_groups, needs_clips, needs_split: what the data set must bring.
        draw: (config, images) -> folds.
    """

    name: str
    title: str
    leaks: bool
    why: str
    draw: Callable[[ProtocolConfig, Images], list[Fold]]
    needs_groups: bool = False
    needs_clips: bool = False
    needs_split: bool = False


def draw(
    config: ProtocolConfig,
    labels: NDArray[np.integer],
    groups: Sequence[str],
    clips: Sequence[str],
    splits: Sequence[str | None],
) -> list[Fold]:
    """Draw the folds of every seed, ordered by seed as given and then by fold.

    Under 'stratified', 'group' and 'clip' every image is validated exactly once a seed. Under 'spi' and
    'fixed' the data set decides, and a seed only seeds the training.

    Args:
        config: protocol, k and seeds.
        labels: (N,) whole numbers, indices into `CLASSES`; classes without images play no part.
        groups, clips: (N,) names; an image whose name is "" counts as a group or clip of its own.
        splits: (N,) 'train', 'validation', 'test', 'set1', 'set2' or None.

    Raises:
        DataError: a class would be missing from a training part, there are too few groups, or the data set
            brings no groups, clips or split where the protocol rests on them.
        ValueError: the arrays differ in length.
    """
    labels = np.asarray(labels)
    if not len(labels) == len(groups) == len(clips) == len(splits):
        raise ValueError("labels, groups, clips and splits must be of one length")
    if len(np.unique(labels)) < 2:
        raise DataError(
            "training needs images of at least two classes",
            got=f"{len(labels)} images of {len(np.unique(labels))}",
            fix="Add images of another class, or check how labels were read",
        )
    folds = PROTOCOLS[config.name].draw(config, Images(labels, groups, clips, splits))
    for fold in folds:
        absent = np.setdiff1d(labels[fold.validation], labels[fold.train])
        if len(absent):
            raise DataError(
                "every class to be validated must be in the training part",
                got=f"none of {', '.join(CLASSES[index] for index in absent)} in fold {fold.fold + 1}'s",
                fix="Add training images of that class, leave it out, or choose another protocol",
            )
    return folds


def leakage(
    folds: Sequence[Fold], groups: Sequence[str], clips: Sequence[str], *, epochs: int = 1
) -> dict[str, float | None]:
    """Measure how much of the validation parts has relatives in training.

    Args:
        folds: as drawn; the validation part is that of the last epoch, training all that any epoch saw.
        groups, clips: (N,) names; "" is unknown.
        epochs: epochs trained; matters for the reshuffle alone.

    Returns:
        Shares in 0..1 over all validation images of all folds: 'image' were trained on themselves, 'clip' and
        'group' have another frame of theirs in training (over images whose clip or group is known; None
        where none is), 'group_known' have a known group.
    """
    hits: dict[str, list[bool]] = {"image": [], "clip": [], "group": [], "group_known": []}
    for fold in folds:
        seen, validation = fold.seen(epochs), fold.split(epochs)[1]
        hits["image"] += np.isin(validation, seen).tolist()
        hits["group_known"] += [bool(groups[index]) for index in validation]
        for kind, names in (("clip", clips), ("group", groups)):
            trained = {names[index] for index in seen}
            hits[kind] += [names[index] in trained for index in validation if names[index]]
    return {kind: float(np.mean(flags)) if flags else None for kind, flags in hits.items()}


def _stratified(config: ProtocolConfig, images: Images) -> list[Fold]:
    _check_counts(images.labels, config.folds)
    folds = []
    for seed in config.seeds:
        splitter = StratifiedKFold(config.folds, shuffle=True, random_state=seed)
        parts = splitter.split(np.zeros(len(images.labels)), images.labels)
        folds += [Fold(seed, index, train, validation) for index, (train, validation) in enumerate(parts)]
    return folds


def _by(kind: str, config: ProtocolConfig, images: Images) -> list[Fold]:
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
    own = [name or f"\0{index}" for index, name in enumerate(names)]
    member = np.unique(own, return_inverse=True)[1]
    classes, label = np.unique(images.labels, return_inverse=True)
    table = np.zeros((member.max() + 1, len(classes)))
    np.add.at(table, (member, label), 1)
    _check_spread(table, classes, config.folds, kind)
    folds = []
    for seed in config.seeds:
        part = _most_even_deal(table, config.folds, seed)
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


def _most_even_deal(table: NDArray[np.float64], folds: int, seed: int) -> Indices | None:
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


def _spi(config: ProtocolConfig, images: Images) -> list[Fold]:
    splits = np.asarray(images.splits, dtype=object)
    sets = [np.flatnonzero(splits == name) for name in ("set1", "set2")]
    if not len(sets[0]) or not len(sets[1]) or len(sets[0]) + len(sets[1]) != len(splits):
        raise DataError(
            "the two-set protocol needs every image in set1 or set2",
            got=_found(images.splits),
            fix="Give the sets in a CSV manifest's split column, or choose the by-group protocol",
        )
    return [Fold(seed, index, sets[index], sets[1 - index]) for seed in config.seeds for index in (0, 1)]


def _fixed(config: ProtocolConfig, images: Images) -> list[Fold]:
    splits = np.asarray(images.splits, dtype=object)
    held = "validation" if "validation" in images.splits else "test"
    train, validation = np.flatnonzero(splits == "train"), np.flatnonzero(splits == held)
    if not len(train) or not len(validation) or None in images.splits:
        raise DataError(
            "a fixed split needs every image in train, validation or test, and some in train and another",
            got=_found(images.splits),
            fix="Use folders Train and Val (or Test) or a CSV manifest's split column, or choose k-fold",
        )
    return [Fold(seed, 0, train, validation) for seed in config.seeds]


def _reshuffle(config: ProtocolConfig, images: Images) -> list[Fold]:
    _check_counts(images.labels, 2)
    labels = np.array(images.labels)
    return [
        ReshuffledFold(seed, 0, *_reshuffled(labels, config.folds, seed, 1), labels, config.folds)
        for seed in config.seeds
    ]


def _reshuffled(labels: NDArray[np.integer], folds: int, seed: int, epoch: int) -> tuple[Indices, Indices]:
    rng = np.random.default_rng([seed, epoch])
    held = max(1, round(len(labels) / folds))
    while True:
        order = rng.permutation(len(labels))
        train, validation = np.sort(order[held:]), np.sort(order[:held])
        if np.isin(labels[validation], labels[train]).all():
            return train, validation


def _check_counts(labels: NDArray[np.integer], least: int) -> None:
    classes, counts = np.unique(labels, return_counts=True)
    if counts.min() < least:
        fewest = counts.argmin()
        raise DataError(
            "every class needs at least as many images as there are folds, and at least 2",
            got=f"{counts[fewest]} of {CLASSES[classes[fewest]]} where {least} are needed",
            fix="Add images of that class, leave it out, or use fewer folds",
        )


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


def _found(splits: Sequence[str | None]) -> str:
    names = sorted({name or "no split" for name in splits})
    return ", ".join(f"{sum((split or 'no split') == name for split in splits)} in {name}" for name in names)


PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "stratified",
            "Stratified k-fold",
            True,
            "Images are held out at random, so frames of one clip fall on both sides and are recognised: "
            "the accuracy is optimistic on film frames.",
            _stratified,
        ),
        Protocol(
            "group",
            "By-group k-fold",
            False,
            "Whole films or persons are held out, so the accuracy is that on unseen ones. An image of unknown "
            "group counts as a group of its own.",
            partial(_by, "group"),
            needs_groups=True,
        ),
        Protocol(
            "clip",
            "By-clip k-fold",
            True,
            "Whole clips are held out, but other clips of the same film, with the same actors, are trained on: "
            "it leaks less than random folds and more than by-group ones.",
            partial(_by, "clip"),
            needs_clips=True,
        ),
        Protocol(
            "spi",
            "Two-set SPI",
            False,
            "SFEW's strictly person independent protocol: train on one set, test on the other, both ways, "
            "averaged (Dhall et al. 2011).",
            _spi,
            needs_split=True,
        ),
        Protocol(
            "fixed",
            "Fixed split",
            False,
            "The data set's own split: trained on train, reported on validation, or on test where there is no "
            "validation. Whether films straddle it is for the audit to tell.",
            _fixed,
            needs_split=True,
        ),
        Protocol(
            "reshuffle",
            "Per-epoch reshuffle",
            True,
            "The paper's own (section 2.4): images are split anew each epoch, so those validated in one were "
            "trained on in another. Kept to reproduce its figures, not to judge a model.",
            _reshuffle,
        ),
    )
}
