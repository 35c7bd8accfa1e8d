"""The Faces page's parts: counts, the gallery, one frame close up, starting a detection."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from fer_core.config.run import CLASSES, RunConfig
from fer_core.faces.crops import FAILED, STATUSES, Faces
from fer_core.faces.explanation import Cause, cause
from fer_core.faces.mtcnn.trace import Trace
from fer_core.faces.rescue import POLICIES
from fer_core.results import charts
from fer_core.results.shares import KINDS, at_most, face_shares
from fer_core.ui.cache import resources
from fer_core.ui.cache.crop_facts import CropFacts
from fer_core.ui.panels import at_work, selection, trace
from fer_core.ui.parts import figure
from fer_core.ui.parts.gallery import PAGE_SIZE, Tile, encode
from fer_core.ui.parts.url import links_here, page
from fer_core.ui.parts.widgets import PERCENT, escaped, runs_dataframe
from fer_core.ui.shell.setup import Lab, computing, errors_shown

from . import boxes as boxes_view
from . import trial
from .filters import Answers

VIEWS = {"all": "All frames", "failed": "Failed detections"}

STATUS_HELP = {
    "found": "one face, or one that stands out",
    "several": "two or more sure faces: the choice may be wrong",
    "low-confidence": "the chosen face is below the trusted probability",
    "none": "no face: the whole frame is used, as in the paper",
    "manual": "cut at a hand-drawn box",
    "unreadable": "the file can't be decoded",
}


def detection(lab: Lab, config: RunConfig) -> None:
    """Offer to detect with these settings, and show the progress while it runs."""
    runs = lab.store.runs(ids=[config.key()])
    state = at_work.state(lab, runs[0]) if runs else ""
    with st.container(border=True):
        what = "have not been" if state in ("", "failed", "cancelled", "done") else "are being"
        st.markdown(f"#### Faces {what} looked for with these settings")
        st.write(
            f"MTCNN goes through the {config.data.images:,} frames of **{escaped(lab.dataset.name)}**; the frames, "
            "faces and failures then show here. It continues when you close this tab."
        )
        if lab.demo:
            st.caption(f"{lab.closed}: starting a detection is off.")
        elif state not in ("queued", "running"):
            if state == "interrupted":
                st.warning("The worker has ended; what it has found is kept.", icon=":material/power_off:")
            title = "Continue" if state == "interrupted" else "Detect faces"
            if st.button(title, type="primary", icon=":material/frame_person:"):
                at_work.start(lab, [config])
                st.rerun()
        if state:
            at_work.watched(lab, config.key(), state)


def counts(facts: CropFacts, *, brief: bool = False) -> None:
    """Draw the number of frames per status, on one line when `brief`."""
    if brief:
        parts = (f"{status} **{count}**" for status, count in facts.statuses.items())
        st.caption(f"{len(facts.crops.table):,} frames: " + " · ".join(parts))
        return
    with st.container(horizontal=True, key="statuses"):
        for status in STATUSES:
            st.metric(status.capitalize(), facts.statuses.get(status, 0), help=STATUS_HELP[status], width=128)
    if facts.rescued:
        parts = (f"**{count}** by “{POLICIES[name].title}”" for name, count in facts.rescued.items())
        st.caption("Found on a second look: " + ", ".join(parts))


def gallery(lab: Lab, table: pd.DataFrame, facts: CropFacts, answers: Answers) -> None:
    """Draw one page of crops, with what a run said of each: a click opens a frame, ticks select several."""
    if table.empty:
        st.info("No frame passes these filters.", icon=":material/filter_alt_off:")
        return
    chosen = table.iloc[page(len(table), PAGE_SIZE)]
    link = links_here("faces", "frame")
    notes: dict[str, str] = {}
    if facts.statuses.get("manual"):
        drawn = lab.store.manual_boxes(resources.data_config(lab.source).fingerprint)
        notes = dict(zip(drawn["name"], drawn["note"], strict=True))
    rows = chosen.to_dict("records")
    tiles = {
        row["name"]: _tile(row, facts, link, notes.get(row["name"], ""), answers.get(row["name"]))
        for row in rows
    }
    place = st.container()
    selection.grid(tiles)
    with place:
        selection.bar(lab, facts)
    st.caption(
        f"{len(chosen)} of {len(table):,} frames. Choose one to see why it is cut where it is; tick several, with "
        "Shift all between two."
    )


def _tile(row: dict, facts: CropFacts, link: Callable[[str], str], said: str, answer: dict | None) -> Tile:
    label = CLASSES[row["label"]]
    if answer:
        label = f"✓ {label}" if answer["right"] else f"✗ {label} → {answer['said']}"
    status = row["status"]
    note = status if row["probability"] != row["probability"] else f"{status} {row['probability']:.2f}"
    if isinstance(row["rescued_by"], str):
        note += f", {POLICIES[row['rescued_by']].title}"
    return Tile(
        facts.picture(row["name"]) or _blank(),
        label,
        note,
        f"{label}: {row['name']} ({note}){said and f' “{said}”'}",
        link(row["name"]),
    )


@cache
def _blank() -> bytes:
    return encode(np.full((160, 160, 3), 128, np.uint8))


def frame(lab: Lab, config: RunConfig, known: CropFacts, name: str) -> None:
    """Draw one frame close up: one picture with what may lie over it, and beside it what became of the frame."""
    row = known.row(name)
    selection.looked_at(name)
    _steps(known, name, bench=config.faces.extract)
    if row is None:
        st.warning(f"The data set has no frame named {escaped(repr(name))}.", icon=":material/search_off:")
    elif row["status"] == "unreadable":
        st.error(escaped(row["reason"]), icon=":material/broken_image:")
        _facts(known, row)
    else:
        with st.container(key="close-up"):
            if config.faces.extract and trial.is_open():
                trial.bench(lab, config, known.crops, row)
            else:
                _close_up(lab, config, known, row)


@st.fragment
@errors_shown("Faces")
def _close_up(lab: Lab, config: RunConfig, known: CropFacts, row: Mapping) -> None:
    """Draw the frame with the chosen overlay on the left; on the right why, what to do, the crop and the facts."""
    name = row["name"]
    left, right = st.columns([3, 2], gap="medium")
    editable = boxes_view.editable(lab, config)
    options = (*(("Draw",) if editable else ()), "Faces", *trace.NETS, "Pyramid")
    with left:
        options = options if config.faces.extract else options[: len(options) - len(trace.NETS) - 1]
        stage = trace.control(name, options, "Draw" if boxes_view.stands_in(lab, config, row) else "Faces")
    lost = row["status"] in FAILED and config.faces.extract
    seen = None
    if lost or stage not in ("Draw", "Faces"):
        key = lab.source, config.data.fingerprint, name, trace.first_look(config.faces)
        seen = resources.trace(*key, partial(computing, lab))
    with right:
        st.markdown(f"**{CLASSES[row['label']]}** · {row['status']}", help=STATUS_HELP.get(row["status"]))
        st.markdown(" ".join(trace.afterwards(config.faces, row)))
        if seen is not None:
            if row["status"] == "none":
                found = _cause(lab, config, name, seen)
                st.markdown(f"**{found.why}** {found.helps}")
            with st.expander("What the nets said", key=f"why-{name}"):
                st.markdown(trace.said(seen, config.faces, int(min(row["width"], row["height"])), row))
    if stage == "Draw" or not editable:
        boxes_view.editor(lab, config, row, left, right)
    if seen is not None and stage != "Draw":
        image = resources.frame_array(lab.source, name)
        faces = resources.detections(config.detections_key()).get(name)
        trace.show(stage, seen, image, row, faces, left, right, key)
    elif stage != "Draw":
        keys = (lab.source, config.crops_key(), config.detections_key(), name)
        left.image(
            resources.picture(
                lambda: _annotated(lab.source, config.detections_key(), row), "annotated", *keys
            ),
            alt=f"Frame {name} with {row['faces']} faces boxed",
            width="stretch",
        )
    with right:
        _facts(known, row)


def _cause(lab: Lab, config: RunConfig, name: str, seen: Trace) -> Cause:
    """Return why no face was found in a frame, from its measures and a look at it enlarged."""
    larger = trace.first_look(config.faces).model_copy(update={"rescue": ("upscale",)})
    turn = partial(computing, lab, 0)
    again = resources.second_look(lab.source, config.data.fingerprint, name, larger, turn)
    side = None if again is None else float(np.diff(again.boxes[again.probabilities.argmax()][[0, 2]])[0])
    image = resources.frame_array(lab.source, name)
    return cause(image, len(seen.pnet.boxes), side, config.faces.min_face_size)


def _facts(known: CropFacts, row: Mapping) -> None:
    """Draw the crop and what is known of a frame, side by side."""
    crop, words = st.columns([2, 3])
    if row["row"] >= 0:
        crop.image(known.jpeg(row["row"]), caption="What the network sees", alt=f"Crop of {row['name']}")
    facts = {"Faces": row["faces"], "Movie or person": row["group"] or "–", "Split": row["split"] or "–"}
    if row["probability"] == row["probability"] and row["probability"] is not None:
        facts["Probability"] = f"{row['probability']:.3f}"
    if isinstance(row["rescued_by"], str):
        facts["Second look"] = POLICIES[row["rescued_by"]].title
    if row["box"]:
        facts["Box"] = ", ".join(f"{value:.0f}" for value in row["box"])
    words.markdown("  \n".join(f"{what}: **{escaped(value)}**" for what, value in facts.items()))
    st.caption(escaped(row["name"]))


def _steps(known: CropFacts, name: str, *, bench: bool) -> None:
    """Draw the ways out of a frame: to the gallery, the frames before and after it by name, the next to look at.

    Those are the selected ones, else those that failed.
    """
    picked = sorted(selection.picked())
    wanted = picked or known.failed_names
    first = next((other for other in wanted if other != name), None)
    later = next((other for other in wanted if other > name), first)
    what = f"{len(picked)} frames are selected" if picked else f"{len(wanted)} rest on no trustworthy face"
    label = f"Next {'selected' if picked else 'failed'} frame"
    with st.container(horizontal=True):
        selection.steps(known.names, name, (label, "skip_next", later, "N", what))
        if bench:
            st.button(
                "Close the bench" if trial.is_open() else "Try other settings",
                icon=":material/tune:",
                shortcut="T",
                on_click=trial.switch,
                help="Sliders beside the frame; nothing is kept before you say so",
            )


def _annotated(source: str, detections_key: str, row: Mapping) -> bytes:
    """Return the frame with every face outlined, as JPEG."""
    faces = resources.detections(detections_key).get(row["name"], Faces.unreadable(""))
    return trace.outlined(resources.frame_array(source, row["name"]), faces, row["status"], row["box"])


def failure_shares(facts: CropFacts) -> None:
    """Draw what became of the frames per class, and the share that failed per movie with its interval."""
    with st.container():
        st.markdown("**What became of the frames, per class**")
        with st.container(key="shares"):
            figure.figure(
                resources.chart(charts.status_bars, facts.by_class), facts.by_class, "detection-per-class"
            )
    with st.container():
        st.markdown("**Failed share per movie or person**")
        if facts.by_group.empty:
            st.caption("This data set names no movies or persons.")
            return
        st.dataframe(
            facts.by_group,
            hide_index=True,
            column_config={"Share": st.column_config.ProgressColumn("Share", format=PERCENT, max_value=100)},
            alt="Share of failed detections per movie or person, with intervals",
        )


#: The newest finished runs that are shown.
MEASURED = 20
KIND_HELP = {
    "doubtful": "Several faces, or one of low confidence",
    "won back": "Found on a second look",
    "lost": "Went in whole, for want of a face",
}


def found_accuracy(lab: Lab) -> None:
    """Draw the table over the finished runs of this data set; says what to do while there are none."""
    fingerprint = resources.data_config(lab.source).fingerprint
    found = resources.trained(fingerprint)
    runs = list(islice((run for run in found.runs if face_shares(run.summary)), MEASURED))
    with st.container():
        st.markdown("**What lost faces cost**")
        if not runs:
            st.caption("Train on this data set to see here what lost faces cost.")
            return
        shares = [face_shares(run.summary) for run in runs]
        met = [kind for kind in KINDS if any(kind in one for one in shares)]
        cells: dict[str, Any] = {kind: [str(one.get(kind, "")) or None for one in shares] for kind in met}
        cells["gain"] = [f"{at_most(run.summary):.1f} points" for run in runs]
        runs_dataframe(
            found.rows(runs).assign(**cells),
            columns=("link", "title", "protocol", "leaks"),
            key="lost-faces",
            **{
                kind: st.column_config.TextColumn(kind.capitalize(), help=KIND_HELP.get(kind)) for kind in met
            },
            gain=st.column_config.TextColumn(
                "At most to gain",
                help="Points of the whole accuracy, if every wrong answer on a lost or doubtful frame became right",
            ),
        )
        st.caption(
            "Held-out accuracy after the last epoch with its 95 % interval, and the number of frames. A few "
            "frames make a wide interval; frames without a face are also the hard ones, so a gap is no measure of "
            "what cutting a face gains. For that, train with and without extraction."
        )
