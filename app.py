"""`streamlit run app.py`: the first page, and the server that stands before all pages.

The server imports `app`; a visit draws Overview: the data set, what is wrong with it, what has been run, what is next.
"""

import streamlit as st

from fer_core.errors import UndrawnError
from fer_core.ui import overview
from fer_core.ui.cache import resources, samples
from fer_core.ui.parts.widgets import empty, escaped, generated_note, listed, runs_dataframe
from fer_core.ui.shell.door import guards
from fer_core.ui.shell.setup import setup

if __name__ != "__main__":
    app = st.App(__file__, middleware=guards())
else:
    with setup("Overview") as lab:
        if lab.settings.demo:  # of which only its owner comes here
            overview.visits(lab)
            st.stop()
        try:
            dataset, data = lab.dataset, resources.data_config(lab.source)
        except UndrawnError:  # while it is made there is time to read
            overview.tour(lab.closed)
            raise
        runs = lab.store.runs(data=data.fingerprint, goal="train", archived=False, limit=20)
        st.header(escaped(dataset.name), divider="gray")
        generated_note(dataset)
        if dataset.layout == "table":
            overview.sheet(dataset)
        else:
            shown = samples.class_samples(dataset, data.fingerprint, dataset.label_map or "")
            overview.faces(lab, data, shown)
            overview.next_step(lab, data, runs)
            report = resources.audit(lab.source, data.fingerprint)  # of a new set it takes its time
            overview.figures(report)
            overview.findings(report)
            overview.images(dataset)
            overview.how_it_was_read(report.understood, shown)

        st.header("What has been run", divider="gray")
        if runs:
            columns = ("link", "title", "protocol", "leaks", "val", "interval", "missing_faces", "status")
            runs_dataframe(listed(runs, apart=True), columns=columns, key="runs")
        else:
            empty(
                "Nothing has been trained on this data set yet",
                f"{lab.closed}: choose another data set in the sidebar."
                if lab.closed
                else "The three settings of the paper are one click away.",
                "pages/train.py",
                "Runs" if lab.closed else "Train",
            )

        overview.tour(lab.closed)
        overview.visits(lab)
        overview.disk(*resources.disk_use(), lab.settings.disk_limit)
