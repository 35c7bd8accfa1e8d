"""The figures that a run is stored with: accuracy, confusion, figures per class, those of SFEW's two sets."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from fer_core.config.run import CLASSES

from .calibration import checked, ece
from .intervals import LEVEL, members_of, seed_interval, share
from .probabilities import log_losses


def accuracy(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Return the share of right predictions, 0..1; NaN for none."""
    right = np.asarray(labels) == np.asarray(predictions)
    return float(right.mean()) if right.size else float("nan")


def confusion(labels: ArrayLike, predictions: ArrayLike) -> NDArray[np.int64]:
    """Return the (7, 7) counts: row the true class, column the predicted one."""
    table = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    np.add.at(table, (np.asarray(labels, np.intp), np.asarray(predictions, np.intp)), 1)
    return table


def class_figures(table: NDArray[np.int64], seeds: int = 1) -> pd.DataFrame:
    """Return one row per class: class, precision, recall, specificity, f1 (0..1) and support (images).

    What is 0/0 is NaN: precision of a class never predicted, recall of one without images.

    Args:
        table: (7, 7) counts as `confusion` returns them.
        seeds: how many of them the counts are summed over; support is the images of one.
    """
    right, support, predicted = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    wrong = table.sum() - support - predicted + right  # true negatives
    with np.errstate(invalid="ignore"):
        return pd.DataFrame(
            {
                "class": list(CLASSES),
                "precision": right / predicted,
                "recall": right / support,
                "specificity": wrong / (table.sum() - support),
                "f1": 2 * right / (support + predicted),
                "support": np.round(support / seeds).astype(int),
            }
        )


def macro_f1(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Return the mean F1 over the classes that have images, 0..1."""
    from sklearn.metrics import f1_score

    return float(f1_score(labels, predictions, labels=np.unique(labels), average="macro", zero_division=0.0))


def balanced_accuracy(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Return the mean recall over the classes that have images, 0..1; chance is one over their number."""
    from sklearn.metrics import recall_score

    return float(recall_score(labels, predictions, labels=np.unique(labels), average="macro"))


#: Statuses of frames whose face may be another than the meant one.
DOUBTFUL = ("several", "low-confidence")


def summary(
    labels: ArrayLike,
    probabilities: ArrayLike,
    groups: Sequence[str],
    face_status: Sequence[str],
    seeds: ArrayLike,
    *,
    names: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return the figures a run is stored with, from its held-out predictions, a row per image and seed.

    Accuracy, macro F1, balanced accuracy, ECE and log loss are computed per seed over all its folds' images
    and averaged; intervals count each movie or person once, or each image, however many seeds there are.

    Args:
        groups, face_status: (N,) names; the status is one of `faces.crops.STATUSES`, 'rescued', or "" where
            no face was looked for.
        seeds: (N,) seed of the row.
        names: (N,) image names; needed with several seeds where groups are unknown.

    Returns:
        JSON-able, shares in 0..1: level, images, groups (number), seeds, val_accuracy with val_accuracy_interval and
        val_accuracy_interval_over (`intervals.share`), val_accuracy_seed_interval (t, over seeds),
        accuracy_by_seed, macro_f1, balanced_accuracy, ece, log_loss (nats), chance (of the commonest class,
        share), per_class (records of `class_figures`, over all seeds; support in images), confusion (7 x 7, summed
        over seeds), found and not_found (images, accuracy, interval, interval_over; frames with and without a face
        to cut, both empty without extraction) and by_status (status -> the same;
        'doubtful': several faces or one of low confidence)
    """
    values, truth = checked(probabilities, labels)
    seed_of = np.asarray(seeds)
    if not len(truth) == len(groups) == len(face_status) == len(seed_of):
        raise ValueError("labels, groups, face_status and seeds must be of one length")
    distinct = [int(seed) for seed in dict.fromkeys(seed_of.tolist())]
    if len(distinct) > 1 and names is None and not all(groups):
        raise ValueError("several seeds need the images' names, to know which rows are one image")
    guesses = values.argmax(axis=1)
    right = guesses == truth
    status = np.asarray(face_status, dtype=object)
    whole = status == "none"  # the frame went into the network as it is, for want of a face
    by_seed = [_one_seed(truth[of], guesses[of], values[of]) for of in (seed_of == seed for seed in distinct)]
    table = confusion(truth, guesses)

    def part(rows: NDArray[np.bool_]) -> dict[str, Any]:
        places = np.flatnonzero(rows).tolist()
        named = None if names is None else [names[row] for row in places]
        found = share(right[places], [groups[row] for row in places], named)
        return {"images": round(len(places) / len(distinct)), **found.named("accuracy", "")}

    doubted = np.isin(status.astype(str), DOUBTFUL)
    doubtful = {"doubtful": part(doubted)} if doubted.any() else {}
    overall = part(np.ones(len(truth), bool))
    return {
        "level": LEVEL,
        "images": overall["images"],
        "groups": int(members_of(groups, names).max()) + 1,
        "seeds": distinct,
        **{name: float(np.mean([figures[name] for figures in by_seed])) for name in by_seed[0]},
        "val_accuracy_interval": overall["interval"],
        "val_accuracy_interval_over": overall["interval_over"],
        "val_accuracy_seed_interval": list(seed_interval([f["val_accuracy"] for f in by_seed])),
        "accuracy_by_seed": [figures["val_accuracy"] for figures in by_seed],
        "chance": float(np.bincount(truth).max() / len(truth)),
        "per_class": class_figures(table, len(distinct)).to_dict("records"),
        "confusion": table.tolist(),
        "found": part(~whole & (status != "")),
        "not_found": part(whole),
        "by_status": {name: part(status == name) for name in sorted(set(face_status)) if name} | doubtful,
    }


def _one_seed(truth: NDArray[Any], guesses: NDArray[Any], values: NDArray[np.float64]) -> dict[str, float]:
    return {
        "val_accuracy": accuracy(truth, guesses),
        "macro_f1": macro_f1(truth, guesses),
        "balanced_accuracy": balanced_accuracy(truth, guesses),
        "ece": ece(values, truth),
        "log_loss": float(log_losses(values, truth).mean()),
    }


SHARES = ("precision", "recall", "specificity", "f1")


def two_sets(
    labels: ArrayLike,
    guesses: ArrayLike,
    folds: ArrayLike,
    seeds: ArrayLike,
    groups: Sequence[str],
    names: Sequence[str],
) -> dict[str, Any]:
    """Return what Dhall et al. (2011) report under the strictly person independent protocol.

    A set counts half, whatever its size, so the accuracy can differ from that of all images together. Several seeds
    are averaged.

    Args:
        folds: (N,) 0 for images of set2, tested by a model of set1; 1 the other way round.
        seeds: (N,) seed of the row.
        groups, names: (N,) as `intervals.share` takes them.

    Returns:
        JSON-able, shares in 0..1: accuracy and per_class (class, precision, recall, specificity, f1), the means over
        both sets; sets, a record each: tested, images, accuracy, interval and interval_over
        (`intervals.share`), per_class. A share that
        is 0/0 in one set (NaN) is that of the other.
    """
    truth, said, fold, seed = (np.asarray(values) for values in (labels, guesses, folds, seeds))
    count = len(np.unique(seed))
    sets, tables, accuracies = [], [], []
    for number, tested in ((0, "set2"), (1, "set1")):
        here = fold == number
        rows = np.flatnonzero(here).tolist()
        found = share((truth == said)[here], [groups[row] for row in rows], [names[row] for row in rows])
        figures = class_figures(confusion(truth[here], said[here]), count)
        tables.append(figures)
        accuracies.append(found.value)
        record = {"tested": tested, "images": len(rows) // count, **found.named("accuracy", "")}
        sets.append(record | {"per_class": figures.to_dict("records")})
    both = pd.concat(tables)
    return {
        "accuracy": float(np.mean(accuracies)),
        "per_class": both.groupby("class", sort=False)[list(SHARES)].mean().reset_index().to_dict("records"),
        "sets": sets,
    }
