"""The page behind an answer: pictures, settings, accuracy with its interval, leaks, and frames without a face."""

import pandas as pd
import streamlit as st

from fer_core.config.run import FacesConfig
from fer_core.config.training import described
from fer_core.faces.crops import STATUSES
from fer_core.results.shares import part_words
from fer_core.storage.store import StoredRun
from fer_core.ui.cache.publication import pictured
from fer_core.ui.parts.url import by_name
from fer_core.ui.parts.widgets import (
    escaped,
    generated_note,
    honesty,
    protocol_note,
    summary_figures,
)
from fer_core.ui.shell.setup import Lab

from .models import Model, known


def choose(lab: Lab) -> Model:
    """Draw the choice of what is looked into; the URL holds it."""
    by_id = known(lab)
    asked = st.query_params.get("run")
    return by_id[by_name("What answers", "run", list(by_id), lambda key: by_id[key].title, asked=asked)]


def draw(model: Model) -> None:
    """Draw what stands behind a model's answers."""
    st.header("Pictures and settings", divider="gray")
    st.markdown(f"**{escaped(model.title)}** was trained on {escaped(model.pictures)}.")
    st.table(pd.DataFrame(_settings(model), columns=["What", "How"]).set_index("What"))
    st.header("How often it is right", divider="gray")
    run = model.measured
    if run is None:
        st.write(
            "Nothing was measured with these settings here; a run that judges a data set with it would say."
        )
        st.code("python -m fer_core recognise --data FOLDER", language=None)
        return
    generated_note(run.config.data)
    summary_figures(run)
    protocol_note(run.protocol)
    honesty(run)
    st.header("Faces that were not found", divider="gray")
    _lost(run)
    data = {} if run.data_source in ("demo", "") else {"data": run.data_source}
    for page, label, query in (
        ("pages/train.py", "The run, epoch by epoch", {"run": run.id}),
        ("pages/compare.py", "Leak meter: what other protocols would have claimed", {"view": "Leak meter"}),
        *((("pages/faces.py", "All faces, the lost ones too", {}),) if pictured(run.data_source) else ()),
        ("pages/predict.py", "Try it", {"run": model.id}),
    ):
        st.page_link(page, label=label, icon=":material/arrow_forward:", query_params=query | data)


def _settings(model: Model) -> list[tuple[str, str]]:
    rows = [("Faces", _faces(model.faces))]
    run = model.measured
    if run is None:
        return rows
    rows.insert(0, ("Data set", f"{run.data_name}, {run.summary['images']:,} images judged"))
    if run.config.trains_backbone:
        training = run.config.training
        rows.append(
            (
                "Training",
                f"{described(training) or 'the paper’s recipe'}: {training.epochs} epochs, batches of "
                f"{training.batch_size}, learning rate {training.lr:g}",
            )
        )
    return rows


def _faces(config: FacesConfig) -> str:
    if not config.extract:
        return "not looked for: whole frames"
    detector = "MTCNN, fine-tuned" if config.detector else "MTCNN as facenet-pytorch has it"
    thresholds = ", ".join(f"{value:g}" for value in config.thresholds)
    shape = "turned to five points" if config.align else "made square" if config.square else "stretched"
    again = f", second looks: {', '.join(config.rescue)}" if config.rescue else ""
    return f"{detector}, thresholds {thresholds}{again}; boxes {shape}, {config.size} pixels wide"


def _lost(run: StoredRun) -> None:
    """Draw how often each thing became of a frame, and how often it was right then."""
    counts, parts = run.summary.get("statuses") or {}, run.summary.get("by_status") or {}
    rows = [
        (status, counts[status], part_words(parts[status]) if status in parts else "–")
        for status in STATUSES
        if counts.get(status)
    ]
    if rows:
        st.table(
            pd.DataFrame(rows, columns=["What became of a frame", "Frames", "Right"]).set_index(
                "What became of a frame"
            )
        )
    else:
        st.caption("No faces were looked for.")
