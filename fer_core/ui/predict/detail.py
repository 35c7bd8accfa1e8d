"""One image on the Predict page: its faces boxed, what the networks say of each, and why; a box drawn by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from fer_core.config.run import CLASSES
from fer_core.faces.crops import FAILED
from fer_core.prediction.answers import annotated
from fer_core.results import charts
from fer_core.results.shares import interval_over, percent
from fer_core.results.trust import how_often
from fer_core.ui.cache import resources
from fer_core.ui.cache.predictors import MOST_FACES
from fer_core.ui.panels import trace as trace_view
from fer_core.ui.parts import figure as downloads
from fer_core.ui.parts.box_editor import box_editor, shown
from fer_core.ui.parts.gallery import encode
from fer_core.ui.parts.widgets import escaped
from fer_core.ui.shell.setup import Lab

from . import results
from .inputs import Item
from .models import Model
from .share import share

if TYPE_CHECKING:
    import numpy as np
    from streamlit.delta_generator import DeltaGenerator

    from fer_core.faces.mtcnn.trace import Trace
    from fer_core.prediction.answers import Prediction
    from fer_core.prediction.neighbours import Neighbour

#: Pixels across of a crop: two stand side by side on a phone, one above the other in a column.
CROP = 112

#: What became of a frame in which nothing was found, as a row of a detection has it.
LOST = {"status": FAILED[0], "probability": None, "rescued_by": None, "box": None}


def draw(lab: Lab, item: Item, answers: Sequence[tuple[Model, list[Prediction]]], below: float) -> None:
    """Draw an image with what one model, or two side by side, say of it."""
    image = item.pixels()
    model, faces = answers[0]
    lost = not any(face.box is not None for _, found in answers for face in found)
    editable = model.faces.extract and (lost or results.drawn(item) is not None)
    if len(answers) == 1:
        left, right = st.columns([5, 6], gap="large")
        with left:
            _picture(item, image, faces, below, editable=editable)
            _warnings(item, image, model, faces)
        with right:
            _answers(lab, item, model, faces, below, "0")
    else:
        if editable:  # one box for all models
            with st.container(width=560):
                _picture(item, image, faces, below, editable=True)
        with st.container(key="cards-models"):
            columns = st.columns(len(answers), gap="large")
        for number, (column, (model, faces)) in enumerate(zip(columns, answers, strict=True)):
            with column:
                named = f", run {model.run.id[:8]}" if model.run else ""
                st.markdown(f"**{escaped(model.title)}**{named}")
                if not editable:
                    _picture(item, image, faces, below, editable=False)
                _warnings(item, image, model, faces)
                _answers(lab, item, model, faces, below, f"{number}")
    model, faces = answers[0]
    if model.faces.extract:
        _way_out(item, image, faces, drawing=editable)


def _picture(
    item: Item, image: np.ndarray, faces: Sequence[Prediction], below: float, *, editable: bool
) -> None:
    """Draw the image with its faces boxed, or the editor of a box in its place."""
    boxed = sum(face.box is not None for face in faces)
    if editable:
        _editor(item, image)
    else:
        said = ", ".join(_said(face, below) for face in faces)
        st.image(
            encode(annotated(image, faces, below=below), quality=90),
            alt=f"{item.name} with {boxed} faces boxed: {said}",
            width="stretch",
        )
    st.caption(
        f"{escaped(item.name)} · {image.shape[1]} x {image.shape[0]} · "
        + (f"{boxed} face{'s' * (boxed != 1)}" if boxed else "no face")
        + (", the largest: no more are answered" if boxed == MOST_FACES else "")
        + (f" · labelled **{item.label}**" if item.label else "")
    )


def _warnings(item: Item, image: np.ndarray, model: Model, faces: list[Prediction]) -> None:
    """Say what lessens a model's answers: it has learnt from this image, or found no face in it."""
    learnt = model.run.data if model.run and model.learnt else ""
    if item.source and resources.data_config(item.source).fingerprint == learnt:
        st.caption(
            ":material/school: From the run's own data: the networks of all folds that did not hold it out were "
            "trained on it, so a right answer says little."
        )
    if not any(face.box is not None for face in faces):
        _whole_image(model, faces[0].trace, image)


def _answers(lab: Lab, item: Item, model: Model, faces: list[Prediction], below: float, key: str) -> None:
    """Draw what one model says of each face, why, and the training faces nearest to it."""
    which = _which(faces, below, key) if len(faces) > results.MOST_EXPLAINED else None
    maps, voters = results.explained(lab, model, item, faces, which)
    rooms = []
    for place, index in enumerate(shown := range(len(faces)) if which is None else [which]):
        cam, name = None if maps is None else maps[place], f"{key}-{index}"
        rooms.append(_face((index + 1, len(faces)), faces[index], cam, model, voters, below, name))
        if lab.settings.demo:
            with rooms[place]:
                _share(lab, faces[index], below, name)
    near = results.nearest(lab, model, item, faces, which)
    for place, index in enumerate(shown):
        if near:
            with rooms[place]:
                _nearest(near if isinstance(near, str) else near[place], model, index + 1, f"{key}-{index}")


def _which(faces: Sequence[Prediction], below: float, key: str) -> int:
    """Draw the choice of one face among many, and return its index."""
    return int(
        st.selectbox(
            "Face",
            range(len(faces)),
            format_func=lambda index: f"{index + 1}: {_said(faces[index], below)}",
            key=f"face-{key}",
        )
    )


def _said(face: Prediction, below: float) -> str:
    return f"{'unsure, perhaps ' * face.unsure(below)}{face.label} {percent(face.confidence, 0)}"


def _face(
    place: tuple[int, int],
    face: Prediction,
    cam: np.ndarray | None,
    model: Model,
    voters: tuple[int, str],
    below: float,
    key: str,
) -> DeltaGenerator:
    """Draw one face: the answer in words, the crop with and without its map, probabilities; return room for more."""
    from fer_core.prediction.grad_cam import overlay

    number, of = place
    what = f"{number} · " * (of > 1) if face.box is not None else "Whole image · "
    with st.container(border=True, key=f"answer-{key}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            unsure = face.unsure(below)
            st.markdown(f"## {what}{'Unsure' if unsure else face.label.capitalize()}", width="content")
            if unsure:
                st.badge(f"perhaps {face.label}", icon=":material/help:", color="orange")
            if face.calibrated is None:
                st.badge("not calibrated", icon=":material/warning:", color="gray")
            if face.status in ("low-confidence", "manual"):
                st.badge("drawn by hand" if face.status == "manual" else "doubtful face", color="violet")
        st.markdown(in_words(face, below))
        st.caption(_how_often(face, model, below))
        small, large = st.columns([2, 5], vertical_alignment="center")
        with small.container(horizontal=True, horizontal_alignment="center", gap="small"):
            st.image(encode(face.crop), caption="What it sees", alt=f"Crop of face {number}", width=CROP)
            if cam is not None:
                st.image(
                    encode(overlay(face.crop, cam)),
                    caption=f"Looks here for {face.label}",
                    alt=f"Grad-CAM of face {number} for {face.label}",
                    width=CROP,
                )
        with large:
            figure = charts.probabilities(face.best, CLASSES)
            shares = pd.DataFrame({"class": CLASSES, "probability": face.best})
            downloads.figure(figure, shares, "probabilities", key=f"bars-{key}")
            count, voting = voters
            if count > 1:
                agree = round(face.agreement * count)
                st.caption(f"{agree} of {count} {voting} put the same class first.")
            if cam is None:
                st.caption(
                    "Where it looks can't be shown: this network gives no maps (Grad-CAM) to look into."
                )
        return st.container()


def _share(lab: Lab, face: Prediction, below: float, key: str) -> None:
    if st.button("Share this answer", icon=":material/share:", type="tertiary", key=f"share-{key}"):
        said = _said(face, below)
        share(lab.visitor, face, said[:1].upper() + said[1:], in_words(face, below).replace("**", ""))


def in_words(face: Prediction, below: float) -> str:
    """Return an answer and its runner-up as a sentence."""
    first, second = face.best.argsort()[::-1][:2]
    shares = [f"**{CLASSES[place]}** ({percent(face.best[place], 0)})" for place in (first, second)]
    if face.unsure(below):
        return f"No class reaches {percent(below, 0)}: perhaps {shares[0]}, perhaps {shares[1]}."
    return f"Most likely {shares[0]}; what else it could be: {shares[1]}."


def _how_often(face: Prediction, model: Model, below: float) -> str:
    """Return how often such an answer is right, as far as this was measured here."""
    run = model.measured
    if run is None:
        return "How often such an answer is right was not measured here."
    unsure = face.unsure(below)
    found, images = how_often(resources.finished_predictions(run), face.label, below if unsure else None)
    such = "unsure answers" if unsure else f"answers “{face.label}”"
    if not images:
        return f"How often such an answer is right is not known: it gave no {such} in its test."
    return (
        f"Of its {images} {such} on images of {escaped(run.data_name)}, {percent(found.value, 0)} were "
        f"right ({interval_over(found.interval, found.over)})."
    )


def _nearest(near: list[Neighbour] | str, model: Model, number: int, key: str) -> None:
    if isinstance(near, str):
        st.caption(near)
        return
    trained = "generated faces" if model.drawn else model.run and model.run.data_name
    st.caption(f"**Nearest training faces** ({escaped(trained)}; cosine)")
    with st.container(horizontal=True, gap="small", key=f"nearest-{key}"):
        for one in near:
            st.image(
                encode(one.crop),
                caption=f"{one.label} {one.similarity:.2f}",
                alt=f"Training face near face {number}: {one.label}, {one.name}",
                width=64,
            )


def _whole_image(model: Model, trace: Trace | None, image: np.ndarray) -> None:
    if not model.faces.extract:
        st.caption("This run was trained on whole frames; no face is looked for.")
        return
    lost = " " + trace_view.said(trace, model.faces, min(image.shape[:2]), LOST) if trace else ""
    st.info(
        f"No face was found, so the whole image was classified, as the paper does.{lost} A box that you draw is "
        "classified instead.",
        icon=":material/no_accounts:",
    )


def _way_out(item: Item, image: np.ndarray, faces: list[Prediction], *, drawing: bool) -> None:
    """Draw the box editor unless it stands in the picture's place, and of a lost face what each stage did."""
    lost = not any(face.box is not None for face in faces)
    if not drawing:
        panel = st.expander(
            "Draw the face by hand",
            expanded=lost,
            icon=":material/draw:",
            key=f"draw-{item.digest}-{lost}",
            on_change="rerun",
        )
        if panel.open:
            with panel:
                _editor(item, image)
    if lost and (trace := faces[0].trace):
        panel = st.expander(
            "Why: what each stage kept and removed",
            icon=":material/account_tree:",
            key=f"why-{item.digest}",
            on_change="rerun",
        )
        if panel.open:
            with panel:
                trace_view.draw(item.name, trace, image, LOST)


def _editor(item: Item, image: np.ndarray) -> None:
    (height, width), box = image.shape[:2], results.drawn(item)
    found = box_editor(
        shown(image), (width, height), item.name, faces=None, box=box, key=f"box-{item.digest}-{box}"
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        changed = found is not None and found != box
        if changed and st.button("Classify this box", type="primary", key="use-box"):
            results.draw(item, found)
            st.rerun()
        if box is not None and st.button("Look for faces again", key="drop-box"):
            results.draw(item, None)
            st.rerun()
        if changed or box is not None:
            st.caption("The box counts for this visit only; nothing is saved.")
