"""How accuracy differs between frames that were cut at a face and frames that were not, per finished run."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

import pandas as pd
import streamlit as st

from fer_core.evaluation.protocols import PROTOCOLS
from fer_core.faces.crops import STATUSES
from fer_core.results.rows import title
from fer_core.storage.store import StoredRun
from fer_core.ui.cache import resources
from fer_core.ui.parts.widgets import RUN_COLUMNS, interval, percent, run_link
from fer_core.ui.shell.setup import Lab

#: The newest finished runs that are shown.
RUNS = 20


def found_accuracy(lab: Lab) -> None:
    """Draw the table over the finished runs of this data set; says what to do while there are none."""
    fingerprint = resources.data_config(lab.source).fingerprint
    runs = resources.trained(fingerprint).runs
    rows = [_row(run) for run in islice(filter(_looked, runs), RUNS)]
    st.markdown("**Accuracy with and without a face**")
    if not rows:
        st.caption("Train on this data set to see here how accuracy differs where no face was found.")
        return
    table = pd.DataFrame(rows)
    empty = [name for name in table.columns if (table[name] == "–").all()]
    st.dataframe(
        table.drop(columns=empty),
        hide_index=True,
        column_config={
            "Run": RUN_COLUMNS["link"],
            "With a face": st.column_config.TextColumn(help="Frames cut at a detected or drawn face"),
            "No face": st.column_config.TextColumn(help="Frames that went in whole"),
        },
        alt=f"Accuracy on frames with and without a face in {len(rows)} runs",
    )
    st.caption(
        "Held-out accuracy after the last epoch with its 95 % Wilson interval, and the number of frames. A few "
        "frames make a wide interval; frames without a face are also the hard ones, so a gap is no measure of "
        "what cutting a face gains. For that, train with and without extraction."
    )


def _looked(run: StoredRun) -> bool:
    return run.summary.get("missing_faces") is not None and "found" in run.summary


def _row(run: StoredRun) -> dict[str, Any]:
    by_status = run.summary.get("by_status", {})
    protocol = PROTOCOLS[run.config.protocol.name]
    return {
        "Run": run_link(run),
        "Setting": title(run),
        "Protocol": protocol.name + (" (leaks)" if protocol.leaks else ""),
        "With a face": _share(run.summary["found"]),
        "No face": _share(run.summary["not_found"]),
        **{
            status.capitalize(): _share(by_status.get(status))
            for status in STATUSES
            if status not in ("none", "unreadable")
        },
    }


def _share(part: Mapping[str, Any] | None) -> str:
    if not part or not part["images"]:
        return "–"
    return f"{percent(part['accuracy'])} ({interval(part['interval'])}), {part['images']} frames"
