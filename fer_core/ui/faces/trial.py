"""The bench: other detection settings tried on one frame at once, and on the failed ones before they are kept."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from fer_core.config.run import CLASSES, FacesConfig, RunConfig, digest
from fer_core.evaluation.metrics import wilson
from fer_core.faces.crops import Chosen, choose, cut, failed
from fer_core.faces.explanation import shown, why
from fer_core.faces.extraction import Crops
from fer_core.faces.rescue import POLICIES
from fer_core.faces.trial import OUTCOMES
from fer_core.prediction import limits
from fer_core.runs.plans.detections import described
from fer_core.ui.cache import resources
from fer_core.ui.panels.trace import first_look, outlined
from fer_core.ui.parts.gallery import Tile, encode, grid
from fer_core.ui.parts.url import links_here
from fer_core.ui.parts.widgets import interval
from fer_core.ui.shell.setup import Lab, computing, errors_shown

from . import settings
from .settings import TRY

#: The most frames a trial looks at: those that failed, all of them in any set of film frames so far (a crop of each
#: is kept in memory), and a sample of those found.
FAILED_TRIED, FOUND_TRIED = 1000, 120

#: Where the session holds that settings left in the URL no longer open the bench.
SHUT = "bench-shut"

#: What a trial's counts are called, and what each means.
OUTCOME_TITLES = {
    "won": ("Won", "failed frames that become found"),
    "lost": ("Lost", "found frames that become none, several or low-confidence"),
    "another face": ("Another face", "frames cut somewhere else: IoU below 0.5"),
}


def is_open() -> bool:
    """Return whether the URL asks for the bench (`?bench=true`), or named one of its settings when it was opened."""
    if any(name.startswith(TRY) for name in st.query_params) and not st.session_state.get(SHUT):
        st.query_params["bench"] = "true"
    return "bench" in st.query_params


def switch() -> None:
    """Open the bench, or close it. For callbacks."""
    if st.query_params.pop("bench", None) is None:
        st.query_params["bench"] = "true"
    st.query_params.pop("tried", None)
    st.session_state[SHUT] = True


@st.fragment
@errors_shown("Faces")
def bench(lab: Lab, config: RunConfig, crops: Crops, row: Mapping) -> None:
    """Draw a readable frame under other settings, and beside it the sliders and the crop before and after.

    Args:
        row: the frame's row of `Crops.table`.
    """
    with st.container(key="bench"):
        left, right = st.columns([5, 3], gap="medium")
    both = right.container(horizontal=True)
    with right:
        faces = config.faces.model_copy(update=settings.from_state(settings.shared(TRY, config.faces)))
        changed = faces != config.faces
        st.text_input(
            "Name",
            key="bench-name",
            max_chars=50,
            placeholder=f"Name: {described(faces)}",
            label_visibility="collapsed",
        )
        with st.container(horizontal=True):
            kept = st.button(
                "Keep these settings",
                type="primary",
                icon=":material/check:",
                disabled=not changed,
                on_click=_keep,
                args=(lab, config),
                help="Makes them the detection settings of this page, under this name, and looks for faces in all "
                "frames",
            )
            st.button(
                "Reset",
                icon=":material/undo:",
                disabled=not changed,
                on_click=_reset,
                args=(config.faces,),
                help="Back to the page's settings",
            )
    if kept:
        st.rerun()
    _before_and_after(lab, config, faces, crops, row, left, both)
    st.markdown("**What these settings would change elsewhere**")
    _trial(lab, config, faces, crops, changed)


def _keep(lab: Lab, config: RunConfig) -> None:
    """Ask for the bench's settings as a named detection and make them the page's.

    They are read where the widgets keep them: a slider may have moved since the button was drawn.
    """
    values = {name: st.session_state[f"{TRY}{name}"] for name in settings.as_state(settings.STANDARD)}
    faces = config.faces.model_copy(update=settings.from_state(values))
    name = st.session_state["bench-name"].strip() or described(faces)[:50]
    settings.keep(lab, config, faces.model_copy(update={"name": name}))
    switch()


def _reset(faces: FacesConfig) -> None:
    st.session_state.update({f"{TRY}{name}": value for name, value in settings.as_state(faces).items()})
    st.query_params.pop("tried", None)


def _before_and_after(
    lab: Lab,
    config: RunConfig,
    faces: FacesConfig,
    crops: Crops,
    row: Mapping,
    left: DeltaGenerator,
    both: DeltaGenerator,
) -> None:
    """Draw the frame with its faces under these settings on the left, the crop before and after side by side."""
    name = row["name"]
    image = resources.frame_array(lab.source, name)
    box = None if row["box"] is None else tuple(row["box"])
    rescued = row["rescued_by"] if isinstance(row["rescued_by"], str) else None
    was = Chosen(row["status"], box, row["probability"], None, row["faces"], rescued)
    turn = partial(computing, lab)
    new = resources.look_again(lab.source, config.data.fingerprint, name, faces, turn)
    becomes = choose(new, faces)
    left.image(
        outlined(image, new, becomes.status, becomes.box),
        alt=f"Frame {name} with these settings: {len(new)} faces",
        width="stretch",
    )
    crop = crops.images[row["row"]] if row["row"] >= 0 else cut(image, was, config.faces)
    with both:
        for title, chosen, seen in (("Now", was, crop), ("Then", becomes, cut(image, becomes, faces))):
            with st.container(width=120):
                st.image(encode(seen), alt=f"{title}: the crop", width=96)
                st.markdown(f"**{title}**: {_words(chosen)}")
    with left:
        if becomes.status == "none":
            trace = resources.trace(lab.source, config.data.fingerprint, name, first_look(faces), turn)
            st.caption(f"Why: {why(trace, faces.min_face_size, min(image.shape[:2]))}")
        if was.status == "manual":
            st.caption("The hand-drawn box is used in any case.")


def _words(chosen: Chosen) -> str:
    words = [chosen.status]
    if chosen.box and chosen.status != "manual" and chosen.probability is not None:
        words.append(shown(chosen.probability))
    if chosen.faces > 1:
        words.append(f"{chosen.faces} faces")
    if chosen.rescued_by:
        words.append(POLICIES[chosen.rescued_by].title)
    return " · ".join(words)


def _trial(lab: Lab, config: RunConfig, faces: FacesConfig, crops: Crops, changed: bool) -> None:
    """Offer to try the settings on the failed frames and a sample of the found ones, and show what changes."""
    table = crops.table
    lost = int((failed(table) & (table["status"] != "unreadable")).sum())
    found = int((table["status"] == "found").sum())
    tried_failed, tried_found = min(lost, FAILED_TRIED), min(found, FOUND_TRIED)
    key = digest([config.crops_key(), faces.hashed()])[:8]
    if lab.demo:
        st.caption(f"{lab.closed}: trying settings on many frames is off.")
        return
    place = st.empty()
    if st.query_params.get("tried") != key:
        pressed = place.button(
            f"Try on {_of(tried_failed, lost)} failed and {_of(tried_found, found)} found frames",
            icon=":material/science:",
            disabled=not changed,
            help="Nothing is kept; the frames are looked at again with these settings",
        )
        if not pressed:
            if not changed:
                st.caption("Move a slider first: these are the page's settings.")
            return
        st.query_params["tried"] = key

    def report(done: int, total: int) -> None:
        place.progress(done / total, text=f"{done} of {total} frames")

    turn = partial(limits.device_turn, lab.visitor)
    result, images = resources.trial(
        lab.source, config.crops_key(), faces, tried_failed, tried_found, report, turn
    )
    place.empty()
    _outcome(result, images)


def _of(tried: int, there: int) -> str:
    return f"all {there:,}" if tried == there else f"{tried:,} of {there:,}"


def _outcome(result: pd.DataFrame, images: np.ndarray) -> None:
    counts = result["outcome"].value_counts()
    before = result["before"] == "found"
    of = {"won": int((~before).sum()), "lost": int(before.sum()), "another face": len(result)}
    for column, (outcome, (title, text)) in zip(st.columns(3), OUTCOME_TITLES.items(), strict=True):
        count = int(counts.get(outcome, 0))
        column.metric(title, f"{count} of {of[outcome]}", help=text.capitalize())
        bounds = interval(wilson(count, of[outcome])) if of[outcome] else "–"
        column.caption(f"95 % interval {bounds}")
    crossed = pd.crosstab(result["before"].rename("now"), result["after"])
    rescued = result["rescued_by"].value_counts()
    if len(rescued):
        titles = (f"{count} by “{POLICIES[str(name)].title}”" for name, count in rescued.items())
        st.caption("Found on a second look: " + ", ".join(titles))
    st.dataframe(
        crossed.reset_index(),
        hide_index=True,
        width="content",
        alt="Frames by their status now (rows) and with these settings (columns)",
    )
    changed = result[(result["outcome"] != OUTCOMES[-1]) | (result["before"] != result["after"])].head(48)
    if len(changed):
        st.caption("Look at what would change: a box that is won is not always a face.")
        link = links_here("faces", "frame")
        rows = zip(changed.to_dict("records"), images[changed.index.to_numpy()], strict=True)
        grid(_tile(row, crop, link(row["name"])) for row, crop in rows)
    else:
        st.caption("No frame would change its status or be cut elsewhere.")


def _tile(row: dict, crop: np.ndarray, link: str) -> Tile:
    note = f"{row['outcome']}: {row['before']} → {row['after']}"
    label = CLASSES[row["label"]]
    return Tile(encode(crop), label, note, f"{label}: {row['name']} ({note})", link)
