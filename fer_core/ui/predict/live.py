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
from fer_core.prediction.uploads import Refusal, Sent
from fer_core.ui.parts.widgets import escaped, percent
from fer_core.ui.shell.setup import Lab

from .models import Model

if TYPE_CHECKING:
    from fer_core.prediction.answering import Answerer
    from fer_core.prediction.answers import Prediction

#: What the session keeps of it: (how many frames, their size, the faces of the last one, why it was not answered).
LIVE = "live-answers"
#: A newer frame's share in what is shown: an expression that is gone has an eighth after three.
NEWER = 0.5
#: Faces overlap by so much (intersection over union) to be one and the same in the next frame.
SAME = 0.3

HTML = (
    '<figure class="live"><video autoplay muted playsinline></video><div class="faces"></div></figure><p></p>'
)
CSS = """
.live {position: relative; margin: 0; max-width: 640px;}
.live video {width: 100%; display: block; border-radius: .5rem; transform: scaleX(-1);
  background: #0003; min-height: 9rem;}
.faces div {position: absolute; border: 2px solid #3fb8b0; border-radius: .3rem;}
.faces span {position: absolute; top: 100%; left: -2px; background: #10181bd0; color: #fff; padding: .1rem .4rem;
  font: 600 .95rem sans-serif; white-space: nowrap;}
p {font: .9rem sans-serif;}
"""


@cache
def _component() -> Callable[..., Any]:
    js = Path(__file__).with_name("live.js").read_text(encoding="utf-8")
    return st.components.v2.component("fer_live", html=HTML, css=CSS, js=js)


@st.fragment
def live(lab: Lab, model: Model, below: float) -> None:
    """Draw the camera with what a model says of the faces before it; each frame counts as an image of the visitor's."""
    answerer = model.load()
    turn, (width, height), faces, problem = st.session_state.setdefault(LIVE, (0, (1, 1), [], ""))
    shown = [
        {
            "box": [value / side for value, side in zip(face.box, (width, height) * 2, strict=True)],
            "said": f"{'perhaps ' * face.unsure(below)}{face.label} {percent(face.confidence, 0)}",
        }
        for face in faces
    ]
    _component()(
        key="live",
        data={"turn": turn, "faces": shown},
        on_frame_change=partial(_answer, lab.visitor, answerer),
    )
    st.caption(escaped(problem) or ("" if shown or not turn else "No face before the camera."))


def _answer(visitor: str, answerer: Answerer) -> None:
    turn, _, before, _ = st.session_state[LIVE]
    frame = str(st.session_state["live"].frame or "")
    size, faces, problem = (1, 1), [], ""
    try:
        limits.admit(visitor, 1)
        image = limits.read(Sent("webcam.jpg", base64.b64decode(frame.partition(",")[2])), visitor)
        if isinstance(image, Refusal):
            problem = image.reason
        else:
            with limits.device_turn(visitor):
                [found] = answerer.predict([image.pixels])
            limits.count(predictions=1)
            size = image.pixels.shape[1::-1]
            faces = smoothed(before, [face for face in found if face.box])
    except (FerError, ValueError) as error:
        problem = str(error)
    st.session_state[LIVE] = (turn + 1, size, faces, problem)


def smoothed(before: Sequence[Prediction], now: Sequence[Prediction]) -> list[Prediction]:
    """Return a frame's faces without their pictures, each averaged with the one that was in its place before."""
    none = np.empty((0, 0, 3), np.uint8)
    now = [replace(face, crop=none, trace=None) for face in now]
    if not before or not now:
        return now
    same = overlaps(np.array([face.box for face in now]), np.array([face.box for face in before]))
    return [
        _mixed(before[int(row.argmax())], face) if row.max() >= SAME else face
        for face, row in zip(now, same, strict=True)
    ]


def _mixed(old: Prediction, new: Prediction) -> Prediction:
    def mean(name: str) -> Any:
        first, second = getattr(old, name), getattr(new, name)
        return None if second is None else NEWER * np.asarray(second) + (1 - NEWER) * np.asarray(first)

    box = tuple(mean("box").tolist())
    return replace(new, box=box, probabilities=mean("probabilities"), calibrated=mean("calibrated"))
