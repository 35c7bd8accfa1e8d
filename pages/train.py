"""Train: launch one run per unfreeze setting, watch it, come back to it by its link."""

import streamlit as st

from fer_core.results import training_runs
from fer_core.ui import comparator_form, share_view, train_view
from fer_core.ui.setup import setup
from fer_core.ui.widgets import empty, generated_note, runs_dataframe

with setup("Train") as lab:
    if run_id := st.query_params.get("run"):
        if st.button("All runs", icon=":material/arrow_back:"):
            del st.query_params["run"]
            st.rerun()
        train_view.run_view(lab, run_id)
        st.stop()

    generated_note(lab.dataset)
    if lab.demo:
        st.info(
            f"{lab.closed}: launching and importing are off; finished runs are below.",
            icon=":material/lock:",
        )
    else:
        comparators = comparator_form.chosen(lab)
        view = comparator_form if comparators else train_view
        configs = view.form(lab)
        if not configs:
            st.info(
                "Choose at least one of what is trained, and one kind of input.", icon=":material/touch_app:"
            )
        else:
            ready = comparators or train_view.weights_ready(lab, configs[0].transfer)
            view.plan_table(lab, configs)
            label = f"Train {len(configs)} run{'s' * (len(configs) > 1)}"
            if st.button(label, type="primary", icon=":material/play_arrow:", disabled=not ready):
                train_view.launch(lab, configs)
    train_view.active(lab)

    st.subheader("Runs")
    share_view.importer(lab)
    runs = training_runs(lab.store.runs(limit=100))
    if runs:
        columns = (
            "link",
            "title",
            "protocol",
            "leaks",
            "val",
            "interval",
            "train_accuracy",
            "missing_faces",
            "status",
        )
        runs_dataframe(runs, columns=columns, key="runs")
    else:
        empty("Nothing has been trained yet", "Choose settings above and start; results stay at their link.")
