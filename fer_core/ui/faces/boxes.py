"""Hand-drawn boxes on the Faces page: drawing one, undoing it, and all of them as a file."""

import math
import re
from collections.abc import Callable, Mapping

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from fer_core.config.run import RunConfig
from fer_core.faces.box_files import BoxRecord, Imported, read_boxes_file, to_coco, to_csv
from fer_core.faces.crops import FAILED, Box
from fer_core.faces.crops_artifact import ensure_crops, nearest
from fer_core.runs.plans.requests import faces_config
from fer_core.ui.cache import resources
from fer_core.ui.cache.crop_facts import CropFacts
from fer_core.ui.parts.box_editor import box_editor, shown
from fer_core.ui.parts.widgets import age, escaped
from fer_core.ui.shell.setup import Lab
from fer_core.ui.shell.uploads import held

#: The most frames that opening a page cuts by itself; more are a run with its progress.
AT_ONCE = 64
#: Megabytes of a file of boxes: a hundred thousand take ten.
MOST_MB = 20

#: A box and its note.
Noted = tuple[Box | None, str]

SIDES = ("x1", "y1", "x2", "y2")

OFF = "drawing and importing boxes is off: it would change what others see."


def crops(lab: Lab, config: RunConfig, *, most: int | None = AT_ONCE) -> CropFacts | None:
    """Return the crops of a definition; those that lack only a few hand-drawn boxes are cut now.

    None while faces have not been looked for with these settings.
    """
    artifacts = resources.artifacts()
    key = config.crops_key()
    looked = artifacts.has("detections", config.detections_key())
    if not lab.demo and looked and not artifacts.has("crops", key):
        found = nearest(artifacts, config)
        if found and (most is None or len(found[1]) <= most):
            with st.spinner("Cutting the frames whose box changed ..."):
                ensure_crops(
                    config,
                    lab.dataset.samples,
                    artifacts,
                    lambda: resources.detections(config.detections_key()),
                )
    return resources.crop_facts(config)


def author() -> str:
    """Return who draws: the e-mail address of a logged-in user, else 'local'."""
    return str(st.user.get("email") or "local")


def stands_in(lab: Lab, config: RunConfig, row: Mapping) -> bool:
    """Return whether the editor takes the annotated frame's place: where detection failed or a box was drawn.

    Faces to choose among are outlined in it; which of them is the chosen one, the crop beside it and the trace show.
    """
    return editable(lab, config) and row["status"] in (*FAILED, "manual")


def editable(lab: Lab, config: RunConfig) -> bool:
    return not lab.demo and config.faces.no_face == "manual"


def editor(lab: Lab, config: RunConfig, row: Mapping, left: DeltaGenerator, right: DeltaGenerator) -> None:
    """Draw the box editor of one readable frame on the left, its buttons and history on the right.

    Args:
        row: the frame's row of `Crops.table`.
    """
    name = row["name"]
    history = lab.store.manual_box_history(config.data.fingerprint, name)
    if lab.demo:
        right.caption(f"{lab.closed}: {OFF}")
    elif not editable(lab, config):
        right.info(
            "Hand-drawn boxes play no part under these settings. Choose **use its hand-drawn box** for a "
            "frame with no face in the detection settings.",
            icon=":material/info:",
        )
    else:
        entry = _newest(history)
        saved = _box(entry)
        version = 0 if entry is None else int(entry["version"])
        keys = ("to draw on", lab.source, config.data.fingerprint, name)
        with left:
            box = box_editor(
                resources.picture(lambda: shown(resources.frame_array(lab.source, name)), *keys),
                (int(row["width"]), int(row["height"])),
                name,
                faces=resources.detections(config.detections_key()).get(name),
                chosen=row["box"],
                box=saved,
                key=f"box-{name}-{version}",
            )
        with right:
            kept = entry["note"] if entry else ""
            note = st.text_input(
                "Note",
                kept,
                max_chars=120,
                key=f"note-{name}-{version}",
                placeholder="Who it shows, or what: saved with the box",
                label_visibility="collapsed",
            )
            _buttons(lab, config, name, (saved, kept), (box, note.strip()), steps(history))
    with right:
        _history(history, name)


def _buttons(
    lab: Lab, config: RunConfig, name: str, saved: Noted, drawn: Noted, able: tuple[bool, bool]
) -> None:
    """Draw what may be done with a frame's box and note, as they were `saved` and as they are now `drawn`."""
    box, note = drawn
    store, data = lab.store, config.data.fingerprint
    actions: tuple[tuple[str, str, bool, str, Callable[[], object], str], ...] = (
        (
            *("Save box", "save", box is not None and drawn != saved),
            "The frame is cut at this box from now on",
            lambda: store.add_manual_box(data, name, box, author=author(), note=note),
            "Saved: the frame is cut at your box.",
        ),
        (
            *("Undo", "undo", able[0]),
            "Set the newest entry of this frame aside; the one before counts again",
            lambda: store.undo_manual_box(data, name),
            "Undone.",
        ),
        (
            *("Redo", "redo", able[1]),
            "Let the entry undone last count again, with its author and time",
            lambda: store.redo_manual_box(data, name),
            "Done again.",
        ),
        (
            *("Remove", "delete", saved[0] is not None),
            "Use what the detector found again; Undo brings the box back",
            lambda: store.add_manual_box(data, name, None, author=author()),
            "Removed: what the detector found is used again.",
        ),
    )
    with st.container(horizontal=True, gap="xsmall"):
        for label, icon, possible, text, act, done in actions:
            if st.button(
                label,
                type="primary" if icon == "save" else "secondary",
                icon=f":material/{icon}:",
                key=f"{label.split()[0].lower()}-{name}",
                disabled=not possible,
                help=text,
            ):
                act()
                st.query_params["stage"] = "Draw"
                _follow(lab, config, done)


def _newest(history: pd.DataFrame) -> dict | None:
    """Return a frame's newest entry that is not undone."""
    counting = history[history["undone"].isna()].to_dict("records")
    return counting[-1] if counting else None


def _box(entry: Mapping | None) -> Box | None:
    if entry is None or math.isnan(entry["x1"]):
        return None
    return (entry["x1"], entry["y1"], entry["x2"], entry["y2"])


def steps(history: pd.DataFrame) -> tuple[bool, bool]:
    """Return whether a frame's newest entry can be undone, and whether one that was undone can be redone.

    Args:
        history: `Store.manual_box_history`.
    """
    counts = history["undone"].isna()
    newest = history.loc[counts, "version"].max() if counts.any() else 0
    return bool(counts.any()), bool((history["version"] > newest).any())


def _history(history: pd.DataFrame, name: str) -> None:
    """Say who drew what counts now, and list every entry where there are more."""
    entry = _newest(history)
    if entry:
        said = f"“{escaped(entry['note'])}”: " if entry["note"] else ""
        st.caption(
            f"{said}{_what(entry)} by **{escaped(entry['author'] or 'unknown')}**, {age(entry['created'])} "
            f"({_day(entry['created'])}); entry {entry['version']} of this frame."
        )
    if len(history) < 2 and history["undone"].isna().all():
        return
    panel = st.popover("History", icon=":material/history:", key=f"history-{name}", on_change="rerun")
    if not panel.open:
        return
    with panel, st.container(width=480):
        rows = [
            {
                "Entry": row["version"],
                "What": _what(row),
                "Box": "–" if _box(row) is None else ", ".join(f"{row[side]:.0f}" for side in SIDES),
                "By": row["author"] or "unknown",
                "When": _day(row["created"]),
                "Note": row["note"],
                "Undone": "" if math.isnan(row["undone"]) else _day(row["undone"]),
            }
            for row in history.to_dict("records")[::-1]
        ]
        st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Every entry of this frame, the newest first")


def _what(entry: Mapping) -> str:
    return "Removed" if _box(entry) is None else "Drawn"


def _day(moment: float) -> str:
    return pd.Timestamp(moment, unit="s", tz="UTC").strftime("%Y-%m-%d %H:%M UTC")


def _follow(lab: Lab, config: RunConfig, said: str) -> None:
    """Cut what a change of boxes concerns, let go of crops that nothing names any more, and draw the page."""
    values = config.faces.model_dump(exclude={"manual_boxes"})
    faces = faces_config(lab.store, resources.artifacts(), config.data, values)
    after = config.model_copy(update={"faces": faces})
    if crops(lab, after, most=None) is not None:
        _let_go(lab, config, after)
    st.toast(said, icon=":material/check:")
    st.rerun()


def _let_go(lab: Lab, before: RunConfig, after: RunConfig) -> None:
    """Delete the crops of an earlier set of boxes, a copy of all crops, unless a run was asked for with them."""
    boxes = before.faces.manual_boxes
    if not boxes or before.crops_key() == after.crops_key():
        return
    if not lab.store.runs(data=before.data.fingerprint, boxes=boxes, limit=1):
        resources.artifacts().delete("crops", before.crops_key())


def files(lab: Lab, config: RunConfig, table: pd.DataFrame) -> None:
    """Draw the popover from which all boxes are downloaded and others brought in.

    Args:
        table: `Crops.table` of all frames.
    """
    panel = st.popover("Hand-drawn boxes", icon=":material/draw:", key="boxes", on_change="rerun")
    if not panel.open:
        return
    with panel, st.container(width=560):
        drawn = lab.store.manual_boxes(config.data.fingerprint).dropna(subset=["x1"])
        records = [
            BoxRecord(
                row["name"], tuple(row[side] for side in SIDES), row["author"], row["created"], row["note"]
            )
            for row in drawn.to_dict("records")
        ]
        readable = table[table["width"] > 0]
        sizes = readable[["width", "height"]].astype(int).itertuples(index=False, name=None)
        frames = dict(zip(readable["name"], sizes, strict=True))
        st.markdown(f"**{len(records)}** of {len(table):,} frames have a hand-drawn box.")
        stem = "boxes-" + re.sub(r"[^A-Za-z0-9]+", "-", lab.dataset.name).strip("-").lower()
        with st.container(horizontal=True):
            for label, ending, mime in (
                ("CSV", "csv", "text/csv"),
                ("COCO JSON", "json", "application/json"),
            ):
                content = to_csv(records) if ending == "csv" else to_coco(records, frames)
                st.download_button(
                    label,
                    content,
                    f"{stem}.{ending}",
                    mime,
                    icon=":material/download:",
                    disabled=not records,
                )
        if lab.demo:
            st.caption(f"{lab.closed}: {OFF}")
            return
        turn = st.session_state.setdefault("boxes-turn", 0)
        file = held(
            st.file_uploader(
                "Bring in boxes (CSV or COCO JSON)",
                ["csv", "json"],
                key=f"boxes-file-{turn}",
                max_upload_size=min(MOST_MB, lab.settings.limits.upload_mb),
            )
        )
        if file is not None:
            _bring_in(lab, config, read_boxes_file(file.getvalue(), frames), records)


def _bring_in(lab: Lab, config: RunConfig, found: Imported, here: list[BoxRecord]) -> None:
    """Say what a file holds and add its boxes on request."""
    known = {record.name: (record.box, record.note) for record in here}
    new = [record for record in found.records if known.get(record.name) != (record.box, record.note)]
    replaced = sum(record.name in known for record in new)
    over = f" ({replaced} instead of one that is here)" if replaced else ""
    st.write(f"**{_count(len(new), 'box', 'boxes')}** to add{over}.")
    if same := len(found.records) - len(new):
        st.caption(f"{_count(same, 'box is', 'boxes are')} here already, exactly so.")
    if found.problems:
        st.warning(f"{_count(len(found.problems), 'row', 'rows')} can't be used.", icon=":material/warning:")
        st.dataframe(
            pd.DataFrame(
                [(at, it.rule, repr(it.got)[:200], it.fix, name) for at, name, it in found.problems],
                columns=["Where", "Rule", "Met", "Fix", "Frame"],
            ),
            hide_index=True,
            alt="Rows of the file that can't be used, and why",
        )
    if st.button("Add them", type="primary", icon=":material/upload:", disabled=not new, key="boxes-add"):
        for record in new:
            lab.store.add_manual_box(
                config.data.fingerprint,
                record.name,
                record.box,
                author=record.author or author(),
                created=record.created,
                note=record.note,
            )
        st.session_state["boxes-turn"] += 1
        _follow(lab, config, f"{_count(len(new), 'box', 'boxes')} added.")


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
