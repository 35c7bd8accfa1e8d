"""The Train page's queue: one submission, cards that tell how it goes, each end announced once, a sweep's ranking."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from page_case import labels, press, words
from streamlit.testing.v1 import AppTest
from worker_case import record, take

from fer_core.learning.networks.mini_xception import MiniXception
from fer_core.runs.jobs import held_run
from fer_core.runs.jobs.queue import submit_together
from fer_core.runs.plans.requests import sweep_name
from fer_core.storage.store import Store
from fer_core.ui.cache import resources
from fer_core.ui.train.queue import MOST
from fer_core.ui.train.run_lists import PAGE

Open = Callable[..., AppTest]
LITE = "efficientnet_lite0"


@pytest.fixture
def train(page: Open, home: Path, launched: list[object]) -> Open:
    """Return a function that opens the Train page of this test with the packaged backbone and a query."""
    return lambda **query: page("pages/train.py", home, **({"backbone": LITE} | query))


def test_one_click_is_one_submission_at_its_own_link(
    train: Open, store: Store, launched: list[object]
) -> None:
    shown = press(train(), "Train 3 runs")
    assert not shown.exception
    runs = store.runs()
    assert {run.status for run in runs} == {"queued"}
    name = sweep_name([run.config for run in runs])
    assert shown.query_params["sweep"] == name
    assert [run.unfreeze for run in store.sweep(name)] == [3, 2, 1], (
        "the activations of n = 3 feed the others"
    )
    for place in (1, 2, 3):
        assert f"queued, number {place} in line" in words(shown)
    again = press(train(), "Train 3 runs")
    assert any("3 of 3 had been asked for before" in toast.value for toast in again.toast)
    assert again.query_params["sweep"] == name
    assert len(store.runs()) == 3


def test_folds_that_can_t_be_drawn_are_said_before_anything_is_queued(train: Open) -> None:
    shown = train(protocol="spi")
    assert "every image in set1 or set2" in shown.error[0].value
    assert next(button for button in shown.button if button.label == "Train 3 runs").disabled
    shown = train(protocol="stratified")
    assert not shown.error


def test_a_file_of_weights_is_judged_in_the_form(train: Open, store: Store, tmp_path: Path) -> None:
    file, small = tmp_path / "own.pth", "mini_xception"
    asked = {"backbone": small, "weights": "file", "weights_file": str(file), "unfreeze": "1"}
    assert "got" in train(**asked).error[0].value
    torch.save({"layer.weight": torch.zeros(1)}, file)
    assert "must fit mini" in train(**asked).error[0].value
    eight = MiniXception(8).state_dict()
    torch.save({"model": {f"module.{name}": value for name, value in eight.items()}}, file)
    shown = train(**asked, weights_mean="0.4", weights_std="0.2")
    assert not shown.error
    press(shown, "Train 1 run")
    (run,) = store.runs()
    assert run.config.transfer.weights_file == str(file)
    assert (run.config.transfer.mean, run.config.transfer.std) == ((0.4,) * 3, (0.2,) * 3)


def test_backbones_and_recipes_make_a_sweep(train: Open, store: Store) -> None:
    shown = train(unfreeze="1", recipes="adamw")
    shown = press(shown, "Train 2 runs")
    assert not shown.exception
    assert len({run.config.training.key() for run in store.runs()}) == 2


def test_a_card_shows_pace_device_and_memory(
    train: Open, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    press(train(unfreeze="1"), "Train 1 run")
    held = take(store, "w")
    for number in range(1, 5):
        monkeypatch.setattr(Store, "now", lambda _, n=number: 9e9 + 2.0 * n)
        held_run.write_epochs(store, held, [replace(record(number), val_accuracy=0.1 * number)])
    held_run.write_progress(store, held, "train", 4, 10)
    held_run.heartbeat(
        store, held, {"device": "cuda:1", "pid": 7, "host": "h", "memory": 3e9, "gpu_memory": 1.5e9}
    )
    monkeypatch.undo()
    shown = train(run=held.run_id)
    figures = {metric.label: metric.value for metric in shown.metric}
    assert figures == {
        "Validation so far": "40.0 %",
        "Epochs, all folds": "4 of 10",
        "Images a second": "5",  # 10 images an epoch, an epoch in 2 s
        "Time left": "12 s",
        "Memory on cuda:1": "1.5 GB",
    }


def test_an_end_is_announced_once(train: Open, store: Store) -> None:
    shown = press(train(unfreeze="1"), "Train 1 run")
    held = take(store, "w")
    assert not [toast for toast in shown.run().toast if "failed" in toast.value]
    held_run.end(store, held, "failed", 1.0, "no memory")
    toasts = [toast.value for toast in shown.run().toast]
    assert len(toasts) == 1
    assert toasts[0].endswith("failed.")
    assert not shown.run().toast
    assert "no memory" in shown.error[0].value
    assert "Try again" in labels(shown)


def test_cancelling_from_a_card(train: Open, store: Store) -> None:
    shown = press(train(unfreeze="1"), "Train 1 run")
    shown = press(shown, "Cancel")
    assert [run.status for run in store.runs()] == ["cancelled"]
    assert "Try again" in labels(shown)


def test_the_page_says_who_carries_runs_out(train: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "carried out by a worker on" in words(train())
    monkeypatch.setenv("FER_EXECUTOR", "slurm")
    shown = train()
    assert "FER_EXECUTOR=slurm needs" in words(shown)
    assert not shown.error


def test_nothing_polls_when_nothing_runs(page: Open, trained: Path) -> None:
    """The queue, the fragment that renews itself, is not drawn: neither on the plain page nor on an ended run's."""
    for query in ({}, {"run": Store(trained / "fer.sqlite").runs(status=["done"], goal="train")[0].id}):
        shown = page("pages/train.py", trained, **query)
        assert "In the queue" not in {header.value for header in shown.subheader}


def test_a_long_queue_is_not_read_to_draw_its_head(
    train: Open, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    press(train(seeds="7,"), "Train 3 runs")
    (first, *_) = [run.config for run in store.runs()]
    configs = [
        first.model_copy(update={"protocol": first.protocol.model_copy(update={"seeds": (seed,)})})
        for seed in range(100, 340)
    ]
    submit_together(store, configs, sweep="long")
    rows: list[object] = []
    read = Store.runs
    monkeypatch.setattr(
        Store, "runs", lambda store, **asked: rows.extend(found := read(store, **asked)) or found
    )
    shown = train()
    assert f"{243 - MOST} more wait." in words(shown)
    assert labels(shown).count("Cancel") == MOST
    known_of_the_form = 3
    assert len(rows) <= MOST + PAGE + known_of_the_form + 1  # one is loaded ahead for the Predict page


def test_a_sweep_is_ranked_with_its_noise(page: Open, trained: Path) -> None:
    store = Store(trained / "fer.sqlite")
    configs = [run.config for run in store.runs(status=["done"], goal="train")]
    name = sweep_name(configs)
    assert not any(submit_together(store, configs, sweep=name).values()), "both are there"
    shown = page("pages/train.py", trained, sweep=name)
    assert not shown.exception
    table = shown.dataframe[0].value
    assert table["rank"].tolist() == [1, 2]
    assert table["val"].is_monotonic_decreasing
    assert table["verdict"].iloc[0] == "first"
    noise = table["verdict"].iloc[1] == "within noise"
    assert ("Not distinguishable from the first" in words(shown)) == noise
    assert "partly by luck" in words(shown)


def test_a_sweep_that_is_not_there_is_an_error(page: Open, trained: Path) -> None:
    assert "No sweep has this name" in page("pages/train.py", trained, sweep="none").error[0].value


def test_where_weights_are_out_of_reach_one_click_takes_what_is_here(
    train: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "no-hub"))
    monkeypatch.setattr("fer_core.ui.cache.resources.can_download", lambda _: False)
    resources.reachable.clear()
    shown = train(backbone="resnet18")
    assert "does not answer from here" in shown.error[0].value
    assert next(button for button in shown.button if button.label == "Train 3 runs").disabled
    shown = press(shown, "Take EfficientNet-Lite0, whose weights came with the installation")
    assert not shown.error
    assert shown.multiselect(key="backbone").value == [LITE]
    assert not next(button for button in shown.button if button.label == "Train 3 runs").disabled


def test_the_form_starts_with_a_backbone_that_can_train(
    page: Open, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "no-hub"))
    for reachable, usual in ((False, LITE), (True, "resnet18")):
        monkeypatch.setattr("fer_core.ui.cache.resources.can_download", lambda _, answer=reachable: answer)
        shown = page("pages/train.py", home)
        assert shown.multiselect(key="backbone").value == [usual]
        assert not shown.error
        assert ("The paper's ResNet-18 needs weights" in words(shown)) == (not reachable)


def test_weights_of_several_backbones_are_named_once(train: Open) -> None:
    shown = train(backbone=["vgg16", "resnet18_plain"], weights="none")
    said = [one.value for one in shown.warning if "Random weights" in one.value]
    assert len(said) == 1
    assert "VGG-16, ResNet-18 without shortcuts" in said[0]
    shown = train(backbone="resnet18_plain")
    assert "has no pretrained weights. Choose" in shown.error[0].value


def test_all_of_a_queue_is_cancelled_at_once(train: Open, store: Store) -> None:
    shown = press(train(), "Train 3 runs")
    shown = press(shown, "Cancel 3 runs")
    assert {run.status for run in store.runs()} == {"cancelled"}


def test_numbers_of_a_link_that_a_field_cannot_have_are_named(train: Open) -> None:
    shown = train(epochs="5000", folds="x", batch="64")
    assert not shown.exception
    said = "\n".join(toast.value for toast in shown.toast)
    assert "“5000” is not a whole number from 1 to 1000" in said
    assert "“x” is not a whole number from 2 to 100" in said
    taken = {field.key: field.value for field in shown.number_input}
    assert (taken["epochs"], taken["folds"], taken["batch"]) == (20, 5, 64)
