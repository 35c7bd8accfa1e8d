"""A run's held-out frames: the ones behind a figure, filtered as the URL says, and one of them close up."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from fer_core.config.run import CLASSES
from fer_core.errors import NotFoundError
from fer_core.prediction import limits
from fer_core.results import charts
from fer_core.results.shares import percent
from fer_core.results.trust import held_out
from fer_core.storage.store import StoredRun
from fer_core.ui.cache import resources
from fer_core.ui.cache.computed import computed
from fer_core.ui.cache.crop_facts import CropFacts
from fer_core.ui.cache.predictors import predictor
from fer_core.ui.cache.publication import without_pictures
from fer_core.ui.panels import answers, selection
from fer_core.ui.parts import figure
from fer_core.ui.parts.gallery import PAGE_SIZE, Tile, encode
from fer_core.ui.parts.url import links_here, one_of, page
from fer_core.ui.parts.widgets import escaped, faces_link, follow
from fer_core.ui.shell.setup import Lab, computing, errors_shown

from . import about

if TYPE_CHECKING:
    from fer_core.prediction.neighbours import Neighbour

ORDERS = ("most certain first", "least certain first", "by name")
#: Nearest training faces shown of a frame.
NEAREST = 6


def go(**filters: Any) -> None:
    """Show the frames that filters leave, whatever was filtered before. For callbacks alone."""
    for key in ("true", "predicted", "answer", "movie", "face", "certain", "frames_page"):
        st.session_state.pop(key, None)
        st.query_params.pop(key, None)
    st.query_params.update(filters)  # a widget that is yet to be drawn takes its value from the session alone
    st.session_state.update(filters, part="Frames")


def chosen(run: StoredRun) -> pd.DataFrame:
    """Draw the filters and return the held-out answers (`held_out`) that pass, in the chosen order."""
    everything = held_out(resources.finished_predictions(run))
    places = st.columns([2, 2, 1.4, 1.8, 1.5], vertical_alignment="bottom")
    wanted: dict[str, list[str]] = {"true": places[0].multiselect("True class", **one_of("true", CLASSES))}
    more = places[4].popover("More filters", width="stretch")
    for column, label, key in (("group", "Movie or person", "movie"), ("status", "Face", "face")):
        if known := sorted(set(everything[column]) - {""}):
            wanted[column] = more.multiselect(label, **one_of(key, known))
    found, narrowed = answers.filters(run, (*places[1:3], more), list(answers.ON_FACES)[2:])
    order = places[3].selectbox("Order", **one_of("sorted", ORDERS))
    hidden = [f"{name} {', '.join(wanted[name])}" for name in ("group", "status") if wanted.get(name)]
    if hidden := [*hidden, *([narrowed] if narrowed else [])]:
        st.caption(f"Narrowed by {escaped('; '.join(hidden))} (More filters).")
    for column, values in wanted.items():
        if values:
            found = found[found[column].isin(values)]
    by = "name" if order == ORDERS[2] else "confidence"
    return found.sort_values(by, ascending=order != ORDERS[0], kind="stable")


def view(lab: Lab, run: StoredRun) -> None:
    """Draw the filters and the frames that pass, or the one that the URL names (`?frame=`), close up."""
    found = chosen(run)
    name = st.query_params.get("frame")
    if name:
        _close_up(lab, run, found, name)
        return
    wrong = int((~found["right"]).sum())
    seeds = f" over {len(run.config.protocol.seeds)} seeds" if len(run.config.protocol.seeds) > 1 else ""
    place = st.container(horizontal=True, vertical_alignment="center")
    with place:
        said = f"**{len(found):,}** answers{seeds}, **{wrong:,}** of them wrong."
        st.caption(said, width="content")
        answers.to_faces(run)
    listed(lab, run, found, place)


def listed(lab: Lab, run: StoredRun, found: pd.DataFrame, bar: DeltaGenerator) -> None:
    """Draw a page of frames' crops, to be opened or selected, and in `bar` what can be done with those selected."""
    facts = resources.crops_of(run)
    once = found.drop_duplicates("name")
    shown = once.iloc[page(len(once), PAGE_SIZE, "frames_page")]
    if shown.empty:
        st.info("No frame passes these filters.", icon=":material/filter_alt_off:")
    elif facts is None:
        st.caption(without_pictures())
        st.dataframe(shown, hide_index=True, alt=f"{len(shown)} answers")
    else:
        link = links_here("train", "frame")
        rows = shown.to_dict("records")
        selection.grid({row["name"]: tile for row in rows if (tile := _tile(row, facts, link))})
        with bar:
            selection.every(once["name"])
            if names := selection.picked():
                st.markdown(f"**{len(names)} selected**", width="content")
                selection.exclude(lab, run.config.data.excluded, about.again(run))


def _tile(row: dict[Any, Any], facts: CropFacts, link: Callable[[str], str]) -> Tile | None:
    jpeg = facts.picture(row["name"])
    if jpeg is None:
        return None
    said = f"{row['true']} → {row['said']}" if not row["right"] else row["true"]
    note = f"{row['confidence']:.2f} · fold {row['fold']}"
    alt = f"{row['true']} face taken for {row['said']}, confidence {row['confidence']:.2f}: {row['name']}"
    return Tile(jpeg, said, note, alt, link(row["name"]))


def _close_up(lab: Lab, run: StoredRun, found: pd.DataFrame, name: str) -> None:
    """Draw one frame: what the networks that held it out say, where they look, what they find it like, ways on."""
    selection.looked_at(name)
    names = list(dict.fromkeys(found["name"]))
    everything = held_out(resources.finished_predictions(run))
    own = everything[everything["name"] == name]
    with st.container(horizontal=True):
        selection.steps(names, name)
        if st.button("The whole frame, its box and why", icon=":material/frame_person:", type="tertiary"):
            follow(faces_link(run, frame=name))
    if own.empty:
        st.warning(f"The run held out no frame named {escaped(repr(name))}.", icon=":material/search_off:")
        return
    for row in own.to_dict("records"):
        with st.container(border=True):
            _answer(lab, run, row)


def _seen(run: StoredRun) -> str:
    if run.protocol == "reshuffle":
        return "held out of the last epoch, and trained on in earlier ones"
    return "nothing was trained" if run.protocol == "unseen" else "its network was not trained on this frame"


@st.fragment
@errors_shown("Train")
def _answer(lab: Lab, run: StoredRun, row: dict[Any, Any]) -> None:
    predictions = resources.finished_predictions(run)
    same = (predictions[["name", "seed", "fold"]] == [row["name"], row["seed"], row["fold"]]).all(axis=1)
    found = predictions[same].iloc[0]
    values = np.array([found[f"p{index}"] for index in range(len(CLASSES))])
    facts = resources.crops_of(run)
    known = facts and facts.row(row["name"])
    crop = facts.crops.images[known["row"]] if facts and known and known["row"] >= 0 else None
    st.markdown(
        f"**{row['true']}** taken for **{row['said']}** with {percent(row['confidence'])}"
        if not row["right"]
        else f"**{row['true']}**, recognised with {percent(row['confidence'])}"
    )
    st.caption(
        f"Seed {row['seed']}, fold {row['fold']}: {_seen(run)}. "
        f"Movie or person: {escaped(row['group'] or '–')}. Face: {row['status'] or 'not looked for'}."
    )
    left, right = st.columns([2, 3], vertical_alignment="center")
    why = None if crop is None else _why(lab, run, row, crop)
    with left.container(horizontal=True, gap="small"):
        if crop is not None:
            st.image(encode(crop), caption="What it sees", alt=f"Crop of {row['name']}", width=128)
        for label, picture in why[0].items() if why else ():
            st.image(picture, caption=f"Evidence for {label}", alt=f"Grad-CAM for {label}", width=128)
    with right:
        table = pd.DataFrame({"class": CLASSES, "probability": values})
        drawn = resources.chart(charts.probabilities, values, CLASSES)
        figure.figure(drawn, table, "probabilities", key=f"bars-{row['seed']}-{row['fold']}")
    if why and why[1]:
        st.caption("**Nearest training faces of that network** (cosine of what enters the head)")
        with st.container(horizontal=True, gap="small"):
            for one in why[1]:
                words = f"{one.label} {one.similarity:.2f}"
                st.image(encode(one.crop), caption=words, alt=f"{words}: {one.name}", width=72)


def _why(
    lab: Lab, run: StoredRun, row: dict[Any, Any], crop: np.ndarray
) -> tuple[dict[str, bytes], list[Neighbour]] | None:
    """Return Grad-CAM pictures for what was said and for the true class, and the nearest training faces."""
    from fer_core.prediction.grad_cam import overlay

    if not run.config.trains_backbone or not resources.artifacts().has("runs", run.id):
        return None
    labels = list(dict.fromkeys([row["said"], row["true"]]))

    def made() -> tuple[dict[str, bytes], list[Neighbour]]:
        network = predictor(run).only(row["seed"], row["fold"])
        maps = limits.compute(network.explain, np.stack([crop] * len(labels)), labels)
        pictures = (
            {}
            if maps is None
            else {name: encode(overlay(crop, cam)) for name, cam in zip(labels, maps, strict=True)}
        )
        near = limits.compute(network.nearest, crop[None], NEAREST, exclude=[{row["name"]}])
        return pictures, near[0]

    key = (run.id, run.attempts, row["seed"], row["fold"], row["name"])
    try:
        with st.spinner("Looking for the reasons ...", show_time=True):
            return computed("held-out frame", 64).get(key, made, partial(computing, lab))
    except NotFoundError as error:
        st.caption(escaped(error))
        return None
