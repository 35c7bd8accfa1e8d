"""What the folds of a run come to: predictions, figures of the reported epochs, and what the recipe did."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from fer_core.config.run import RunConfig
from fer_core.evaluation.metrics import apply_temperature, by_seed, ece, fit_temperature, summary, two_sets
from fer_core.evaluation.metrics.probabilities import as_columns, guesses, log_losses, probabilities_of
from fer_core.faces.crops import RESCUED
from fer_core.faces.extraction import NOT_DETECTED
from fer_core.learning.reporting import FoldResult


def figures_of(predictions: pd.DataFrame) -> dict[str, Any]:
    """Return the figures of held-out predictions (`metrics.summary`); `predictions` as `RunResult` holds them."""
    return summary(
        predictions["label"],
        probabilities_of(predictions),
        list(predictions["group"]),
        list(predictions["face_status"].replace(NOT_DETECTED, "")),
        predictions["seed"],
        names=list(predictions["name"]),
    )


def held_out(used: pd.DataFrame, results: Sequence[FoldResult]) -> pd.DataFrame:
    """Return a row per held-out image, fold and seed: `RunResult.predictions`."""
    parts = []
    for result in results:
        rows = used.iloc[result.indices]
        part = pd.DataFrame(
            {
                "seed": result.seed,
                "fold": result.fold,
                "name": rows["name"].to_numpy(),
                "label": rows["label"].to_numpy(),
                "group": rows["group"].to_numpy(),
                "face_status": rows["status"].mask(rows["rescued_by"].notna(), RESCUED).to_numpy(),
            }
        )
        parts.append(part.assign(**as_columns(result.probabilities)))
    return pd.concat(parts, ignore_index=True)


def summarise_folds(results: Sequence[FoldResult], *, trained: bool = True) -> dict[str, object]:
    """Return the number of folds and their mean losses (nats) and training accuracy at the reported epoch.

    The accuracy is that of the reported model on all its training images, whatever the kind; a network's epochs
    keep a running mean over the epoch's draws instead, in train mode.

    That is the last one unless the recipe chose another; 0 folds where nothing was `trained`. NaN stands for what the
    model doesn't measure.
    `over_epochs` has the same, and validation accuracy, averaged over all epochs as well: that is what the
    paper's tables 2 and 3 print.
    """
    measures = ("train_accuracy", "val_accuracy", "train_loss", "val_loss")
    epochs = pd.DataFrame([asdict(record) for result in results for record in result.epochs])
    reported = [result.note.get("selected_epoch", len(result.epochs)) for result in results]
    last = pd.DataFrame(
        [asdict(result.epochs[epoch - 1]) for result, epoch in zip(results, reported, strict=True)]
    )
    running = zip(results, last["train_accuracy"], strict=True)
    return {
        "folds": len({result.fold for result in results}) if trained else 0,
        "train_accuracy": float(np.mean([one.note.get("train_accuracy", mean) for one, mean in running])),
        "train_loss": float(last["train_loss"].mean()),
        "val_loss": float(last["val_loss"].mean()),
        "over_epochs": {name: float(epochs[name].mean()) for name in measures},
    }


def summarise_recipe(
    config: RunConfig, results: Sequence[FoldResult], predictions: pd.DataFrame
) -> dict[str, Any]:
    """Return what a transfer run's recipe chose, by seed and fold in their order; nothing for a comparator.

    `selection` and `optimistic` name how the reported epoch was chosen, `selected_epochs` which it was.
    `micro_batch` is the least number of images a pass. With a temperature, `temperatures` has each
    network's and `calibrated` the ECE and log loss (nats) of the held-out images after it, means over seeds; each
    fold's comes from its own inner split, which neither trained it nor is reported. A recogniser's `temperature` is
    fitted on all its answers: it softens what it says of new images, and no figure of this run.
    """
    if config.model.kind == "recogniser":
        return {"temperature": fit_temperature(probabilities_of(predictions), predictions["label"])}
    notes = [result.note for result in results]
    if "selected_epoch" not in notes[0]:
        return {}
    found: dict[str, Any] = {
        "selection": config.training.selection,
        "optimistic": config.training.optimistic,
        "selected_epochs": [note["selected_epoch"] for note in notes],
        "trained_epochs": [len(result.epochs) for result in results],
        "micro_batch": min(note["micro_batch"] for note in notes),
    }
    if config.training.calibrate:
        temperatures = [note["temperature"] for note in notes]
        scaled = np.concatenate(
            [apply_temperature(one.probabilities, t) for one, t in zip(results, temperatures, strict=True)]
        )
        own = scaled, predictions["label"], predictions["seed"]
        found["temperatures"] = temperatures
        found["calibrated"] = {
            "ece": by_seed(ece, *own),
            "log_loss": by_seed(lambda values, truth: float(log_losses(values, truth).mean()), *own),
        }
    return found


def summarise_sets(config: RunConfig, predictions: pd.DataFrame) -> dict[str, Any]:
    """Return SFEW's figures as `two_sets` (`metrics.two_sets`) under its two-set protocol, nothing under others."""
    if config.protocol.name != "spi":
        return {}
    columns = (predictions[name] for name in ("fold", "seed", "group", "name"))
    fold, seed, group, name = columns
    found = two_sets(predictions["label"], guesses(predictions), fold, seed, list(group), list(name))
    return {"two_sets": found}


def arithmetic_of(results: Sequence[FoldResult]) -> dict[str, Any]:
    """Return the arithmetic that a transfer run's suffix trained in, and why; nothing for other models."""
    note = results[0].note
    if "precision" not in note:
        return {}
    return {"precision": note["precision"], "precision_reason": note.get("precision_reason", "as asked")}
