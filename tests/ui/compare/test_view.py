"""What tells runs apart stands in their names."""

from types import SimpleNamespace
from typing import Any

from fer_core.config.run import DataConfig, RunConfig
from fer_core.ui.cache.finished_runs import labels


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
