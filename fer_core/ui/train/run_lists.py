"""A sweep at its link, its runs ranked with what is noise named so; and all runs, newest first, a page at a time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import streamlit as st

from fer_core.evaluation.protocols import PROTOCOLS
from fer_core.results import charts
from fer_core.results.pace import duration, pace, remaining
from fer_core.results.ranking import Place
from fer_core.results.rows import names
from fer_core.results.shares import p_value
from fer_core.storage.store import StoredRun
from fer_core.ui.cache import resources
from fer_core.ui.panels import at_work
from fer_core.ui.parts import figure
from fer_core.ui.parts.url import switch
from fer_core.ui.parts.widgets import (
    empty,
    escaped,
    generated_note,
    interval,
    listed,
    protocol_note,
    runs_dataframe,
)
from fer_core.ui.shell.setup import Lab

from . import about, queue

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
        _table(lab, broken, ("link", "title", "protocol", "status"), key="broken")
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
    behind: list[Any] = [None if place.difference is None else 100 * place.difference for place in places]
    table = listed([place.run for place in places], apart=True).assign(
        rank=[place.rank for place in places],
        verdict=[place.verdict for place in places],
        behind=behind,
        bounds=[interval(place.interval).removesuffix(" %") for place in places],
        p=[p_value(place.p) for place in places],
    )
    runs_dataframe(
        table,
        columns=(
            *("rank", "link", "title", "verdict", "val", "interval", "over", "behind", "bounds", "p"),
            *("folds", "seeds", "missing_faces"),
        ),
        key="ranking",
        rank="Rank",
        verdict="Verdict",
        behind=st.column_config.NumberColumn(
            "Behind the first", format="%.1f points", help="The first one's lead on the same images"
        ),
        bounds=st.column_config.TextColumn("Its interval", help="95 %, of paired differences"),
        p=st.column_config.TextColumn("p", help="McNemar's exact test, not corrected"),
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


PAGE = 50
#: What can be tried again: it continues from its last epoch.
AGAIN = ("failed", "cancelled")
COLUMNS = (
    *("link", "title", "status", "data", "protocol", "leaks", "val", "interval", "over", "training"),
    "missing_faces",
)


def _table(lab: Lab, runs: Sequence[StoredRun], columns: Sequence[str], key: str) -> None:
    """Draw runs as a table; one that failed or was cancelled can be tried again there."""
    drawn, again = listed(runs, apart=True), {}
    if not lab.demo and any(run.status in AGAIN for run in runs):
        drawn["again"] = [":material/replay: Try again" if run.status in AGAIN else None for run in runs]
        again["again"] = st.column_config.ButtonColumn("", type="tertiary", key=f"{key}-again")
    runs_dataframe(drawn, columns=columns, key=key, **again)
    if clicked := st.session_state.get(f"{key}-again"):
        at_work.again(lab, runs[clicked.row].id)


def newest_first(lab: Lab) -> None:
    """Draw one page of the runs with the ways to the newest and to older ones.

    Raises:
        NotFoundError: the URL names a run that is not there.
    """
    before = st.query_params.get("before")
    after = lab.store.run(before) if before else None
    some = bool(lab.store.runs(goal="train", archived=True, limit=1))
    everything = some and st.toggle("Archived ones too", **switch("archived"))
    runs = lab.store.runs(goal="train", limit=PAGE, before=after, archived=None if everything else False)
    if runs:
        _table(lab, runs, COLUMNS, key="runs")
    elif before:
        st.info("There are no older runs.", icon=":material/history:")
    else:
        empty("Nothing has been trained yet", "Choose settings above and start; results stay at their link.")
    with st.container(horizontal=True):
        if before and st.button("Newest runs", icon=":material/first_page:"):
            del st.query_params["before"]
            st.rerun()
        if len(runs) == PAGE and st.button("Older runs", icon=":material/chevron_right:"):
            st.query_params["before"] = runs[-1].id
            st.rerun()
