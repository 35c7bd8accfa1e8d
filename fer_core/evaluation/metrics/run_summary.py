"""The figures that a run is stored with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .calibration import checked, ece
from .classification import accuracy, balanced_accuracy, class_figures, confusion, macro_f1
from .intervals import LEVEL, group_interval, members_of, seed_interval, wilson
from .probabilities import log_losses


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
    and averaged; intervals on images count each image once however many seeds there are.

    Args:
        groups, face_status: (N,) names; the status is one of `faces.crops.STATUSES`, 'rescued', or "" where
            no face was looked for.
        seeds: (N,) seed of the row.
        names: (N,) image names; needed with several seeds where groups are unknown.

    Returns:
        JSON-able, shares in 0..1: level, images, groups (number), seeds, val_accuracy, val_accuracy_interval
        (Wilson), val_accuracy_group_interval (bootstrap), val_accuracy_seed_interval (t, over seeds),
        accuracy_by_seed, macro_f1, balanced_accuracy, ece, log_loss (nats), chance (of the commonest class,
        share), per_class (records of `per_class`, over all seeds), confusion (7 x 7, summed over seeds),
        found and not_found (images, accuracy, interval; frames with and without a face to cut, both empty
        without extraction) and by_status (status -> the same).
    """
    values, truth = checked(probabilities, labels)
    seed_of = np.asarray(seeds)
    if not len(truth) == len(groups) == len(face_status) == len(seed_of):
        raise ValueError("labels, probabilities, groups, face_status and seeds must be of one length")
    distinct = [int(seed) for seed in dict.fromkeys(seed_of.tolist())]
    if len(distinct) > 1 and names is None and not all(groups):
        raise ValueError("several seeds need the images' names, to know which rows are one image")
    guesses = values.argmax(axis=1)
    right = guesses == truth
    status = np.asarray(face_status, dtype=object)
    whole = status == "none"  # the frame went into the network as it is, for want of a face
    by_seed = [_one_seed(truth[of], guesses[of], values[of]) for of in (seed_of == seed for seed in distinct)]
    table = confusion(truth, guesses)

    def share(rows: NDArray[np.bool_]) -> dict[str, Any]:
        total, good = rows.sum() / len(distinct), right[rows].sum() / len(distinct)
        return {
            "images": round(total),
            "accuracy": float(good / total) if total else float("nan"),
            "interval": list(wilson(good, total)),
        }

    overall = share(np.ones(len(truth), bool))
    return {
        "level": LEVEL,
        "images": overall["images"],
        "groups": int(members_of(groups, names).max()) + 1,
        "seeds": distinct,
        **{name: float(np.mean([figures[name] for figures in by_seed])) for name in by_seed[0]},
        "val_accuracy_interval": overall["interval"],
        "val_accuracy_group_interval": list(group_interval(right, groups, names)),
        "val_accuracy_seed_interval": list(seed_interval([f["val_accuracy"] for f in by_seed])),
        "accuracy_by_seed": [figures["val_accuracy"] for figures in by_seed],
        "chance": float(np.bincount(truth).max() / len(truth)),
        "per_class": class_figures(table).to_dict("records"),
        "confusion": table.tolist(),
        "found": share(~whole & (status != "")),
        "not_found": share(whole),
        "by_status": {name: share(status == name) for name in sorted(set(face_status)) if name},
    }


def _one_seed(truth: NDArray[Any], guesses: NDArray[Any], values: NDArray[np.float64]) -> dict[str, float]:
    return {
        "val_accuracy": accuracy(truth, guesses),
        "macro_f1": macro_f1(truth, guesses),
        "balanced_accuracy": balanced_accuracy(truth, guesses),
        "ece": ece(values, truth),
        "log_loss": float(log_losses(values, truth).mean()),
    }
