from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fer_core.config.run import DataConfig, FacesConfig
from fer_core.datasets.base import Dataset, Sample
from fer_core.results.paper.counterparts import by_setting, table_2, table_3
from fer_core.runs.plans.comparison import NO_GROUPS, grid
from fer_core.runs.plans.requests import transfer_configs

DATA = DataConfig(fingerprint="0" * 16)


def dataset(groups: int) -> Dataset:
    samples = tuple(
        Sample(str(i), Path(str(i)), i % 7, None, f"film {i % groups}" if groups else "", str(i))
        for i in range(70)
    )
    return Dataset("films", "films", "folder", Path("films"), samples)


def made(groups: int) -> Any:
    models = transfer_configs("resnet18", "imagenet", (1, 2, 3))
    return grid(dataset(groups), DATA, FacesConfig(), models, epochs=20, folds=5, seeds=(0,))


def finished(config: Any, number: int) -> Any:
    over = {"train_accuracy": 0.5, "val_accuracy": number / 100, "train_loss": 1.0, "val_loss": float(number)}
    summary = {"over_epochs": over, "val_accuracy": 0.3, "val_accuracy_interval": [0.2, 0.4]}
    return SimpleNamespace(
        id=f"{number}", status="done", config=config, protocol=config.protocol.name, summary=summary
    )


def test_the_grid_is_every_n_with_and_without_faces_under_both_protocols() -> None:
    plan = made(9)
    assert plan.protocols == ("reshuffle", "group")
    found = {(c.protocol.name, c.transfer.unfreeze, c.faces.extract) for c in plan.configs}
    assert found == {
        (name, n, faces) for name in ("reshuffle", "group") for n in (1, 2, 3) for faces in (True, False)
    }
    assert len({config.key() for config in plan.configs}) == 12


@pytest.mark.parametrize("groups", [0, 3])
def test_without_enough_films_random_folds_stand_in_and_it_is_said(groups: int) -> None:
    plan = made(groups)
    assert (plan.protocols, plan.notes) == (("reshuffle", "stratified"), (NO_GROUPS,))


def test_the_papers_figures_stand_beside_those_here() -> None:
    plan = made(9)
    found = by_setting([finished(config, number) for number, config in enumerate(plan.configs)])
    rows = table_2(found, ("reshuffle", "group"))
    assert [row["paper_val_accuracy"] for row in rows] == pytest.approx(
        [0.2651, 0.4324, 0.1442, None, None, None]
    )
    for row in rows:
        for name in ("reshuffle", "group"):
            run = found[name, row["unfreeze"], row["faces"]]
            assert row[name]["run_id"] == run.id
            assert row[name]["val_accuracy"] == run.summary["over_epochs"]["val_accuracy"]
    losses = table_3(found, ("reshuffle", "group"))
    assert [row["paper"] for row in losses] == [1.50663, 2.271788, 1.78958, 1.91592]
    assert losses[3]["group"] == {
        n: found["group", n, False].summary["over_epochs"]["val_loss"] for n in (1, 2, 3)
    }


def test_a_run_that_failed_leaves_its_place_empty() -> None:
    rows = table_2({}, ("reshuffle", "group"))
    assert all(row["group"] is None for row in rows)
    assert table_3({}, ("group",))[0]["group"] == {1: None, 2: None, 3: None}
