"""What tells runs apart stands over their panels and in their names; what they share is said once."""

from types import SimpleNamespace
from typing import Any

import pytest

from fer_core.config.run import DataConfig, RunConfig
from fer_core.ui.cache.finished_runs import labels
from fer_core.ui.compare.view import split_common


@pytest.mark.parametrize(
    ("names", "shared", "short"),
    [
        (["ResNet-18 n=1", "ResNet-18 n=2"], "ResNet-18", ["n=1", "n=2"]),
        (["A n=1, 2 epochs", "A n=2, 2 epochs"], "A, 2 epochs", ["n=1", "n=2"]),
        (["A n=1", "A n=1, whole frames"], "A", ["n=1", "n=1, whole frames"]),
        (["BDNN (pixels)", "ResNet-18 n=2"], "", ["BDNN (pixels)", "ResNet-18 n=2"]),
        (["A n=1"], "", ["A n=1"]),
        (["MLP", "MLP · group"], "", ["MLP", "MLP · group"]),
    ],
)
def test_common_words_are_told_apart(names: list[str], shared: str, short: list[str]) -> None:
    assert split_common(names) == (shared, short)


def stored(run_id: str) -> Any:
    config = RunConfig(data=DataConfig(fingerprint="0" * 16))
    return SimpleNamespace(id=run_id, name="", config=config, protocol=config.protocol.name)


def test_runs_of_one_name_stay_apart_when_their_ids_begin_alike() -> None:
    runs = [stored("a1b2c3d400000001"), stored("a1b2c3d400000002"), stored("ffffffff00000003")]
    known = labels(runs)
    assert list(known.values()) == runs
    name = "ResNet-18 n=1 · stratified, 5 folds"
    assert list(known) == [
        f"{name} (a1b2c3d400000001)",
        f"{name} (a1b2c3d400000002)",
        f"{name} (ffffffff)",
    ]
