"""The Faces page's parts: counts, the gallery, one frame close up, starting a detection."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd
import streamlit as st

from fer_core.config.run import CLASSES, RunConfig
from fer_core.faces.crops import STATUSES, Faces
from fer_core.faces.rescue import POLICIES
from fer_core.results import charts
from fer_core.runs.jobs import executors
from fer_core.runs.jobs.queue import submit
from fer_core.storage.store import StoredRun
from fer_core.ui.cache import resources
from fer_core.ui.cache.crop_facts import CropFacts
from fer_core.ui.panels import trace
from fer_core.ui.panels.cancel import cancel_button
from fer_core.ui.parts import figure
from fer_core.ui.parts.gallery import PAGE_SIZE, Tile, encode, grid
from fer_core.ui.parts.url import page
from fer_core.ui.parts.widgets import PERCENT, escaped, run_status
from fer_core.ui.shell.setup import Lab

from . import boxes as boxes_view
from . import trial
from .pictures import frame_links

VIEWS = {"all": "All frames", "failed": "Failed detections"}

#: Pixels that a crop is shown with: no wider than the column beside a frame at 1280, and no phone's whole screen.
CROP_WIDTH = 200

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
    state = _state(lab, runs[0]) if runs else ""
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
                submit(lab.store, config)
                executors.launch(lab.settings)
                st.rerun()
        if state:
            _progress(lab, config, state)


def _state(lab: Lab, run: StoredRun) -> str:
    """Return a run's status; 'interrupted' where the lease of a running one has lapsed."""
    lapsed = run.status == "running" and (run.lease_until or 0.0) < lab.store.now()
    return "interrupted" if lapsed else run.status


@st.fragment(run_every=1.0)
def _progress(lab: Lab, config: RunConfig, before: str) -> None:
    """Show how far the run is, and draw the page again once its state is no longer the one `before`."""
    run = lab.store.runs(ids=[config.key()])[0]
    run_status(run, lab.store.queue_places([run.id]).get(run.id))
    cancel_button(lab, run)
    if _state(lab, run) != before:
        st.rerun()


def counts(facts: CropFacts, *, brief: bool = False) -> None:
    """Draw the number of frames per status, on one line when `brief`."""
    if brief:
        parts = (f"{status} **{count}**" for status, count in facts.statuses.items())
        st.caption(f"{len(facts.crops.table):,} frames: " + " · ".join(parts))
        return
    with st.container(horizontal=True):
        for status in STATUSES:
            st.metric(status.capitalize(), facts.statuses.get(status, 0), help=STATUS_HELP[status], width=128)
    if facts.rescued:
        parts = (f"**{count}** by “{POLICIES[name].title}”" for name, count in facts.rescued.items())
        st.caption("Found on a second look: " + ", ".join(parts))


def gallery(table: pd.DataFrame, facts: CropFacts) -> None:
    """Draw one page of crops, each a link to its frame."""
    if table.empty:
        st.info("No frame passes these filters.", icon=":material/filter_alt_off:")
        return
    chosen = table.iloc[page(len(table), PAGE_SIZE)]
    link = frame_links()
    grid(_tile(row, facts, link) for row in chosen.to_dict("records"))
    st.caption(f"{len(chosen)} of {len(table):,} frames. Choose one to see why it is cut where it is.")


def _tile(row: dict, facts: CropFacts, link: Callable[[str], str]) -> Tile:
    label = CLASSES[row["label"]]
    status = row["status"]
    note = status if row["probability"] != row["probability"] else f"{status} {row['probability']:.2f}"
    if isinstance(row["rescued_by"], str):
        note += f", {row['rescued_by']}"
    jpeg = facts.jpeg(row["row"]) if row["row"] >= 0 else _blank()
    return Tile(jpeg, label, note, f"{label}: {row['name']} ({note})", link(row["name"]))


@cache
def _blank() -> bytes:
    return encode(np.full((160, 160, 3), 128, np.uint8))


def frame(lab: Lab, config: RunConfig, known: CropFacts, name: str) -> None:
    """Draw one frame close up: every face found, the chosen one, the crop, and what became of it."""
    row = known.row(name)
    _steps(known.failed_names, name)
    if row is None:
        st.warning(f"The data set has no frame named {escaped(repr(name))}.", icon=":material/search_off:")
        return
    left, right = st.columns([3, 1])
    with left:
        if row["status"] == "unreadable":
            st.error(escaped(row["reason"]), icon=":material/broken_image:")
        else:
            if not boxes_view.stands_in(lab, config, row):
                keys = (lab.source, config.crops_key(), config.detections_key(), name)
                st.image(
                    resources.picture(lambda: _annotated(*keys), "annotated", *keys),
                    alt=f"Frame {name} with {row['faces']} faces boxed",
                    width="stretch",
                )
            boxes_view.editor(lab, config, row)
    with right:
        if row["row"] >= 0:
            st.image(
                known.jpeg(row["row"]),
                caption="What the network sees",
                alt=f"Crop of {name}",
                width=CROP_WIDTH,
            )
        st.markdown(f"**{CLASSES[row['label']]}** · {row['status']}")
        st.caption(STATUS_HELP.get(row["status"], ""))
        facts = {"Faces": row["faces"], "Movie or person": row["group"] or "–", "Split": row["split"] or "–"}
        if row["probability"] == row["probability"] and row["probability"] is not None:
            facts["Probability"] = f"{row['probability']:.3f}"
        if isinstance(row["rescued_by"], str):
            facts["Second look"] = POLICIES[row["rescued_by"]].title
        if row["box"]:
            facts["Box"] = ", ".join(f"{value:.0f}" for value in row["box"])
        st.markdown("  \n".join(f"{what}: **{escaped(value)}**" for what, value in facts.items()))
        st.caption(escaped(row["name"]))
    if row["status"] != "unreadable":
        trace.explain(lab, config, row)
        trial.bench(lab, config, known.crops, row)


def _steps(failed: list[str], name: str) -> None:
    """Draw the ways out of a frame: to the gallery, and to the failed frame that comes next by name."""
    first = next((other for other in failed if other != name), None)
    later = next((other for other in failed if other > name), first)
    with st.container(horizontal=True):
        if st.button("Back to the gallery", icon=":material/arrow_back:"):
            del st.query_params["frame"]
            st.rerun()
        if st.button(
            "Next failed frame",
            icon=":material/skip_next:",
            disabled=later is None,
            help=f"{len(failed)} frames rest on no trustworthy face",
        ):
            st.query_params["frame"] = str(later)
            st.rerun()


def _annotated(source: str, crops_key: str, detections_key: str, name: str) -> bytes:
    """Return the frame with every face outlined, as JPEG."""
    faces = resources.detections(detections_key).get(name, Faces.unreadable(""))
    row = resources.crop_facts(crops_key).row(name) or {}
    return trace.outlined(resources.frame_array(source, name), faces, row["status"], row["box"])


def failure_shares(facts: CropFacts) -> None:
    """Draw what became of the frames per class, and the share that failed per movie with its interval."""
    st.markdown("**What became of the frames, per class**")
    with st.container(key="shares"):
        figure.figure(
            resources.chart(charts.status_bars, facts.by_class), facts.by_class, "detection-per-class"
        )
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
