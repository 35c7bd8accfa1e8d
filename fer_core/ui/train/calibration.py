"""Whether a run's probabilities mean what they say, on its view."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from fer_core.results import charts
from fer_core.results.trust import calibration_words, reliability_tables
from fer_core.storage.store import StoredRun
from fer_core.ui.cache import resources
from fer_core.ui.parts import figure as downloads


def calibration(run: StoredRun) -> None:
    """Draw a finished run's reliability diagram, before and after temperatures where some were fitted."""
    st.markdown("**Calibration: what a confidence is worth**")
    table, scaled = reliability_tables(run, resources.finished_predictions(run))
    figure = resources.chart(charts.reliability, table, scaled)
    downloads.figure(figure, lambda: _both(table, scaled), "reliability", key=f"reliability-{run.id}")
    st.caption(
        f"{calibration_words(run)} On the dashed line, of the images given with 70 % seven in ten are right; below it "
        "the model is too sure of itself. Bars: 95 % intervals, over movies or persons where they are known and enough."
    )
    if run.config.trains_backbone and scaled is None:
        st.caption("To fit one, turn on *Fit a temperature* in the recipe, or train with `--calibrate`.")


def _both(table: pd.DataFrame, scaled: pd.DataFrame | None) -> pd.DataFrame:
    parts = {"as given": table} | ({} if scaled is None else {"with temperatures": scaled})
    return pd.concat([own.assign(probabilities=name) for name, own in parts.items()], ignore_index=True)
