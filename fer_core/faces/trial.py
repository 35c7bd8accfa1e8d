"""What other detection settings would change: tried on frames before anything is kept."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from operator import call
from typing import Any

import numpy as np
import pandas as pd

from fer_core.config.run import FacesConfig
from fer_core.datasets.base import Sample

from .crops import Chosen, choose, cut, failed, overlaps
from .extraction import Progress, frames
from .finding import find_faces
from .rescue import DetectorOf

#: Below this IoU of the old and the new box a frame counts as cut at another face.
SAME_FACE = 0.5

#: What a trial changes for a frame.
OUTCOMES = ("won", "lost", "another face", "as before")


def pick(table: pd.DataFrame, lost: int, found: int) -> pd.DataFrame:
    """Return up to `lost` readable frames that failed and `found` that were found, evenly spread by name.

    Args:
        table: `Crops.table`.
    """
    readable = table[failed(table) & (table["status"] != "unreadable")]
    return pd.concat([_spread(readable, lost), _spread(table[table["status"] == "found"], found)])


def _spread(table: pd.DataFrame, most: int) -> pd.DataFrame:
    if len(table) <= most:
        return table
    return table.sort_values("name").iloc[np.linspace(0, len(table) - 1, most).round().astype(int)]


def attempt(
    samples: Sequence[Sample],
    before: pd.DataFrame,
    config: FacesConfig,
    detector_of: DetectorOf,
    *,
    progress: Progress | None = None,
    turn: Callable[[], AbstractContextManager[object]] = nullcontext,
    compute: Callable[..., Any] = call,
) -> tuple[pd.DataFrame, np.ndarray]:
    """Detect frames again and compare; hand-drawn boxes play no part.

    Args:
        samples: the data set's.
        before: rows of `Crops.table` of the frames to try.
        detector_of: made with `config`'s settings (`finding.detectors`).
        progress: called with (frames done, frames in all).
        turn, compute: held while a frame is looked at, and who calls what looks, for a device that others use too.

    Returns:
        A row a frame in the samples' order: name, label, before and after (statuses), probability, rescued_by,
        outcome (one of `OUTCOMES`: 'won' is any failure that becomes 'found' or is won back by a second look, 'lost'
        the other way round);
        and the crops (n, size, size, 3) uint8 as they would be. Frames that can't be read any more are left
        out.
    """
    old = before.set_index("name").to_dict("index")
    todo = [sample for sample in samples if sample.name in old]
    rows, crops = [], []
    for done, (sample, frame) in enumerate(frames(todo, ahead=4), start=1):
        if not isinstance(frame, str):
            with turn():
                chosen = choose(compute(find_faces, [frame], config, detector_of)[0], config)
            was = old[sample.name]
            rows.append(
                {
                    "name": sample.name,
                    "label": sample.label,
                    "before": was["status"],
                    "after": chosen.status,
                    "probability": chosen.probability,
                    "rescued_by": chosen.rescued_by,
                    "outcome": _outcome(was["status"], chosen, was["box"]),
                }
            )
            crops.append(cut(frame, chosen, config))
        if progress:
            progress(done, len(todo))
    columns = ["name", "label", "before", "after", "probability", "rescued_by", "outcome"]
    shape = (0, config.size, config.size, 3)
    return pd.DataFrame(rows, columns=columns), np.stack(crops) if crops else np.zeros(shape, np.uint8)


def _outcome(before: str, chosen: Chosen, old: Sequence[float] | None) -> str:
    if before != "found" and (chosen.status == "found" or chosen.rescued_by):
        return "won"
    if before == "found" and chosen.status != "found" and not chosen.rescued_by:
        return "lost"
    if old is not None and chosen.box is not None:
        return (
            "another face"
            if overlaps(np.array([old]), np.array([chosen.box])).item() < SAME_FACE
            else "as before"
        )
    return "as before"
