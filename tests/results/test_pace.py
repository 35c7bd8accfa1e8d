"""The pace of a training, reckoned by hand."""

from types import SimpleNamespace

import pandas as pd
import pytest
import worker_case
from worker_case import take

from fer_core.config.run import DataConfig, ProtocolConfig, RunConfig, TrainingConfig, TransferConfig
from fer_core.results.pace import RECENT, Pace, estimate, pace, remaining
from fer_core.runs.jobs.held_run import finish
from fer_core.runs.jobs.queue import submit
from fer_core.storage.store import Store


def epochs(written: list[float], fold: int = 0, images: int = 8) -> pd.DataFrame:
    rows = [
        {
            "seed": 0,
            "fold": fold,
            "epoch": i + 1,
            "written": moment,
            "images": images,
            "val_accuracy": 0.1 * i,
        }
        for i, moment in enumerate(written)
    ]
    columns = ["seed", "fold", "epoch", "written", "images", "val_accuracy"]
    return pd.DataFrame(rows, columns=columns).astype({"written": "float64", "val_accuracy": "float64"})


def run(done: int, total: int, step: str = "train", started: float = 0.0) -> SimpleNamespace:
    return SimpleNamespace(step=step, step_done=done, step_total=total, started=started)


def test_two_folds_trained_together() -> None:
    table = pd.concat([epochs([10.0, 12.0, 14.0]), epochs([10.0, 12.0, 14.0], fold=1)])
    found = pace(run(6, 20), table)
    # Four epochs of 8 images came in the 4 s after the first two were written.
    assert found.images_per_second == pytest.approx(8.0)
    assert found.seconds_left == pytest.approx(14 * 1.0)
    assert found.accuracy == pytest.approx((0.0, 0.1, 0.2))
    assert (found.done, found.total) == (6, 20)


def test_only_the_newest_epochs_of_this_asking_count() -> None:
    slow_then_quick = [float(i * 100) for i in range(20)] + [5000.0 + i for i in range(RECENT)]
    assert pace(run(60, 70), epochs(slow_then_quick)).seconds_left == pytest.approx(10.0)
    assert pace(run(2, 4, started=1000.0), epochs([1.0, 2.0])).seconds_left is None


@pytest.mark.parametrize("written", [[], [1.0], [1.0, 1.0]])
def test_too_little_is_no_pace(written: list[float]) -> None:
    found = pace(run(len(written), 10), epochs(written))
    assert (found.images_per_second, found.seconds_left) == (None, None)


def test_another_step_has_no_total() -> None:
    found = pace(run(30, 40, step="detecting faces"), epochs([]))
    assert (found.done, found.total, found.seconds_left) == (0, 0, None)


def finished(store: Store, config: RunConfig, seconds: float) -> None:
    submit(store, config)
    finish(store, take(store), worker_case.result(), seconds)


def test_a_time_is_estimated_from_the_run_most_like_it_and_scaled_by_its_work(store: Store) -> None:
    data = DataConfig(fingerprint="0" * 16, images=100)
    five = RunConfig(data=data, protocol=ProtocolConfig(folds=5), training=TrainingConfig(epochs=10))
    assert estimate(five, []) is None
    finished(store, five.model_copy(update={"training": TrainingConfig(epochs=20)}), 200.0)
    done = store.runs(status=["done"])
    assert estimate(five, done) == pytest.approx(100.0), "half the epochs"
    ten = five.model_copy(update={"protocol": ProtocolConfig(folds=10, seeds=(0, 1))})
    assert estimate(ten, done) == pytest.approx(400.0), "four times the networks"
    more = five.model_copy(update={"data": DataConfig(fingerprint="1" * 16, images=300)})
    assert estimate(more, done) == pytest.approx(300.0), "three times the images"
    finished(store, five, 60.0)
    done = store.runs(status=["done"])
    assert estimate(five, done) == pytest.approx(60.0), "itself is most like it"
    other = five.model_copy(update={"model": TransferConfig(unfreeze=2)})
    assert estimate(other, done) is None, "another n is another work"


def test_what_remains_of_several_runs_is_known_once_each_is(store: Store) -> None:
    config = RunConfig(data=DataConfig(fingerprint="0" * 16, images=10))
    finished(store, config, 50.0)
    [done] = store.runs()
    [seeded] = [config.model_copy(update={"protocol": ProtocolConfig(seeds=(1, 2))})]
    submit(store, seeded)
    waiting = next(run for run in store.runs() if run.status == "queued")
    at_work = Pace(3, 10, 5.0, 12.0, ())
    unknown = Pace(0, 0, None, None, ())
    assert remaining([(waiting, at_work), (waiting, unknown)], [done]) == pytest.approx(12.0 + 100.0)
    assert remaining([(waiting, at_work), (waiting, unknown)], []) is None
