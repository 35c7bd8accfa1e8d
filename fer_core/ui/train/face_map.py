"""A run's faces as one of its networks sees them, drawn in two dimensions: like ones lie together."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from fer_core.prediction import limits
from fer_core.results import charts
from fer_core.results.trust import held_out
from fer_core.storage.store import StoredRun
from fer_core.ui.cache import resources
from fer_core.ui.cache.computed import computed
from fer_core.ui.cache.crop_facts import CropFacts
from fer_core.ui.cache.predictors import predictor
from fer_core.ui.cache.publication import without_pictures
from fer_core.ui.parts.gallery import inline
from fer_core.ui.parts.url import one_of, switch
from fer_core.ui.shell.setup import Lab, computing

from . import frames

COLOURS = {
    "true class": "true",
    "predicted class": "said",
    "movie or person": "group",
    "right or wrong": "right",
}
#: Faces drawn at most, each with its picture: what a browser takes in a second.
MOST = 1500


def view(lab: Lab, run: StoredRun) -> None:
    """Draw the map of the held-out frames of one network, and the faces within what is drawn a frame around."""
    if not run.config.trains_backbone or not resources.artifacts().has("runs", run.id):
        st.info("Only a run whose networks are on this machine has a map.", icon=":material/map:")
        return
    facts = resources.crop_facts(run.config)
    if facts is None:
        st.info(without_pictures(), icon=":material/map:")
        return
    answers = held_out(resources.finished_predictions(run))
    networks = sorted(
        {(int(one), int(other)) for one, other in zip(answers["seed"], answers["fold"], strict=True)}
    )
    texts = {f"seed {one}, fold {other}": (one, other) for one, other in networks}
    left, right, last = st.columns([2, 2, 1], vertical_alignment="bottom")
    seed, fold = texts[left.selectbox("Network", **one_of("network", list(texts)))]
    colour = right.selectbox("Colour", **one_of("coloured", list(COLOURS)))
    lasso = last.toggle("Lasso", **switch("lasso"), help="Draw a line around faces, not a frame.")
    own = answers[(answers["seed"] == seed) & (answers["fold"] == fold)]
    key = (run.id, run.attempts, seed, fold)
    made = partial(_places, run, seed, fold, list(own["name"]), facts)
    with st.spinner("Taking the faces through the network ...", show_time=True):
        places, share = computed("face map", 16).get(key, made, partial(computing, lab))
    table = own.merge(places, on="name").assign(right=lambda rows: np.where(rows["right"], "right", "wrong"))
    inside = _lassoed(table, COLOURS[colour], run.id) if lasso else _framed(table, COLOURS[colour], run.id)
    way = "a line around some" if lasso else "a frame around some, or point at one to see its face"
    st.caption(
        f"{len(table)} frames that this network held out, by what enters its head; the first two principal components "
        f"hold {100 * share:.0f} % of the spread, so near here is not always near there. Draw {way}: what lies within "
        "stands below."
    )
    if inside.any():
        bar = st.container(horizontal=True, vertical_alignment="center")
        frames.listed(lab, run, own[own["name"].isin(table["name"][inside])], bar)


def _framed(table: pd.DataFrame, by: str, run: str) -> pd.Series:
    """Draw the map with a picture where one points; return which rows a drawn frame holds."""
    drawn: Any = charts.face_map(table, by)
    event = st.altair_chart(drawn, key=f"map-{run}", on_select="rerun", alt=charts.describe(drawn))
    within = event.selection.get("around") or {}
    if not (within.get("x") and within.get("y")):
        return pd.Series(False, table.index)
    return table["x"].between(*within["x"]) & table["y"].between(*within["y"])


def _lassoed(table: pd.DataFrame, by: str, run: str) -> pd.Series:
    """Draw the map for a lasso, which Vega-Lite lacks; return which rows a drawn line holds."""
    drawn = charts.face_lasso(table, by)
    event: Any = st.plotly_chart(
        drawn,
        key=f"lasso-{run}",
        on_select="rerun",
        selection_mode="lasso",
        config={"displaylogo": False},
        alt=charts.describe(drawn),
    )
    return table["name"].isin([point["customdata"][0] for point in event.selection.points])


def _places(
    run: StoredRun, seed: int, fold: int, names: list[str], facts: CropFacts
) -> tuple[pd.DataFrame, float]:
    """Return name, x, y and picture (a data URL) of some of a run's faces, and the share of the spread in x and y."""
    from sklearn.decomposition import PCA

    whole: Any = predictor(run)
    bank = limits.compute(whole.bank)
    number = [(one.seed, one.fold) for one in whole.trained].index((seed, fold))
    pca = PCA(2, random_state=0)
    points = pca.fit_transform(bank.features[number])
    table = pd.DataFrame({"name": bank.crops.used()["name"], "x": points[:, 0], "y": points[:, 1]})
    table = table[table["name"].isin(names)]
    table = table.sample(min(MOST, len(table)), random_state=0)
    return table.assign(image=[inline(facts.jpeg(row)) for row in table.index]), float(
        pca.explained_variance_ratio_.sum()
    )
