"""Why a frame has the faces it has: the pyramid, each net's candidates and the faces, one stage at a time."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from fer_core.config.run import FacesConfig
from fer_core.faces.crops import Faces
from fer_core.faces.drawing import CHOSEN, DRAWN, FATES, MARKED, OTHER, annotate, draw_fates, draw_pyramid
from fer_core.faces.explanation import STAGE_NAMES, counts, levels, lineage, nearest, shown, why
from fer_core.faces.mtcnn.trace import Fate, Stage, Trace
from fer_core.faces.rescue import POLICIES
from fer_core.ui.cache import resources
from fer_core.ui.parts.gallery import encode
from fer_core.ui.parts.url import linked

#: What the control, and `?stage=` in the URL, call each view.
NETS: dict[str, Stage] = {name: stage for stage, name in STAGE_NAMES.items()}
STAGES = ("Pyramid", *NETS, "Faces")

ABOUT = {
    "Pyramid": "The frame shrunk step by step: P-Net looks for faces of one size, so each scale finds another "
    "size. The marked place is the likeliest on its scale.",
    "P-Net": "The proposal network looks at every place of every scale. Overlapping places are merged, first "
    "within a scale, then over all of them.",
    "R-Net": "The refine network looks at each proposal again, at 24 x 24 pixels, moves its box and merges.",
    "O-Net": "The output network looks at 48 x 48 pixels, moves the box a last time and places five landmarks.",
    "Faces": "What is left, with both eyes, nose and mouth corners. The chosen face is green.",
}


def draw(
    name: str,
    trace: Trace,
    image: np.ndarray,
    row: Mapping,
) -> None:
    """Draw the stages of a frame that a visitor brought and in which nothing was found, one at a time.

    Args:
        name: of the frame, unique on its page.
        image: (H, W, 3) uint8 RGB.
        row: as for `show`.
    """
    stage = control(name, STAGES, _telling(trace))
    left, right = st.columns([5, 2], gap="medium")
    show(stage, trace, image, row, None, left, right)


def said(trace: Trace, faces: FacesConfig, short_side: int, row: Mapping) -> str:
    """Return where the last candidate died or how it passed, and what came after; `short_side` is the frame's."""
    return " ".join([why(trace, faces.min_face_size, short_side), *afterwards(faces, row)])


def control(name: str, options: Sequence[str], default: str) -> str:
    """Draw the choice of what lies over a frame and return it; `?stage=` in the URL begins with another."""
    chosen, widget = st.query_params.get(linked("stage", options)), f"stage-{name}"
    stage = st.segmented_control(
        "Stage",
        options,
        default=chosen if chosen in options else default,
        required=True,
        key=widget,
        on_change=_remember,
        args=(widget,),
        label_visibility="collapsed",
    )
    return str(stage)


def show(
    stage: str,
    trace: Trace,
    image: np.ndarray,
    row: Mapping,
    found: Faces | None,
    left: DeltaGenerator,
    right: DeltaGenerator,
    key: tuple[Any, ...] = (),
) -> None:
    """Draw one stage's picture on the left and what there is to say of it on the right.

    Args:
        image: (H, W, 3) uint8 RGB.
        row: status, probability, rescued_by and box, as a row of `Crops.table` has them.
        found: the faces that are left; None for none.
        key: all that decides the trace; without it no picture is kept, as of what a visitor brings.
    """
    if stage == "Pyramid":
        right.caption(ABOUT[stage])
        with left:
            _pyramid(trace, image)
    elif stage == "Faces":
        _faces(found, row, image, left, right)
    else:
        won = row.get("box") is not None and (
            row["status"] == "manual" or isinstance(row.get("rescued_by"), str)
        )
        _candidates(trace, stage, image, key, left, right, row["box"] if won else None)


def _remember(key: str) -> None:
    """Put the chosen stage into the URL: frames looked at next then start there, others where they say most."""
    st.query_params["stage"] = st.session_state[key]


def first_look(faces: FacesConfig) -> FacesConfig:
    """Return the settings that decide the first look alone, so that others share what it saw."""
    fields = ("thresholds", "min_face_size", "factor", "detector")
    return type(faces)(**{name: getattr(faces, name) for name in fields})


def _telling(trace: Trace) -> str:
    """Return the stage that says most: where the last candidate died, else the faces."""
    if not len(trace.scales):
        return "Pyramid"
    failure = trace.failure()
    return "Faces" if failure is None else STAGE_NAMES[failure.stage]


def afterwards(faces: FacesConfig, row: Mapping) -> list[str]:
    """Say what came after the three nets: a second look, a doubt, a hand-drawn box."""
    said = []
    if isinstance(row.get("rescued_by"), str):
        said.append(f"A second look found it: **{POLICIES[row['rescued_by']].title}**.")
    trusted = faces.doubtful_below
    if row["status"] == "low-confidence":
        said.append(f"{shown(row['probability'])} is below the {trusted:.2f} trusted: **low confidence**.")
    if row["status"] == "several":
        said.append(f"More than one face is at {trusted:.2f} or above: the choice may be wrong.")
    if row["status"] == "manual":
        said.append("A hand-drawn box is used in any case.")
    return said


def _pyramid(trace: Trace, image: np.ndarray) -> None:
    if not len(trace.scales):
        st.info("No scale fits this frame.", icon=":material/search_off:")
        return
    found = levels(trace, image.shape[1], image.shape[0])
    st.image(
        draw_pyramid(image, trace.scales.tolist(), trace.best_boxes),
        alt=f"The frame at {len(found)} scales, side by side",
        width="stretch",
    )
    sizes = [f"{wide} x {high}" for wide, high in zip(found["width"], found["height"], strict=True)]
    table = found.assign(face=found["face"].round(), width=sizes).drop(columns="height")
    reached = f"Reached {trace.pnet.threshold:.2f}"
    table.columns = ["Scale", "Size", "Faces of (px)", "Places", "Likeliest", reached, "Kept"]
    st.dataframe(
        table,
        hide_index=True,
        column_config={
            "Scale": st.column_config.NumberColumn(format="%.3f"),
            "Likeliest": st.column_config.ProgressColumn(
                format="%.3f", min_value=0, max_value=1, help="P-Net's highest probability on the scale"
            ),
            "Kept": st.column_config.NumberColumn(help="Left after merging over all scales"),
        },
        alt="Scales of the pyramid with what P-Net found on each",
    )


def _candidates(
    trace: Trace,
    name: str,
    image: np.ndarray,
    key: tuple[Any, ...],
    left: DeltaGenerator,
    right: DeltaGenerator,
    known: Sequence[float] | None,
) -> None:
    stage = NETS[name]
    part = getattr(trace, stage)
    seen = counts(trace, stage, image.shape[1], image.shape[0])
    on_face = None if known is None else nearest(part, known)
    if on_face is None:
        marked, label = _marked(trace, stage)
    else:
        marked, label = part.boxes[on_face], shown(float(part.scores[on_face]))

    def drawn() -> bytes:
        return encode(draw_fates(image, part.boxes, part.fates, marked=marked, label=label))

    left.image(
        resources.picture(drawn, *key, name, str(known)) if key else drawn(),
        alt=f"{name}: {seen.seen} seen, {seen.below} below the threshold, {seen.suppressed} merged, "
        f"{seen.kept} kept",
        width="stretch",
    )
    what = "Places seen" if stage == "pnet" else "Candidates seen"
    below = f"Below {part.threshold:.2f}" + (", not drawn" if stage == "pnet" else "")
    chips = [("", what, seen.seen), (FATES[Fate.BELOW][0], below, seen.below)]
    if stage == "pnet":
        merged = part.count(Fate.SCALE_NMS)
        chips.append((FATES[Fate.SCALE_NMS][0], "Merged in their scale", merged))
    merged_over = "Merged over scales" if stage == "pnet" else "Merged"
    chips.append((FATES[Fate.NMS][0], merged_over, part.count(Fate.NMS)))
    if seen.outside:
        chips.append((FATES[Fate.OUTSIDE][0], "Outside the frame", seen.outside))
    chips.append((FATES[Fate.KEPT][0], "Kept", seen.kept))
    if marked is not None:
        chips.append((MARKED, "Went furthest" if on_face is None else "Nearest to the face", 1))
    rows = "".join(_chip(*chip) for chip in chips)
    with right:
        st.html(f'<table class="fer-fates">{rows}</table>')
        st.caption(ABOUT[name])


def _chip(colour: str, text: str, count: int) -> str:
    square = f'<i style="background:{colour}"></i>' if colour else ""
    return f"<tr><td>{square}</td><th>{escape(text)}</th><td>{count:,}</td></tr>"


def _marked(trace: Trace, stage: Stage) -> tuple[np.ndarray | None, str]:
    """Return the candidate that went furthest, as this stage saw it, with its probability there."""
    part = getattr(trace, stage)
    line = lineage(trace)
    if stage in line:
        index = line[stage]
        return part.boxes[index], shown(float(part.scores[index]))
    failure = trace.failure()
    if stage == "pnet" and failure is not None and failure.stage == "pnet":
        return failure.box, shown(failure.score)
    return None, ""


def _faces(
    faces: Faces | None, row: Mapping, image: np.ndarray, left: DeltaGenerator, right: DeltaGenerator
) -> None:
    right.caption(ABOUT["Faces"])
    if faces is None or not len(faces):
        right.markdown("**No face is left.**")
        left.image(encode(image), alt="The frame, with no face", width="stretch")
        return
    right.dataframe(
        pd.DataFrame(
            {"Probability": faces.probabilities, "Width (px)": faces.boxes[:, 2] - faces.boxes[:, 0]}
        ),
        hide_index=True,
        column_config={
            "Probability": st.column_config.NumberColumn(format="%.4f"),
            "Width (px)": st.column_config.NumberColumn(format="%.0f"),
        },
        alt="Faces with their probability and width",
    )
    left.image(
        outlined(image, faces, row["status"], row["box"]),
        alt=f"{len(faces)} faces with their landmarks",
        width="stretch",
    )


def outlined(image: np.ndarray, faces: Faces, status: str, box: Sequence[float] | None) -> bytes:
    """Return a frame as JPEG with every face outlined, the chosen one and a hand-drawn box in their colours.

    Args:
        image: (H, W, 3) uint8 RGB.
        status: what became of the frame; `box` is drawn by hand where it is 'manual'.
        box: the frame is cut there; None for no face.
    """
    drawn = [list(box)] if box is not None and status == "manual" else []
    chosen = [box is not None and not drawn and np.allclose(face, box) for face in faces.boxes]
    picture = annotate(
        image,
        [*faces.boxes.tolist(), *drawn],
        labels=[*(shown(float(value)) for value in faces.probabilities), "drawn"],
        colours=[*(CHOSEN if this else OTHER for this in chosen), DRAWN],
        landmarks=list(faces.landmarks),
    )
    return encode(picture)
