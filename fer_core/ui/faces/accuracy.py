"""How accuracy differs between frames that were cut at a face and frames that were not, per finished run."""

from itertools import islice
from typing import Any

import streamlit as st

from fer_core.results.shares import KINDS, at_most, face_shares
from fer_core.ui.cache import resources
from fer_core.ui.parts.widgets import runs_dataframe
from fer_core.ui.shell.setup import Lab

#: The newest finished runs that are shown.
RUNS = 20
HELP = {
    "doubtful": "Several faces, or one of low confidence",
    "won back": "Found on a second look",
    "lost": "Went in whole, for want of a face",
}


def found_accuracy(lab: Lab) -> None:
    """Draw the table over the finished runs of this data set; says what to do while there are none."""
    fingerprint = resources.data_config(lab.source).fingerprint
    found = resources.trained(fingerprint)
    runs = list(islice((run for run in found.runs if face_shares(run.summary)), RUNS))
    st.markdown("**What lost faces cost**")
    if not runs:
        st.caption("Train on this data set to see here what lost faces cost.")
        return
    shares = [face_shares(run.summary) for run in runs]
    met = [kind for kind in KINDS if any(kind in one for one in shares)]
    cells: dict[str, Any] = {kind: [str(one.get(kind, "")) or None for one in shares] for kind in met}
    cells["gain"] = [f"{at_most(run.summary):.1f} points" for run in runs]
    runs_dataframe(
        found.rows(runs).assign(**cells),
        columns=("link", "title", "protocol", "leaks"),
        key="lost-faces",
        **{kind: st.column_config.TextColumn(kind.capitalize(), help=HELP.get(kind)) for kind in met},
        gain=st.column_config.TextColumn(
            "At most to gain",
            help="Points of the whole accuracy, if every wrong answer on a lost or doubtful frame became right",
        ),
    )
    st.caption(
        "Held-out accuracy after the last epoch with its 95 % interval, and the number of frames. A few "
        "frames make a wide interval; frames without a face are also the hard ones, so a gap is no measure of "
        "what cutting a face gains. For that, train with and without extraction."
    )
