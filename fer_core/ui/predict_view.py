"""The Predict page's parts: choosing a run, taking images in, one result a face."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from .. import charts
from ..config import CLASSES, TransferConfig
from ..datasets.images import load_rgb
from ..errors import DataError
from ..faces.drawing import annotate
from ..results import title
from ..spreadsheets import defused_table
from ..store import StoredRun
from .downloads import figure as save_figure
from .setup import Lab
from .widgets import interval, percent

if TYPE_CHECKING:
    import numpy as np

    from ..predict import Prediction

SUFFIXES = ["jpg", "jpeg", "png", "webp", "tif", "tiff", "bmp"]
MOST_IMAGES = 50


def transferred(runs: list[StoredRun]) -> list[StoredRun]:
    """Return the runs that leave networks to predict with: those of a transferred backbone."""
    return [run for run in runs if isinstance(run.config.model, TransferConfig)]


def choose_run(runs: list[StoredRun]) -> StoredRun:
    """Draw the choice of a finished run, best first, and say how good it is."""
    runs = sorted(runs, key=lambda run: -run.summary["val_accuracy"])
    by_id = {run.id: run for run in runs}
    asked = st.query_params.get("run")
    chosen = st.selectbox(
        "Finished run",
        list(by_id),
        index=list(by_id).index(asked) if asked in by_id else 0,
        format_func=lambda key: (
            f"{title(by_id[key])} · {by_id[key].protocol} · {percent(by_id[key].summary['val_accuracy'])}"
        ),
    )
    st.query_params["run"] = chosen
    run = by_id[chosen]
    figures = run.summary
    trained = "generated faces" if run.config.data.generated else run.data_name
    st.caption(
        f"Trained on {trained}; {percent(figures['val_accuracy'])} of held-out images right "
        f"({interval(figures['val_accuracy_interval'])}, {run.protocol}, {figures['folds']} folds); "
        "the folds' networks vote. "
        + (
            "Bars are the networks' own probabilities; calibrated ones, by temperatures fitted on inner splits, are "
            "named so."
            if run.config.trains_backbone and run.config.training.calibrate
            else "Probabilities are not calibrated."
        )
    )
    if run.config.data.generated:
        st.warning(
            "This run has only ever seen drawn faces: on photographs its answers mean little.",
            icon=":material/draw:",
        )
    return run


def images(lab: Lab) -> list[tuple[str, np.ndarray]]:
    """Draw the ways to bring images and return the readable ones; the others are named with the reason."""
    files = st.file_uploader(
        "Images (they stay in memory and are never stored)", type=SUFFIXES, accept_multiple_files=True
    )
    use_sample = st.toggle("Use a sample of the data set instead", key="sample", bind="query-params")
    if use_sample and not files:
        names = [sample.name for sample in lab.dataset.samples]
        name = st.selectbox("Sample", names, key="image", bind="query-params")
        path = next(sample.path for sample in lab.dataset.samples if sample.name == name)
        return _readable([(name, path)])
    if len(files) > MOST_IMAGES:
        st.warning(f"Only the first {MOST_IMAGES} of {len(files)} images are looked at.")
    return _readable([(file.name, io.BytesIO(file.getvalue())) for file in files[:MOST_IMAGES]])


def _readable(sources: list[tuple[str, Any]]) -> list[tuple[str, np.ndarray]]:
    found = []
    for name, source in sources:
        try:
            found.append((name, load_rgb(source.getvalue() if isinstance(source, io.BytesIO) else source)))
        except DataError as error:
            st.error(str(error), icon=":material/broken_image:")
    return found


def result(name: str, image: np.ndarray, faces: list[Prediction]) -> None:
    """Draw an image with its faces numbered, and each face's crop and probabilities."""
    with st.container(border=True):
        left, right = st.columns([3, 4], gap="large")
        boxed = [(number, face) for number, face in enumerate(faces, 1) if face.box is not None]
        marked = annotate(
            image,
            [face.box for _, face in boxed if face.box is not None],
            labels=[f"{number} {face.label}" for number, face in boxed],
            landmarks=[face.landmarks for _, face in boxed if face.landmarks is not None],
        )
        left.image(marked, caption=name, alt=f"{name} with {len(boxed)} faces boxed", width="stretch")
        if not boxed:
            left.info(
                "No face was found, so the whole image was classified, as the paper does.",
                icon=":material/no_accounts:",
            )
        with right:
            for number, face in enumerate(faces, 1):
                small, large = st.columns([1, 3], vertical_alignment="center")
                small.image(face.crop, caption=f"{number}: {face.label}", alt=f"crop of face {number}")
                figure = charts.probabilities(face.probabilities, CLASSES)
                shares = pd.DataFrame({"class": CLASSES, "probability": face.probabilities})
                with large:
                    save_figure(figure, shares, "probabilities", key=f"p-{name}-{number}")
                large.caption(f"{percent(face.agreement, 0)} of the networks vote {face.label}")
                if face.calibrated is not None:
                    most = int(face.calibrated.argmax())
                    large.caption(f"Calibrated probability: {CLASSES[most]} {percent(face.calibrated[most])}")


def downloads(rows: list[dict[str, Any]]) -> None:
    """Draw the table of all faces with CSV and JSON downloads."""
    table = pd.DataFrame(
        [
            {
                "image": row["image"],
                "face": number,
                "status": face["status"],
                "label": face["label"],
                **face["probabilities"],
            }
            for row in rows
            for number, face in enumerate(row["faces"], 1)
        ]
    )
    shown = {name: st.column_config.NumberColumn(format="percent") for name in CLASSES}
    st.dataframe(table, hide_index=True, column_config=shown, alt="Every face and its probabilities")
    with st.container(horizontal=True):
        st.download_button("CSV", defused_table(table).to_csv(index=False), "predictions.csv", "text/csv")
        st.download_button("JSON", json.dumps(rows, indent=2), "predictions.json", "application/json")
