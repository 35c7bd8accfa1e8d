"""Votes on the Compare page: which runs vote together, and whether their vote beats its best member."""

from collections.abc import Sequence

import streamlit as st

from fer_core.config.recognition import VoteConfig
from fer_core.errors import FerError
from fer_core.results.rows import title
from fer_core.results.trust import against
from fer_core.results.votes import definition, vote
from fer_core.storage.store import StoredRun
from fer_core.ui.cache import resources
from fer_core.ui.cache.finished_runs import Compared
from fer_core.ui.parts.url import one_of, switch
from fer_core.ui.parts.widgets import escaped, run_link
from fer_core.ui.shell.setup import Lab


def draw(lab: Lab, known: Compared, runs: Sequence[StoredRun]) -> None:
    """Draw the choice of runs that vote, and the votes there are beside their best members."""
    votes = [run for run in runs if isinstance(run.config.model, VoteConfig)]
    named = known.named([run for run in runs if run not in votes])
    with st.expander("Let runs vote", icon=":material/how_to_vote:", expanded=bool(votes)):
        st.caption(
            "The mean of their probabilities for frames that none of them had learned from: their folds must be the "
            "same; a recogniser, which learned from none, goes with any. A vote is a run: it can be opened, exported, "
            "and answers on Predict where its members do."
        )
        members = [named[name] for name in st.multiselect("Members", **one_of("members", list(named)))]
        calibrated = st.toggle(
            "Calibrate each first",
            value=True,
            **switch("calibrated"),
            help="At the temperature that suits the other folds, so that a run that is too sure of itself does not "
            "outvote the rest.",
        )
        try:
            definition(members, calibrated=calibrated)
            problem = ""
        except FerError as error:
            problem = str(error)
        if len(members) > 1 and problem:
            st.warning(escaped(problem), icon=":material/block:")
        closed = f"{lab.closed}: starting votes is off." if lab.closed else None
        if st.button("Let them vote", disabled=bool(problem or closed), help=closed, type="primary"):
            vote(lab.store, resources.artifacts(), members, calibrated=calibrated)
            st.rerun()
        for run in votes:
            what, figure = against("on its best member", run.summary["vote"])
            st.markdown(
                f"[{escaped(run.name or title(run))}]({run_link(run)}) {escaped(what)}: {escaped(figure)}"
            )
        if len(votes) > 1:
            st.caption(
                f"{len(votes)} votes were tried on these frames: the best of several looks better than it is, and no "
                "test here allows for that."
            )
