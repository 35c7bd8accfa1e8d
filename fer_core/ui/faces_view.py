"""The Faces page's parts: counts, the gallery, one frame close up, starting a detection."""

from __future__ import annotations

from urllib.parse import urlencode

import numpy as np
import pandas as pd
import streamlit as st

from ..config import CLASSES, RunConfig
from ..faces.crops import FAILED, STATUSES
from ..faces.drawing import CHOSEN, DRAWN, OTHER, annotate
from ..faces.extraction import Crops
from ..faces.rescue import POLICIES
from ..jobs import executors
from ..jobs.queue import submit
from ..metrics import wilson_intervals
from ..store import StoredRun
from . import bench_view, boxes_view, downloads, queue_view, resources, trace_view
from .gallery import PAGE_SIZE, Tile, encode, grid
from .linked import linked
from .setup import Lab
from .widgets import PERCENT, interval, plain, run_status

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
    """Offer to detect with these settings, and show the progress while it goes on."""
    runs = lab.store.runs(ids=[config.key()])
    state = _state(lab, runs[0]) if runs else ""
    with st.container(border=True):
        what = "have not been" if state in ("", "failed", "cancelled", "done") else "are being"
        st.markdown(f"#### Faces {what} looked for with these settings")
        st.write(
            f"MTCNN goes through the {config.data.images:,} frames of **{lab.dataset.name}**; the frames, faces "
            "and failures then show here. It goes on when you close this tab."
        )
        if lab.demo:
            st.caption(f"{lab.closed}: starting a detection is off.")
        elif state not in ("queued", "running"):
            if state == "interrupted":
                st.warning("The worker has ended; what it has found is kept.", icon=":material/power_off:")
            title = "Go on" if state == "interrupted" else "Detect faces"
            if st.button(title, type="primary", icon=":material/frame_person:"):
                submit(lab.store, config)
                executors.launch(lab.settings)
                st.rerun()
        if state:
            _progress(lab, config, state)


def _state(lab: Lab, run: StoredRun) -> str:
    """Return a run's status; 'interrupted' where nobody has renewed the lease of a running one."""
    lapsed = run.status == "running" and (run.lease_until or 0.0) < lab.store.now()
    return "interrupted" if lapsed else run.status


@st.fragment(run_every=1.0)
def _progress(lab: Lab, config: RunConfig, before: str) -> None:
    """Show how far the run is, and draw the page anew once its state is no longer the one `before`."""
    run = lab.store.runs(ids=[config.key()])[0]
    run_status(run, lab.store.queue_places([run.id]).get(run.id))
    queue_view.cancel_button(lab, run)
    if _state(lab, run) != before:
        st.rerun()


def counts(table: pd.DataFrame, *, brief: bool = False) -> None:
    """Draw the number of frames per status, on one line when `brief`."""
    found = table["status"].value_counts()
    if brief:
        parts = (f"{status} **{found[status]}**" for status in STATUSES if status in found)
        st.caption(f"{len(table):,} frames: " + " · ".join(parts))
        return
    with st.container(horizontal=True):
        for status in STATUSES:
            st.metric(status.capitalize(), int(found.get(status, 0)), help=STATUS_HELP[status], width=128)
    rescued = table["rescued_by"].value_counts()
    if len(rescued):
        parts = (f"**{count}** by “{POLICIES[str(name)].title}”" for name, count in rescued.items())
        st.caption("Found on a second look: " + ", ".join(parts))


def gallery(table: pd.DataFrame, config: RunConfig) -> None:
    """Draw one page of crops, each a link to its frame."""
    if table.empty:
        st.info("No frame passes these filters.", icon=":material/filter_alt_off:")
        return
    pages = -(-len(table) // PAGE_SIZE)
    page = (
        st.pagination(pages, key=linked("page", range(1, pages + 1)), bind="query-params") if pages > 1 else 1
    )
    key = config.crops_key()
    chosen = table.iloc[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    grid(_tile(row, key) for row in chosen.to_dict("records"))
    st.caption(f"{len(chosen)} of {len(table):,} frames. Choose one to see why it is cut where it is.")


def _tile(row: dict, key: str) -> Tile:
    label = CLASSES[row["label"]]
    status = row["status"]
    note = status if row["probability"] != row["probability"] else f"{status} {row['probability']:.2f}"
    if isinstance(row["rescued_by"], str):
        note += f", {row['rescued_by']}"
    jpeg = resources.crop_jpeg(key, row["row"]) if row["row"] >= 0 else _blank()
    query = {name: st.query_params.get_all(name) for name in st.query_params if name != "frame"}
    link = "./faces?" + urlencode({**query, "frame": row["name"]}, doseq=True)
    return Tile(jpeg, label, note, f"{label}: {row['name']} ({note})", link)


@st.cache_data
def _blank() -> bytes:
    return encode(np.full((160, 160, 3), 128, np.uint8))


def frame(lab: Lab, config: RunConfig, crops: Crops, name: str) -> None:
    """Draw one frame close up: every face found, the chosen one, the crop, and what became of it."""
    rows = crops.table[crops.table["name"] == name]
    _steps(crops.table, name)
    if rows.empty:
        st.warning(f"The data set has no frame named {name!r}.", icon=":material/search_off:")
        return
    row = rows.iloc[0].to_dict()
    left, right = st.columns([3, 1])
    with left:
        if row["status"] == "unreadable":
            st.error(row["reason"], icon=":material/broken_image:")
        else:
            if not boxes_view.stands_in(lab, config, row):
                st.image(
                    _annotated(lab.source, config.crops_key(), config.detections_key(), name),
                    alt=f"Frame {name} with {row['faces']} faces boxed",
                    width="stretch",
                )
            boxes_view.editor(lab, config, row)
    with right:
        if row["row"] >= 0:
            st.image(
                resources.crop_jpeg(config.crops_key(), row["row"]),
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
        st.markdown("  \n".join(f"{what}: **{plain(value)}**" for what, value in facts.items()))
        st.caption(row["name"])
    if row["status"] != "unreadable":
        trace_view.explain(lab, config, row)
        bench_view.bench(lab, config, crops, row)


def _steps(table: pd.DataFrame, name: str) -> None:
    """Draw the ways out of a frame: to the gallery, and to the failed frame that comes next by name."""
    names = list(failed(table)["name"])
    later = [other for other in names if other > name] or [other for other in names if other != name]
    with st.container(horizontal=True):
        if st.button("Back to the gallery", icon=":material/arrow_back:"):
            del st.query_params["frame"]
            st.rerun()
        if st.button(
            "Next failed frame",
            icon=":material/skip_next:",
            disabled=not later,
            help=f"{len(names)} frames rest on no trustworthy face",
        ):
            st.query_params["frame"] = later[0]
            st.rerun()


@st.cache_data(max_entries=200, show_spinner=False)
def _annotated(source: str, crops_key: str, detections_key: str, name: str) -> bytes:
    """Return the frame with every face boxed, as JPEG."""
    image = resources.frame_array(source, name)
    faces = resources.detections(detections_key).get(name)
    row = resources.crops_by_key(crops_key).table.set_index("name").loc[name]
    boxes, labels, colours, points = [], [], [], []
    if faces is not None:
        for box, probability, landmarks in zip(
            faces.boxes, faces.probabilities, faces.landmarks, strict=True
        ):
            chosen = row["box"] is not None and np.allclose(box, row["box"])
            boxes.append([float(value) for value in box])
            labels.append(f"{probability:.2f}" if probability < 0.995 else f"{probability:.3f}")
            colours.append(CHOSEN if chosen else OTHER)
            points.append(landmarks)
    if row["status"] == "manual":
        boxes.append([float(value) for value in row["box"]])  # type: ignore[union-attr]
        labels.append("drawn")
        colours.append(DRAWN)
    return encode(annotate(image, boxes, labels=labels, colours=colours, landmarks=points))


def failed(table: pd.DataFrame) -> pd.DataFrame:
    """Return the frames whose crop rests on no trustworthy face."""
    return table[table["status"].isin(FAILED)]


def failure_shares(table: pd.DataFrame) -> None:
    """Draw what became of the frames per class, and the share that failed per movie with its interval."""
    counts = table.assign(**{"class": table["label"].map(CLASSES.__getitem__)})
    counted = counts.groupby(["class", "status"]).size().reset_index(name="images")
    st.markdown("**What became of the frames, per class**")
    with st.container(key="shares"):
        downloads.figure(resources.chart("status_bars", counted), counted, "detection-per-class")
    st.markdown("**Failed share per movie or person**")
    named = table[table["group"] != ""]
    if named.empty:
        st.caption("This data set names no movies or persons.")
        return
    by_group = named["status"].isin(FAILED).groupby(named["group"]).agg(["size", "sum"])
    bounds = zip(*wilson_intervals(by_group["sum"], by_group["size"]), strict=True)
    shares = pd.DataFrame(
        {
            "Movie or person": by_group.index,
            "Frames": by_group["size"].to_numpy(),
            "Failed": by_group["sum"].to_numpy(),
            "Share": (100 * by_group["sum"] / by_group["size"]).to_numpy(),
            "95 % interval": [interval(found) for found in bounds],
        }
    )
    st.dataframe(
        shares.sort_values("Share", ascending=False),
        hide_index=True,
        column_config={"Share": st.column_config.ProgressColumn("Share", format=PERCENT, max_value=100)},
        alt="Share of failed detections per movie or person, with intervals",
    )
