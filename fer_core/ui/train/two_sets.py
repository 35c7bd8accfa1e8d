"""SFEW's two-set figures of a run, on its view."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from fer_core.evaluation.metrics.two_sets import SHARES
from fer_core.results.shares import part_words, percent
from fer_core.storage.store import StoredRun


def two_sets_figures(run: StoredRun) -> None:
    """Show accuracy and classwise figures as the means over both sets; nothing under another protocol."""
    found = run.summary.get("two_sets")
    if found is None:
        return
    st.markdown("**Two-set SPI: the mean of both sets**")
    parts = [f"{one['tested']}: {part_words(one)}, {one['images']} images" for one in found["sets"]]
    st.caption(f"Accuracy {percent(found['accuracy'])}; {'; '.join(parts)}. Each set counts half.")
    st.dataframe(
        pd.DataFrame(found["per_class"]),
        hide_index=True,
        column_config={name: st.column_config.NumberColumn(format="%.3f") for name in SHARES},
        alt="Classwise figures, the means over both sets",
    )
