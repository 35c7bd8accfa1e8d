"""What a page shows instead of its body while the generated data set is being made."""

import streamlit as st

from fer_core.errors import UndrawnError
from fer_core.runs.jobs import executors
from fer_core.runs.jobs.queue import submit
from fer_core.runs.plans.preparation import PREPARATION, drawn, preparation
from fer_core.ui.cache import resources
from fer_core.ui.parts.widgets import run_status


def preparing(closed: str) -> None:
    """Draw how far the generated set is, and ask for it unless `closed` says why nothing can be started.

    The page is drawn again once its faces have been looked for.
    """
    run = preparation(resources.store())
    if not closed and (run is None or not run.ended):
        submit(resources.store(), PREPARATION)
        executors.launch(resources.settings())
    with st.container(border=True):
        st.markdown("#### The generated faces are being made")
        st.write(
            f"{PREPARATION.data.images} film-like frames are drawn, then MTCNN looks for their faces: only this once, "
            "and it continues when you close this tab. Other data sets can be opened in the sidebar meanwhile."
        )
        if run is None or not run.ended:
            _progress(closed)
        elif drawn(resources.settings()):
            st.rerun()
        elif run.status == "done":
            raise UndrawnError(
                "The generated faces must stay where they were drawn",
                got=f"none in {resources.settings().demo_data}",
                fix="Draw them again: python -m fer_core data generate",
            )
        else:
            run_status(run, None)
            if not closed and st.button("Try again", type="primary", icon=":material/replay:"):
                submit(resources.store(), PREPARATION)
                executors.launch(resources.settings())
                st.rerun()


@st.fragment(run_every=1.0)
def _progress(closed: str) -> None:
    """Draw how far it is, once a second, and the page again once it has ended: then nothing is polled."""
    store = resources.store()
    run = preparation(store)
    if run is None:
        st.caption(f"{closed}: it begins once somebody who may start runs opens this page.")
    elif run.ended:
        st.rerun()
    else:
        run_status(run, store.queue_places([run.id]).get(run.id))
