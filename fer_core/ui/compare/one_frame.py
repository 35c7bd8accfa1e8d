"""One frame's answer in two runs, as after a better detection; and the wait for a run that a link names."""

import numpy as np
import streamlit as st

from fer_core.config.run import CLASSES
from fer_core.evaluation.metrics.probabilities import probabilities_of
from fer_core.results.rows import title
from fer_core.results.shares import percent
from fer_core.storage.store import StoredRun
from fer_core.ui.cache import resources
from fer_core.ui.panels import at_work
from fer_core.ui.panels.detections import label
from fer_core.ui.parts.widgets import escaped, run_link
from fer_core.ui.shell.setup import Lab


def waited_for(lab: Lab) -> bool:
    """Draw the progress of a run that the link names as one of the two and that is under way; False for none."""
    named = [value for value in (st.query_params.get(side, "") for side in "ab") if value]
    runs = [run for run in lab.store.runs(ids=named) if run.status != "done"]
    for run in runs:
        with st.container(border=True):
            st.markdown(
                f"[**{escaped(title(run))}**]({run_link(run)}) with faces *{escaped(label(run.config.faces))}*"
            )
            at_work.watched(lab, run.id, at_work.state(lab, run))
            st.caption(
                "Both runs show here, side by side, once it is done; it continues when you close this tab."
            )
    return any(not run.ended for run in runs)


def one_frame(a: StoredRun, b: StoredRun, name: str) -> None:
    """Draw a frame's crop and held-out answer in both runs."""
    st.subheader("This frame, before and after")
    for column, run in zip(st.columns(2, gap="large"), (a, b), strict=True):
        with column, st.container(border=True):
            _answer(run, name)
    st.caption(escaped(name))


def _answer(run: StoredRun, name: str) -> None:
    crop, words = st.columns([1, 2], vertical_alignment="center")
    if (facts := resources.crops_of(run)) and (jpeg := facts.picture(name)):
        crop.image(jpeg, caption="What it saw", alt=f"Crop of {name}", width="stretch")
    table = resources.finished_predictions(run)
    own = table[table["name"] == name]
    if own.empty:
        words.markdown("Left out of this run.")
        return
    true, status = int(own["label"].iloc[0]), own["face_status"].iloc[0]
    mean = probabilities_of(own).mean(axis=0)
    guess = int(np.argmax(mean))
    icon = ":material/check:" if guess == true else ":material/close:"
    words.markdown(
        f"{icon} **{CLASSES[guess]}** {percent(mean[guess])}  \n"
        f"true: **{CLASSES[true]}** {percent(mean[true])}  \n"
        f"face: **{status}**, {escaped(label(run.config.faces))}"
    )
