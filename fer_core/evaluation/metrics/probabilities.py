"""A model's seven probabilities an image: columns p0 to p6, in the order of the classes, and what they say."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from fer_core.config.run import CLASSES

#: The columns of a table of predictions that hold the probabilities.
COLUMNS = tuple(f"p{index}" for index in range(len(CLASSES)))


def probabilities_of(predictions: pd.DataFrame) -> NDArray[np.float64]:
    """Return the (N, 7) probabilities of a table of predictions."""
    return predictions[list(COLUMNS)].to_numpy(np.float64)


def as_columns(probabilities: NDArray[np.floating]) -> dict[str, NDArray[np.floating]]:
    """Return (N, 7) probabilities as the columns of a table of predictions."""
    return dict(zip(COLUMNS, probabilities.T, strict=True))


def guesses(predictions: pd.DataFrame) -> NDArray[np.intp]:
    """Return the class that is the most probable, (N,) indices into `CLASSES`."""
    return probabilities_of(predictions).argmax(axis=1)


def right(predictions: pd.DataFrame) -> NDArray[np.bool_]:
    """Return whether each row's most probable class is its label, (N,)."""
    return np.asarray(guesses(predictions) == predictions["label"].to_numpy())


def log_losses(probabilities: ArrayLike, labels: ArrayLike, floor: float = 1e-45) -> NDArray[np.float64]:
    """Return each image's log loss in nats, (N,); no probability counts as less than `floor`."""
    values, truth = np.asarray(probabilities), np.asarray(labels)
    return -np.log(np.maximum(values[np.arange(len(truth)), truth], floor))
