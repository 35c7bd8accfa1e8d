"""The settings of detection and cropping: the same widgets on the Faces page and on its bench."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from fer_core.config.run import RESCUES, Choice, FacesConfig, RunConfig
from fer_core.faces.finetuning.finetuned import KIND, FineTuned, available
from fer_core.faces.rescue import POLICIES
from fer_core.runs.plans.detections import STANDARD, detection_key, free_name, named_detections
from fer_core.runs.plans.requests import faces_config
from fer_core.ui.cache import resources
from fer_core.ui.panels import at_work, detections
from fer_core.ui.parts.url import in_range, one_of, switch
from fer_core.ui.parts.widgets import escaped
from fer_core.ui.shell.setup import Lab

CHOICES = get_args(Choice)

#: What a bench's settings are called in the URL: this before the name the page's own settings have.
TRY = "try_"


def settings_form(lab: Lab) -> RunConfig:
    """Draw the detection settings and return the definition they make; every value is in the URL."""
    data = resources.data_config(lab.source)
    _begin(lab, data.fingerprint)
    with st.popover("Detection settings", icon=":material/tune:"), st.container(width=400):
        known = _named(lab, data.fingerprint)
        values: dict[str, Any] = {
            "no_face": detections.no_face(),
        }
        trusted = st.slider("Trusted from probability", value=0.9, step=0.01, **in_range("trusted", 0.5, 1.0))
        values["doubtful_below"] = round(trusted, 2)
        left, right = st.columns(2)
        values["align"] = left.toggle("Align eyes and mouth", **switch("align"))
        values["square"] = right.toggle("Square boxes", **switch("square"), help="Faces keep their shape")
        st.markdown("**Detector**")
        tuned, damaged = available(resources.artifacts())
        if tuned:
            values["detector"] = detector(tuned)
        if damaged:
            st.caption(
                f"Left out, since the config.json is damaged: {', '.join(key[:6] for key in damaged)}. Delete the "
                f"folder below artifacts/{KIND} and fine-tune again."
            )
        values |= from_state(shared())
    values["turned_down"] = st.query_params.get("turned_down", "")
    faces = faces_config(lab.store, resources.artifacts(), data, values)
    name = st.query_params.get("detection", "")
    if name in known and detection_key(faces) == detection_key(known[name]):  # not once a setting has changed
        faces = faces.model_copy(update={"name": name})
        st.badge(escaped(name), icon=":material/bookmark:")
    return RunConfig(goal="faces", data=data, faces=faces)


def _begin(lab: Lab, fingerprint: str) -> None:
    """Take the detection that a link names by its key (`?faces=`), else at a return the one looked at before."""
    named = st.query_params.pop("faces", None)
    if named:
        take(detections.known(lab, fingerprint).get(named, STANDARD))
    elif "choice" not in st.session_state and not _page_state(STANDARD).keys() & set(st.query_params):
        take(detections.used(fingerprint) or STANDARD)


def _named(lab: Lab, fingerprint: str) -> dict[str, FacesConfig]:
    """Draw the choice among the detections that people have named, where there are any, and return them."""
    known = named_detections(lab.store, fingerprint)
    if known:
        here = st.query_params.get("detection")
        st.selectbox(
            "Named detection",
            list(known),
            index=list(known).index(here) if here in known else None,
            placeholder="Choose one",
            key="named-detection",
            on_change=lambda: take(known.get(st.session_state["named-detection"], STANDARD)),
        )
    return known


def take(faces: FacesConfig) -> None:
    """Make settings the page's: the form's widgets take them at the next run. Not once those are drawn."""
    st.session_state.update(_page_state(faces))
    for name, value in (("detection", faces.name), ("turned_down", faces.turned_down)):
        if value:
            st.query_params[name] = value
        else:
            st.query_params.pop(name, None)


def keep(lab: Lab, config: RunConfig, faces: FacesConfig) -> None:
    """Ask for a named detection on a data set and make it the page's; no other loses its name. For callbacks."""
    others = named_detections(lab.store, config.data.fingerprint)
    name = free_name(faces.name, others)
    if faces.name in others and detection_key(others[faces.name]) == detection_key(faces):
        name = faces.name
    kept = faces.model_copy(update={"name": name})
    at_work.start(lab, [config.model_copy(update={"faces": kept})])
    take(kept)


def _page_state(faces: FacesConfig) -> dict[str, Any]:
    return as_state(faces) | {
        "no_face": faces.no_face,
        "trusted": faces.doubtful_below,
        "align": faces.align,
        "square": faces.square,
        "detector": faces.detector,
    }


def detector(tuned: Sequence[FineTuned]) -> str:
    """Draw which R- and O-Net look, and return the key."""
    labels = {STANDARD.detector: "MTCNN as pretrained", **{one.key: one.label for one in tuned}}
    return st.selectbox(
        "R- and O-Net",
        **one_of("detector", list(labels), labels.__getitem__),
        help="Fine-tuned by `python -m fer_core detector train`, which says what each wins and loses on movies "
        "left out. Frames it was trained on flatter it.",
    )


def shared(prefix: str = "", start: FacesConfig = STANDARD) -> dict[str, Any]:
    """Draw the settings that page and bench have alike, beginning with `start`, and return them as `as_state` does."""
    begin, usual, found = as_state(start), as_state(STANDARD), {}

    def slider(place: DeltaGenerator, name: str, label: str, ends: tuple[float, float], **look: Any) -> None:
        found[name] = place.slider(label, value=begin[name], **in_range(prefix + name, *ends), **look)

    for place, net in zip(st.columns(3), ("P-Net", "R-Net", "O-Net"), strict=True):
        name = net.lower().replace("-", "")
        text = f"Least probability of a face at {net}; MTCNN's own is {usual[name]:.2f}"
        slider(place, name, net, (0.05, 0.99), step=0.01, help=text)
    left, right = st.columns(2)
    text = "Smaller finds smaller faces and takes longer"
    slider(left, "min_face", "Smallest face (pixels)", (12, 120), step=4, help=text)
    text = "Size of each scale over the one before; closer to 1 is finer and slower"
    slider(right, "factor", "Pyramid factor", (0.5, 0.9), step=0.001, format="%.3f", help=text)
    text = "Around the face, in pixels of the crop"
    slider(left, "margin", "Margin (pixels)", (0, 64), step=4, help=text)
    found["choice"] = right.selectbox(
        "Which of several faces",
        index=CHOICES.index(start.choice),
        **one_of(f"{prefix}choice", CHOICES, lambda value: value.replace("_", " ")),
    )
    titles = " ".join(f"**{name}**: {policy.title}; {policy.why}." for name, policy in POLICIES.items())
    found["rescue"] = st.multiselect(
        "Second looks at a frame with no face",
        default=start.rescue,
        **one_of(f"{prefix}rescue", RESCUES),
        placeholder="None",
        help=f"Tried in this order until one finds a face, and noted with the frame. {titles}",
    )
    return found


def as_state(faces: FacesConfig) -> dict[str, Any]:
    """Return the values that the widgets of `shared` have, by their keys."""
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


def from_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `FacesConfig` that `as_state` names."""
    return {
        "choice": state["choice"],
        "margin": state["margin"],
        "min_face_size": state["min_face"],
        "factor": round(state["factor"], 3),
        "rescue": tuple(state["rescue"]),
        "thresholds": tuple(round(state[net], 2) for net in ("pnet", "rnet", "onet")),
    }
