"""A finished run to take along from its own view, and runs of other installations to take in."""

from __future__ import annotations

import io
from functools import partial

import streamlit as st

from fer_core.results.sharing import tables
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
