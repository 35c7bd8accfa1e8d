"""What a BDNN takes each class to be: its prototypes, and how far images lie from them."""

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from fer_core.config.comparators import BdnnConfig, PixelsConfig
from fer_core.config.run import CLASSES
from fer_core.learning.comparators.fitted import read_folds
from fer_core.learning.reporting import FoldResult
from fer_core.results import charts
from fer_core.results.shares import percent
from fer_core.storage.store import StoredRun
from fer_core.ui.cache import resources
from fer_core.ui.cache.finished_runs import labels
from fer_core.ui.cache.publication import without_pictures
from fer_core.ui.parts import figure
from fer_core.ui.parts.url import one_of

from .pair import crop_grid

SHOWN = 8


def view(runs: list[StoredRun]) -> None:
    """Draw the prototypes of one BDNN run and the distances of held-out images to them."""
    stored = resources.artifacts()
    known = labels(
        [run for run in runs if isinstance(run.config.model, BdnnConfig) and stored.has("runs", run.id)]
    )
    if not known and resources.settings().published:
        st.info(
            f"What a BDNN learned is seen in pictures. {without_pictures()}", icon=":material/psychology:"
        )
        return
    if not known:
        st.info(
            "No BDNN has been run here under these filters. Run the paper's comparison from the view Paper, or "
            "`python -m fer_core train --model bdnn`.",
            icon=":material/psychology:",
        )
        return
    left, right = st.columns([3, 1])
    run = known[left.selectbox("BDNN", **one_of("prototypes", list(known)))]
    folds, names = read_folds(stored.open("runs", run.id))
    single = {f"seed {one.seed}, fold {one.fold + 1}": one for one in folds}
    which = right.selectbox("Fold", **one_of("prototype_fold", ["mean", *single]))
    chosen = [single[which]] if which in single else folds
    prototypes = np.mean([one.prototypes for one in chosen if one.prototypes is not None], axis=0)
    st.subheader("Prototypes")
    st.caption(
        "What the reverse direction gives back for the label of a class alone: the same weights that classify, run "
        "from the classes to the inputs."
    )
    _draw(run, prototypes)
    st.subheader("Distances")
    predictions = resources.finished_predictions(run)
    labels_of = dict(zip(predictions["name"], predictions["label"], strict=True))
    table = held_out_distances(chosen, names, labels_of)
    means = charts.distance_table(_values(table), table["label"].to_numpy())
    figure.figure(resources.chart(charts.distance_map, means), means, "prototype-distances")
    nearest = float((_values(table).argmin(axis=1) == table["label"]).mean())
    st.caption(
        "Mean distance of held-out images of a class to each prototype, in standard deviations of the inputs; the "
        f"nearest prototype is in bold. Answering with the nearest prototype would be right for {percent(nearest)} of "
        f"them, the forward direction is for {percent(run.summary['val_accuracy'])}."
    )
    _extremes(run, table)


def held_out_distances(folds: list[FoldResult], names: list[str], labels_of: dict[str, int]) -> pd.DataFrame:
    """Return a row a held-out image: name, label, and its distance to each class's prototype."""
    parts = []
    for one in folds:
        if one.distances is None:
            continue
        rows = [names[index] for index in one.indices]
        part = pd.DataFrame(one.distances, columns=list(CLASSES))
        parts.append(part.assign(name=rows, label=[labels_of[name] for name in rows], fold=one.fold))
    return pd.concat(parts, ignore_index=True)


def _values(table: pd.DataFrame) -> np.ndarray:
    return table[list(CLASSES)].to_numpy()


def _draw(run: StoredRun, prototypes: np.ndarray) -> None:
    inputs = run.config.model.inputs if isinstance(run.config.model, BdnnConfig) else None
    if isinstance(inputs, PixelsConfig):
        square = prototypes.reshape(-1, inputs.side, inputs.side)
        table = pd.DataFrame(prototypes, index=pd.Index(CLASSES, name="class")).reset_index()
        figure.figure(resources.chart(charts.gray_faces, square), table, "prototypes", key="drawn-prototypes")
        st.caption(
            f"{inputs.side} x {inputs.side} gray values as the reverse direction gives them, cut at black and white."
        )
        return
    table = charts.profile_table(prototypes)
    figure.figure(resources.chart(charts.profiles, table), table, "prototypes", key="drawn-prototypes")


def _extremes(run: StoredRun, table: pd.DataFrame) -> None:
    name = st.pills("Images of", default=CLASSES[0], required=True, **one_of("prototype", CLASSES))
    images = table[table["label"] == CLASSES.index(name or CLASSES[0])]
    if images.empty:
        st.info("No image of this class was held out.", icon=":material/image_not_supported:")
        return
    images = images.assign(distance=images[name]).sort_values("distance")
    shown = min(SHOWN, max(1, len(images) // 2))  # no image on both sides

    def words(row: dict[Hashable, Any]) -> tuple[str, str]:
        return f"{row['distance']:.2f}", f"{name} face, distance {row['distance']:.2f}"

    left, right = st.columns(2, gap="large")
    for column, heading, part in (
        (left, "Nearest to its prototype", images.head(shown)),
        (right, "Farthest from it", images.tail(shown)[::-1]),
    ):
        with column:
            st.markdown(f"**{heading}**")
            if not crop_grid(run, part, words):
                st.dataframe(part[["name", "distance"]], hide_index=True, alt=heading)
