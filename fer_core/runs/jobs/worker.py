"""The process that carries out runs: claims one, keeps its lease alive from a thread, writes what it reports."""

import errno
import logging
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Self

from fer_core.config.devices import name_on_host
from fer_core.config.run import RunConfig
from fer_core.config.settings import Settings
from fer_core.errors import AttemptLost, Cancelled, FerError, LeaseLost, WorkerStopped
from fer_core.learning.reporting import EpochRecord, Report, RunResult
from fer_core.storage.database import StoreBusyError
from fer_core.storage.disk import keep_below_limit
from fer_core.storage.home import open_store
from fer_core.storage.store import Store

from . import held_run, registry
from .held_run import usage
from .queue import LEASE_SECONDS, Claim, claim
from .registry import Orphans, marked

Execute = Callable[[RunConfig, Report, Settings], RunResult]

#: How long a worker tries again to write to a locked or full database before it lets a run's lease run out.
PATIENCE = 300.0
#: Heartbeats in the time of a lease: two may be missed.
BEATS = 3
#: Cancelling takes effect within a second: the flag is looked up at most so often (seconds).
LOOK_SECONDS = 0.25
#: Progress within a step is written at most so often (seconds).
PROGRESS_SECONDS = 0.5
#: Epochs that follow each other faster than this are written together (seconds).
EPOCH_SECONDS = 0.25
#: A worker that waits looks so often whether artifacts take more than FER_DISK_LIMIT (seconds).
COLLECT_SECONDS = 600.0

log = logging.getLogger(__name__)


def pipeline_execute(config: RunConfig, report: Report, settings: Settings) -> RunResult:
    """Carry out a run with the pipeline in this process, imported here because it brings torch."""
    from fer_core.runs.pipeline.run import execute

    return execute(config, report, settings)


def run_worker(
    settings: Settings,
    *,
    until_idle: bool = False,
    only: str | None = None,
    poll: float = 0.5,
    stop: threading.Event | None = None,
    execute: Execute = pipeline_execute,
    lease_seconds: float = LEASE_SECONDS,
    patience: float = PATIENCE,
) -> int:
    """Carry out runs, one at a time, first come first served; return how many were taken up.

    Ends when `stop` is set, on SIGTERM (as SystemExit) or Ctrl-C, where the run goes back to the queue; with
    `until_idle` also once nothing is queued or running. `only` restricts it to one run. A run that another
    worker holds is waited for: should that worker die, this one takes over once the lease has run out, and ends
    what is left of it first. A GPU carries out one run at a time.

    Args:
        poll: seconds between two looks at an empty queue.
        execute: what carries out a run.
        lease_seconds: how long a run stays this worker's after a sign of life.
        patience: how long a write to a locked or full database is tried again before the lease may run out.

    Raises:
        StoreError: the database is of a newer version, or a worker of another host uses it.
    """
    stop = stop or threading.Event()
    owner = registry.owner_name()
    store = open_store(settings, patience=patience)
    taken, collected = 0, float("-inf")
    orphans = Orphans(store, settings, owner, patience=lease_seconds / 2)
    device = name_on_host(settings.device)
    alone = device if device.startswith("cuda:") and only is None else None
    try:
        with ending_orderly_on_sigterm(), marked(settings), _Pulse(settings, owner, lease_seconds) as pulse:
            registry.enter(store, owner, device=device, only=only)
            while not stop.is_set():
                try:
                    held = None
                    if orphans.gone():
                        held = claim(
                            store,
                            owner,
                            lease_seconds=lease_seconds,
                            only=only,
                            device=alone,
                            abandoned=orphans.looked,
                        )
                    if held is not None:
                        taken += 1
                        with pulse.keeping(held):
                            _carry_out(store, held, execute, settings, stop)
                        collected = _collect(store, settings)
                    elif until_idle and registry.leave_if_idle(store, owner, only=only):
                        break
                    elif time.monotonic() - collected >= COLLECT_SECONDS:
                        collected = _collect(store, settings)
                    else:
                        stop.wait(poll)
                except StoreBusyError as error:
                    log.warning("%s Trying again.", error)
                    stop.wait(poll)
    finally:
        with suppress(StoreBusyError):
            registry.leave(store, owner)
        store.close()
    return taken


def _collect(store: Store, settings: Settings) -> float:
    """Keep the artifacts below their limit; what hinders that must not end the worker. Returns when it was done."""
    try:
        keep_below_limit(settings, store)
    except (FerError, OSError) as error:
        log.warning("artifacts could not be collected: %s", error)
    return time.monotonic()


def _carry_out(
    store: Store, held: Claim, execute: Execute, settings: Settings, stop: threading.Event
) -> None:
    """Carry out a claimed run and write how it ended; a lost lease or a full disk leaves it to the next."""
    started = time.monotonic()
    log.info("run %s: attempt %d", held.run_id, held.attempt)
    report = StoreReport(store, held, stop)
    try:
        try:
            report.log(
                f"attempt {held.attempt} by {held.owner}, process {os.getpid()}, device {settings.device}"
            )
            held_run.heartbeat(store, held, usage(settings.device))
            result = execute(held.config, report, settings)
            report.flush()
            peaks = {name: value for name, value in usage(settings.device).items() if name.endswith("_peak")}
            whole = replace(result, environment={**peaks, **result.environment})
            held_run.finish(store, held, whole, time.monotonic() - started)
            log.info("run %s: done in %.1f s", held.run_id, time.monotonic() - started)
        except (LeaseLost, StoreBusyError):
            raise
        except (Exception, KeyboardInterrupt, SystemExit) as error:
            how, message, line = _ending(error, held.attempt)
            report.flush()
            if line:
                report.log(line)
            held_run.end(store, held, how, time.monotonic() - started, message)
            if not isinstance(error, Exception):
                raise
    except LeaseLost as error:
        log.warning("%s; what it did since is dropped", error)
    except StoreBusyError as error:
        log.error("run %s is left to a later attempt: %s", held.run_id, error)


def _ending(error: BaseException, attempt: int) -> tuple[held_run.Ending, str, str]:
    """Return how an attempt ends that raised this, the run's error and what its log says of it."""
    match error:
        case WorkerStopped() | KeyboardInterrupt() | SystemExit():
            return "released", "", ""
        case Cancelled():
            return "cancelled", "", ""
        case AttemptLost():
            return "lost", f"The last attempt was cut off: {error}", f"attempt {attempt} was cut off: {error}"
        case FerError():
            return "failed", str(error), f"failed: {error}"
    log.error("the run failed", exc_info=error)
    return "failed", _explain(error), "".join(traceback.format_exception(error))


def _explain(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full ({error.filename or error}). Free space, then start the run again: nothing is lost."
    return f"{type(error).__name__}: {error}".removesuffix(": ")


class StoreReport:
    """A run's `Report` into the database, for as long as its lease holds."""

    def __init__(self, store: Store, held: Claim, stop: threading.Event) -> None:
        self._store, self._held, self._stop = store, held, stop
        self._looked = self._written = float("-inf")
        self._step = ""
        self._epochs: list[EpochRecord] = []
        self._flushed = float("-inf")

    @property
    def run_id(self) -> str:
        """The run's key."""
        return self._held.run_id

    @property
    def attempt(self) -> int:
        """Counts from 1; above 1 an earlier attempt was cut off."""
        return self._held.attempt

    def check(self) -> None:
        """Raise Cancelled, LeaseLost or WorkerStopped when the run must stop."""
        if self._stop.is_set():
            raise WorkerStopped
        now = time.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            with suppress(StoreBusyError):  # the next look, or the next write with its patience, will see
                if held_run.cancel_requested(self._store, self._held):
                    raise Cancelled

    def step(self, name: str, done: int, total: int) -> None:
        """Write a step's progress: its start, its end, and not too often in between."""
        self.check()
        now = time.monotonic()
        if name != self._step or done >= total or now - self._written >= PROGRESS_SECONDS:
            self._step, self._written = name, now
            held_run.write_progress(self._store, self._held, name, done, total)

    def epoch(self, record: EpochRecord) -> None:
        """Write an epoch, together with those that came in the last quarter of a second."""
        self.check()
        self._epochs.append(record)
        if time.monotonic() - self._flushed >= EPOCH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write the epochs that wait; call it before a run ends, however it ends."""
        if self._epochs:
            held_run.write_epochs(self._store, self._held, self._epochs)
            self._epochs = []
        self._flushed = time.monotonic()

    def log(self, text: str) -> None:
        """Write lines of the log."""
        held_run.write_log(self._store, self._held, text)


class _Pulse(threading.Thread):
    """Records that the worker lives, renews its run's lease and ends orphans, over a separate connection."""

    def __init__(self, settings: Settings, owner: str, lease_seconds: float) -> None:
        super().__init__(name="pulse", daemon=True)
        self._settings, self._owner, self._lease = settings, owner, lease_seconds
        self._store = Store(settings.database, patience=lease_seconds / BEATS / 2)
        self._ended = threading.Event()
        self._held: Claim | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()

    @contextmanager
    def keeping(self, held: Claim) -> Iterator[None]:
        """Renew this lease while the body runs."""
        self._held = held
        try:
            yield
        finally:
            self._held = None

    def run(self) -> None:
        """Beat until ended; a beat that fails is made up for by the next.

        Orphans are looked for here too: one that stands still may hold the lock that the worker waits for.
        """
        interval = self._lease / BEATS
        orphans = Orphans(self._store, self._settings, self._owner, patience=self._lease / 2)
        while not self._ended.wait(interval):
            for beat in (self._beat, orphans.gone):
                try:
                    beat()
                except Exception as error:  # the thread must outlive any, or the run would be taken away
                    log.warning("heartbeat missed: %s", error)
        self._store.close()

    def _beat(self) -> None:
        registry.seen(self._store, self._owner)
        held = self._held
        if held is not None:
            held_run.heartbeat(self._store, held, usage(self._settings.device))


@contextmanager
def ending_orderly_on_sigterm() -> Iterator[None]:
    """Turn SIGTERM into SystemExit, so that the run goes back to the queue; signals reach main threads only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Inline:
    """The calling process; base of every executor."""

    def submit(self, settings: Settings) -> None:
        """See to it that queued runs get carried out; only this one returns when that is done, the others at once.

        Raises:
            ConfigError: a package or a setting that the executor needs is missing.
            StoreError: a worker of another host uses the database.
        """
        self.work(settings, until_idle=True)

    def work(self, settings: Settings, *, until_idle: bool, only: str | None = None) -> None:
        """Be what carries runs out, until stopped or until nothing is left: the command `worker`.

        `only` restricts it to one run.
        """
        run_worker(settings, until_idle=until_idle, only=only)

    def cancel(self, settings: Settings, run_id: str) -> None:
        """Take back what was started for a run that is cancelled; a worker looks at the row, so there is nothing."""

    def describe(self, settings: Settings) -> str:
        """Say in a few words where runs are carried out. Raises ConfigError."""
        return f"this process, device {settings.device}"
