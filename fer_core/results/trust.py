"""What a run's headline figure leaves out, in words: intervals, leaks, lost faces, what went wrong, each answer."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fer_core.config.base import CLASSES
from fer_core.config.comparators import SvmConfig
from fer_core.evaluation.metrics import apply_temperature, reliability
from fer_core.evaluation.metrics.calibration import TEMPERATURES
from fer_core.evaluation.metrics.intervals import MIN_SEEDS, Estimate, share
from fer_core.evaluation.metrics.probabilities import guesses, probabilities_of, right
from fer_core.storage.store import StoredRun

from .shares import accuracy_interval, at_most, face_shares, interval, p_value, percent

#: Validation loss this much above its lowest, in nats, is a rise and no wobble.
RISE = 0.1


def detector_leak(summary: Mapping[str, Any]) -> str:
    """Return the share of a run's validation images whose movie its fine-tuned detector knows, in words."""
    seen = summary["leakage"]["detector"]
    return f"not known: it was trained on {summary['detector_data']}" if seen is None else percent(seen)


def reliability_tables(run: StoredRun, predictions: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Return a run's reliability (`metrics.reliability`), and that after its temperatures; None where it has none.

    Each fold's temperature was fitted on its own inner split, so no image that is reported decided on it.

    Args:
        predictions: the run's held-out predictions as the store keeps them.
    """
    probabilities = probabilities_of(predictions)
    labels = predictions["label"].to_numpy()
    images = list(predictions["group"]), list(predictions["name"])
    table = reliability(probabilities, labels, *images)
    if "temperatures" not in run.summary:
        return table, None
    rows_of: dict[Any, Any] = predictions.groupby(["seed", "fold"]).indices
    networks = sorted(rows_of, key=lambda one: (run.config.protocol.seeds.index(one[0]), one[1]))
    scaled = probabilities.copy()
    for network, temperature in zip(networks, run.summary["temperatures"], strict=True):
        rows = rows_of[network]
        scaled[rows] = apply_temperature(probabilities[rows], temperature)
    return table, reliability(scaled, labels, *images)


def calibration_words(run: StoredRun) -> str:
    """Return what a run's calibration figures are of, in a sentence or two."""
    figures, model = run.summary, run.config.model
    text = f"Expected calibration error {percent(figures['ece'])} over {figures['validated']} held-out images"
    text += " (mean of the seeds)" if len(run.config.protocol.seeds) > 1 else ""
    if "calibrated" not in figures:
        if isinstance(model, SvmConfig):
            return f"{text}; the SVM's temperatures were fitted inside the training part of each fold."
        text += ", with the probabilities as the networks give them."
        return text if not run.config.trains_backbone else f"{text} No temperature was fitted."
    low, high = min(figures["temperatures"]), max(figures["temperatures"])
    between = f"{low:.2f}" if f"{low:.2f}" == f"{high:.2f}" else f"{low:.2f} to {high:.2f}"
    most = TEMPERATURES[1]
    if high > 0.999 * most:
        between += (
            f" ({most:g} is the most that is tried: on the inner split confidence said next to nothing)"
        )
    after = figures["calibrated"]["ece"]
    worse = "" if after < figures["ece"] else " It did not help: the error is no smaller than without."
    return (
        f"{text} as the networks give them, {percent(after)} after temperatures of {between}, each fitted on its "
        f"fold's inner split.{worse} A temperature above 1 softens; which class comes first stays."
    )


def how_often(predictions: pd.DataFrame, label: str, below: float | None) -> tuple[Estimate, int]:
    """Return how often answers of one kind were right on held-out images, and how many there were.

    Args:
        predictions: a run's, as the store keeps them.
        label: the class that was answered.
        below: for an answer that is unsure: those of any class less probable than this count instead.
    """
    values = probabilities_of(predictions)
    alike = guesses(predictions) == CLASSES.index(label) if below is None else values.max(1) < below
    part = predictions[alike]
    return share(right(part), list(part["group"]), list(part["name"])), part["name"].nunique()


def against(what: str, lead: Mapping[str, Any]) -> tuple[str, str]:
    """Return a row on a lead over a named other on the same images (`metrics.lead`), and whether it is noise."""
    low, high = lead["lead_interval"]
    words = lead["lead_interval_over"]
    if low is not None and low == low:
        noise = "within noise" if low <= 0 <= high else "more than noise"
        words = f"95 % from {100 * low:+.1f} to {100 * high:+.1f} over {words}: {noise}"
    return (
        f"{what}, {lead['name']}",
        f"{100 * lead['lead']:+.1f} points ({words}; McNemar's p {p_value(lead['p'])})",
    )


def trust_rows(run: StoredRun) -> list[tuple[str, str]]:
    """Return (what, figure) rows of a finished run: how far its accuracy can be trusted."""
    figures = run.summary
    rows = [("95 % interval", accuracy_interval(figures))]
    if len(figures["seeds"]) > 1:
        rows.append(("Accuracy by seed", ", ".join(map(percent, figures["accuracy_by_seed"]))))
    if len(figures["seeds"]) >= MIN_SEEDS:
        rows.append(("Interval over seeds, of these images", interval(figures["val_accuracy_seed_interval"])))
    leakage = figures["leakage"]
    rows.append(("Validation images whose shot is in training too", percent(leakage["clip"])))
    rows.append(("Validation images whose movie or person is in training too", percent(leakage["group"])))
    rows.append(("Validation images trained on themselves", percent(leakage["image"])))
    if "detector_data" in figures:
        what = "Validation images whose movie or person the detector was trained on"
        rows.append((what, detector_leak(figures)))
    if "vote" in figures:
        rows.append(against("The vote's lead on its best member", figures["vote"]))
    if "untrained" in figures:
        rows.append(against("What training added", figures["untrained"]))
    for kind, part in face_shares(figures).items():
        rows.append((f"Accuracy on frames whose face was {kind}", str(part)))
    gain = at_most(figures)
    if gain is not None:
        rows.append(("A perfect face detector could add at most", f"{gain:.1f} points"))
    rows.append(("Balanced accuracy", percent(figures["balanced_accuracy"])))
    rows.append(("Calibration error (ECE)", percent(figures["ece"])))
    if "calibrated" in figures:
        rows.append(
            ("Calibration error with temperatures of inner splits", percent(figures["calibrated"]["ece"]))
        )
    if run.config.trains_backbone and figures.get("micro_batch", 0) not in (
        0,
        run.config.training.batch_size,
    ):
        rows.append(("Images a pass, after memory ran out", str(figures["micro_batch"])))
    rows.append(("Always answering the commonest class", percent(figures["chance"])))
    return rows


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


def held_out(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return a row a prediction: name, seed, fold, group, status (of the face), true, said, confidence, right.

    `true` and `said` name classes; `confidence` is the highest probability, 0..1.

    Args:
        predictions: as `Store.predictions` gives them; an image stands there once a seed.
    """
    classes, said = np.array(CLASSES, dtype=object), guesses(predictions)
    found = predictions[["name", "seed", "fold", "group"]].assign(
        status=predictions["face_status"],
        true=classes[predictions["label"].to_numpy(np.intp)],
        said=classes[said],
        confidence=probabilities_of(predictions).max(axis=1, initial=0.0),
    )
    return found.assign(right=found["true"] == found["said"])


def shares(answers: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return, for each value of a column of `held_out`, its answers and how many are wrong; most wrong shares first.

    Returns:
        Columns: `by`, answers, wrong, share (of wrong ones, 0..1).
    """
    named = answers[answers[by] != ""]
    wrong = (~named["right"]).groupby(named[by])
    found = pd.DataFrame({"answers": wrong.size(), "wrong": wrong.sum().astype(int)}).rename_axis(by)
    found["share"] = found["wrong"] / found["answers"]
    return found.sort_values(["share", "answers"], ascending=False).reset_index()
