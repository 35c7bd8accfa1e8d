"""A sweep at its link: its runs at work, and those that are done ranked, with what is noise named so."""

from datetime import datetime, timedelta

import pandas as pd
import streamlit as st

from fer_core.evaluation.protocols import PROTOCOLS
from fer_core.results import charts
from fer_core.results.pace import duration, pace, remaining
from fer_core.results.ranking import Place
from fer_core.results.rows import names
from fer_core.results.shares import p_value
from fer_core.ui.cache import resources
from fer_core.ui.parts import figure
from fer_core.ui.parts.widgets import (
    PERCENT,
    RUN_COLUMNS,
    escaped,
    generated_note,
    interval,
    protocol_note,
    run_link,
)
from fer_core.ui.shell.setup import Lab

from . import about, queue, run_list

#: Finished runs that times are taken from: the newest.
KNOWN = 50


def sweep_view(lab: Lab, name: str) -> None:
    """Draw a sweep's runs: cards while they are running, a ranking of the finished ones, what went wrong."""
    runs = lab.store.sweep(name)
    done = [run for run in runs if run.status == "done"]
    about.back()
    st.caption(f"Sweep {name} on {escaped(runs[0].data_name)} · {len(done)} of {len(runs)} done")
    generated_note(runs[0].config.data)
    protocol_note(runs[0].protocol)
    if len(done) < len(runs):
        _progress(lab, name)
    queue.active(lab, [run.id for run in runs])
    broken = [run for run in runs if run.status in ("failed", "cancelled")]
    if broken:
        st.subheader("Not finished")
        run_list.table(lab, broken, ("link", "title", "protocol", "status"), key="broken")
        for run in broken:
            if run.error:
                st.error(f"{escaped(queue.name_of(run))}: {escaped(run.error)}", icon=":material/error:")
    if done:
        st.subheader("Ranking" if len(done) == len(runs) else "Ranking so far")
        _ranking(resources.ranking(done), PROTOCOLS[runs[0].protocol].leaks)


@st.fragment(run_every=2.0)
def _progress(lab: Lab, name: str) -> None:
    """Draw how far a sweep is, when it will end, and the validation accuracy of its runs over each other."""
    runs = lab.store.sweep(name)
    active = [run for run in runs if not run.ended]
    if not active:
        return
    epochs = {run.id: resources.epochs(run) for run in runs}
    titles = names(runs)
    done = sum(run.ended for run in runs)
    parts = [pace(run, epochs[run.id]) for run in active]
    share = sum(one.done / one.total for one in parts if one.total)
    known = [run for run in lab.store.runs(status=["done"], goal="train", limit=KNOWN) if run.seconds]
    left = remaining(list(zip(active, parts, strict=True)), known)
    when = "when it ends is not known yet: no run like these is done"
    if left is not None:
        ends = datetime.now().astimezone() + timedelta(seconds=left)
        when = f"about {duration(left)} left, one run after another: until {ends:%H:%M}"
    st.progress(min(1.0, (done + share) / len(runs)), text=f"{done} of {len(runs)} ended; {when}")
    drawn = [own.assign(system=titles[run_id]) for run_id, own in epochs.items() if not own.empty]
    if drawn:
        table = pd.concat(drawn)
        figure.figure(charts.overlaid_curves(table), table, "sweep-curves", key=f"sweep-{name}")


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
                "Validation": round(100 * row["val_accuracy"], 1),
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
