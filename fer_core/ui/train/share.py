"""A finished run to take along from its own view, and runs of other installations to take in."""

import io
import time
from functools import partial

import streamlit as st

from fer_core.prediction.uploads import SUFFIXES
from fer_core.results.rows import title
from fer_core.results.sharing import tables
from fer_core.results.sharing.publish import Pictures, publish
from fer_core.results.sharing.report import imported_note, report
from fer_core.results.sharing.runs import export_run, import_run
from fer_core.storage.store import StoredRun
from fer_core.ui.cache import resources
from fer_core.ui.parts.widgets import escaped, run_link
from fer_core.ui.shell.setup import Lab
from fer_core.ui.shell.uploads import held

#: The tables to download, and what is in them.
TABLES = {
    "predictions": "Held-out probabilities, a row an image, fold and seed",
    "splits": "What each fold trained and was judged on",
    "features": "What enters the head of each network, a row an image and network",
}

#: What a demo may show of the data set of what is published.
MODES = {
    "none": "Figures only: no frame and no face",
    "samples": "Figures only, and these pictures to try",
    "all": "All its frames and faces",
}
#: Frames that can be chosen by name: what a browser still lists.
MOST_NAMED = 5000

#: A larger archive is not held in the server's memory for a download.
MOST_BYTES = 500_000_000


def buttons(lab: Lab, run: StoredRun) -> None:
    """Draw the downloads of a finished run; each is made when it is asked for."""
    if imported := run.extra.get("imported"):
        st.caption(f":material/move_to_inbox: Imported {escaped(imported_note(imported))}.")
    with st.container(horizontal=True):
        st.download_button(
            "Report",
            lambda: report(lab.store, run.id),
            f"fer-{run.id}.html",
            "text/html",
            key=f"report-{run.id}",
            icon=":material/description:",
            help="One HTML file with all figures, tables and settings; it opens without a network",
            on_click="ignore",
        )
        for what, text in TABLES.items():
            if what != "predictions" and not resources.artifacts().has("crops", run.config.crops_key()):
                continue  # an imported run's: its images are elsewhere
            if what == "features" and not run.config.trains_backbone:
                continue
            st.download_button(
                what.capitalize(),
                partial(_csv, lab, run, what),
                f"fer-{run.id}-{what}.csv",
                "text/csv",
                key=f"{what}-{run.id}",
                icon=":material/table:",
                help=f"{text} (CSV)",
                on_click="ignore",
            )
        publisher(lab, run)
        size = resources.artifacts().size("runs", run.id)
        if 0 < size <= MOST_BYTES:
            st.download_button(
                "Export",
                lambda: _zip(lab, run),
                f"fer-{run.id}.zip",
                "application/zip",
                key=f"export-{run.id}",
                icon=":material/folder_zip:",
                help=f"The run with its networks ({size / 1e6:.1f} MB), for the Train page of another installation",
                on_click="ignore",
            )
        elif size:
            st.caption(
                f"Its networks have {size / 1e6:.0f} MB: export it by `python -m fer_core export --run {run.id}`."
            )


def publisher(lab: Lab, run: StoredRun) -> None:
    """Draw the way to publish a finished run, and others of its data set, as a folder that a demo shows."""
    if lab.demo:
        return
    with st.popover("Publish as a demo", icon=":material/public:"):
        st.caption(
            "A folder with its figures and networks, for a demo on any host; the data set stays here. May its pictures "
            "be shown to everyone?"
        )
        first = list(MODES).index("all" if run.config.data.generated else "none")
        mode = st.radio(
            "Of the data set, show", list(MODES), first, format_func=MODES.__getitem__, key="published"
        )
        samples: list[str | bytes] = []
        if mode == "samples":
            names = list(dict.fromkeys(resources.finished_predictions(run)["name"]))[:MOST_NAMED]
            samples += st.multiselect("Frames of the data set", names)
            samples += [
                file.getvalue()
                for file in held(
                    st.file_uploader(
                        "Pictures of your own",
                        type=[one for one in SUFFIXES if one != "zip"],
                        accept_multiple_files=True,
                    )
                )
            ]
        others = {one.id: one for one in resources.trained(run.data).runs if one.id != run.id}
        more = st.multiselect(
            "Other runs",
            list(others),
            format_func=lambda key: f"{others[key].name or title(others[key])} · {key[:8]}",
        )
        if st.button("Publish", type="primary", key="publish", disabled=mode == "samples" and not samples):
            folder = lab.settings.home / "published" / f"{run.id[:8]}-{time.strftime('%Y%m%d-%H%M%S')}"
            here = lab.store, resources.artifacts(), lab.settings
            pictures: Pictures = "all" if mode == "all" else "none"
            with st.spinner("Copying ..."):
                publish(*here, [run.id, *more], folder, pictures=pictures, samples=samples)
            st.success(
                f"In `{folder}`. Copy it to any host with FER Lab, and there:", icon=":material/check:"
            )
            st.code(f"FER_DEMO={folder.name} python -m fer_core serve", language=None, wrap_lines=True)


def _csv(lab: Lab, run: StoredRun, what: str) -> str:
    return tables.csv_text(tables.TABLES[what](lab.store, lab.settings, run.id))


def _zip(lab: Lab, run: StoredRun) -> bytes:
    packed = io.BytesIO()
    export_run(lab.store, resources.artifacts(), run.id, packed)
    return packed.getvalue()


def importer(lab: Lab) -> None:
    """Draw the way to take in a run that another installation exported; a demo says why there is none."""
    if lab.demo:
        return
    with st.popover("Import a run", icon=":material/move_to_inbox:"):
        most = lab.settings.limits.upload_mb
        file = held(
            st.file_uploader(
                "A zip that another FER Lab exported", type=["zip"], key="import-file", max_upload_size=most
            )
        )
        st.caption(
            "Kept only if it hangs together and its networks answer here as where they were exported. That does not "
            "prove how they were trained: import from those you trust. "
            "A larger one: `python -m fer_core import FILE`."
        )
        if file and st.button("Import", type="primary", key="import-run"):
            found = import_run(file, lab.store, resources.artifacts())
            words = "Imported" if found.new else "Here already:"
            st.success(
                f"{words} [run {found.run_id[:8]}]({run_link(lab.store.run(found.run_id))})",
                icon=":material/check:",
            )
