"""The Compare page's parts: all runs with intervals, curves per n, and the paper's tables beside ours."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from .. import charts, paper
from ..protocols import PROTOCOLS
from ..results import run_table, title
from ..store import StoredRun
from . import resources
from .widgets import interval, percent, runs_dataframe

COLUMNS = (
    *("link", "title", "protocol", "leaks", "folds", "seeds", "val", "interval", "train_accuracy"),
    *("macro_f1", "images", "missing_faces", "trainable", "seconds"),
)


def filters(runs: list[StoredRun]) -> list[StoredRun]:
    """Draw the filters and return the runs that pass; their values are in the URL."""
    left, middle, right = st.columns(3)
    protocols = left.multiselect(
        "Protocol",
        sorted({run.protocol for run in runs}),
        key="protocol",
        bind="query-params",
        format_func=lambda name: PROTOCOLS[name].title,
    )
    backbones = middle.multiselect(
        "Backbone", sorted({run.backbone for run in runs}), key="backbone", bind="query-params"
    )
    order = right.selectbox("Order", ["validation accuracy", "newest", "n"], key="order", bind="query-params")
    runs = [run for run in runs if not protocols or run.protocol in protocols]
    runs = [run for run in runs if not backbones or run.backbone in backbones]
    if order == "validation accuracy":
        runs.sort(key=lambda run: -run.summary["val_accuracy"])
    elif order == "n":
        runs.sort(key=lambda run: (run.backbone, run.unfreeze))
    return runs


def table(runs: list[StoredRun]) -> None:
    """Draw the runs as dots with intervals and as a table."""
    rows = run_table(runs)
    rows = rows.assign(
        system=rows["title"],
        accuracy=rows["val_accuracy"],
        label=rows["title"] + " · " + rows["protocol"],
        seeds=rows["seeds"].map(len),
    )
    figure = charts.accuracy_intervals(rows)
    st.plotly_chart(figure, key="intervals", alt=charts.describe(figure))
    st.caption(
        "Accuracy on held-out images after the last epoch, with 95 % Wilson intervals over images. Frames of one "
        "film resemble each other, so an interval over movies is wider: it is in each run. Open diamonds leak."
    )
    runs_dataframe(runs, columns=COLUMNS, key="runs")


def curves(runs: list[StoredRun]) -> None:
    """Draw the learning curves of up to six chosen runs side by side (the paper's figure 4)."""
    names = {run.id: f"{title(run)} · {run.protocol}" for run in runs}
    default = [run.id for run in sorted(runs, key=lambda run: run.unfreeze)][:3]
    chosen = st.multiselect(
        "Runs",
        list(names),
        default=default,
        key="curves",
        bind="query-params",
        format_func=names.__getitem__,
        max_selections=6,
    )
    by_id = {run.id: run for run in runs}
    parts = [resources.epochs(by_id[run_id]).assign(system=names[run_id]) for run_id in chosen]
    if parts:
        figure = charts.learning_curves(pd.concat(parts))
        st.plotly_chart(figure, key="learning-curves", alt=charts.describe(figure))
        st.caption("Thin lines are folds, the thick line their mean.")


def beside_the_paper(runs: list[StoredRun]) -> None:
    """Draw the paper's tables 2 and 3 beside the chosen runs' figures, and what to make of them."""
    resnets = [run for run in runs if run.backbone == "resnet18"]
    backbones = sorted({run.backbone for run in runs})
    pick = st.selectbox(
        "Backbone to set beside the paper's ResNet18",
        backbones,
        index=backbones.index("resnet18") if resnets else 0,
        key="beside",
        bind="query-params",
    )
    own = [run for run in runs if run.backbone == pick]
    st.markdown("**Table 2**: accuracy, with face extraction")
    st.dataframe(_table_2(own), hide_index=True, alt="The paper's table 2 beside this machine's figures")
    st.markdown("**Table 3**: mean loss with and without face extraction")
    st.dataframe(_table_3(own), hide_index=True, alt="The paper's table 3 beside this machine's figures")
    st.caption(
        "The paper's figures are means over 20 epochs under its per-epoch reshuffle, on SFEW (675 frames). "
        "Here: the mean over epochs too, under the protocol named; the last epoch and its interval beside it."
    )
    for disagreement in paper.DISAGREEMENTS:
        with st.expander(f"The paper disagrees with itself on: {disagreement.about}"):
            for source, quote in disagreement.places:
                st.markdown(f"- {source}: “{quote}”")
            st.write(disagreement.reading)


def _table_2(runs: list[StoredRun]) -> pd.DataFrame:
    rows = []
    for n in (1, 2, 3):
        train = paper.reported("train_accuracy", unfreeze=n)[0]
        val = paper.reported("val_accuracy", unfreeze=n)[0]
        rows.append(_row("the paper", f"n = {n}", "its reshuffle", train.value, val.value, None, None))
        for run in runs:
            if run.unfreeze == n and run.config.faces.extract:
                mean = run.summary["over_epochs"]
                rows.append(
                    _row(
                        f"here, {run.data_name}",
                        f"n = {n}",
                        PROTOCOLS[run.protocol].title,
                        mean["train_accuracy"],
                        mean["val_accuracy"],
                        run.summary["val_accuracy"],
                        run.summary["val_accuracy_interval"],
                    )
                )
    return pd.DataFrame(rows)


def _row(
    who: str,
    n: str,
    protocol: str,
    train: float,
    validation: float,
    last: float | None,
    bounds: list[float] | None,
) -> dict[str, str]:
    return {
        "Setting": n,
        "Whose": who,
        "Protocol": protocol,
        "Training, mean over epochs": percent(train, 2),
        "Validation, mean over epochs": percent(validation, 2),
        "Validation, last epoch": percent(last, 2),
        "95 % interval": interval(bounds),
    }


def _table_3(runs: list[StoredRun]) -> pd.DataFrame:
    rows = []
    for extract, name in ((True, "faces extracted"), (False, "whole frames")):
        train = paper.reported("train_loss", faces=extract)[0]
        val = paper.reported("val_loss", faces=extract)[0]
        rows.append(
            {
                "Input": name,
                "Whose": "the paper",
                "Setting": "not stated",
                "Protocol": "its reshuffle",
                "Training loss": train.value,
                "Validation loss": val.value,
            }
        )
        for run in sorted(runs, key=lambda run: run.unfreeze):
            if run.config.faces.extract == extract:
                mean = run.summary["over_epochs"]
                rows.append(
                    {
                        "Input": name,
                        "Whose": f"here, {run.data_name}",
                        "Setting": f"n = {run.unfreeze}",
                        "Protocol": PROTOCOLS[run.protocol].title,
                        "Training loss": round(mean["train_loss"], 3),
                        "Validation loss": round(mean["val_loss"], 3),
                    }
                )
    return pd.DataFrame(rows)
