"""The leak meter: what one model's accuracy becomes the more honestly folds are drawn."""

from functools import lru_cache

import numpy as np
import pandas as pd
import streamlit as st

from fer_core.config.run import RunConfig
from fer_core.evaluation.metrics import paired
from fer_core.evaluation.protocols import PROTOCOLS
from fer_core.results import charts
from fer_core.results.rows import title
from fer_core.results.shares import percent
from fer_core.results.trust import detector_leak
from fer_core.runs.plans.comparison import leak_meter, leak_protocols
from fer_core.storage.store import StoredRun
from fer_core.ui.cache import resources
from fer_core.ui.cache.finished_runs import Compared
from fer_core.ui.parts import figure
from fer_core.ui.parts.url import one_of
from fer_core.ui.parts.widgets import escaped, runs_dataframe
from fer_core.ui.shell.setup import Lab

from . import missing_runs
from .view import intervals


def view(lab: Lab, compared: Compared) -> None:
    """Draw one model under the reshuffle, random folds, by clip and by movie, and queue what is missing."""
    fingerprint = resources.data_config(lab.source).fingerprint
    named = resources.of_trained(models, compared, lab.source, fingerprint)
    if not named:
        st.info(
            "No run here was trained under one of the meter's protocols; a data set's own split is not one of them.",
            icon=":material/water_drop:",
        )
        return
    run, protocols = named[st.selectbox("Model", **one_of("model", list(named)))]
    configs = {config.key(): config for config in leak_meter(run.config, protocols)}
    done = [compared.by_id[run_id] for run_id in configs if run_id in compared.by_id]
    rows = compared.rows(done)
    drawn = intervals(rows, [PROTOCOLS[one.protocol].title for one in done])
    figure.figure(resources.chart(charts.accuracy_intervals, drawn), drawn, "leak-meter")
    st.caption(
        "The same model, recipe and images; only how folds are drawn differs. Open marks leak; the dashed "
        "line is chance. Under the reshuffle "
        "the last epoch holds one k-th of the images out, hence its wide interval."
    )
    _words(done, drawn)
    missing_runs.offer(lab, configs, f"show how {escaped(title(run))} leaks")
    leakage = [one.summary["leakage"] for one in done]
    runs_dataframe(
        rows.assign(
            image=[percent(one["image"]) for one in leakage],
            group=[percent(one["group"]) for one in leakage],
            why=[PROTOCOLS[one.protocol].why for one in done],
        ),
        columns=("link", "protocol", "val", "interval", "over", "folds", "seeds", "missing_faces"),
        key="leaks",
        image=st.column_config.TextColumn("Trained on itself", help="Held-out images that training had seen"),
        group=st.column_config.TextColumn(
            "Movie in training", help="Held-out images with frames of their movie"
        ),
        why="What it measures",
    )
    if done and "detector_data" in done[0].summary:
        shares = "; ".join(f"{PROTOCOLS[one.protocol].title}: {detector_leak(one.summary)}" for one in done)
        st.warning(
            "**The face detector was fine-tuned.** Held-out images of movies or persons that it was trained on have "
            f"their faces found better than unseen ones would. {escaped(shares)}.",
            icon=":material/water_drop:",
        )


def models(compared: Compared, source: str, fingerprint: str) -> dict[str, tuple[StoredRun, tuple[str, ...]]]:
    """Return, by name, one run of each model and the protocols of its meter; those measured under most come first.

    `fingerprint` renews them when the data set changes.
    """
    runs = [
        run
        for run in compared.runs
        if not (run.config.model.kind in ("recogniser", "vote") or run.config.data.excluded)
    ]
    dataset = resources.dataset(source)
    protocols = {
        folds: leak_protocols(dataset, folds) for folds in {run.config.protocol.folds for run in runs}
    }
    # Runs that differ in the protocol alone share their meter: under one and the same they would be one run.
    meters: dict[str, list[StoredRun]] = {}
    for run in runs:
        names = protocols[run.config.protocol.folds]
        meters.setdefault(_meter(run.config, names[-1]), []).append(run)

    def measured(runs: list[StoredRun]) -> int:
        return sum(run.protocol in protocols[run.config.protocol.folds] for run in runs)

    named: dict[str, StoredRun] = {}
    for key, alike in sorted(meters.items(), key=lambda item: -measured(item[1])):
        if measured(alike):
            name = f"{title(alike[0])} · k = {alike[0].config.protocol.folds}"
            named[f"{name} ({key[:8]})" if name in named else name] = alike[0]
    return {name: (run, protocols[run.config.protocol.folds]) for name, run in named.items()}


@lru_cache(maxsize=4096)  # as many as are compared, and again
def _meter(config: RunConfig, protocol: str) -> str:
    """Return the key that a run has under a protocol of the meter: one for all that differ in the protocol alone."""
    return leak_meter(config, [protocol])[0].key()


def _words(done: list[StoredRun], table: pd.DataFrame) -> None:
    """Say what whole movies held out cost on the same images, and whether that is more than noise."""
    fair = np.flatnonzero(~table["leaks"])
    draw = st.info
    if not len(fair) or len(table) < 2:
        other = "by movie" if not len(fair) else "with random folds"
        text = f"Run it {other} as well: the gap between both is what the protocols differ by."
    else:
        names, honest, best = list(table["label"]), fair[0], int(table["accuracy"].to_numpy().argmax())
        fair_one, best_one = (resources.finished_predictions(done[place]) for place in (honest, best))
        gap, images = paired(fair_one, best_one)
        low, high = gap.interval
        more = (
            f"{names[best]} gives {100 * gap.value:.1f} points more than {names[honest].lower()} on the "
            f"{images} images held out in both"
        )
        if best == honest or gap.value <= 0:
            text = "No protocol gives more than whole movies held out: no leak shows here."
        elif not low > 0:
            text = f"{more}; {'noise can explain that' if low == low else gap.over}."
        else:
            draw = st.warning
            text = (
                f"**{more}** (95 % from {100 * low:.1f} to {100 * high:.1f}, over {gap.over}). Model, recipe and "
                "images are the same; which movies, shots and images were trained on differs. That movies are "
                "recognised is the likely reason; it is not shown here."
            )
    draw(text, icon=":material/water_drop:")
