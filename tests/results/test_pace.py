"""The pace of a training, reckoned by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest

from fer_core.results.pace import RECENT, pace


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
