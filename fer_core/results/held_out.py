"""What a run says of each image that it held out, in words that filters and captions use."""

import numpy as np
import pandas as pd

from fer_core.config.run import CLASSES
from fer_core.evaluation.metrics.probabilities import guesses, probabilities_of


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
