"""Runs as Slurm jobs, on submitit's local cluster: the same jobs as processes of this host."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from extras import need
from pipeline_case import definition
from signal_guard import descendants
from sqlalchemy import make_url, text
from worker_case import config, wait_for

from fer_core.config.run import FacesConfig
from fer_core.config.settings import Settings, SlurmSettings, load, read
from fer_core.errors import ConfigError
from fer_core.runs.jobs import executors, registry, slurm
from fer_core.runs.jobs.processes import Process, send
from fer_core.runs.jobs.queue import submit
from fer_core.runs.jobs.slurm import Slurm, parameters
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.store import Store

need("submitit", "requirements-slurm.txt")

from submitit.local import local  # noqa: E402

#: No process can have this number.
NOBODY = str(int(Path("/proc/sys/kernel/pid_max").read_text()) + 1)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("FER_SLURM_CLUSTER", "local")
    return load(executor="slurm", device="cpu", threads=1)


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Keep hold of the processes that submitit starts as jobs, and end them and their tasks with the test."""
    started: list[subprocess.Popen[bytes]] = []
    real = local.start_controller

    def kept(**options: object) -> subprocess.Popen[bytes]:
        started.append(real(**options))
        return started[-1]

    monkeypatch.setattr(local, "start_controller", kept)
    yield started
    for job in started:
        left = tasks(job)
        send(job, signal.SIGKILL)
        for task in left:
            send(task, signal.SIGKILL)
        job.wait()


def tasks(job: subprocess.Popen[bytes]) -> list[Process]:
    """Return the living processes below a job's."""
    return [found for pid in descendants(job.pid) if (found := Process.of(pid))] if job.poll() is None else []


whole_frames = partial(definition, faces=FacesConfig(extract=False))


def test_a_job_takes_a_run_to_its_end_and_again_after_preemption(
    generated: Path, settings: Settings, jobs: list[subprocess.Popen[bytes]]
) -> None:
    """The job is preempted in its first seconds; it is put back, continues, and the bits are an undisturbed run's."""
    store, long = Store(settings.database), whole_frames(generated, epochs=40)
    run_id, _ = submit(store, long)
    executors.launch(settings)
    executors.launch(settings)
    (record,) = [json.loads(path.read_text()) for path in settings.home.glob("slurm/*/job.json")]
    assert record["jobs"] == 1, "the second launch found the job"
    wait_for(lambda: store.run(run_id).step_total > 1 or store.run(run_id).ended)
    assert not store.run(run_id).ended, "it must be met at work"
    (job,) = jobs
    assert record["job"] == str(job.pid)
    (task,) = tasks(job)
    assert send(task, signal.SIGUSR2)
    wait_for(lambda: store.run(run_id).ended)
    run = store.run(run_id)
    assert (run.status, run.error) == ("done", "")
    assert (run.attempts, run.max_attempts) == (2, 4), "a preemption spends no attempt"
    log = "\n".join(store.log(run_id)["text"])
    assert log.count(f"job {record['job']} on ") == 2
    output = settings.home / "slurm" / run_id / f"{record['job']}_0_log.out"
    assert f"output in {output}" in log
    assert "Requeued job" in output.read_text()

    alone = load(home=settings.home / "alone", device="cpu", threads=1)
    again = Store(alone.database)
    submit(again, long)
    executors.launch(alone.model_copy(update={"executor": "inline"}))
    pd.testing.assert_frame_equal(store.predictions(run_id), again.predictions(run_id))
    folder, other = (Artifacts(one.artifacts).open("runs", run_id) for one in (settings, alone))
    for path in sorted(folder.glob("*.safetensors")):
        # Headers hold the epochs' seconds; what follows them are the tensors.
        assert tensors(path) == tensors(other / path.name)


def tensors(path: Path) -> bytes:
    content = path.read_bytes()
    return content[8 + int.from_bytes(content[:8], "little") :]


def test_cancelling_ends_a_running_job(
    generated: Path, settings: Settings, jobs: list[subprocess.Popen[bytes]]
) -> None:
    store = Store(settings.database)
    run_id, _ = submit(store, whole_frames(generated, epochs=100))
    executors.launch(settings)
    wait_for(lambda: store.run(run_id).step_total > 0)
    assert executors.cancel(settings, store, run_id)
    wait_for(lambda: store.run(run_id).ended)
    assert store.run(run_id).status == "cancelled"
    assert not executors.cancel(settings, store, run_id)


class Dying:
    """Submits jobs that nobody carries out."""

    def __init__(self) -> None:
        self.jobs: list[str] = []

    def __call__(self, _settings: Settings, _wanted: SlurmSettings, run_id: str) -> str:
        self.jobs.append(run_id)
        return NOBODY


def test_jobs_that_die_are_submitted_again_and_not_for_ever(generated: Path, settings: Settings) -> None:
    start = Dying()
    executor, store = Slurm(start), Store(settings.database)
    run_id, _ = submit(store, whole_frames(generated))
    executor.submit(settings)
    executor.submit(settings)
    assert start.jobs == [run_id], "one that was just started is waited for"
    for _ in range(4):
        age(settings, run_id)
        executor.submit(settings)
    run = store.run(run_id)
    assert len(start.jobs) == slurm.MOST_JOBS
    assert run.status == "failed"
    assert str(settings.home / "slurm" / run_id) in run.error
    submit(store, run.config)
    executor.submit(settings)
    record = json.loads((settings.home / "slurm" / run_id / slurm.RECORD).read_text())
    assert record["jobs"] == 1, "asked for again, it begins again"


def age(settings: Settings, run_id: str) -> None:
    """Set a job, and the request for its run, back by what a job may take to show a sign of life."""
    path = settings.home / "slurm" / run_id / slurm.RECORD
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"submitted": record["submitted"] - slurm.GRACE}))
    older = text("UPDATE runs SET queued = queued - :seconds")
    Store(settings.database).write(lambda connection: connection.execute(older, {"seconds": slurm.GRACE}))


def test_a_run_with_a_living_worker_gets_no_second_job(generated: Path, settings: Settings) -> None:
    start, store = Dying(), Store(settings.database)
    run_id, _ = submit(store, whole_frames(generated))
    registry.enter(store, "there:1", device="cpu", only=run_id)
    Slurm(start).submit(settings)
    assert start.jobs == []


def test_settings_become_what_slurm_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PARTITION": "gpu", "GPUS": "2", "TIME": "90", "QOS": "long"}.items():
        monkeypatch.setenv(f"FER_SLURM_{name}", value)
    asked = parameters(read(SlurmSettings), "abcdefgh12345678")
    assert asked["slurm_partition"] == "gpu"
    assert (asked["gpus_per_node"], asked["timeout_min"], asked["slurm_qos"]) == (2, 90, "long")
    assert asked["name"] == "fer-abcdefgh"
    assert "slurm_account" not in asked


@pytest.mark.parametrize(
    ("name", "value"), [("TIME", "soon"), ("TIME", "0"), ("CLUSTER", "cloud"), ("GPUS", "-1")]
)
def test_settings_out_of_range_are_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"FER_SLURM_{name}", value)
    with pytest.raises(ConfigError, match=f"FER_SLURM_{name}"):
        read(SlurmSettings)


def test_without_slurm_or_submitit_the_fix_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "local cluster" in executors.describe(settings)
    monkeypatch.setenv("FER_SLURM_CLUSTER", "slurm")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigError, match="Set FER_DATABASE_URL"):
        executors.launch(settings)
    settings = settings.model_copy(update={"database_url": make_url("postgresql+psycopg://there/fer")})
    with pytest.raises(ConfigError, match="FER_SLURM_CLUSTER=local"):
        executors.launch(settings)
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(ConfigError, match=r"pip install -r requirements-slurm\.txt"):
        executors.launch(settings)


def test_a_jobs_life_is_judged_by_the_databases_clock(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is an hour ahead of this host: a job just submitted is not taken for one of an earlier request."""
    ahead = [3600.0]
    monkeypatch.setattr(Store, "now", lambda _: time.time() + ahead[0])
    start = Dying()
    submit(Store(settings.database), config())
    Slurm(start).submit(settings)
    Slurm(start).submit(settings)
    assert len(start.jobs) == 1
    ahead[0] += slurm.GRACE
    Slurm(start).submit(settings)
    assert len(start.jobs) == 2, "without a sign of life for so long it is dead"


def test_a_copied_home_does_not_cancel_the_originals_job(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cancelled: list[str] = []

    class Pending:
        def __init__(self, _folder: Path, job: str) -> None:
            self._job = job

        def get_info(self, **_: object) -> dict[str, str]:
            return {"State": "PENDING"}

        def cancel(self) -> None:
            cancelled.append(self._job)

    monkeypatch.setattr("submitit.SlurmJob", Pending)
    executor, store = Slurm(Dying()), Store(settings.database)
    run_id, _ = submit(store, config())
    executor.submit(settings)
    record = settings.home / "slurm" / run_id / slurm.RECORD
    record.write_text(record.read_text().replace('"local"', '"slurm"'))
    shutil.copytree(settings.home, tmp_path / "copy")
    copy = settings.model_copy(update={"home": tmp_path / "copy"})
    assert executors.cancel(copy, Store(copy.database), run_id)
    assert cancelled == []
    assert executors.cancel(settings, store, run_id)
    assert cancelled == [NOBODY]
    store.close()
