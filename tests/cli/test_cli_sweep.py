"""Recipes, sweeps and the paper's grid on the command line."""

from pathlib import Path

import pytest
from cli_case import run

from fer_core.cli.main import app, main
from fer_core.cli.options import PAPERS
from fer_core.config.run import AugmentationConfig, TrainingConfig

pytestmark = pytest.mark.usefixtures("in_shared")


def recipe(*arguments: str) -> TrainingConfig:
    given = app.parse_args(["train", *arguments])[1].arguments
    return given.get("training", PAPERS).config(given.get("recipe", "paper"))


def test_the_recipe_is_the_papers_or_a_named_one_to_which_options_add() -> None:
    assert recipe() == TrainingConfig()
    found = recipe("--recipe", "weighted", "--schedule", "cosine", "--augment", "flip,crop=0.2,views=3")
    assert found.class_weights
    assert found.sampler == "shuffled"
    assert found.schedule == "cosine"
    assert found.augmentation == AugmentationConfig(flip=True, crop=0.2, views=3)
    assert not recipe("--recipe", "flipped", "--no-flip-at-test").flip_at_test


def test_a_sweep_ranks_its_runs_and_keeps_its_name(
    generated: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    launched: list[object] = []
    monkeypatch.setattr("fer_core.runs.jobs.executors.launch", launched.append)
    arguments = ["sweep", "--data", str(generated), "--backbone", "efficientnet_lite0", "--unfreeze", "1"]
    arguments += ["--recipe", "paper,cosine,flipped", "--folds", "2", "--epochs", "2"]
    code, queued = run(capsys, *arguments, "--detach")
    assert code == 0
    assert len(set(queued["runs"])) == 3
    assert len(launched) == 1
    code, found = run(capsys, *arguments)
    assert code == 0
    assert found["sweep"] == queued["sweep"]
    assert [row["rank"] for row in found["ranking"]] == [1, 2, 3]
    accuracies = [row["val_accuracy"] for row in found["ranking"]]
    assert accuracies == sorted(accuracies, reverse=True)
    for row in found["ranking"][1:]:
        low, high = row["behind_interval"]
        if low is None:  # too few movies for one, which is said
            assert "fewer than" in row["behind_interval_over"]
            assert row["within_noise"]
        else:
            assert low <= row["behind"] <= high
            assert row["within_noise"] == (low <= 0 <= high)
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "LEAKS" in shown
    assert "say nothing about real faces" in shown


def test_the_papers_grid_runs_under_both_protocols(
    generated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["reproduce", "--data", str(generated), "--backbone", "efficientnet_lite0"]
    arguments += ["--epochs", "1", "--folds", "2"]
    code, found = run(capsys, *arguments)
    assert code == 0
    assert found["protocols"] == {"reshuffle": {"leaks": True}, "group": {"leaks": False}}
    assert len(found["runs"]) == 12
    assert all(row["reshuffle"] and row["group"] for row in found["table_2"])
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "34.42 %" in shown
    assert "1.50663" in shown
