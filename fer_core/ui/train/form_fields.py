"""Fields that both forms of the Train page have."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from fer_core.datasets.base import Dataset
from fer_core.evaluation.protocols import PROTOCOLS
from fer_core.runs.plans.comparison import fair_protocol
from fer_core.ui.parts.url import linked
from fer_core.ui.parts.widgets import protocol_note

EXTRACTION = {True: "faces (MTCNN)", False: "whole frames"}
NO_FACE = ("manual", "resize", "drop")


def protocol_choice(dataset: Dataset) -> str:
    """Draw the choice of protocol and return its name; it starts by movie or person where they can be held out."""
    names = list(PROTOCOLS)
    fair = "group" if fair_protocol(dataset, 5) else "stratified"
    name = st.selectbox(
        "Protocol", names, index=names.index(fair), key=linked("protocol", names), bind="query-params"
    )
    protocol_note(name)
    return name


def no_face_choice(place: DeltaGenerator) -> str:
    """Draw what is trained on where a frame has no face, and return the policy."""
    return place.selectbox(
        "A frame with no face",
        NO_FACE,
        key=linked("no_face", NO_FACE),
        bind="query-params",
        help="manual: its hand-drawn box, resized whole where none is drawn; resize: whole (the paper); "
        "drop: left out",
    )
