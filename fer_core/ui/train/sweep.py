"""A sweep at its link: its runs at work, and those that are done ranked, with what is noise named so."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from fer_core.evaluation.protocols import PROTOCOLS
from fer_core.results.ranking import Place
from fer_core.results.shares import p_value
from fer_core.ui.cache import resources
from fer_core.ui.parts.widgets import (
    PERCENT,
    RUN_COLUMNS,
    escaped,
    generated_note,
    interval,
    listed,
    protocol_note,
    run_link,
    runs_dataframe,
)
from fer_core.ui.shell.setup import Lab

from . import queue


def sweep_view(lab: Lab, name: str) -> None:
    """Draw a sweep's runs: cards while they are running, a ranking of the finished ones, what went wrong."""
    runs = lab.store.sweep(name)
    done = [run for run in runs if run.status == "done"]
    st.subheader(f"{len(runs)} runs asked for together")
    st.caption(f"Sweep {name} on {escaped(runs[0].data_name)} · {len(done)} of {len(runs)} done")
    generated_note(runs[0].config.data)
    protocol_note(runs[0].protocol)
    queue.active(lab, [run.id for run in runs])
    broken = [run for run in runs if run.status in ("failed", "cancelled")]
    if broken:
        st.subheader("Not finished")
        runs_dataframe(listed(broken), columns=("link", "title", "protocol", "status"), key="broken")
        for run in broken:
            if run.error:
                st.error(f"{escaped(queue.name_of(run))}: {escaped(run.error)}", icon=":material/error:")
    if done:
        st.subheader("Ranking" if len(done) == len(runs) else "Ranking so far")
        _ranking(resources.ranking(done), PROTOCOLS[runs[0].protocol].leaks)


def _ranking(places: list[Place], leaks: bool) -> None:
    rows = []
    for place in places:
        row = place.row()
        rows.append(
            {
                "Rank": place.rank,
                "Run": run_link(place.run),
                "Setting": row["title"],
                "Verdict": place.verdict,
                "Validation": 100 * row["val_accuracy"],
                "95 % interval": interval(row["val_accuracy_interval"]),
                "Over": row["val_accuracy_interval_over"],
                "Behind the first": None if place.difference is None else 100 * place.difference,
                "Its interval": interval(place.interval).removesuffix(" %"),
                "p": p_value(place.p),
                "Folds": row["folds"],
                "Seeds": len(row["seeds"]),
                "No face": row["missing_faces"],
            }
        )
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={
            "Run": RUN_COLUMNS["link"],
            "Validation": st.column_config.NumberColumn("Validation", format=PERCENT),
            "Behind the first": st.column_config.NumberColumn(
                "Behind the first", format="%.1f points", help="The first one's lead on the same images"
            ),
            "Its interval": st.column_config.TextColumn("Its interval", help="95 %, of paired differences"),
            "p": st.column_config.TextColumn("p", help="McNemar's exact test, not corrected"),
        },
        placeholder="–",
        alt=f"Ranking of {len(places)} runs",
    )
    alike = [place.rank for place in places if place.noise]
    if alike:
        st.warning(
            f"**Not distinguishable from the first: {', '.join(map(str, alike))}.** The difference's interval holds 0. "
            "More seeds or images would be needed.",
            icon=":material/blur_on:",
        )
    if len(places) > 1:
        st.caption(
            "The first of many is first partly by luck, so its own accuracy is a little optimistic."
            + (" The protocol leaks, which flatters every row." if leaks else "")
        )
