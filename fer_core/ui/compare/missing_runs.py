"""Runs that a view calls for and that are not done: offered, started, and watched until they are."""

from collections.abc import Mapping, Sequence

import streamlit as st

from fer_core.config.run import RunConfig
from fer_core.results.rows import title
from fer_core.runs.plans.requests import most_blocks_first
from fer_core.storage.store import StoredRun
from fer_core.ui.panels import at_work
from fer_core.ui.parts.widgets import escaped, run_link
from fer_core.ui.shell.setup import Lab


def offer(lab: Lab, configs: Mapping[str, RunConfig], about: str, notes: Sequence[str] = ()) -> None:
    """Draw which of these runs are not done, a button that starts them, and how far those started are.

    Draws nothing where all are done; reruns the page when one of them ends.

    Args:
        configs: by their ids.
        about: what calls for them, to stand after 'of the 20 runs that'.
        notes: sentences below it.
    """
    ids = list(configs)
    known = {run.id: run for run in lab.store.runs(ids=ids)}
    missing = [run_id for run_id in ids if run_id not in known or not _done(known[run_id])]
    if not missing:
        return
    idle = [configs[run_id] for run_id in missing if run_id not in known or known[run_id].ended]
    with st.container(border=True):
        st.markdown(f"**{len(missing)} of the {len(configs)} runs that {about} are not here yet.**")
        for line in notes:
            st.caption(line)
        for run in known.values():
            if run.error:
                st.error(
                    f"{escaped(title(run))}, {run.protocol}: {escaped(run.error)}", icon=":material/error:"
                )
        if len(idle) < len(missing):
            ended = sum(run.ended for run in known.values())
            _watch(lab, ids, ended)
        if idle and not lab.demo and st.button(f"Run the missing {len(idle)}", icon=":material/play_arrow:"):
            at_work.start(lab, most_blocks_first(idle))
            st.rerun()


def _done(run: StoredRun) -> bool:
    return run.status == "done"


@st.fragment(run_every=1.0)
def _watch(lab: Lab, ids: list[str], ended: int) -> None:
    """Draw how far the started runs are, once a second; `ended` is how many of `ids` had ended before."""
    runs = lab.store.runs(ids=ids)
    if sum(run.ended for run in runs) != ended:
        st.rerun()
    now = [run for run in runs if run.status == "running"]
    queued = sum(run.status == "queued" for run in runs)
    done = sum(map(_done, runs))
    share = sum(run.step_done / run.step_total for run in now if run.step_total)
    st.progress(
        min(1.0, (done + share) / len(ids)),
        text=f"{done} of {len(ids)} done, {len(now)} running, {queued} waiting",
    )
    for run in now:
        step = f": {run.step}, {run.step_done} of {run.step_total}" if run.step_total else ""
        st.caption(f"[{escaped(title(run))}, {run.protocol}]({run_link(run)}){escaped(step)}")
