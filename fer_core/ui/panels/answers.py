"""What a run said of the frames it held out, filtered: its own page and the gallery of faces narrow by it alike."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from fer_core.config.run import CLASSES
from fer_core.results.trust import held_out
from fer_core.runs.plans.detections import detection_key
from fer_core.storage.store import StoredRun
from fer_core.ui.cache import resources
from fer_core.ui.parts.url import by_name, in_range, linked, one_of
from fer_core.ui.parts.widgets import faces_link, follow, train_link
from fer_core.ui.shell.setup import Lab

ANSWERS = ("right", "wrong")
#: Keys of a run's filters on its own page -> on Faces: Streamlit drops what a page has bound when another opens.
ON_FACES = {
    "true": "class",
    "movie": "group",
    "predicted": "said",
    "answer": "answered",
    "certain": "sure",
}


def filters(
    run: StoredRun, places: Sequence[DeltaGenerator], keys: Sequence[str]
) -> tuple[pd.DataFrame, str]:
    """Draw the filters of what was said, of right or wrong, and of the confidence, each in its place.

    Args:
        keys: of the three in the URL.

    Returns:
        The held-out answers (`held_out`) that pass, and how the confidence is narrowed; '' where it isn't.
    """
    answers = held_out(resources.finished_predictions(run))
    said = places[0].multiselect("Taken for", **one_of(keys[0], CLASSES))
    answer = places[1].selectbox("Answer", index=None, placeholder="any", **one_of(keys[1], ANSWERS))
    low, high = places[2].slider(
        "Confidence", value=(0.0, 1.0), step=0.01, **in_range(keys[2], 0.0, 1.0, pair=True)
    )
    if said:
        answers = answers[answers["said"].isin(said)]
    if answer:
        answers = answers[answers["right"] == (answer == "right")]
    narrowed = "" if (low, high) == (0.0, 1.0) else f"confidence {low:.2f} to {high:.2f}"
    return answers[answers["confidence"].between(low, high)], narrowed


def choice(lab: Lab) -> StoredRun | None:
    """Draw the choice among the finished runs of the data set, where there are any, and return it (`?run=`)."""
    runs = resources.trained(resources.data_config(lab.source).fingerprint)
    names = {"": "No run"} | {run.id: name for name, run in runs.named(runs.runs).items()}
    asked = st.query_params.get(linked("run", list(names)))
    key = by_name("Answers of a run", "run", list(names), names.__getitem__, asked=asked, default="")
    return runs.by_id.get(key)


def to_faces(run: StoredRun) -> None:
    """Draw the way to the same frames of a run in the gallery of faces, cut as the run had them."""
    if st.button("In the gallery of faces", icon=":material/photo_library:", type="tertiary"):
        query = {there: st.query_params.get_all(here) for here, there in ON_FACES.items()}
        faces = [detection_key(run.config.faces)] if run.config.faces.extract else []
        follow(faces_link(run, run=run.id, faces=faces, **query))


def to_run(run: StoredRun) -> None:
    """Draw the way from the gallery of faces to the same frames on the run's own page."""
    if st.button("On the run's page", icon=":material/model_training:", type="tertiary"):
        query = {here: st.query_params.get_all(there) for here, there in ON_FACES.items()}
        follow(train_link(run, run=run.id, part="Frames", **query))
