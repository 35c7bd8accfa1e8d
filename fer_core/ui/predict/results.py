"""Answers to the images of a page, computed once a visit: they live in the session and go with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from fer_core.errors import NotFoundError
from fer_core.faces.crops import Box
from fer_core.prediction import limits
from fer_core.ui.cache import resources
from fer_core.ui.shell.device import computing
from fer_core.ui.shell.setup import Lab

from .inputs import Item, forget, known
from .models import Model

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from fer_core.faces.mtcnn.trace import Trace
    from fer_core.prediction.answers import Prediction
    from fer_core.prediction.neighbours import Neighbour

#: Images taken through the networks together.
AT_ONCE = 4

#: Bytes of images after which none is added to them: one of a phone's is a turn of its own.
TOGETHER = 8 << 20

#: Nearest training faces shown.
NEAREST = 5

Found = list[tuple[Item, list["Prediction"]]]


def drawn_afresh(models: Sequence[Model], items: Sequence[Item]) -> DeltaGenerator:
    """Return the place of the answers; what others have left there goes at once if there is work to do."""
    todo = any(_key(model, item) not in known() for model in models for item in items)
    return st.empty().container() if todo else st.container()


def classify(lab: Lab, models: Sequence[Model], items: Sequence[Item]) -> list[Found]:
    """Return every model's faces of every image, with a progress bar where there is much to do."""
    asked = {None, *(model.key for model in models)}
    forget(lambda key: key[1] not in asked)
    todo = [(model, item) for model in models for item in items if _key(model, item) not in known()]
    bar = st.progress(0.0, text=f"0 of {len(items)} images") if len(todo) > 1 else None
    if todo:
        limits.admit(lab.visitor, len(todo))
    done = 0
    for model in models:
        mine = [item for other, item in todo if other is model]
        while part := mine[:AT_ONCE]:
            images = [part[0].pixels()]
            for item in part[1:]:
                if sum(image.size for image in images) > TOGETHER:
                    break
                images.append(item.pixels())
            part = part[: len(images)]
            mine = mine[len(part) :]
            with computing(lab, 0):
                found = model.load().predict(images, boxes=[drawn(item) for item in part])
            known().update((_key(model, item), faces) for item, faces in zip(part, found, strict=True))
            done += len(part)
            if bar:
                bar.progress(done / len(todo), text=f"{done} of {len(todo)} images classified")
    if bar:
        bar.empty()
    return [[(item, known()[_key(model, item)]) for item in items] for model in models]


def explained(
    lab: Lab, model: Model, item: Item, faces: Sequence[Prediction]
) -> tuple[np.ndarray | None, tuple[int, str]]:
    """Return Grad-CAM maps of an image's faces or None, and who votes (`Answerer.voters`)."""
    key = _key(model, item, "why")
    if key not in known():
        with computing(lab), st.spinner("Looking for the reasons ..."):
            answerer = model.load()
            maps = answerer.explain(np.stack([face.crop for face in faces]), [face.label for face in faces])
        known()[key] = (maps, answerer.voters)
    return known()[key]


def nearest(lab: Lab, model: Model, item: Item, faces: Sequence[Prediction]) -> list[list[Neighbour]] | str:
    """Return the nearest training faces of an image's faces, or why there are none; '' for what trained elsewhere.

    For the first image of a run all its training faces are looked at, which may take a while.
    """
    key = _key(model, item, "near")
    if key not in known():
        names = {item.name} if item.sent is None else set()
        with computing(lab), st.spinner("Looking for training faces alike ..."):
            crops = np.stack([face.crop for face in faces])
            try:
                known()[key] = model.load().nearest(crops, NEAREST, exclude=[names] * len(faces))
            except NotFoundError as error:
                known()[key] = str(error) if model.run is not None and model.run.unfreeze else ""
    return known()[key]


def trace(lab: Lab, model: Model, item: Item) -> Trace:
    """Return what each stage of detection saw in an image."""
    key = _key(model, item, "trace")
    if key not in known():
        with computing(lab):
            detector: Any = resources.detector_of(model.faces)(0.0)
            known()[key] = detector.detect([item.pixels()])[0].trace
    return known()[key]


def drawn(item: Item) -> Box | None:
    """Return the box that the visitor drew on an image."""
    return st.session_state.setdefault("drawn_boxes", {}).get(item.digest)


def draw(item: Item, box: Box | None) -> None:
    """Keep a drawn box for the visit, or forget it."""
    boxes = st.session_state.setdefault("drawn_boxes", {})
    if box is None:
        boxes.pop(item.digest, None)
    else:
        boxes[item.digest] = box


def _key(model: Model, item: Item, what: str = "faces") -> tuple[object, ...]:
    return item.digest, model.key, what, drawn(item)
