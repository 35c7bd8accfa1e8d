"""A worker killed with SIGKILL while it trains a recipe beyond the paper's; another continues to the same bits."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fer_core import ROOT
from fer_core.config import settings as settings_module
from fer_core.config.run import FacesConfig, ProtocolConfig, RunConfig, TransferConfig, parse
from fer_core.config.training import TrainingConfig
from fer_core.datasets.fingerprint import data_config
from fer_core.datasets.open import open_dataset
from fer_core.runs.jobs.queue import submit
from fer_core.runs.jobs.worker import run_worker
from fer_core.storage.store import Store

RECIPE = {
    "epochs": 3,
    "batch_size": 8,
    "schedule": "cosine",
    "warmup_epochs": 1,
    "weight_decay": 0.05,
    "rate_factor": 0.3,
    "thaw_every": 1,
    "augmentation": {"views": 2, "flip": True, "crop": 0.2},
    "mixup": 0.2,
    "selection": "inner",
    "calibrate": True,
    "flip_at_test": True,
}
WORKER = """
import sys
from fer_core.config import settings
from fer_core.runs.jobs.worker import run_worker
from fer_core.learning.training import loop

loop.train.__kwdefaults__["save_every_s"] = 0.0
run_worker(settings.load(), only=sys.argv[1], poll=0.05, lease_seconds=5.0)
"""


def definition(source: Path, n: int) -> RunConfig:
    return RunConfig(
        data=data_config(open_dataset(source)),
        faces=FacesConfig(extract=False, size=64),
        model=TransferConfig(backbone="efficientnet_lite0", unfreeze=n),
        protocol=ProtocolConfig(name="stratified", folds=2),
        training=parse(TrainingConfig, RECIPE),
    )


def start(run_id: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WORKER, run_id], cwd=ROOT)


def wait_for_epochs(store: Store, run_id: str, count: int, worker: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 300
    while len(store.epochs(run_id)) < count:
        assert worker.poll() is None, "the worker ended"
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def kept(store: Store, run_id: str) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Return what must agree between two trainings, the clock left out."""
    run = store.run(run_id)
    assert run.status == "done", run.error
    summary = {name: value for name, value in run.summary.items() if name != "seconds"}
    epochs = store.epochs(run_id).drop(columns=["seconds", "written"]).sort_values(["seed", "fold", "epoch"])
    return epochs.reset_index(drop=True), store.predictions(run_id), summary


def test_a_killed_workers_recipe_ends_with_the_bits_of_one_left_in_peace(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_DEVICE", "cpu")
    monkeypatch.setenv("FER_THREADS", "1")
    config, beside = definition(few, 2), definition(few, 1)
    store = Store(settings_module.load().database)
    run_id, other = submit(store, config)[0], submit(store, beside)[0]
    neighbour = start(other)
    try:
        for epochs in (2, 5):  # once in the first fold, once in the second
            worker = start(run_id)
            try:
                wait_for_epochs(store, run_id, epochs, worker)
            finally:
                worker.send_signal(signal.SIGKILL)
                worker.wait()
            assert store.run(run_id).status == "running"
        run_worker(settings_module.load(), until_idle=True, poll=0.05, lease_seconds=5.0)
        assert store.run(run_id).attempts == 3
        found = {key: kept(store, key) for key in (run_id, other)}
    finally:
        neighbour.kill()
        neighbour.wait()
        store.close()

    monkeypatch.setenv("FER_HOME", str(tmp_path / "peace"))
    peace = Store(settings_module.load().database)
    for one in (config, beside):
        submit(peace, one)
    run_worker(settings_module.load(), until_idle=True, poll=0.05)
    for key, (epochs, predictions, summary) in found.items():
        expected = kept(peace, key)
        pd.testing.assert_frame_equal(epochs, expected[0], check_exact=True)
        pd.testing.assert_frame_equal(predictions, expected[1], check_exact=True)
        assert summary == expected[2]
    peace.close()
