"""How a data set was read: what each label was taken for, with pictures, so that a wrong map is seen at a glance."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import cycle

import numpy as np
import pandas as pd
import streamlit as st

from fer_core.config.run import CLASSES
from fer_core.datasets.base import Dataset
from fer_core.datasets.understood import Understood
from fer_core.results import charts
from fer_core.ui.cache import resources
from fer_core.ui.parts import figure

TITLES = {"written": "As written", "meaning": "Class", "images": "Images", "sample": "For example"}


def pictures(found: Understood, samples: Mapping[tuple[str, str], Sequence[np.ndarray]]) -> None:
    """Draw a few pictures of each class as it is written, side by side, with the count under them."""
    counts = {(one.meaning, one.written): one.images for one in found.labels}
    with st.container(key="reading"):
        columns = cycle(st.columns(4))
    for (meaning, written), shown in samples.items():
        if shown:
            label = meaning if written in ("", meaning) else f"{written} = {meaning}"
            caption = f"{label}: {counts[meaning, written]:,}"
            picture, width = np.hstack(shown), 60 * len(shown)
            next(columns).image(picture, caption=caption, width=width, alt=f"Images of {caption}")


def classes(dataset: Dataset) -> None:
    """Draw the images per class, by split where the data set has one, else by movie."""
    splits = {split for _, split, _ in dataset.tally} - {None}
    counts: Counter[tuple[str, str]] = Counter()
    for (label, split, group), images in dataset.tally.items():
        counts[CLASSES[label], (split or "no split") if splits else (group or "unknown")] += images
    table = pd.DataFrame(
        [{"class": name, "part": part, "images": images} for (name, part), images in counts.items()]
    )
    groups = any(group for _, _, group in dataset.tally)
    by = " and split" if splits else " and movie or person" if groups else ""
    st.markdown(f"**Images per class{by}**")
    figure.figure(resources.chart(charts.class_bars, table), table, "images-per-class")


def table(found: Understood) -> None:
    """Draw each label as it is written with its class, count and an image's name."""
    labels = pd.DataFrame([asdict(one) for one in found.labels], columns=list(TITLES))
    st.dataframe(labels.rename(columns=TITLES), hide_index=True, alt="What each label was taken for")


def words(found: Understood) -> None:
    """Draw what else was understood: layout, map, splits, groups, remarks, what is left out."""
    said = [line for line in found.lines() if not line.startswith("  ")]
    st.code("\n".join(said), language=None, wrap_lines=True)
