"""What the tasks of a fit report on its way to the driver: through a Ray queue, then summed up for the run."""

from __future__ import annotations

import time
from typing import Any

from fer_core.learning.reporting import EpochRecord, Report

#: A task sends what it has to report at most so often (seconds).
SEND_SECONDS = 0.25


class TaskReport:
    """A task's `Report`, sent as (group, kind, values): an epoch's record, a step's name and counts, a log's text.

    Args:
        queue: a `ray.util.queue.Queue`.
        group: number of the task's group of folds.
    """

    def __init__(self, queue: Any, group: int, run_id: str, attempt: int) -> None:
        self.run_id, self.attempt = run_id, attempt
        self._queue, self._group = queue, group
        self._waiting: list[tuple[int, str, Any]] = []
        self._sent = float("-inf")

    def step(self, name: str, done: int, total: int) -> None:
        """Report a step's progress."""
        if self._waiting and self._waiting[-1][1] == "step":
            self._waiting.pop()  # only the newest matters
        self._add("step", (name, done, total))

    def epoch(self, record: EpochRecord) -> None:
        """Report an epoch."""
        self._add("epoch", record)

    def log(self, text: str) -> None:
        """Report a line of the log."""
        self._add("log", text)

    def check(self) -> None:
        """Send what waits; the driver interrupts a task that is to stop."""
        if self._waiting and time.monotonic() - self._sent >= SEND_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Send all that waits."""
        waiting, self._waiting = self._waiting, []
        self._queue.put_nowait_batch(waiting)
        self._sent = time.monotonic()

    def _add(self, kind: str, values: Any) -> None:
        self._waiting.append((self._group, kind, values))
        self.check()


class Received:
    """Passes what tasks report on to the report of the run, their steps summed up.

    Args:
        queue: the one that the tasks send to.
        epochs: of each group, over its folds.
    """

    def __init__(self, queue: Any, report: Report, epochs: list[int]) -> None:
        self._queue, self._report = queue, report
        self._done = [(0, count) for count in epochs]

    def pass_on(self) -> None:
        """Report what has come, and look whether the run must stop. Raises Cancelled."""
        for group, kind, values in self._queue.get_nowait_batch(self._queue.qsize()):
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
