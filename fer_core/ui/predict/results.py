"""Answers to the images of a page, computed once a visit: they live in the session and go with it.

Those to samples, which every visitor is offered, are computed once for all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from fer_core.config.recognition import RecogniserConfig
from fer_core.errors import NotFoundError
from fer_core.faces.crops import Box
from fer_core.prediction import limits
from fer_core.ui.cache.computed import Computed, computed
from fer_core.ui.cache.publication import without_pictures
from fer_core.ui.shell.setup import Lab, computing

from .inputs import Item, forget, known
from .models import Model

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from fer_core.faces.crops import Chosen
    from fer_core.prediction.answering import Answerer
    from fer_core.prediction.answers import Prediction
    from fer_core.prediction.neighbours import Neighbour

#: Images taken through the networks in a turn, and bytes of them: one of a phone's has a turn of its own.
AT_ONCE, TOGETHER = 4, 4 << 20

#: Faces judged in a turn.
JUDGED = 8

#: Faces whose reasons are drawn at once; of more, one is chosen.
MOST_EXPLAINED = 3

#: Answers to samples that the server keeps: faces, reasons and nearest faces count as one each.
SAMPLES = 256

#: Nearest training faces shown.
NEAREST = 5

Found = list[tuple[Item, list["Prediction"]]]

#: Maps of faces or None, and who votes (`Answerer.voters`).
Reasons = tuple[np.ndarray | None, tuple[int, str]]


def drawn_afresh(models: Sequence[Model], items: Sequence[Item]) -> DeltaGenerator:
    """Return the place of the answers; what others have left there goes at once if there is work to do."""
    todo = any(not _known(model, item) for model in models for item in items)
    return st.empty().container() if todo else st.container()


def classify(lab: Lab, models: Sequence[Model], items: Sequence[Item]) -> list[Found]:
    """Return every model's faces of every image, with a progress bar where there is much to do."""
    asked = {None, *(model.key for model in models)}
    forget(lambda key: key[1] not in asked)
    todo = [(model, item) for model in models for item in items if not _known(model, item)]
    bar = st.progress(0.0, text=f"0 of {len(items)} images") if len(todo) > 1 else None
    if todo:
        limits.admit(lab.visitor, len(todo))
        limits.count(predictions=len(todo))
    done = 0
    for model in models:
        for part in _parts([item for other, item in todo if other is model]):
            _classify(lab, model, part, explain=len(items) == 1)
            done += len(part)
            if bar:
                bar.progress(done / len(todo), text=f"{done} of {len(todo)} images classified")
    if bar:
        bar.empty()
    return [[(item, known()[_key(model, item)]) for item in items] for model in models]


def _parts(items: Sequence[Item]) -> Iterator[list[tuple[Item, np.ndarray]]]:
    """Yield items with their pixels, as many as a turn takes."""
    part: list[tuple[Item, np.ndarray]] = []
    for item in items:
        image = item.pixels()
        if part and (len(part) == AT_ONCE or sum(other.size for _, other in part) + image.size > TOGETHER):
            yield part
            part = []
        part.append((item, image))
    if part:
        yield part


def _classify(lab: Lab, model: Model, part: Sequence[tuple[Item, np.ndarray]], *, explain: bool) -> None:
    """Find and judge the faces of a few images, many faces in several turns; `explain` those of the only one, too."""
    with computing(lab, 0):
        predictor = model.load()
        chosen = limits.compute(
            predictor.look, [image for _, image in part], [drawn(item) for item, _ in part]
        )
        todo = [(image, one) for (_, image), found in zip(part, chosen, strict=True) for one in found]
        faces = _judged(predictor, todo[:JUDGED])
        if explain and len(todo) <= MOST_EXPLAINED:
            [(item, _)] = part
            _keep(model, item, _reasons(model, faces), "why")
    for start in range(JUDGED, len(todo), JUDGED):
        with computing(lab, 0):
            faces += _judged(predictor, todo[start : start + JUDGED])
    rest = iter(faces)
    for (item, _), found in zip(part, chosen, strict=True):
        _keep(model, item, [next(rest) for _ in found])


def _judged(predictor: Answerer, faces: Sequence[tuple[np.ndarray, Chosen]]) -> list[Prediction]:
    judged = limits.compute(predictor.judge, [image for image, _ in faces], [[one] for _, one in faces])
    return [face for [face] in judged]


def explained(lab: Lab, model: Model, item: Item, faces: Sequence[Prediction], which: int | None) -> Reasons:
    """Return why the networks answer so.

    Args:
        faces: of the image.
        which: the one that is explained; None for all of them, `MOST_EXPLAINED` at most.
    """
    what = "why" if which is None else f"why {which}"
    if not _known(model, item, what):
        with computing(lab), st.spinner("Looking for the reasons ..."):
            _keep(model, item, _reasons(model, faces if which is None else [faces[which]]), what)
    return known()[_key(model, item, what)]


def _reasons(model: Model, faces: Sequence[Prediction]) -> Reasons:
    answerer = model.load()
    crops = np.stack([face.crop for face in faces])
    return limits.compute(answerer.explain, crops, [face.label for face in faces]), answerer.voters


def nearest(
    lab: Lab, model: Model, item: Item, faces: Sequence[Prediction], which: int | None
) -> list[list[Neighbour]] | str:
    """Return the nearest training faces of what `explained` explains, or why there are none; '' for a recogniser.

    For the first image of a run all its training faces are looked at, which may take a while.
    """
    if isinstance(model.definition, RecogniserConfig):
        return ""
    what = "near" if which is None else f"near {which}"
    if not _known(model, item, what):
        asked = faces if which is None else [faces[which]]
        names = {item.name} if item.sent is None else set()
        with computing(lab), st.spinner("Looking for training faces alike ..."):
            crops = np.stack([face.crop for face in asked])
            try:
                found = limits.compute(model.load().nearest, crops, NEAREST, exclude=[names] * len(asked))
                _keep(model, item, found, what)
            except NotFoundError as error:
                hidden = f"Training faces alike are not shown. {without_pictures()}"
                why = hidden if lab.settings.published else str(error)
                _keep(model, item, why if model.run and model.run.unfreeze else "", what)
    return known()[_key(model, item, what)]


def _known(model: Model, item: Item, what: str = "faces") -> bool:
    """Return whether this visit knows an answer; one to a sample is taken from where the server keeps them."""
    key = _key(model, item, what)
    if key not in known() and (found := _of_samples().look(key)) is not None:
        known()[key] = found
    return key in known()


def _keep(model: Model, item: Item, found: object, what: str = "faces") -> None:
    """Keep an answer for this visit and, where it is to a sample as everyone sees it, for all."""
    key = _key(model, item, what)
    known()[key] = found
    if item.sent is None and drawn(item) is None:
        _of_samples().keep(key, found)


def _of_samples() -> Computed:
    return computed("answers to samples", SAMPLES)


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
