"""Which detection is meant: the one last looked at on Faces is where training begins."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from fer_core.config.run import FacesConfig, RunConfig
from fer_core.runs.plans.detections import STANDARD, described, detection_key, detections
from fer_core.ui.cache import resources
from fer_core.ui.parts.url import linked, one_of
from fer_core.ui.shell.setup import Lab

#: Where a session holds the fingerprint and the face settings that Faces showed last.
USED = "detection-used"


#: What a frame with no face becomes.
NO_FACE = {
    "manual": "use its hand-drawn box, else resize it whole",
    "resize": "resize it whole (the paper)",
    "drop": "leave it out",
}


def no_face(first: str = "manual") -> str:
    """Draw the choice of what a frame with no face becomes, which begins with `first`."""
    choices = one_of("no_face", list(NO_FACE), NO_FACE.__getitem__)
    return str(st.selectbox("A frame with no face", index=list(NO_FACE).index(first), **choices))


def use(config: RunConfig) -> None:
    """Remember a detection as the one last looked at."""
    st.session_state[USED] = config.data.fingerprint, config.faces


def label(faces: FacesConfig) -> str:
    """Return a detection's name, or what is unlike the standard one, with the start of its key."""
    return f"{faces.name or described(faces)} ({detection_key(faces)[:8]})"


def used(fingerprint: str) -> FacesConfig | None:
    """Return the detection that this session looked at last on a data set."""
    of, faces = st.session_state.get(USED, ("", None))
    return faces if of == fingerprint else None


def known(lab: Lab, fingerprint: str) -> dict[str, FacesConfig]:
    """Return the detections of a data set by their keys: those asked for, the newest first, then those of trainings."""
    asked = lab.store.runs(goal="faces", data=fingerprint)
    return detections([*asked, *resources.trained(fingerprint).runs])


def choice(lab: Lab, place: DeltaGenerator) -> FacesConfig:
    """Draw the choice among the detections of the data set and return it; its key is in the URL (`?faces=`).

    It begins with the one last looked at on Faces in this session, else with the one asked for last.
    """
    fingerprint = resources.data_config(lab.source).fingerprint
    found = known(lab, fingerprint)
    first = used(fingerprint) or next(iter(found.values()), STANDARD)
    for faces in (first, STANDARD):
        found.setdefault(detection_key(faces), faces)
    keys = list(found)
    here = st.query_params.get(linked("faces", keys)) or detection_key(first)

    def chosen() -> None:
        st.query_params["faces"] = st.session_state["faces-of-runs"]
        st.session_state["no_face"] = found[st.session_state["faces-of-runs"]].no_face

    key = place.selectbox(
        "Detection",
        keys,
        index=keys.index(here),
        format_func=lambda key: label(found[key]),
        key="faces-of-runs",
        on_change=chosen,
        help="How faces are found and cut; detections are tried and named on Faces",
    )
    return found[str(key)]
