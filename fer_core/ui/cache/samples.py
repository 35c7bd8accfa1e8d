"""A data set as it would be read, before it is opened; and small pictures of its images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image, ImageOps

from fer_core.config.reading import Reading
from fer_core.config.run import CLASSES, parse
from fer_core.datasets.base import Dataset
from fer_core.datasets.images import decode
from fer_core.datasets.understood import Understood, understood
from fer_core.errors import DataError

from .resources import as_declared

#: Pixels of a small picture's side, and of what it is made from.
SIDE, MOST_SEEN = 96, 400_000

#: Pictures of a class as it is written, and the most of such classes.
SAMPLES, MOST_SPELLINGS = 4, 24


@st.cache_resource(ttl=60, max_entries=4, show_spinner="Reading the data set ...")
def draft(source: str, layout: str, declared: tuple[tuple[str, str], ...]) -> tuple[Dataset, Understood]:
    """Open a data set to look at how it would be read, with what was understood. Raises DataError.

    Args:
        declared: fields of `Reading` and their values.
    """
    found = as_declared(source, layout, parse(Reading, dict(declared)))
    return found, understood(found)


@st.cache_resource(ttl=60, max_entries=8, show_spinner=False)
def class_samples(_dataset: Dataset, *key: str) -> dict[tuple[str, str], list[np.ndarray]]:
    """Return a few small square pictures of each class as it is written, (SIDE, SIDE, 3) uint8; those that can be read.

    Args:
        key: what decides them.

    Returns:
        The pictures by class and spelling, in the order of `Understood.labels`.
    """
    places: dict[tuple[str, str], list[Path]] = {}
    for one in sorted(_dataset.samples, key=lambda one: (one.label, one.written)):
        places.setdefault((CLASSES[one.label], one.written), []).append(one.path)
    return {
        label: [found for path in spread(paths) if (found := thumbnail(path)) is not None]
        for label, paths in list(places.items())[:MOST_SPELLINGS]
    }


def spread(paths: Sequence[Path]) -> Sequence[Path]:
    """Return a few of many, from all over."""
    return paths[:: max(1, len(paths) // SAMPLES)][:SAMPLES]


def thumbnail(path: Path) -> np.ndarray | None:
    """Return the middle of a picture as (SIDE, SIDE, 3) uint8, None where it can't be read."""
    try:
        image = Image.fromarray(decode(path, most=MOST_SEEN).pixels)
    except DataError:
        return None
    return np.asarray(ImageOps.fit(image, (SIDE, SIDE)))
