"""The settings of detection and cropping: the same widgets on the Faces page and on its bench."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from fer_core.config.run import RESCUES, FacesConfig, RunConfig
from fer_core.faces.finetuning.finetuned import KIND, FineTuned, available
from fer_core.faces.rescue import POLICIES
from fer_core.runs.plans.requests import faces_config
from fer_core.ui.cache import resources
from fer_core.ui.parts.url import SWITCH, in_range, linked
from fer_core.ui.shell.setup import Lab

DEFAULT = FacesConfig()

CHOICES = ("largest", "most_probable", "central")

NO_FACE = {
    "manual": "use its hand-drawn box, else resize it whole",
    "resize": "resize it whole (the paper)",
    "drop": "leave it out",
}

#: What a bench's settings are called in the URL: this before the name the page's own settings have.
TRY = "try_"


def settings_form(lab: Lab) -> RunConfig:
    """Draw the detection settings and return the definition they make; every value is in the URL."""
    with st.popover("Detection settings", icon=":material/tune:"), st.container(width=400):
        values = {"choice": choice(), "no_face": no_face(), "margin": margin()}
        values["doubtful_below"] = round(
            st.slider("Trusted from probability", value=0.9, step=0.01, **in_range("trusted", 0.5, 1.0)), 2
        )
        values["align"] = st.toggle("Align eyes and mouth", key=linked("align", SWITCH), bind="query-params")
        st.markdown("**Detector**")
        tuned, damaged = available(resources.artifacts())
        values["detector"] = detector(tuned)
        if damaged:
            st.caption(
                f"Left out, since the config.json is damaged: {', '.join(key[:6] for key in damaged)}. Delete the "
                f"folder below artifacts/{KIND} and fine-tune again."
            )
        values |= pyramid() | {"thresholds": thresholds(), "rescue": rescues()}
    data = resources.data_config(lab.source)
    faces = faces_config(lab.store, resources.artifacts(), data, values)
    return RunConfig(goal="faces", data=data, faces=faces)


def detector(tuned: Sequence[FineTuned]) -> str:
    """Draw which R- and O-Net look, and return the key; nothing is drawn while none has been fine-tuned."""
    if not tuned:
        return DEFAULT.detector
    labels = {DEFAULT.detector: "MTCNN as pretrained", **{one.key: one.label for one in tuned}}
    return st.selectbox(
        "R- and O-Net",
        list(labels),
        key=linked("detector", list(labels), labels.__getitem__),
        bind="query-params",
        format_func=labels.__getitem__,
        help="Fine-tuned by `python -m fer_core detector train`, which says what each wins and loses on movies "
        "left out. Frames it was trained on flatter it.",
    )


def choice(prefix: str = "", start: FacesConfig = DEFAULT) -> str:
    """Draw which of several faces is taken."""
    return st.selectbox(
        "Which face, when there are several",
        CHOICES,
        CHOICES.index(start.choice),
        key=linked(f"{prefix}choice", CHOICES, _words),
        bind="query-params",
        format_func=_words,
    )


def _words(value: str) -> str:
    return value.replace("_", " ")


def no_face() -> str:
    """Draw what is done with a frame that has no face."""
    return st.selectbox(
        "A frame with no face",
        list(NO_FACE),
        key=linked("no_face", list(NO_FACE), NO_FACE.__getitem__),
        bind="query-params",
        format_func=NO_FACE.__getitem__,
    )


def margin(prefix: str = "", start: FacesConfig = DEFAULT) -> int:
    """Draw the margin of the crop."""
    return st.slider(
        "Margin around the face (pixels of the crop)",
        value=start.margin,
        step=4,
        **in_range(f"{prefix}margin", 0, 64),
    )


def thresholds(prefix: str = "", start: FacesConfig = DEFAULT) -> tuple[float, ...]:
    """Draw the three nets' thresholds side by side."""
    found = []
    names = (("pnet", "P-Net"), ("rnet", "R-Net"), ("onet", "O-Net"))
    for column, (name, title), value, usual in zip(
        st.columns(3), names, start.thresholds, DEFAULT.thresholds, strict=True
    ):
        chosen = column.slider(
            title,
            value=value,
            step=0.01,
            **in_range(f"{prefix}{name}", 0.05, 0.99),
            help=f"Least probability of a face at {title}; MTCNN's own is {usual:.2f}",
        )
        found.append(round(chosen, 2))
    return tuple(found)


def pyramid(prefix: str = "", start: FacesConfig = DEFAULT) -> dict[str, Any]:
    """Draw the smallest face and the pyramid's factor."""
    left, right = st.columns(2)
    least = left.slider(
        "Smallest face (pixels)",
        value=start.min_face_size,
        step=4,
        **in_range(f"{prefix}min_face", 12, 120),
        help="Smaller finds smaller faces and takes longer",
    )
    factor = right.slider(
        "Pyramid factor",
        value=start.factor,
        step=0.001,
        format="%.3f",
        **in_range(f"{prefix}factor", 0.5, 0.9),
        help="Size of each scale over the one before; closer to 1 is finer and slower",
    )
    return {"min_face_size": least, "factor": round(factor, 3)}


def rescues(prefix: str = "", start: FacesConfig = DEFAULT) -> tuple[str, ...]:
    """Draw the second looks, tried in the order they are chosen."""
    return tuple(
        st.multiselect(
            "Second looks at a frame with no face",
            RESCUES,
            start.rescue,
            key=linked(f"{prefix}rescue", RESCUES),
            bind="query-params",
            placeholder="None",
            help="Tried in this order until one finds a face, and noted with the frame. "
            + " ".join(f"**{name}**: {policy.title}; {policy.why}." for name, policy in POLICIES.items()),
        )
    )


def as_state(faces: FacesConfig) -> dict[str, Any]:
    """Return the values that the widgets of `choice`, `margin`, `thresholds`, `pyramid`, `rescues` have."""
    pnet, rnet, onet = faces.thresholds
    return {
        "choice": faces.choice,
        "margin": faces.margin,
        "pnet": pnet,
        "rnet": rnet,
        "onet": onet,
        "min_face": faces.min_face_size,
        "factor": faces.factor,
        "rescue": list(faces.rescue),
    }
