"""Where a run errs: by movie or person and by how the face was had, each row leading to the frames behind it."""

from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from fer_core.evaluation.metrics import wilson_intervals
from fer_core.results.trust import held_out, shares
from fer_core.storage.store import StoredRun
from fer_core.ui.cache import resources
from fer_core.ui.parts.widgets import PERCENT, interval

from . import frames

#: What answers are gathered by -> the filter of the frames, heading, name of the column.
BY = {
    "group": ("movie", "By movie or person", "Movie or person"),
    "status": ("face", "By what became of the face", "Face"),
}


def opening(title: str, key: str, filtered: str, values: list[str]) -> Any:
    """Return the configuration of a column whose cells open the frames of their value.

    Args:
        key: of the column's clicks.
        filtered: the filter of `frames` that takes the value.
        values: the column's, in the table's order.
    """
    clicked = partial(_opened, key, filtered, values)
    return st.column_config.ButtonColumn(title, type="tertiary", key=key, alignment="left", on_click=clicked)


def _opened(key: str, filtered: str, values: list[str]) -> None:
    frames.go(**{filtered: [values[st.session_state[key].row]]})


def view(run: StoredRun) -> None:
    """Draw the tables that a finished run has; nothing where neither movies nor faces are known."""
    answers = held_out(resources.finished_predictions(run))
    tables = {by: table for by in BY if not (table := shares(answers, by)).empty}
    for place, (by, table) in zip(st.columns(len(tables) or 1), tables.items(), strict=False):
        filtered, heading, column = BY[by]
        right = table["answers"] - table["wrong"]
        bounds = zip(*wilson_intervals(right, table["answers"]), strict=True)
        drawn = pd.DataFrame(
            {
                column: table[by],
                "Answers": table["answers"],
                "Wrong": table["wrong"],
                "Right": 100 * right / table["answers"],
                "95 % over images": [interval(found) for found in bounds],
            }
        )
        with place:
            st.markdown(f"**{heading}**: a row's name opens its frames")
            st.dataframe(
                drawn,
                hide_index=True,
                column_config={
                    column: opening(column, f"{by}-{run.id}", filtered, list(table[by])),
                    "Right": st.column_config.NumberColumn(format=PERCENT),
                    "95 % over images": st.column_config.TextColumn(
                        help="Wilson, as if answers were independent"
                    ),
                },
                alt=f"{heading}: {len(drawn)} rows",
            )
