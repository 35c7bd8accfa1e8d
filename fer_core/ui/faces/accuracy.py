"""How accuracy differs between frames that were cut at a face and frames that were not, per finished run."""

from itertools import islice
from typing import Any

import pandas as pd
import streamlit as st

from fer_core.evaluation.protocols import PROTOCOLS
from fer_core.results.rows import title
from fer_core.results.shares import KINDS, at_most, face_shares
from fer_core.storage.store import StoredRun
from fer_core.ui.cache import resources
from fer_core.ui.parts.widgets import RUN_COLUMNS, run_link
from fer_core.ui.shell.setup import Lab

#: The newest finished runs that are shown.
RUNS = 20


def found_accuracy(lab: Lab) -> None:
    """Draw the table over the finished runs of this data set; says what to do while there are none."""
    fingerprint = resources.data_config(lab.source).fingerprint
    runs = resources.trained(fingerprint).runs
    rows = [_row(run) for run in islice((run for run in runs if face_shares(run.summary)), RUNS)]
    st.markdown("**What lost faces cost**")
    if not rows:
        st.caption("Train on this data set to see here what lost faces cost.")
        return
    table = pd.DataFrame(rows).dropna(axis="columns", how="all").fillna("–")
    st.dataframe(
        table,
        hide_index=True,
        column_config={
            "Run": RUN_COLUMNS["link"],
            "Doubtful": st.column_config.TextColumn(help="Several faces, or one of low confidence"),
            "Won back": st.column_config.TextColumn(help="Found on a second look"),
            "Lost": st.column_config.TextColumn(help="Went in whole, for want of a face"),
            "At most to gain": st.column_config.TextColumn(
                help="Points of the whole accuracy, if every wrong answer on a lost or doubtful frame became right"
            ),
        },
        alt=f"Accuracy by how the face was had in {len(rows)} runs",
    )
    st.caption(
        "Held-out accuracy after the last epoch with its 95 % interval, and the number of frames. A few "
        "frames make a wide interval; frames without a face are also the hard ones, so a gap is no measure of "
        "what cutting a face gains. For that, train with and without extraction."
    )


def _row(run: StoredRun) -> dict[str, Any]:
    protocol = PROTOCOLS[run.config.protocol.name]
    shares = face_shares(run.summary)
    return {
        "Run": run_link(run),
        "Setting": run.name or title(run),
        "Protocol": protocol.name + (" (leaks)" if protocol.leaks else ""),
        **{kind.capitalize(): str(shares[kind]) if kind in shares else None for kind in KINDS},
        "At most to gain": f"{at_most(run.summary):.1f} points",
    }
