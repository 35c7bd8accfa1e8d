"""Dashboards forked from one process that has imported what they load: that takes seconds, and each would do it anew.

What is imported depends on no variable of a dashboard's own but `HOME` and STREAMLIT_*: with these it must be launched.
"""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Mapping
from multiprocessing import get_context
from pathlib import Path

#: None of `fer_core.ui`: Streamlit's caches belong to the server that is there when they are declared.
LOADED = (
    "streamlit.web.cli",
    "components_once",
    "plotly.graph_objects",
    "altair",
    "fer_core.runs.pipeline.run",
)
LOADED += ("fer_core.prediction.grad_cam", "fer_core.prediction.predictor", "fer_core.prediction.neighbours")


class Forked:
    """A process that runs a module, as `python -m` does; it is ended and waited for as one of `subprocess` is.

    Args:
        log: the file that its output is added to.
        environment: all of it.
        command: what follows `python -m`.
        folder: the working folder.
    """

    def __init__(self, log: Path, environment: Mapping[str, str], command: list[str], folder: Path) -> None:
        context = get_context("forkserver")
        context.set_forkserver_preload(list(LOADED))
        self._process = context.Process(target=_run, args=(str(log), dict(environment), command, str(folder)))
        self._process.start()

    def poll(self) -> int | None:
        """Return how it ended, None while it runs."""
        return self._process.exitcode

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def wait(self) -> None:
        """Wait until it has ended."""
        self._process.join()


def _run(log: str, environment: dict[str, str], command: list[str], folder: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(output, stream)
    sys.argv = command
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)
