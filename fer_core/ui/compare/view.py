"""The Compare page's first parts: filters, all runs with their intervals, learning curves."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from fer_core.config.comparators import BdnnConfig
from fer_core.config.run import CLASSES
from fer_core.evaluation.protocols import PROTOCOLS
from fer_core.results import charts
from fer_core.results.ranking import opening
from fer_core.results.rows import honest, run_table
from fer_core.results.rows import names as apart
from fer_core.storage.store import StoredRun
from fer_core.ui.cache import resources
from fer_core.ui.cache.finished_runs import Compared, label
from fer_core.ui.parts import figure
from fer_core.ui.parts.url import one_of, page
from fer_core.ui.parts.widgets import escaped, runs_dataframe

COLUMNS = (
    *("link", "title", "protocol", "folds", "seeds", "val", "interval", "over", "training"),
    *("macro_f1", "images", "missing_faces", "trainable", "seconds"),
)
#: Runs drawn at a time.
PER_PAGE = 40
#: In a heading, so that none is distinguished by half of it.
FOLDS = "\N{NO-BREAK SPACE}folds"
ORDERS = ("validation accuracy", "newest first", "system")


def filters(known: Compared) -> list[StoredRun]:
    """Draw the filters and return the runs that pass; their values are in the URL."""
    left, middle, right = st.columns([3, 3, 2])
    systems = left.multiselect("System", **one_of("system", sorted(set(known.families.values()))))
    names = sorted({run.protocol for run in known.runs})
    meanings = (f"{name}: {one.title}{' (leaks)' if one.leaks else ''}" for name, one in PROTOCOLS.items())
    protocols = middle.multiselect("Protocol", **one_of("protocols", names), help="; ".join(meanings))
    order = right.selectbox("Order", **one_of("sort", ORDERS))
    runs = [run for run in known.runs if not protocols or run.protocol in protocols]
    runs = [run for run in runs if not systems or known.families[run.id] in systems]
    if order == ORDERS[0]:
        runs.sort(key=lambda run: -run.summary["val_accuracy"])
    elif order == ORDERS[2]:
        titles = dict(zip(known.table.index, known.table["title"], strict=True))
        runs.sort(key=lambda run: (titles[run.id], run.protocol))
    return runs


def table(known: Compared, runs: list[StoredRun]) -> None:
    """Draw what follows from the runs, then those that nothing flatters, then, apart, those that leak."""
    if said := resources.of_trained(_said, known, tuple(run.id for run in runs)):
        st.markdown(" ".join([f"**{escaped(said[0])}**", *map(escaped, said[1:])]))
    fair = [run for run in runs if honest(run)]
    leaking = [run for run in runs if not honest(run)]
    bounds = [
        end for run in runs for end in (run.summary["val_accuracy"], *run.summary["val_accuracy_interval"])
    ]
    upto = 1.05 * max(end for end in bounds if end is not None and end == end)
    if fair:
        _section(known, fair, "runs", upto)
    if leaking:
        left_out = any(run.config.data.excluded for run in leaking)
        st.subheader("Optimistic: these leak" + " or leave frames out" * left_out)
        _section(known, leaking, "leaking", upto)
    st.caption(
        "Accuracy on held-out images at the reported epoch, with 95 % intervals: over movies or persons where they are "
        "known, since frames of one resemble each other, else over images (Wilson); with too few movies none is "
        f"drawn. The dashed line is chance (1/{len(CLASSES)}). Colour and shape tell the system; open marks leak. "
        "An SVM has no count of trained parameters."
    )


def _said(known: Compared, ids: tuple[str, ...]) -> list[str]:
    return opening([known.by_id[run_id] for run_id in ids], resources.finished_predictions)


def _section(known: Compared, runs: list[StoredRun], key: str, upto: float) -> None:
    """Draw runs as a table and, so many at a time, as dots with intervals; the CSV has all of them."""
    listed = known.rows(runs)
    runs_dataframe(listed, columns=COLUMNS, key=key)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        drawn_below = page(len(runs), PER_PAGE, f"{key}_page")
        rows = listed.iloc[drawn_below]
        if len(rows) < len(runs):
            first = drawn_below.start + 1
            st.caption(
                f"Drawn below: {first} to {first + len(rows) - 1} of {len(runs):,} runs", width="content"
            )
    folds = ", k\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}" + rows["folds"].astype(int).astype(str)
    fixed = rows["protocol"].isin(["reshuffle", "spi", "fixed", "unseen"])
    ways = rows["protocol"].where(fixed, rows["protocol"] + folds)
    under = ways.iloc[0] if ways.nunique() == 1 else ""  # what all have alike is said once
    named = rows["title"] if under else rows["title"] + " · " + ways
    drawn = intervals(rows, named.to_numpy()).assign(leaks=key == "leaking")
    chart = resources.chart(charts.accuracy_intervals, drawn, upto, under)
    figure.figure(chart, lambda: run_table(runs), f"all-{key}")


def intervals(rows: pd.DataFrame, names: Sequence[str] | np.ndarray) -> pd.DataFrame:
    """Return rows of `Compared.rows`, called by `names`, as `charts.accuracy_intervals` draws them."""
    kept = rows[["title", "val_accuracy", "protocol", "leaks", "low", "high", "folds", "images"]]
    kept = kept.rename(columns={"title": "system", "val_accuracy": "accuracy"})
    return kept.assign(label=names, seeds=rows["seeds"].map(len))


def curves(compared: Compared, runs: list[StoredRun]) -> None:
    """Draw learning curves of up to six runs (the paper's figure 4), and the BDNN's two losses (figure 5)."""
    known = compared.named([run for run in runs if run.config.epochs > 1])
    names = {run.id: name for name, run in known.items()}
    deep = sorted(
        (run for run in runs if run.unfreeze and run.config.faces.extract),
        key=lambda run: (run.protocol != "group", run.unfreeze),
    )
    usual = [names[run.id] for run in deep[:3]]
    chosen = st.multiselect("Runs", default=usual, max_selections=6, **one_of("curves", list(known)))
    picked = [known[name] for name in chosen]
    alike = len({run.config.protocol for run in picked}) == 1
    titles = apart(picked)
    st.subheader("Learning curves")
    if picked:
        epochs = pd.concat(
            [
                resources.epochs(run).assign(
                    system=titles[run.id] if alike else label(run, titles[run.id]).replace(" folds", FOLDS)
                )
                for run in picked
            ]
        )
        with st.container(key=f"panels-{len(picked)}"):
            figure.figure(resources.chart(charts.learning_curves, epochs), epochs, "learning-curves")
        under = f"Under {PROTOCOLS[picked[0].protocol].title.lower()}. " if alike else ""
        st.caption(
            f"As the paper's figure 4. {under}Thin lines are folds, the thick line their mean. "
            "A network's training accuracy here is the running mean over the epoch's draws, in train mode."
        )
    else:
        st.info(
            "Choose a run that was trained in epochs; an SVM is fitted at once.", icon=":material/touch_app:"
        )
    both = [run for run in runs if isinstance(run.config.model, BdnnConfig)]
    if not both:
        return
    st.subheader("Both directions of the BDNN")
    bdnns = compared.named(both)
    bdnn = bdnns[st.selectbox("BDNN", **one_of("bdnn", list(bdnns)))]
    losses = charts.direction_losses(resources.epochs(bdnn))
    figure.figure(resources.chart(charts.two_directions, losses), losses, "bdnn-losses")
    st.caption(
        "As the paper's figure 5: one set of weights, forward to the classes and in reverse to the inputs. The reverse "
        "error is in standard units; 1 is what always giving back the mean reaches. Bands span the folds."
    )
