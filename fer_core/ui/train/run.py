"""One run on the Train page, at its own link: from the queue to its figures."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from fer_core.config.run import CLASSES
from fer_core.results import charts
from fer_core.results.rows import title
from fer_core.runs.jobs import executors
from fer_core.runs.jobs.queue import retry
from fer_core.storage.store import StoredRun
from fer_core.ui.cache import resources
from fer_core.ui.panels.cancel import cancel_button
from fer_core.ui.parts import figure as downloads
from fer_core.ui.parts.widgets import (
    age,
    escaped,
    generated_note,
    honesty,
    protocol_note,
    run_status,
    summary_figures,
)
from fer_core.ui.shell.setup import Lab

from . import queue, share
from .calibration import calibration
from .two_sets import two_sets_figures


def run_view(lab: Lab, run_id: str) -> None:
    """Draw one run: its progress while it is running, its figures once it is done."""
    run = lab.store.run(run_id)
    st.subheader(title(run) if run.config.goal == "train" else "Face detection")
    st.caption(f"Run {run.id} on {escaped(run.data_name)} · submitted {age(run.created)}")
    generated_note(run.config.data)
    if run.ended:
        _body(lab, run)
    else:
        _live(lab, run_id)


@st.fragment(run_every=1.0)
def _live(lab: Lab, run_id: str) -> None:
    run = lab.store.run(run_id)
    if run.ended:
        st.rerun()
    _body(lab, run)


def _body(lab: Lab, run: StoredRun) -> None:
    run_status(run, lab.store.queue_places([run.id]).get(run.id))
    _buttons(lab, run)
    if not run.ended:
        queue.figures(run, resources.epochs(run))
    if run.config.goal != "train":
        return
    protocol_note(run.config.protocol.name)
    if run.status == "done":
        share.buttons(lab, run)
        summary_figures(run)
        honesty(run)
    epochs = resources.epochs(run)
    if not epochs.empty:
        table = epochs.assign(system=title(run))
        figure = resources.chart(charts.learning_curves, table)
        downloads.figure(figure, table, "learning-curves", key=f"curves-{run.id}")
    if run.status == "done":
        left, right = st.columns(2)
        counts = run.summary["confusion"]
        table = (
            pd.DataFrame(counts, columns=list(CLASSES)).assign(true=CLASSES).set_index("true").reset_index()
        )
        with left:
            st.markdown("**Confusion of held-out images**")
            figure = resources.chart(charts.confusion, counts, CLASSES)
            downloads.figure(figure, table, "confusion", key=f"confusion-{run.id}")
        right.markdown("**Per class**")
        shares = ("precision", "recall", "specificity", "f1")
        right.dataframe(
            pd.DataFrame(run.summary["per_class"]),
            hide_index=True,
            column_config={name: st.column_config.NumberColumn(format="%.3f") for name in shares},
            alt="Figures per class",
        )
        two_sets_figures(run)
        calibration(run)
    with st.expander("Log, definition and environment"):
        log = lab.store.log(run.id)
        st.code("\n".join(log["text"]) or "No lines yet.", language=None)
        st.json(run.config.model_dump(mode="json"), expanded=False)
        st.json(run.environment, expanded=False)


def _buttons(lab: Lab, run: StoredRun) -> None:
    if lab.demo:
        return
    cancel_button(lab, run)
    if run.status in ("failed", "cancelled") and st.button(
        "Try again", icon=":material/replay:", key=f"retry-{run.id}", help="Continues from its last epoch"
    ):
        retry(lab.store, run.id)
        executors.launch(lab.settings)
        st.rerun()
