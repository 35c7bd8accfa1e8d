"""The leak meter: what one model's accuracy becomes the more honestly folds are drawn."""

from functools import lru_cache

import pandas as pd
import streamlit as st

from fer_core.config.run import RunConfig
from fer_core.evaluation.metrics import paired
from fer_core.evaluation.protocols import PROTOCOLS
from fer_core.results import charts
from fer_core.results.rows import title
from fer_core.results.shares import accuracy_interval
from fer_core.results.trust import detector_leak
from fer_core.runs.plans.comparison import leak_meter, leak_protocols
from fer_core.storage.store import StoredRun
from fer_core.ui.cache import resources
from fer_core.ui.cache.finished_runs import Compared
from fer_core.ui.parts import figure
from fer_core.ui.parts.url import one_of
from fer_core.ui.parts.widgets import escaped, percent
from fer_core.ui.shell.setup import Lab

from . import missing_runs


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
    table = pd.DataFrame([_row(one) for one in done])
    figure.figure(resources.chart(charts.protocol_ladder, table), table, "leak-meter")
    st.caption(
        "The same model, recipe and images; only how folds are drawn differs. Open diamonds leak; the dashed "
        "line is chance. Under the reshuffle "
        "the last epoch holds one k-th of the images out, hence its wide interval."
    )
    _words(done, table)
    missing_runs.offer(lab, configs, f"show how {escaped(title(run))} leaks")
    listed = table.assign(accuracy=table["accuracy"].map(percent))
    st.dataframe(
        listed[["title", "accuracy", "interval", "folds", "seeds", "missing", "seen", "group", "why"]],
        hide_index=True,
        column_config={
            "title": "Protocol",
            "accuracy": "Accuracy",
            "interval": "95 % interval",
            "folds": "Folds",
            "seeds": "Seeds",
            "missing": st.column_config.TextColumn("No face", help="Frames used whole for want of a face"),
            "seen": st.column_config.TextColumn(
                "Trained on itself", help="Held-out images that training had seen"
            ),
            "group": st.column_config.TextColumn(
                "Movie in training", help="Held-out images with frames of their movie"
            ),
            "why": "What it measures",
        },
        alt="Accuracy and leakage under each protocol",
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


def _row(run: StoredRun) -> dict[str, object]:
    low, high = run.summary["val_accuracy_interval"]
    protocol, leakage, missing = PROTOCOLS[run.protocol], run.summary["leakage"], run.summary["missing_faces"]
    return {
        "protocol": run.protocol,
        "title": protocol.title,
        "leaks": protocol.leaks,
        "accuracy": run.summary["val_accuracy"],
        "low": low,
        "high": high,
        "interval": accuracy_interval(run.summary),
        "folds": run.summary["folds"],
        "seeds": ", ".join(map(str, run.config.protocol.seeds)),
        "missing": "not looked for" if missing is None else str(missing),
        "seen": percent(leakage["image"]),
        "group": percent(leakage["group"]),
        "why": protocol.why,
    }


def _words(done: list[StoredRun], table: pd.DataFrame) -> None:
    """Say what whole movies held out cost on the same images, and whether that is more than noise."""
    fair = table[~table["leaks"].astype(bool)]
    draw = st.info
    if fair.empty or len(table) < 2:
        other = "by movie" if fair.empty else "with random folds"
        text = f"Run it {other} as well: the gap between both is what the protocols differ by."
    else:
        honest, best = fair.index[0], int(table["accuracy"].to_numpy().argmax())
        fair_one, best_one = (resources.finished_predictions(done[place]) for place in (honest, best))
        gap, images = paired(fair_one, best_one)
        low, high = gap.interval
        name = table["title"][honest].lower()
        more = (
            f"{table['title'][best]} gives {100 * gap.value:.1f} points more than {name} on the {images} images "
            f"held out in both"
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
