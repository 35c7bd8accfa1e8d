"""A worker's made-up run: three epochs and a result; and one in a process of its own that never ends."""

import time
from collections.abc import Callable
from typing import Any

import pandas as pd

from fer_core.config.run import DataConfig, RunConfig
from fer_core.config.settings import Settings
from fer_core.learning.reporting import EpochRecord, Report, RunResult
from fer_core.runs.jobs.queue import Claim, claim
from fer_core.storage.store import Store

LEASE = 2.0
EPOCHS = 3


def config(number: int = 0) -> RunConfig:
    return RunConfig(data=DataConfig(fingerprint=f"{number:016x}"))


def record(number: int) -> EpochRecord:
    return EpochRecord(0, 0, number, 1.0 / number, 0.5, 1.0, 0.5, 0.001, 0.1, 10)


def result() -> RunResult:
    row = {"seed": 0, "fold": 0, "name": "a", "label": 1, "group": "g", "face_status": "found"}
    row |= {f"p{i}": float(i == 1) for i in range(7)}
    return RunResult({"val_accuracy": 1.0}, pd.DataFrame([row]), {"device": "cpu"})


def execute(config: RunConfig, report: Report, settings: Settings) -> RunResult:
    for number in range(1, EPOCHS + 1):
        report.step("folds", number, EPOCHS)
        report.epoch(record(number))
    report.log("all folds trained")
    return result()


def take(store: Store, owner: str = "a", **how: Any) -> Claim:
    """Claim a run that must be there."""
    held = claim(store, owner, **how)
    assert held is not None
    return held


def wait_for(condition: Callable[[], object], seconds: float = 300.0) -> None:
    """Wait until the condition holds; fail when it doesn't come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


CHILD = """
import sys, time
from fer_core.config import settings
from fer_core.runs.jobs.worker import run_worker
from fer_core.learning.reporting import EpochRecord

def slow(config, report, settings):
    for number in range(1, 1000):
        report.epoch(EpochRecord(0, 0, number, 1.0, 0.5, 1.0, 0.5, 0.001, 0.1, 10))
        time.sleep(0.02)

run_worker(settings.load(), poll=0.02, execute=slow, lease_seconds=float(sys.argv[1]))
"""
