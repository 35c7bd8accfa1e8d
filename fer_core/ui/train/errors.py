"""Where a run errs: by class, movie or person and how the face was had, each row leading to the frames behind it."""

from collections.abc import Iterable
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from fer_core.config.run import CLASSES
from fer_core.evaluation.metrics import wilson_intervals
from fer_core.results.held_out import held_out, shares
from fer_core.storage.store import StoredRun
from fer_core.ui.cache import resources
from fer_core.ui.parts.widgets import PERCENT, interval

from . import frames

#: What answers are gathered by -> the filter of the frames, heading, name of the column.
BY = {
    "group": ("movie", "By movie or person", "Movie or person"),
    "status": ("face", "By what became of the face", "Face"),
}

#: Pixels: with the table above it as high as the heat map; the rest scrolls.
CELLS_HEIGHT = 180


def opening(title: str, key: str, rows: Iterable[dict[str, list[str]]]) -> Any:
    """Return the configuration of a column whose cells open the frames that their row's filters leave.

    Args:
        key: of the column's clicks.
        rows: what `frames.go` takes, in the table's order.
    """
    clicked = partial(_opened, key, list(rows))
    return st.column_config.ButtonColumn(title, type="tertiary", key=key, alignment="left", on_click=clicked)


def _opened(key: str, rows: list[dict[str, list[str]]]) -> None:
    frames.go(**rows[st.session_state[key].row])


def cells(run: StoredRun) -> None:
    """Draw the cells of a finished run's confusion that are not empty, the most frequent mistakes first.

    Unlike those of the heat map they are reached, and read, without a mouse.
    """
    rows = [
        (true, said, count)
        for true, own in zip(CLASSES, run.summary["confusion"], strict=True)
        for said, count in zip(CLASSES, own, strict=True)
        if count
    ]
    found = pd.DataFrame(rows, columns=["true", "said", "answers"])
    found["right"] = found["true"] == found["said"]
    found = found.sort_values(["right", "answers"], ascending=[True, False], kind="stable")
    ways = (
        {"true": [true], "predicted": [said]} for true, said in zip(found["true"], found["said"], strict=True)
    )
    st.markdown("**What is taken for what**: a row's name opens its frames")
    st.dataframe(
        pd.DataFrame({"cell": found["true"] + " → " + found["said"], "Answers": found["answers"]}),
        hide_index=True,
        height=CELLS_HEIGHT,
        column_config={"cell": opening("True → predicted", f"cells-{run.id}", ways)},
        alt=f"Confusion as a list: {len(found)} rows",
    )


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
                "95 %": [interval(found) for found in bounds],
            }
        )
        with place:
            st.markdown(f"**{heading}**: a row's name opens its frames")
            st.dataframe(
                drawn,
                hide_index=True,
                column_config={
                    column: opening(column, f"{by}-{run.id}", ({filtered: [one]} for one in table[by])),
                    "Right": st.column_config.NumberColumn(format=PERCENT),
                    "95 %": st.column_config.TextColumn(help="Wilson, as if answers were independent"),
                },
                alt=f"{heading}: {len(drawn)} rows",
            )
