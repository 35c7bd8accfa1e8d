"""Pieces that several pages draw: notes, figures with their interval, tables of runs, a run's progress."""

import time
from collections.abc import Callable, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import humanize
import pandas as pd
import streamlit as st

from fer_core.config.run import DataConfig
from fer_core.config.training import SELECTIONS
from fer_core.datasets.base import Dataset, generated_words
from fer_core.evaluation.protocols import PROTOCOLS
from fer_core.results.rows import headline, names, run_table
from fer_core.results.shares import interval
from fer_core.results.trust import trust_rows
from fer_core.storage.store import StoredRun

STATUS_BADGES = {
    "queued": (":material/hourglass:", "gray"),
    "running": (":material/progress_activity:", "blue"),
    "done": (":material/check:", "green"),
    "failed": (":material/error:", "red"),
    "cancelled": (":material/block:", "orange"),
}

#: One digit after the point, of a figure in 0..100: Streamlit's "percent" shows from none to two.
PERCENT = "%.1f %%"

RUN_COLUMNS = {
    "link": st.column_config.LinkColumn(  # pinned: Enter reads it off a row, however far that is scrolled
        "Run", display_text=r"run=([0-9a-f]{8})", pinned=True
    ),
    "title": st.column_config.TextColumn("Setting"),
    "data": st.column_config.TextColumn("Data set"),
    "protocol": st.column_config.TextColumn("Protocol", help="How folds are drawn"),
    "leaks": st.column_config.CheckboxColumn("Leaks", help="Film frames of one shot may lie on both sides"),
    "folds": st.column_config.NumberColumn("Folds"),
    "seeds": st.column_config.ListColumn("Seeds"),
    "val": st.column_config.NumberColumn("Validation", format=PERCENT),
    "interval": st.column_config.TextColumn("95 % interval"),
    "over": st.column_config.TextColumn(
        "Over", help="What the interval counts as independent, or why there is none"
    ),
    "training": st.column_config.NumberColumn(
        "Training", format=PERCENT, help="Of the reported model on its training images"
    ),
    "macro_f1": st.column_config.NumberColumn("Macro F1", format="%.3f"),
    "images": st.column_config.NumberColumn("Images"),
    "missing_faces": st.column_config.NumberColumn("No face", help="Frames used whole for want of a face"),
    "trainable": st.column_config.NumberColumn("Trainable", format="compact", help="Trainable parameters"),
    "seconds": st.column_config.NumberColumn("Seconds", format="%.0f"),
    "status": st.column_config.TextColumn("Status"),
}


def generated_note(data: Dataset | DataConfig) -> None:
    """Say that a data set, or that of a run, is generated, where it is."""
    if data.generated:
        what, rest = generated_words(data.layout)
        st.caption(f":material/draw: **{what}**: {rest}")


def listed(runs: Sequence[StoredRun], *, apart: bool = False) -> pd.DataFrame:
    """Return what `run_table` says of runs, and what a page shows beside it: link, val and training (%), interval.

    A run is called as people call it, else by its title; with `apart` a title also names what its run has unlike
    others of that title (`rows.names`).
    """
    table = run_table(runs)
    known = names(runs) if apart else {run.id: run.name for run in runs}
    return table.assign(
        title=[known[run.id] or own for run, own in zip(runs, table["title"], strict=True)],
        link=[run_link(run) for run in runs],
        val=100 * table["val_accuracy"].astype(float),
        training=100 * table["train_accuracy"].astype(float),
        interval=table["val_accuracy_interval"].map(interval),
        over=table["val_accuracy_interval_over"],
    )


def runs_dataframe(table: pd.DataFrame, *, columns: Sequence[str], key: str, **more: Any) -> None:
    """Draw a table of runs, as `listed` gives them: a click, or Enter, on a run's setting opens it in this tab.

    Args:
        columns: in their order; those of `more` that are not among them come last.
        more: configurations of further columns, by name.
    """
    titles = st.column_config.ButtonColumn("Setting", type="tertiary", key=f"{key}-open", alignment="left")
    st.dataframe(
        table[list(dict.fromkeys([*columns, *more]))],
        column_config=RUN_COLUMNS | {"title": titles} | more,
        hide_index=True,
        key=key,
        placeholder="–",
        alt=f"Table of {len(table)} runs",
    )
    if clicked := st.session_state.get(f"{key}-open"):
        follow(str(table["link"].iloc[clicked.row]))


def follow(link: str) -> None:
    """End the page and go where a link of ours leads, in this tab and without loading the page anew."""
    _soft_links()(key="follow", data={"to": link})
    st.stop()


def follow_clicked() -> None:
    """Have links in HTML of our own, and rows of tables, followed likewise: a browser would load the page anew."""
    _soft_links()(key="soft-links")


@cache
def _soft_links() -> Callable[..., Any]:
    script = Path(__file__).with_name("soft_links.js").read_text(encoding="utf-8")
    return st.components.v2.component("fer_soft_links", js=script)


def run_link(run: StoredRun) -> str:
    """Return the link of a run, with its data set."""
    return train_link(run, run=run.id)


def train_link(to: StoredRun, /, **query: object) -> str:
    """Return a link of the Train page with a run's data set."""
    return "./train?" + urlencode(query | _data(to), doseq=True)


def faces_link(to: StoredRun, /, **query: object) -> str:
    """Return a link of the Faces page with a run's data set, such as that of a `frame`."""
    return "./faces?" + urlencode(query | _data(to), doseq=True)


def _data(run: StoredRun) -> dict[str, str]:
    return {} if run.data_source in ("demo", "") else {"data": run.data_source}


def run_status(run: StoredRun, place: int | None) -> None:
    """Draw a run's badge, with its place in the queue while it waits, and `progress`."""
    status_badge(run, place)
    progress(run)


def status_badge(run: StoredRun, place: int | None) -> None:
    """Draw a run's status and, while it waits, its place in the queue."""
    icon, colour = STATUS_BADGES[run.status]
    text = f"queued, number {place} in line" if place else run.status
    st.badge(text, icon=icon, color=colour)  # type: ignore[arg-type]


def progress(run: StoredRun) -> None:
    """Draw how far a running run's step is, or what went wrong with one that has ended."""
    if run.status == "running" and run.step_total:
        share = min(1.0, run.step_done / run.step_total)
        st.progress(share, text=f"{run.step}: {run.step_done} of {run.step_total}{_pace(run)}")
    if run.error:
        st.error(escaped(run.error), icon=":material/error:")


def _pace(run: StoredRun) -> str:
    """Return how fast a step goes and what is left of it, once this viewer has seen it move.

    Of training, the epochs say both, and better (`fer_core.results.pace`).
    """
    if run.step == "train":
        return ""
    key = f"pace-{run.id}-{run.step}"
    since, before = st.session_state.setdefault(key, (time.time(), run.step_done))
    rate = (run.step_done - before) / max(time.time() - since, 1e-9)
    if rate <= 0:
        return ""
    left = (run.step_total - run.step_done) / rate
    pace = f" · {rate:.1f} a second" if rate >= 1 else f" · {1 / rate:.1f} s each"
    return f"{pace} · {left / 60:.0f} min left" if left >= 90 else f"{pace} · {left:.0f} s left"


def protocol_note(name: str) -> None:
    """Say what a protocol measures, loudly where it leaks."""
    protocol = PROTOCOLS[name]
    if protocol.leaks:
        st.warning(f"**{protocol.title} leaks.** {protocol.why}", icon=":material/water_drop:")
    else:
        st.caption(f"**{protocol.title}.** {protocol.why}")


def summary_figures(run: StoredRun) -> None:
    """Draw a finished run's headline figures, each with what it rests on."""
    config = run.config
    chosen = config.training.selection if config.trains_backbone else "last"
    if chosen == "best_on_validation":
        st.warning(
            "**Optimistic.** Each fold's epoch was chosen by its accuracy on the very images reported here.",
            icon=":material/trending_up:",
        )
    figures = headline(run)
    for column, (name, figure, rests) in zip(st.columns(len(figures)), figures, strict=True):
        column.metric(name, figure)
        column.caption(rests)
    if run.summary["folds"]:
        st.caption(f"Figures are those of held-out images at the {SELECTIONS[chosen]}, pooled over folds.")


def honesty(run: StoredRun) -> None:
    """Draw what the headline figure leaves out: intervals over movies and seeds, leaks, frames without a face."""
    with st.expander("How far to trust this figure", expanded=True):
        st.table(pd.DataFrame(trust_rows(run), columns=["What", "Figure"]).set_index("What"))


def folded(
    label: str, draw: Callable[[], object], *, key: str, icon: str | None = None, expanded: bool = False
) -> None:
    """Draw an expander whose content is made, and sent with what draws it, once it is open."""
    panel = st.expander(label, icon=icon, key=key, expanded=expanded, on_change="rerun")
    if panel.open:
        with panel:
            draw()


def age(moment: float) -> str:
    """Return how long ago a time (seconds since 1970) was, in words."""
    return humanize.naturaltime(max(0.0, time.time() - moment))


def escaped(text: object) -> str:
    """Return text from a data set safe inside markdown and HTML."""
    shown = str(text)
    for sign in "\\`*_{}[]()#+-!|~:$":
        shown = shown.replace(sign, "\\" + sign)
    return escape(shown)  # last: the signs are also in "&#x27;"


def carried(**query: str) -> dict[str, str]:
    """Return the query of a link to another page: the data set that is looked at, and what else it names."""
    data = st.query_params.get("data")
    return ({"data": data} if data else {}) | query


def empty(title: str, text: str, page: str | None = None, label: str = "") -> None:
    """Draw an empty state that says what to do next."""
    with st.container(border=True):
        st.markdown(f"#### {title}")
        st.write(text)
        if page:
            st.page_link(page, label=label, icon=":material/arrow_forward:", query_params=carried())
