"""A webcam answered about once a second, smoothed over time; a frame is forgotten once it is answered."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from fer_core.errors import FerError
from fer_core.faces.crops import overlaps
from fer_core.prediction import limits
from fer_core.prediction.uploads import Sent, Upload
from fer_core.results.shares import percent
from fer_core.ui.parts.widgets import escaped
from fer_core.ui.shell.setup import Lab

from .models import Model

if TYPE_CHECKING:
    from fer_core.prediction.answering import Answerer
    from fer_core.prediction.answers import Prediction

#: A newer frame's share in what is shown: of an expression that is gone an eighth is left after three.
NEWER = 0.5
#: A face is that of the frame before where the two overlap by so much (intersection over union).
SAME = 0.3


@cache
def _component() -> Callable[..., Any]:
    html, css, js = (
        Path(__file__).with_name(f"live.{one}").read_text("utf-8") for one in ("html", "css", "js")
    )
    return st.components.v2.component("fer_live", html=html, css=css, js=js)


@st.fragment
def live(lab: Lab, model: Model, below: float) -> None:
    """Draw the camera with what a model says of the faces before it; each frame counts as an image of the visitor's."""
    answerer = partial(_answer, lab.visitor, model.load())
    turn, sides, faces, problem = st.session_state.setdefault("live-answers", (0, (1, 1), [], ""))
    shown = [
        {
            "box": [value / side for value, side in zip(face.box, sides * 2, strict=True)],
            "said": f"{'perhaps ' * face.unsure(below)}{face.label} {percent(face.confidence, 0)}",
        }
        for face in faces
    ]
    _component()(key="live", data={"turn": turn, "faces": shown}, on_frame_change=answerer)
    st.caption(escaped(problem) or "No face before the camera." * (turn > 0 and not shown))


def _answer(visitor: str, answerer: Answerer) -> None:
    """Answer the frame that has come, without a word to the page: it is drawn afterwards."""
    turn, sides, before, _ = st.session_state["live-answers"]
    sent = Sent("webcam.jpg", base64.b64decode(str(st.session_state["live"].frame or "").partition(",")[2]))
    faces, problem = [], ""
    try:
        limits.admit(visitor, 1)
        image = limits.read(sent, visitor)
        if isinstance(image, Upload):
            with limits.device_turn(visitor):
                [found] = limits.compute(answerer.predict, [image.pixels])
            limits.count(predictions=1)
            sides, faces = image.pixels.shape[1::-1], smoothed(before, [face for face in found if face.box])
    except FerError as error:
        problem = str(error)
    st.session_state["live-answers"] = (turn + 1, sides, faces, problem)


def smoothed(before: Sequence[Prediction], now: Sequence[Prediction]) -> list[Prediction]:
    """Return a frame's faces without their pictures, each averaged with the one that was in its place before."""
    faces = []
    for new in now:
        same = overlaps(np.array([new.box]), np.array([old.box for old in before]).reshape(-1, 4))[0]
        old = before[same.argmax()] if same.max(initial=0) >= SAME else new
        said, calibrated = _mean(old.probabilities, new.probabilities), new.calibrated
        if calibrated is not None:
            calibrated = _mean(old.calibrated, calibrated)
        face = replace(
            new, crop=np.empty((0, 0, 3), np.uint8), trace=None, box=tuple(_mean(old.box, new.box))
        )
        faces.append(replace(face, probabilities=said, calibrated=calibrated))
    return faces


def _mean(old: Any, new: Any) -> np.ndarray:
    return (1 - NEWER) * np.array(old) + NEWER * np.array(new)
