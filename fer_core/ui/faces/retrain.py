"""What a better detection is worth: the runs that rest on other faces, trained again with these on a click."""

from collections.abc import Iterable

import humanize
import streamlit as st

from fer_core.config.run import RunConfig
from fer_core.results.rows import title
from fer_core.runs.plans.detections import resting
from fer_core.storage.store import StoredRun
from fer_core.ui.cache import resources
from fer_core.ui.panels import at_work
from fer_core.ui.shell.setup import Lab


def offer(lab: Lab, config: RunConfig, name: str | None) -> None:
    """Say which trainings rest on other faces than the page's and offer to train the newest, or all, again with them.

    A press opens the new run beside the old one on Compare, with the frame that is looked at, if any.
    """
    if lab.demo or not config.faces.extract:
        return
    found = resting(resources.trained(config.data.fingerprint).runs, config.faces)
    if not found:
        return
    there = {run.id for run in lab.store.runs(ids=list(found)) if run.status not in ("failed", "cancelled")}
    todo = {key: pair for key, pair in found.items() if key not in there}
    key, (old, _) = next(iter((todo or found).items()))
    with st.container(horizontal=True, vertical_alignment="center", key="retrain"):
        if not todo:
            if st.button(f"{title(old)} before and after", icon=":material/compare_arrows:"):
                _beside(lab, old, key, name)
            return
        count = f"{len(todo)} run{'s rest' if len(todo) > 1 else ' rests'}"
        st.markdown(f"**{count}** on other faces.", width="content")
        if st.button(
            f"Retrain {title(old)}",
            type="primary",
            icon=":material/model_training:",
            help=f"With these faces; opens both side by side. It took {_time([old])} before",
        ):
            at_work.start(lab, [todo[key][1]])
            _beside(lab, old, key, name)
        if len(todo) > 1 and st.button(
            f"Retrain all {len(todo)}", help=f"They took {_time([run for run, _ in todo.values()])} before"
        ):
            at_work.start(lab, [new for _, new in todo.values()])
            _beside(lab, old, key, name)


def _time(runs: Iterable[StoredRun]) -> str:
    return humanize.naturaldelta(sum(run.seconds for run in runs))


def _beside(lab: Lab, old: StoredRun, new: str, name: str | None) -> None:
    """Open a run and the one that is to be better side by side, with this frame's answer before and after."""
    query = {"view": "Two runs", "a": old.id, "b": new, "frame": name, "data": lab.source}
    st.switch_page("pages/compare.py", query_params={key: value for key, value in query.items() if value})
