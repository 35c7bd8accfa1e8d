"""What is wrong with a run, in words: it overfits, stays at chance, or never names a class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fer_core.config.run import CLASSES
from fer_core.storage.store import StoredRun

from .shares import percent

if TYPE_CHECKING:
    import pandas as pd

#: Validation loss this much above its lowest, in nats, is a rise and no wobble.
RISE = 0.1


def symptoms(run: StoredRun, epochs: pd.DataFrame) -> list[str]:
    """Return a sentence, in Markdown, for each thing that is wrong; of a run under way, what its epochs show so far.

    Args:
        epochs: the run's, as `Store.epochs` gives them.
    """
    return [*_overfit(epochs), *(_outcome(run) if run.status == "done" else ())]


def _overfit(epochs: pd.DataFrame) -> list[str]:
    """Say from which epoch the mean validation loss of the folds rises while training loss still falls."""
    if epochs.empty:
        return []
    # Only epochs that every fold has reached: of a run under way the last ones are of a few.
    counts = epochs.groupby("epoch")["val_loss"].count()
    means = epochs.groupby("epoch")[["train_loss", "val_loss"]].mean()[counts == counts.max()].dropna()
    if len(means) < 3:
        return []
    best, last = int(means["val_loss"].to_numpy().argmin()), means.iloc[-1]
    low = means.iloc[best]
    if last["val_loss"] - low["val_loss"] < RISE or last["train_loss"] >= low["train_loss"]:
        return []
    return [
        f"**It overfits from epoch {means.index[best]} on**: validation loss rises from {low['val_loss']:.2f} to "
        f"{last['val_loss']:.2f} while training loss falls from {low['train_loss']:.2f} to {last['train_loss']:.2f} "
        "(means of the folds). Fewer epochs, early stopping or augmentation may help."
    ]


def _outcome(run: StoredRun) -> list[str]:
    figures, said = run.summary, []
    low, chance = figures.get("val_accuracy_interval", [None])[0], figures.get("chance")
    accuracy = figures["val_accuracy"]
    if chance is not None and (accuracy <= chance or (low is not None and low == low and low <= chance)):
        said.append(
            f"**It can't be told from chance**: always naming the commonest class is right on {percent(chance)} of "
            f"the images, the run on {percent(accuracy)}"
            + (f" (95 % from {percent(low)})." if accuracy > chance else ".")
        )
    counts = np.asarray(figures.get("confusion", np.zeros((len(CLASSES),) * 2)))
    never = [name for index, name in enumerate(CLASSES) if counts[index].any() and not counts[:, index].any()]
    if never:
        images = int(sum(counts[CLASSES.index(name)].sum() for name in never))
        said.append(
            f"**Never named: {', '.join(never)}**, although {images} of the {int(counts.sum())} held-out images "
            "are of that class. *Class weights* or more images of it may help."
        )
    return said
