"""Train: launch runs or a sweep, watch them, come back to each by its link."""

import streamlit as st

from fer_core.ui.parts.url import stop
from fer_core.ui.parts.widgets import generated_note
from fer_core.ui.shell.setup import setup
from fer_core.ui.train import comparator_form, form, form_fields, queue, run, run_lists, share

with setup("Train", run.heading) as lab:
    queue.announce(lab)
    run_id, sweep = st.query_params.get("run"), st.query_params.get("sweep")
    if run_id or sweep:
        if run_id:
            run.run_view(lab, run_id)
        else:
            run_lists.sweep_view(lab, sweep)
        stop()

    generated_note(lab.dataset)
    if lab.demo:
        st.info(
            f"{lab.closed}: launching and importing are off; finished runs are below.",
            icon=":material/lock:",
        )
    else:
        comparators = comparator_form.chosen(lab)
        view = comparator_form if comparators else form
        configs = view.form(lab)
        if not configs:
            st.info(
                "Choose at least one of what is trained, and one kind of input.", icon=":material/touch_app:"
            )
        else:
            ready = form.folds_ready(lab, configs)
            ready = (comparators or form.weights_ready(lab, configs)) and ready
            form_fields.plan_table(lab, configs)
            label = f"Train {len(configs)} run{'s' * (len(configs) > 1)}"
            if st.button(label, type="primary", icon=":material/play_arrow:", disabled=not ready):
                form.launch(lab, configs)
    queue.active(lab)
    queue.where(lab)

    st.subheader("Runs")
    share.importer(lab)
    run_lists.newest_first(lab)
