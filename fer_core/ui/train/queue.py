"""Runs that wait or are running, as cards that renew themselves; each end is announced once."""

from collections.abc import Sequence
from html import escape

import pandas as pd
import streamlit as st
from humanize import naturalsize

from fer_core.errors import ConfigError
from fer_core.results.pace import duration, pace
from fer_core.results.rows import names, title
from fer_core.results.shares import percent
from fer_core.runs.jobs import executors
from fer_core.storage.store import StoredRun
from fer_core.ui.panels.at_work import cancel_button
from fer_core.ui.parts.widgets import escaped, progress, run_link, status_badge
from fer_core.ui.shell.setup import Lab

#: So many cards are drawn; the others are counted.
MOST = 20
#: So many runs at the head of the queue are watched by a page: the next to end are among them.
WATCHED = 200
ENDINGS = {
    "done": ":material/check_circle:",
    "failed": ":material/error:",
    "cancelled": ":material/block:",
}


def say(text: str, icon: str) -> None:
    """Keep a toast for the page's next run: one shown just before a rerun would be gone."""
    st.session_state.setdefault("toasts", []).append((text, icon))


def announce(lab: Lab) -> None:
    """Show what is to be said, and which runs, seen at work in this session, have ended: each once."""
    watched: set[str] = st.session_state.setdefault("watched", set())
    if watched:
        for run in lab.store.runs(ids=sorted(watched), status=list(ENDINGS)):
            watched.discard(run.id)
            say(f"{escaped(name_of(run))}, {run.protocol}: {run.status}.", ENDINGS[run.status])
    watched |= set(lab.store.active()[:WATCHED])
    for text, icon in st.session_state.pop("toasts", []):
        st.toast(text, icon=icon)


def plain(run: StoredRun) -> str:
    """Return a run's title, whatever people call it."""
    return title(run) if run.config.goal == "train" else "Face detection"


def name_of(run: StoredRun) -> str:
    """Return a run's name for people."""
    return run.name or plain(run)


def active(lab: Lab, among: Sequence[str] | None = None) -> None:
    """Draw a card for every run that waits or is running, renewed every second while there are any.

    Args:
        among: ids to look at; None for all.
    """

    if found := lab.store.active(among):
        _cards(lab, among, set(found))


@st.fragment(run_every=1.0)
def _cards(lab: Lab, among: Sequence[str] | None, before: set[str]) -> None:
    found = lab.store.active(among)
    if set(found) != before:
        st.rerun(scope="app")  # tables outside show what has ended; nothing is polled once none is left
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.subheader("In the queue", width="content")
        _cancel_all(lab, found)
    shown = found[:MOST]
    runs, places = {run.id: run for run in lab.store.runs(ids=shown)}, lab.store.queue_places(shown)
    called = names(run for run in runs.values() if run.config.goal == "train")
    with st.container(key="queue"):
        for run_id in shown:
            _card(lab, runs[run_id], called.get(run_id, "Face detection"), places.get(run_id))
    if len(found) > MOST:
        st.caption(f"{len(found) - MOST:,} more wait.")


def _card(lab: Lab, run: StoredRun, called: str, place: int | None) -> None:
    """Draw a card of as few elements as will do: of a long queue each viewer is sent all of them every second."""
    if run.status == "queued" and not run.error:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            _head(lab, run, called, place)
        return
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            _head(lab, run, called, place)
        progress(run)
        if run.status == "running":
            figures(run, lab.store.epochs(run.id), curve=True)


def _head(lab: Lab, run: StoredRun, called: str, place: int | None) -> None:
    # Markdown's own links open a tab; this one is followed by `parts.widgets.follow_clicked`.
    st.html(
        f'<a class="run" href="{escape(run_link(run))}" target="_self">{escape(called)}</a>'
        f'<div class="run-note">{escape(run.data_name)} · {escape(run.protocol)}</div>'
    )
    status_badge(run, place)
    cancel_button(lab, run)


def where(lab: Lab) -> None:
    """Say in a quiet line who carries runs out and which database keeps them; nothing on a demo."""
    if lab.demo:
        return
    url = lab.store.url
    kept = (
        "a SQLite file" if url.get_backend_name() == "sqlite" else f"PostgreSQL on {url.host or 'this host'}"
    )
    try:
        who = executors.describe(lab.settings)
    except ConfigError as error:
        st.warning(str(error), icon=":material/dns:")
        return
    st.caption(f":material/dns: Runs are carried out by {escaped(who)}, and kept in {escaped(kept)}.")


def _cancel_all(lab: Lab, ids: Sequence[str]) -> None:
    """Draw the button that cancels every run listed, once confirmed; nothing on a demo, or for a single run."""
    if lab.demo or len(ids) < 2:
        return
    with st.popover(f"Cancel all {len(ids)}", icon=":material/stop:"):
        st.write("What has been trained is kept: *Try again* continues from there.")
        if st.button(f"Cancel {len(ids)} runs", type="primary", key="cancel-all"):
            for run_id in ids:
                executors.cancel(lab.settings, lab.store, run_id)
            st.rerun(scope="app")


def figures(run: StoredRun, epochs: pd.DataFrame, *, curve: bool = False) -> None:
    """Draw how fast a run trains, what is left, on which device and with how much memory."""
    if run.status != "running":
        return
    found, used = pace(run, epochs), run.environment
    with st.container(horizontal=True):
        if found.accuracy:
            st.metric(
                "Validation so far",
                percent(found.accuracy[-1]),
                chart_data=list(found.accuracy) if curve and len(found.accuracy) > 1 else None,
                chart_type="line",
                help=f"Mean of the folds at epoch {len(found.accuracy)}; no figure to report before the end",
                border=True,
            )
        if found.total:
            st.metric("Epochs, all folds", f"{found.done} of {found.total}", border=True)
        if found.images_per_second is not None:
            st.metric("Images a second", f"{found.images_per_second:,.0f}", border=True)
        if found.seconds_left is not None:
            st.metric("Time left", duration(found.seconds_left), border=True)
        if used.get("memory"):
            device = str(used.get("device", "")).removeprefix("auto")
            st.metric(
                f"Memory{f' on {device}' if device else ''}",
                naturalsize(used.get("gpu_memory") or used["memory"]),
                help=f"Process {used.get('pid')} on {used.get('host')}: {naturalsize(used['memory'])} of memory"
                + (
                    f", {naturalsize(used['gpu_memory'])} of tensors on the GPU"
                    if "gpu_memory" in used
                    else ""
                ),
                border=True,
            )
