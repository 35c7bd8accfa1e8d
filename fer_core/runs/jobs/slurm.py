"""Runs as Slurm jobs, a job a run, through submitit (https://github.com/facebookincubator/submitit).

A job is a worker for its run alone: it claims it, renews its lease and writes to the database as any worker
does. When Slurm is about to end a job (time limit, preemption) submitit's signal puts the run back into the queue
and the job into Slurm's, and it continues from the last checkpoint. submitit can't look after jobs that another
process submitted to its 'local' cluster, so whether a job lives is judged by its worker's sign of life first.
"""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from fer_core.config import settings as settings_module
from fer_core.config.run import RunConfig
from fer_core.config.settings import Settings, SlurmSettings
from fer_core.errors import ConfigError
from fer_core.learning.reporting import Report, RunResult
from fer_core.storage.home import open_store
from fer_core.storage.store import Store, StoredRun

from . import held_run, registry
from .queue import claim
from .worker import Inline, pipeline_execute, run_worker

RECORD = "job.json"
PIP = "python -m pip install -r requirements-slurm.txt"

#: So many jobs may end without bringing a run to its end; then it fails, so that no cluster is flooded.
MOST_JOBS = 3
#: A job just started has so long to show a sign of life (seconds).
GRACE = 60.0
#: How often `work` looks whether every queued run has its job (seconds).
LOOK_SECONDS = 5.0


def parameters(wanted: SlurmSettings, run_id: str) -> dict[str, Any]:
    """Return submitit's parameters of a job."""
    named = {f"slurm_{name}": getattr(wanted, name) for name in ("partition", "account", "qos", "constraint")}
    return {
        "name": f"fer-{run_id[:8]}",
        "timeout_min": wanted.time,
        "mem_gb": wanted.memory,
        "cpus_per_task": wanted.cpus,
        "gpus_per_node": wanted.gpus,
        "stderr_to_stdout": True,
        "slurm_signal_delay_s": 120,
        **{name: value for name, value in named.items() if value},
    }


class Job:
    """What a job carries out: one run. submitit keeps it as a pickle and calls it on the node."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id

    def __call__(self) -> None:
        """Work on the run until it has ended; nothing happens if it has already."""
        settings = settings_module.load(executor="inline")
        run_worker(settings, until_idle=True, only=self.run_id, execute=_execute)

    def checkpoint(self) -> Any:
        """Return what follows a time limit or preemption: the same, for the run's folder has its state."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def _execute(config: RunConfig, report: Report, settings: Settings) -> RunResult:
    """Carry out a run and note in its log which job did and where its output is."""
    import submitit

    here = submitit.JobEnvironment()
    report.log(f"job {here.job_id} on {here.hostname}, output in {here.paths.stdout}")
    return pipeline_execute(config, report, settings)


def start_job(settings: Settings, wanted: SlurmSettings, run_id: str) -> str:
    """Submit a run's job and return its number."""
    executor = _submitit().AutoExecutor(
        folder=_folder(settings, run_id), cluster=wanted.cluster, slurm_max_num_timeout=wanted.requeues
    )
    executor.update_parameters(**parameters(wanted, run_id))
    with settings_module.exported(settings):  # jobs inherit the environment
        return str(executor.submit(Job(run_id)).job_id)


class Slurm(Inline):
    """A Slurm job for every run.

    Args:
        start: submits a run's job and returns its number.
    """

    def __init__(self, start: Callable[[Settings, SlurmSettings, str], str] = start_job) -> None:
        self._start = start

    def submit(self, settings: Settings) -> None:
        """Submit a job for every run that has none: queued runs, and those whose job has died."""
        wanted = self._checked(settings)
        lock = settings.home / "slurm" / ".lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        store = open_store(settings)
        try:
            with FileLock(lock):  # two callers at the same instant submit one job
                for run in reversed(store.runs(status=["queued", "running"], limit=10_000)):
                    self._see_to(store, settings, wanted, run)
        finally:
            store.close()

    def _see_to(self, store: Store, settings: Settings, wanted: SlurmSettings, run: StoredRun) -> None:
        """Submit a run's job unless it has one, or a worker; fail the run when too many jobs have died."""
        if registry.works_on(store, run.id):
            return
        record = _record(settings, run.id)
        if record is not None and record["submitted"] < run.queued:
            record = None  # of an earlier request
        if record is not None and _waits(store, settings, run.id, record):
            return
        jobs, folder = record["jobs"] if record else 0, _folder(settings, run.id)
        if jobs < MOST_JOBS:
            folder.mkdir(parents=True, exist_ok=True)
            number = self._start(settings, wanted, run.id)
            found = {"job": number, "cluster": wanted.cluster, "submitted": store.now(), "jobs": jobs + 1}
            partial = folder / f".{RECORD}.partial"
            partial.write_text(json.dumps(found | {"home": str(settings.home.resolve())}), encoding="utf-8")
            partial.replace(folder / RECORD)  # `cancel` reads it without the lock
        elif held := claim(store, registry.owner_name(), only=run.id):
            error = (
                f"{jobs} jobs ended without taking this run to its end. Their output is in {folder}; "
                "see to what it names, then start the run again."
            )
            held_run.end(store, held, "failed", 0.0, error)

    def cancel(self, settings: Settings, run_id: str) -> None:
        """Take back a job that waits; a running one ends by itself within a second and leaves a checkpoint."""
        record = _record(settings, run_id)
        if record is None or record["cluster"] != "slurm":
            return
        if record.get("home") != str(settings.home.resolve()):
            return  # the home is a copy: the job is the original's
        with suppress(Exception):  # the row is what counts: a job of a cancelled run ends at once
            job = _submitit().SlurmJob(_folder(settings, run_id), record["job"])
            if job.get_info(mode="force").get("State") == "PENDING":
                job.cancel()

    def describe(self, settings: Settings) -> str:
        """Name the cluster and what a job asks for."""
        wanted = self._checked(settings)
        place = "Slurm" if wanted.cluster == "slurm" else "submitit's local cluster"
        partition = f", partition {wanted.partition}" if wanted.partition else ""
        return f"{place}{partition}: a job a run, {wanted.gpus} GPUs, {wanted.cpus} CPUs, {wanted.time} min"

    def work(self, settings: Settings, *, until_idle: bool, only: str | None = None) -> None:
        """Submit jobs as runs come, and again where a job died, until stopped or until nothing is left."""
        store = open_store(settings)
        ids = None if only is None else [only]
        try:
            while True:
                self.submit(settings)
                if until_idle and not store.runs(ids=ids, status=["queued", "running"], limit=1):
                    return
                time.sleep(LOOK_SECONDS)
        finally:
            store.close()

    @staticmethod
    def _checked(settings: Settings) -> SlurmSettings:
        """Return the settings. Raises ConfigError where they, submitit or Slurm are missing."""
        wanted = settings_module.read(SlurmSettings)
        submitit = _submitit()
        if wanted.cluster == "slurm" and settings.database_url is None:
            raise ConfigError(
                "FER_EXECUTOR=slurm needs a database that several hosts can write to",
                got="a SQLite file",
                fix="Set FER_DATABASE_URL to a PostgreSQL database that the nodes reach",
            )
        if wanted.cluster == "slurm" and submitit.SlurmExecutor.affinity() < 0:
            raise ConfigError(
                "FER_EXECUTOR=slurm needs Slurm's commands (sbatch, sacct, scancel)",
                got="no srun on the PATH",
                fix="Start FER Lab on a login node, or set FER_SLURM_CLUSTER=local to try jobs on this host",
            )
        return wanted


def _submitit() -> Any:
    try:
        import submitit
    except ImportError as error:
        raise ConfigError("FER_EXECUTOR=slurm needs the package submitit", got=str(error), fix=PIP) from error
    return submitit


def _folder(settings: Settings, run_id: str) -> Path:
    return settings.home / "slurm" / run_id


def _record(settings: Settings, run_id: str) -> dict[str, Any] | None:
    """Return the last job of a run: job, cluster, submitted (database's clock), jobs (how many); None for none."""
    path = _folder(settings, run_id) / RECORD
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _waits(store: Store, settings: Settings, run_id: str, record: Mapping[str, Any]) -> bool:
    """Return whether a job waits, or has just started and not shown a sign of life yet."""
    if record["cluster"] == "slurm":
        return not _submitit().SlurmJob(_folder(settings, run_id), record["job"]).done()
    return bool(store.now() - record["submitted"] < GRACE)
