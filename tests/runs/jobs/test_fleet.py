"""A worker a device: enumeration stood in for, the processes real but for what they carry out."""

import os
import sys
import threading
from pathlib import Path

import pytest
from worker_case import config, result, take, wait_for

from fer_core.cli import serve
from fer_core.cli.main import main
from fer_core.config import devices
from fer_core.config.settings import Settings
from fer_core.runs.jobs import executors, held_run, registry, worker
from fer_core.runs.jobs.processes import Process
from fer_core.runs.jobs.queue import claim, submit
from fer_core.storage.store import Store

GPUS = ["cuda:0", "cuda:1"]
#: A worker that writes down its device, and dies where it is asked to.
STAND_IN = """
import os, pathlib, signal, sys, time
place = pathlib.Path(os.environ["FER_HOME"])
device = os.environ.get("CUDA_VISIBLE_DEVICES") or os.environ["FER_DEVICE"]
with (place / "started").open("a") as file:
    file.write(device + "\\n")
if "--until-idle" not in sys.argv:
    time.sleep(60)
sys.exit(3 if device == "cuda:1" and (place / "started").read_text().count(device) == 1 else 0)
"""


COMMAND = (sys.executable, "-c", STAND_IN)


def test_every_gpu_has_its_worker_and_all_end_together(settings: Settings, store: Store) -> None:
    stop = threading.Event()
    options = {"stop": stop, "command": COMMAND}
    thread = threading.Thread(target=executors.run_fleet, args=(settings, GPUS), kwargs=options)
    thread.start()
    try:
        wait_for(lambda: len(store.workers()) == 2)
        workers = store.workers()
        assert sorted(workers["device"]) == GPUS
        processes = [Process.of(pid) for pid in workers["pid"]]
        place = settings.home / "started"
        wait_for(lambda: place.exists() and len(place.read_text().split()) == 2)
        assert sorted(place.read_text().split()) == GPUS
    finally:
        stop.set()
        thread.join()
    assert not any(process is None or process.lives() for process in processes)


def test_a_worker_that_dies_is_started_again_and_idle_ones_end_it(settings: Settings, store: Store) -> None:
    """The row of the process that starts them goes: it is no worker."""
    registry.enter(store, registry.owner_name(), device="auto")
    executors.run_fleet(settings, GPUS, until_idle=True, command=COMMAND, pause=0.1)
    assert sorted((settings.home / "started").read_text().split()) == ["cuda:0", "cuda:1", "cuda:1"]
    assert registry.owner_name() not in set(store.workers()["owner"])


def test_each_mig_instance_has_a_worker_that_sees_it_alone(
    settings: Settings, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As nvidia-smi lists a GPU in two parts and a whole one."""
    listing = tmp_path / "nvidia-smi"
    listing.write_text(
        "#!/bin/sh\ncat <<END\nGPU 0: A100 (UUID: GPU-a)\n  MIG 3g.20gb Device 0: (UUID: MIG-b)\n"
        "  MIG 3g.20gb Device 1: (UUID: MIG-c)\nGPU 1: A100 (UUID: GPU-d)\nEND\n"
    )
    listing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    found = devices.present()
    assert found == ["MIG-b", "MIG-c", "GPU-d"]
    executors.run_fleet(settings, found, until_idle=True, command=COMMAND)
    assert sorted((settings.home / "started").read_text().split()) == sorted(found)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-c")
    assert devices.present() == ["cuda:0"]
    assert devices.name_on_host("cuda:0") == "cuda:MIG-c"
    assert devices.name_on_host("cpu") == "cpu"


@pytest.mark.parametrize(
    ("option", "gpus", "expected"),
    [
        ("all", GPUS, ("fleet", GPUS)),
        ("all", ["cpu"], ("worker", "cpu")),
        ("cpu", GPUS, ("worker", "cpu")),
        ("cuda:1", GPUS, ("worker", "cuda:1")),
        ("auto", GPUS, ("worker", "cuda:0")),
        ("auto", ["cpu"], ("worker", "cpu")),
    ],
)
def test_the_command_names_its_device(
    option: str, gpus: list[str], expected: tuple[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[tuple[str, object]] = []
    count = 0 if gpus == ["cpu"] else len(gpus)
    monkeypatch.setattr("torch.cuda.device_count", lambda: count)
    monkeypatch.setattr("torch.cuda.is_available", lambda: bool(count))
    monkeypatch.setattr(serve, "run_fleet", lambda _, devices, **__: found.append(("fleet", devices)))
    monkeypatch.setattr(worker, "run_worker", lambda given, **_: found.append(("worker", given.device)))
    assert main(["worker", "--device", option]) == 0
    assert found == [expected]


def test_a_device_that_is_not_there_or_no_device_is_an_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert devices.present() == ["cpu"]
    for wrong in ("gpu", "cuda:9"):
        assert main(["worker", "--device", wrong]) == 2
        assert wrong in capsys.readouterr().err


def test_a_gpu_carries_out_one_run_at_a_time(settings: Settings, store: Store) -> None:
    ids = [submit(store, config(number))[0] for number in range(3)]
    for owner, device in (("a", "cuda:0"), ("b", "cuda:0"), ("c", "cuda:1")):
        registry.enter(store, owner, device=device)
    first = take(store, "a", device="cuda:0")
    assert first.run_id == ids[0]
    assert claim(store, "b", device="cuda:0") is None, "the device is at work"
    second = take(store, "c", device="cuda:1")
    assert second.run_id == ids[1], "the other one takes the next"
    held_run.finish(store, first, result(), 1.0)
    third = take(store, "b", device="cuda:0")
    assert third.run_id == ids[2]


def test_pages_start_a_worker_on_every_gpu_unless_told_which(settings: Settings) -> None:
    assert executors.every_device(settings) == ["--device", "all"]
    assert executors.every_device(settings.model_copy(update={"device": "cuda:1"})) == []
