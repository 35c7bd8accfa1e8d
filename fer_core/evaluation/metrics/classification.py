"""Accuracy, confusion and per-class figures."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from fer_core.config.run import CLASSES


def accuracy(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Return the share of right predictions, 0..1; NaN for none."""
    right = np.asarray(labels) == np.asarray(predictions)
    return float(right.mean()) if right.size else float("nan")


def confusion(labels: ArrayLike, predictions: ArrayLike) -> NDArray[np.int64]:
    """Return the (7, 7) counts: row the true class, column the predicted one."""
    from sklearn.metrics import confusion_matrix

    if not np.size(labels):
        return np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    return confusion_matrix(labels, predictions, labels=range(len(CLASSES))).astype(np.int64)


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
