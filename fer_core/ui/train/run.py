"""One run on the Train page, at its own link: from the queue to its figures."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from fer_core.config.run import CLASSES
from fer_core.evaluation.metrics import wilson_intervals
from fer_core.evaluation.metrics.run_summary import SHARES
from fer_core.results import charts
from fer_core.results.rows import title
from fer_core.results.shares import part_words, percent
from fer_core.results.trust import calibration_words, held_out, reliability_tables, shares, symptoms
from fer_core.storage.store import StoredRun
from fer_core.ui.cache import resources
from fer_core.ui.panels import at_work, selection
from fer_core.ui.parts import figure as downloads
from fer_core.ui.parts.url import one_of
from fer_core.ui.parts.widgets import (
    PERCENT,
    age,
    escaped,
    folded,
    generated_note,
    honesty,
    interval,
    protocol_note,
    run_status,
    summary_figures,
)
from fer_core.ui.shell.setup import Lab

from . import about, face_map, frames, queue, share

PARTS = ("Figures", "Frames", "Map")


def heading(lab: Lab) -> str:
    """Return the name of the run or sweep that the URL asks for; '' where it asks for none."""
    if run_id := st.query_params.get("run"):
        return about.name_of(lab, lab.store.run(run_id))
    if sweep := st.query_params.get("sweep"):
        return f"{len(lab.store.sweep(sweep))} runs asked for together"
    return ""


def run_view(lab: Lab, run_id: str) -> None:
    """Draw one run: its progress while it is running, its figures and held-out frames once it is done."""
    run = lab.store.run(run_id)
    called = f"{escaped(queue.plain(run))} · " if run.name else ""
    st.caption(
        f"{called}Run {run.id} on {escaped(run.data_name)} · submitted {age(run.created)}{selection.excluded(lab, run)}"
    )
    about.bar(lab, run)
    generated_note(run.config.data)
    if run.ended:
        _body(lab, run)
    else:
        _live(lab, run_id)


@st.fragment(run_every=1.0)
def _live(lab: Lab, run_id: str) -> None:
    run = lab.store.run(run_id)
    if run.ended:
        st.rerun()
    _body(lab, run)


def _body(lab: Lab, run: StoredRun) -> None:
    run_status(run, lab.store.queue_places([run.id]).get(run.id))
    _buttons(lab, run)
    if not run.ended:
        queue.figures(run, resources.epochs(run))
    if run.config.goal != "train":
        return
    epochs = resources.epochs(run)
    if run.status != "done":
        _symptoms(run, epochs)
        _curves(run, epochs)
    else:
        part = st.segmented_control(
            "Part",
            **one_of("part", PARTS),
            default=PARTS[0],
            required=True,
            label_visibility="collapsed",
            on_change=_leave_frame,
        )
        if part == "Frames" or st.query_params.get("frame"):
            frames.view(lab, run)
        elif part == "Map":
            face_map.view(lab, run)
        else:
            _figures(lab, run, epochs)
        if part != PARTS[0]:
            return
    folded("Log, definition and environment", partial(_log, lab, run), key=f"log-{run.id}")


def _log(lab: Lab, run: StoredRun) -> None:
    log = lab.store.log(run.id)
    st.code("\n".join(log["text"]) or "No lines yet.", language=None)
    st.json(run.config.model_dump(mode="json"), expanded=False)
    st.json(run.environment, expanded=False)


def _leave_frame() -> None:
    st.query_params.pop("frame", None)


def _symptoms(run: StoredRun, epochs: pd.DataFrame) -> None:
    for said in symptoms(run, epochs):
        st.warning(said, icon=":material/troubleshoot:")


def _curves(run: StoredRun, epochs: pd.DataFrame) -> None:
    if not epochs.empty:
        table = epochs.assign(system=title(run))
        figure = resources.chart(charts.learning_curves, table)
        downloads.figure(figure, table, "learning-curves", key=f"curves-{run.id}")


def _figures(lab: Lab, run: StoredRun, epochs: pd.DataFrame) -> None:
    """Draw a finished run's figures; a cell, a class, a movie or a kind of face leads to the frames behind it."""
    protocol_note(run.config.protocol.name)
    share.buttons(lab, run)
    summary_figures(run)
    _symptoms(run, epochs)
    with st.container(key="cards-run"):
        honesty(run)
        with st.container():
            _curves(run, epochs)
        left, right = st.columns(2)
        with left:
            _confusion(run)
        with right:
            st.markdown("**Per class**: a row's name opens its frames")
            _per_class(run.summary, "Figures per class", key=f"classes-{run.id}")
            _cells(run)
        _errors(run)
    two_sets_figures(run)
    folded("Calibration: what a confidence is worth", partial(_calibration, run), key=f"calibration-{run.id}")


def _confusion(run: StoredRun) -> None:
    counts = run.summary["confusion"]
    table = pd.DataFrame(counts, columns=list(CLASSES)).assign(true=CLASSES).set_index("true").reset_index()
    st.markdown("**Confusion**: a cell opens its frames")
    figure = resources.chart(charts.confusion, counts, CLASSES)
    downloads.figure(figure, table, "confusion", key=f"confusion-{run.id}", on_click=_cell)


def _cell(key: str) -> None:
    if points := st.session_state[key].selection.points:
        frames.go(true=[points[0]["y"]], predicted=[points[0]["x"]])


def _buttons(lab: Lab, run: StoredRun) -> None:
    if lab.demo:
        return
    at_work.cancel_button(lab, run)
    if run.status in ("failed", "cancelled") and st.button(
        "Try again", icon=":material/replay:", key=f"retry-{run.id}", help="Continues from its last epoch"
    ):
        at_work.again(lab, run.id)


def two_sets_figures(run: StoredRun) -> None:
    """Show accuracy and classwise figures as the means over both sets; nothing under another protocol."""
    found = run.summary.get("two_sets")
    if found is None:
        return
    st.markdown("**Two-set SPI: the mean of both sets**")
    parts = [f"{one['tested']}: {part_words(one)}, {one['images']} images" for one in found["sets"]]
    st.caption(f"Accuracy {percent(found['accuracy'])}; {'; '.join(parts)}. Each set counts half.")
    _per_class(found, "Classwise figures, the means over both sets")


def _per_class(found: Mapping[str, Any], alt: str, key: str = "") -> None:
    """Draw figures per class; with a key a class opens its frames."""
    table = pd.DataFrame(found["per_class"])
    columns: dict[str, Any] = {"class": "Class", "support": "Images"}
    columns |= {name: st.column_config.NumberColumn(name.capitalize(), format="%.3f") for name in SHARES}
    if key:
        columns["class"] = _opening("Class", key, ({"true": [name]} for name in table["class"]))
    st.dataframe(table, hide_index=True, column_config=columns, alt=alt)


def _calibration(run: StoredRun) -> None:
    """Draw a finished run's reliability diagram, before and after temperatures where some were fitted."""
    table, scaled = reliability_tables(run, resources.finished_predictions(run))
    figure = resources.chart(charts.reliability, table, scaled)
    downloads.figure(figure, lambda: _both(table, scaled), "reliability", key=f"reliability-{run.id}")
    st.caption(
        f"{calibration_words(run)} On the dashed line, of the images given with 70 % seven in ten are right; "
        "below it the model is too sure of itself. Bars: 95 % intervals, over movies or persons where they are "
        "known and enough."
    )
    if run.config.trains_backbone and scaled is None:
        st.caption("To fit one, turn on *Fit a temperature* in the recipe, or train with `--calibrate`.")


def _both(table: pd.DataFrame, scaled: pd.DataFrame | None) -> pd.DataFrame:
    parts = {"as given": table} | ({} if scaled is None else {"with temperatures": scaled})
    return pd.concat([own.assign(probabilities=name) for name, own in parts.items()], ignore_index=True)


#: What answers are gathered by -> the filter of the frames, heading, name of the column.
BY = {
    "group": ("movie", "By movie or person", "Movie or person"),
    "status": ("face", "By what became of the face", "Face"),
}
#: Pixels: with the table above it as high as the heat map; the rest scrolls.
CELLS_HEIGHT = 180


def _opening(title: str, key: str, rows: Iterable[dict[str, list[str]]]) -> Any:
    """Return the configuration of a column whose cells open the frames that their row's filters leave.

    Args:
        key: of the column's clicks.
        rows: what `frames.go` takes, in the table's order.
    """
    clicked = partial(_opened, key, list(rows))
    return st.column_config.ButtonColumn(title, type="tertiary", key=key, alignment="left", on_click=clicked)


def _opened(key: str, rows: list[dict[str, list[str]]]) -> None:
    frames.go(**rows[st.session_state[key].row])


def _cells(run: StoredRun) -> None:
    """Draw the cells of a run's confusion that hold answers, mistakes first: keys reach them, unlike the heat map's."""
    found = [
        (true == said, -count, true, said)
        for true, own in zip(CLASSES, run.summary["confusion"], strict=True)
        for said, count in zip(CLASSES, own, strict=True)
        if count
    ]
    found.sort(key=lambda row: row[:2])
    ways = ({"true": [true], "predicted": [said]} for _, _, true, said in found)
    st.markdown("**What is taken for what**: a row's name opens its frames")
    st.dataframe(
        pd.DataFrame(
            [(f"{true} → {said}", -less) for _, less, true, said in found], columns=["cell", "Answers"]
        ),
        hide_index=True,
        height=CELLS_HEIGHT,
        column_config={"cell": _opening("True → predicted", f"cells-{run.id}", ways)},
        alt=f"Confusion as a list: {len(found)} rows",
    )


def _errors(run: StoredRun) -> None:
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
                    column: _opening(column, f"{by}-{run.id}", ({filtered: [one]} for one in table[by])),
                    "Right": st.column_config.NumberColumn(format=PERCENT),
                    "95 % over images": st.column_config.TextColumn(
                        help="Wilson, as if answers were independent"
                    ),
                },
                alt=f"{heading}: {len(drawn)} rows",
            )
