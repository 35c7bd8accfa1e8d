"""One frame's answer in two runs, as after a better detection; and the wait for a run that a link names."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from fer_core.config.run import CLASSES
from fer_core.errors import FerError
from fer_core.evaluation.metrics.probabilities import probabilities_of
from fer_core.results.rows import title
from fer_core.results.shares import percent
from fer_core.storage.store import StoredRun
from fer_core.ui.cache import resources
from fer_core.ui.panels.cancel import cancel_button
from fer_core.ui.panels.detections import label
from fer_core.ui.parts.widgets import escaped, run_link, run_status
from fer_core.ui.shell.setup import Lab


def waited_for(lab: Lab) -> bool:
    """Draw the progress of a run that the link names as one of the two and that is under way; False for none."""
    named = [value for value in (st.query_params.get(side, "") for side in "ab") if value]
    runs = [run for run in lab.store.runs(ids=named) if run.status != "done"]
    for run in runs:
        _progress(lab, run.id, run.status)
    return any(not run.ended for run in runs)


@st.fragment(run_every=1.0)
def _progress(lab: Lab, run_id: str, before: str) -> None:
    run = lab.store.run(run_id)
    with st.container(border=True):
        st.markdown(
            f"[**{escaped(run.name or title(run))}**]({run_link(run)}) with faces *{escaped(label(run.config.faces))}*"
        )
        run_status(run, lab.store.queue_places([run.id]).get(run.id))
        st.caption(
            "Both runs show here, side by side, once it is done; it continues when you close this tab."
        )
        cancel_button(lab, run)
    if run.status != before:
        st.rerun()


def one_frame(a: StoredRun, b: StoredRun, name: str) -> None:
    """Draw a frame's crop and held-out answer in both runs."""
    st.subheader("This frame, before and after")
    for column, run in zip(st.columns(2, gap="large"), (a, b), strict=True):
        with column, st.container(border=True):
            _answer(run, name)
    st.caption(escaped(name))


def _answer(run: StoredRun, name: str) -> None:
    crop, words = st.columns([1, 2], vertical_alignment="center")
    if place := crop_rows(run, [name]):
        jpeg = resources.crop_facts(run.config.crops_key()).jpeg(place[name])
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


def crop_rows(run: StoredRun, names: Sequence[str]) -> dict[str, int]:
    """Return where the crops of images lie under a run's settings; empty where there are none on this host."""
    try:
        crops = resources.crops(run.config)
    except FerError:
        return {}
    if crops is None:
        return {}
    rows = crops.table.set_index("name")["row"]
    known = rows[rows.index.isin(names) & (rows >= 0)]
    return dict(zip(known.index, known.to_numpy(np.int64).tolist(), strict=True))
