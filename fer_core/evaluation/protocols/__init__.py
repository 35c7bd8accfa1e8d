"""How folds are drawn: stratified, by group, by clip, SFEW's two-set SPI, a fixed split, the paper's reshuffle.

A protocol under which validation images may be recognised from training ones carries `leaks` in its data, and
`leakage` measures for the folds at hand how much of the validation part has relatives in training.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fer_core.config.run import CLASSES, ProtocolConfig
from fer_core.errors import DataError

from .base import Fold, Images, Protocol
from .by_group import deal_whole
from .by_image import ReshuffledFold, fixed, reshuffle, spi, stratified, unseen

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "stratified",
            "Stratified k-fold",
            True,
            "Images are held out at random, so frames of one clip fall on both sides and may be recognised: "
            "the accuracy is optimistic on film frames.",
            stratified,
        ),
        Protocol(
            "group",
            "By-group k-fold",
            False,
            "Whole films or persons are held out, so the accuracy is that on unseen ones. An image of unknown "
            "group counts as a group by itself.",
            partial(deal_whole, "group"),
        ),
        Protocol(
            "clip",
            "By-clip k-fold",
            True,
            "Whole clips are held out, but other clips of the same film, with the same actors, are trained on: "
            "it leaks less than random folds and more than by-group ones.",
            partial(deal_whole, "clip"),
        ),
        Protocol(
            "spi",
            "Two-set SPI",
            False,
            "SFEW's strictly person independent protocol: train on one set, test on the other, both ways, "
            "averaged (Dhall et al. 2011).",
            spi,
        ),
        Protocol(
            "fixed",
            "Fixed split",
            False,
            "The split of the data set: trained on train, reported on validation, or on test where there is no "
            "validation. Whether films straddle it is what the audit shows.",
            fixed,
        ),
        Protocol(
            "reshuffle",
            "Per-epoch reshuffle",
            True,
            "The paper's protocol (section 2.4): images are split again each epoch, so those validated in one were "
            "trained on in another. Kept to reproduce its figures, not to judge a model.",
            reshuffle,
        ),
        Protocol(
            "unseen",
            "Trained elsewhere",
            False,
            "Trained on other data: nothing of this set was learned, unless its own data held these pictures. Every "
            "image is judged; there are no folds.",
            unseen,
        ),
    )
}

#: What a run that trains can be asked for.
OF_TRAINING: tuple[str, ...] = tuple(name for name in PROTOCOLS if name != "unseen")


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
        groups, clips: (N,) names; an image whose name is "" counts as a group or clip by itself.
        splits: (N,) 'train', 'validation', 'test', 'set1', 'set2' or None.

    Raises:
        DataError: a class would be missing from a training part, there are too few groups, or the data set
            brings no groups, clips or split where the protocol rests on them.
        ValueError: the arrays differ in length.
    """
    labels = np.asarray(labels)
    if not len(labels) == len(groups) == len(clips) == len(splits):
        raise ValueError("labels, groups, clips and splits must be of one length")
    if config.name == "unseen":
        return unseen(config, Images(labels, groups, clips, splits))
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
    folds: Sequence[Fold],
    groups: Sequence[str],
    clips: Sequence[str],
    *,
    epochs: int = 1,
    detector: Sequence[bool] | None = None,
) -> dict[str, float | None]:
    """Measure how much of the validation parts has relatives in training.

    Args:
        folds: as drawn; the validation part is that of the last epoch, training all that any epoch saw.
        groups, clips: (N,) names; "" is unknown.
        epochs: epochs trained; matters for the reshuffle alone.
        detector: (N,) whether the face detector was trained on frames of the image's movie or person; None where
            it was not fine-tuned, or on data that do not compare.

    Returns:
        Shares in 0..1 over all validation images of all folds: 'image' were trained on themselves, 'clip' and
        'group' have another frame of theirs in training (over images whose clip or group is known; None
        where none is), 'group_known' have a known group; 'detector' are of movies that the detector knows, None
        where `detector` is.
    """
    hits: dict[str, list[bool]] = {"image": [], "clip": [], "group": [], "group_known": [], "detector": []}
    for fold in folds:
        seen, validation = fold.seen(epochs), fold.split(epochs)[1]
        hits["image"] += np.isin(validation, seen).tolist()
        hits["detector"] += [] if detector is None else [bool(detector[index]) for index in validation]
        hits["group_known"] += [bool(groups[index]) for index in validation]
        for kind, names in (("clip", clips), ("group", groups)):
            trained = {names[index] for index in seen}
            hits[kind] += [names[index] in trained for index in validation if names[index]]
    return {kind: float(np.mean(flags)) if flags else None for kind, flags in hits.items()}
