"""The line between the tasks of a fit and their driver: reports come in, the word to stop goes out.

It imports little, so that the actor's process starts fast.
"""

from __future__ import annotations

import time
from typing import Any

from fer_core.errors import WorkerStopped
from fer_core.learning.reporting import EpochRecord, Report

#: A task tells what it has to tell, and hears whether to stop, at most so often (seconds).
TELL_SECONDS = 0.25


class Line:
    """An actor that holds what the tasks of one fit have said until the driver hears it.

    Told as (group, kind, values): 'epoch' with a record, 'step' with name, done and total, 'log' with a text.
    """

    def __init__(self) -> None:
        self._said: list[tuple[int, str, Any]] = []
        self._stop = False

    def tell(self, said: list[tuple[int, str, Any]]) -> bool:
        """Keep what a task says; return whether it is to stop."""
        self._said += said
        return self._stop

    def hear(self) -> list[tuple[int, str, Any]]:
        """Return what has been said since the last time."""
        said, self._said = self._said, []
        return said

    def stop(self) -> None:
        """Have the tasks stop at their next look."""
        self._stop = True


class TaskReport:
    """A task's `Report`, over its line to the driver."""

    def __init__(self, line: Any, group: int, run_id: str, attempt: int) -> None:
        self.run_id, self.attempt = run_id, attempt
        self._line, self._group = line, group
        self._said: list[tuple[int, str, Any]] = []
        self._told = float("-inf")

    def step(self, name: str, done: int, total: int) -> None:
        """Tell a step's progress."""
        if self._said and self._said[-1][1] == "step":
            self._said.pop()  # only the newest matters
        self._say("step", (name, done, total))

    def epoch(self, record: EpochRecord) -> None:
        """Tell an epoch."""
        self._say("epoch", record)

    def log(self, text: str) -> None:
        """Tell a line of the log."""
        self._say("log", text)

    def check(self) -> None:
        """Raise WorkerStopped when the driver says so."""
        if time.monotonic() - self._told >= TELL_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Tell what waits, and hear whether to stop. Raises WorkerStopped."""
        import ray

        said, self._said = self._said, []
        stop = ray.get(self._line.tell.remote(said))
        self._told = time.monotonic()
        if stop:
            raise WorkerStopped

    def _say(self, kind: str, values: Any) -> None:
        self._said.append((self._group, kind, values))
        self.check()


class Heard:
    """Gives the report of the run what its tasks tell: their steps summed up.

    Args:
        epochs: of each group, over its folds.
    """

    def __init__(self, report: Report, epochs: list[int]) -> None:
        self._report = report
        self._done = [(0, count) for count in epochs]

    def pass_on(self, said: list[tuple[int, str, Any]]) -> None:
        """Report what was told, and look whether the run must stop. Raises Cancelled."""
        for group, kind, values in said:
            if kind == "epoch":
                self._report.epoch(values)
            elif kind == "log":
                self._report.log(values)
            elif values[0] == "train":
                self._done[group] = values[1:]
                done, total = (sum(counts) for counts in zip(*self._done, strict=True))
                self._report.step("train", done, total)
            else:
                self._report.step(*values)
        self._report.check()
