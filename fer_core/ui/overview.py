"""The overview page's parts: the tour, the data set's figures, its classes, the audit's findings."""

from collections.abc import Mapping, Sequence
from functools import partial
from urllib.parse import urlencode

import numpy as np
import streamlit as st
from humanize import naturalsize

from fer_core.config.run import CLASSES, DataConfig
from fer_core.datasets.audit import AuditReport
from fer_core.datasets.base import Dataset
from fer_core.datasets.understood import Understood
from fer_core.evaluation.protocols import PROTOCOLS
from fer_core.storage.database.visits import Visits
from fer_core.storage.disk import RUNS, KindUse
from fer_core.storage.store import StoredRun
from fer_core.ui.parts.widgets import carried, escaped, folded, follow

from .cache import resources
from .panels import reading
from .parts.gallery import Tile, grid
from .shell.setup import Lab

#: Lost or doubtful faces in the strip.
LOST = 3

TRAIN = (
    "pages/train.py",
    "2. Train n = 1, 2, 3",
    ":material/model_training:",
    "One run per unfreeze setting. They continue when you close the tab.",
)

#: Stands in for `TRAIN` where nothing can be started.
LOOK = (
    "pages/train.py",
    "2. Open a run",
    ":material/model_training:",
    "Finished runs, epoch by epoch and fold by fold. Starting new ones is off here.",
)

TOUR = (
    (
        "pages/faces.py",
        "1. See the faces",
        ":material/frame_person:",
        "What MTCNN cut out of every frame, and where it failed.",
    ),
    TRAIN,
    (
        "pages/compare.py",
        "3. Compare",
        ":material/compare_arrows:",
        "Curves and accuracies with intervals, beside the paper's tables.",
    ),
    (
        "pages/predict.py",
        "4. Predict",
        ":material/add_photo_alternate:",
        "Upload a photo and see what a finished run makes of it.",
    ),
)

KINDS = {RUNS: "networks", "neighbours": "nearest faces", "boxes": "hand-drawn boxes"}

_SEVERITY = {
    "error": (st.error, ":material/error:"),
    "warning": (st.warning, ":material/warning:"),
    "note": (st.info, ":material/info:"),
}


def faces(lab: Lab, data: DataConfig, samples: Mapping[tuple[str, str], Sequence[np.ndarray]]) -> None:
    """Draw a strip of faces as the latest detection left them, lost ones among them, and what was found.

    Args:
        samples: pictures a class (`cache.samples`), of which one is shown while no faces have been looked for.
    """
    found = resources.latest_crops(lab.store, data.fingerprint)
    if found is None:
        with st.container(horizontal=True, gap="small"):
            for (name, _), pictures in samples.items():
                st.image(list(pictures[:1]), caption=[name][: len(pictures)], width=88)
        st.markdown("No faces have been looked for yet.")
        return
    lost = found.failed[found.failed["row"] >= 0].head(LOST)
    rest = found.crops.used().drop_duplicates(["label", "group"]).sample(frac=1, random_state=0)
    rest = rest[~rest["name"].isin(found.failed_names)].drop_duplicates("label")
    shown = [*rest.to_dict("records"), *lost.to_dict("records")]
    tiles = [
        Tile(
            found.jpeg(row["row"]),
            CLASSES[row["label"]],
            row["status"],
            f"{CLASSES[row['label']]}: {row['name']} ({row['status']})",
            "./faces?" + urlencode(carried(frame=row["name"])),
        )
        for row in shown
    ]
    grid(tiles, width=48, columns=len(CLASSES) + LOST)  # all in one row
    counts = " · ".join(f"{status} **{count:,}**" for status, count in found.statuses.items())
    st.markdown(f"{len(found.crops.table):,} frames: {counts}")


def next_step(lab: Lab, data: DataConfig, runs: Sequence[StoredRun]) -> None:
    """Draw the one thing to do next, by what is there."""
    done = [run for run in runs if run.status == "done"]
    waiting = sum(not run.ended for run in runs)
    query = carried()
    if waiting:
        label, to = f"Watch {waiting} run{'s' * (waiting > 1)} at work", "train"
    elif done:
        fair = [run for run in done if not PROTOCOLS[run.protocol].leaks] or done
        best = max(fair, key=lambda run: run.summary["val_accuracy"])
        label, to, query = "See where the best run errs", "train", query | {"run": best.id, "part": "Frames"}
    elif resources.latest_crops(lab.store, data.fingerprint):
        label, to = "Train n = 1, 2, 3", "train"
    else:
        label, to = "Look for faces", "faces"
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(label, type="primary", icon=":material/arrow_forward:"):
            follow(f"./{to}?{urlencode(query)}")
        if done:
            st.page_link(
                "pages/compare.py",
                label="Compare what has been run",
                icon=":material/compare_arrows:",
                query_params=carried(),
            )


def tour(closed: str) -> None:
    """Draw the four steps of the first five minutes as links; `closed` says why nothing can be started, if so."""
    st.markdown("#### The first five minutes")
    steps = [LOOK if closed and step is TRAIN else step for step in TOUR]
    for column, (page, label, icon, text) in zip(st.columns(4), steps, strict=True):
        with column.container(border=True, height="stretch"):
            st.page_link(page, label=f"**{label}**", icon=icon, query_params=carried())
            st.caption(text)
    if not closed:
        st.page_link(
            "pages/bring.py",
            label="Your own images? Bring them: any usual layout",
            icon=":material/upload:",
            query_params=carried(),
        )


def figures(report: AuditReport) -> None:
    """Draw how many images, groups, clips, and files with something wrong a data set has."""
    cells = (
        ("Images", report.images, "labelled frames, readable or not"),
        ("Movies or persons", report.groups or "–", "what must not straddle a fold; – where none is known"),
        (
            "Clips",
            report.clips or "–",
            "frames of one shot are near copies of each other; – where none is known",
        ),
        ("Unreadable", len(report.unreadable), "listed, never dropped unseen"),
        ("Duplicate sets", len(report.duplicates), "byte-identical files"),
        ("Left-out files", len(report.problems), "images or rows without a usable label"),
    )
    with st.container(horizontal=True, gap="small"):  # in rows of two on a phone
        for label, value, text in cells:
            if value:
                st.metric(label, f"{value:,}" if isinstance(value, int) else value, help=text, width=128)
    if none := [label.lower() for label, value, _ in cells if not value]:
        st.caption(f"{', '.join(none).capitalize()}: none.")


def sheet(dataset: Dataset) -> None:
    """Draw a feature table: its rows by class, and what is odd in it."""
    first, second, third = st.columns(3)
    first.metric("Rows", f"{len(dataset):,}", help="figures instead of images")
    second.metric("Movies", len({group for _, _, group in dataset.tally} - {""}) or "–")
    third.metric("Odd rows", len(dataset.problems))
    reading.classes(dataset)
    st.caption(
        "No images belong to it: an SVM, a BDNN or an MLP can be trained on its figures, a network can't."
    )
    for problem in dataset.problems:
        st.warning(f"**{escaped(problem.name)}**: {escaped(problem.reason)}", icon=":material/table_rows:")


def findings(report: AuditReport) -> None:
    """Draw what the audit found, errors first, with every name concerned at hand."""
    st.markdown("**Audit, before anything is trained**")
    if not report.findings:
        st.success("Nothing to complain about.", icon=":material/check_circle:")
    for number, finding in enumerate(report.findings):
        draw, icon = _SEVERITY[finding.severity]
        draw(f"**{finding.title}**  \n{finding.detail}", icon=icon)
        if finding.names:
            folded(
                "Which one" if len(finding.names) == 1 else f"Which {len(finding.names)}",
                partial(st.code, "\n".join(finding.names), language=None),
                key=f"finding-{number}",
            )


def images(dataset: Dataset) -> None:
    """Draw the images per class, folded."""
    folded("Images per class", partial(reading.classes, dataset), key="classes", icon=":material/bar_chart:")


def how_it_was_read(found: Understood, samples: Mapping[tuple[str, str], Sequence[np.ndarray]]) -> None:
    """Draw what each label was taken for, with pictures, and what else was understood."""

    def draw() -> None:
        reading.pictures(found, samples)
        reading.table(found)
        reading.words(found)

    mapped = bool(found.label_map)  # in the key, or a set without a map would have closed this one
    folded("How it was read", draw, key="read" + "-mapped" * mapped, icon=":material/rule:", expanded=mapped)


def disk(uses: list[KindUse], free: int, limit: int) -> None:
    """Draw what artifacts take on the disk, kind by kind, in a line; limit 0 is no limit."""
    total = sum(use.bytes for use in uses)
    bound = f"of {naturalsize(limit)} that they may take" if limit else "with no limit set"
    kinds = ", ".join(
        f"{KINDS.get(use.kind, use.kind)} {naturalsize(use.bytes)}" for use in uses if use.bytes
    )
    st.caption(
        f":material/hard_drive: Artifacts take {naturalsize(total)} {bound}; {naturalsize(free)} are free on the disk."
        + (f"  \n{kinds[0].upper()}{kinds[1:]}." if kinds else ""),
        help="Looked at every ten minutes. `python -m fer_core clean --dry-run` says what could go: never what a "
        "run rests on. `FER_DISK_LIMIT` has workers keep below a size.",
    )


def visits(lab: Lab) -> None:
    """Draw for a demo's owner what was counted by the hour, and the switch to pause it; nothing where no demo ran."""
    kept = Visits(lab.settings.home)
    if not kept.file.exists() or not (lab.access.owner or lab.access.role == "runner"):
        return
    st.header("The demo's visitors", divider="gray")
    st.session_state["paused"] = kept.paused.exists()  # another page, or a shell, may have switched it
    st.toggle(
        "Paused: visitors read one sentence on Predict, and nothing is computed",
        key="paused",
        on_change=lambda: (
            kept.paused.touch() if st.session_state["paused"] else kept.paused.unlink(missing_ok=True)
        ),
    )
    table = kept.by_hour()
    table["waited"] /= table["turns"].clip(lower=1)
    st.dataframe(
        table.drop(columns="turns"),
        hide_index=True,
        column_config={
            "hour": st.column_config.DatetimeColumn("Hour (UTC)", format="YYYY-MM-DD HH:mm"),
            "visits": "Visits",
            "predictions": "Images predicted",
            "refused": "Refused by a limit",
            "waited": st.column_config.NumberColumn("Wait for the device, mean", format="%.2f s"),
        },
        alt="Visits, predictions, refusals and waits of the demo, an hour a row",
    )
    st.caption("Numbers by the hour are all that is kept: no pictures, no names, no addresses.")
