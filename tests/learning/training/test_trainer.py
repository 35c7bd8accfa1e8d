"""Recipes beyond the paper's: each runs, resumes to the bit, and does what its name says."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from report_case import Recorder
from safetensors.torch import load_file
from training_case import (
    crops_and_labels,
    fit,
    outcome,
    run_config,
    small_chain,
    two_folds,
)

from fer_core.config.training import RECIPES
from fer_core.errors import Cancelled, TrainingError
from fer_core.evaluation.metrics import fit_temperature
from fer_core.evaluation.protocols.by_group import inner_split
from fer_core.learning.inputs.transforms import to_input
from fer_core.learning.inputs.views import Inputs, augmented_view
from fer_core.learning.networks.transfer import Chain, reset_head
from fer_core.learning.training.loop import PRECISION
from fer_core.learning.training.recipe import cut_batches, draw_order, draw_views, rate

PIXELS = {"flip": True, "crop": 0.2}
GRADUAL = {
    "schedule": "cosine",
    "warmup_epochs": 1,
    "weight_decay": 0.05,
    "rate_factor": 0.3,
    "thaw_every": 1,
    "augmentation": {"views": 2, **PIXELS},
}
EVERYTHING = GRADUAL | {
    "label_smoothing": 0.1,
    "class_weights": True,
    "sampler": "shuffled",
    "mixup": 0.3,
    "patience": 2,
    "selection": "inner",
    "calibrate": True,
    "flip_at_test": True,
}


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("name", list(RECIPES))
def test_every_recipe_trains(name: str, n: int, tmp_path: Path) -> None:
    results = fit(
        run_config("efficientnet_lite0", n, "imagenet", **{"epochs": 3, **RECIPES[name].fields}), tmp_path
    )
    for result, fold in zip(results, two_folds(), strict=True):
        assert np.array_equal(result.indices, fold.validation)
        assert np.allclose(result.probabilities.sum(1), 1, atol=1e-5)
        assert all(np.isfinite(epoch.val_loss) for epoch in result.epochs)


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        GRADUAL,
        EVERYTHING,
        EVERYTHING | {"augmentation": {"views": 0, **PIXELS}},
        {"selection": "best_on_validation", "schedule": "cosine"},
    ],
    ids=["paper", "gradual", "everything", "live", "best"],
)
@pytest.mark.parametrize("n", [1, 2])
def test_a_killed_training_ends_with_the_same_bits(n: int, recipe: dict[str, Any], tmp_path: Path) -> None:
    config = run_config("efficientnet_lite0", n, "imagenet", **{"epochs": 4, "batch_size": 16, **recipe})
    folds = two_folds()[: 2 if n == 1 else 1]
    undisturbed, report = Recorder(), Recorder()
    whole = fit(config, tmp_path / "whole", folds=folds, report=undisturbed)
    for cut in (8, 9, 5):
        with pytest.raises(Cancelled):
            fit(config, tmp_path / "cut", folds=folds, report=Recorder(cancel_at_check=cut), save_every_s=0.0)
    resumed = fit(config, tmp_path / "cut", folds=folds, report=report, save_every_s=0.0)
    assert outcome(resumed) == outcome(whole)
    assert report.steps[-1] == ("train", 4 * len(folds), 4 * len(folds))
    assert report.checks < undisturbed.checks, "finished epochs are not trained again"
    assert len(report.epochs) == len(undisturbed.epochs), "and are reported all the same"
    left = {path.name for path in (tmp_path / "cut" / "fit").glob("*.safetensors")}
    assert left == {f"seed0-fold{fold.fold}.safetensors" for fold in folds}


def test_folds_side_by_side_equal_folds_alone(tmp_path: Path) -> None:
    config = run_config(n=1, **{**EVERYTHING, "epochs": 6, "patience": 1, "lr": 0.1})
    folds = two_folds(seed=0) + two_folds(seed=1)
    together = fit(config, tmp_path / "together", folds=folds)
    alone = [fit(config, tmp_path / f"{i}", folds=[fold])[0] for i, fold in enumerate(folds)]
    assert outcome(together) == outcome(alone)
    assert len({len(result.epochs) for result in together}) > 1


def gradual_loop(config: Any, fold: Any) -> list[float]:
    """Train as a tutorial would write this recipe: AdamW, one group a block, the whole network on every view."""
    crops, labels = crops_and_labels()
    recipe, chain = config.training, small_chain(config)
    reset_head(chain, seed=fold.seed, fold=fold.fold)
    chain.eval().requires_grad_(False)
    blocks = [chain.fc, chain.layer4, chain.layer3]
    optimizer = torch.optim.AdamW(
        [{"params": list(block.parameters()), "lr": 0.0} for block in blocks],
        weight_decay=recipe.weight_decay,
        fused=True,
    )
    views = [
        augmented_view(recipe.augmentation, k).apply(crops, np.arange(len(crops)))
        for k in range(recipe.augmentation.views)
    ]
    losses = []
    for epoch in range(1, recipe.epochs + 1):
        for depth, (block, group) in enumerate(zip(blocks, optimizer.param_groups, strict=True)):
            group["lr"] = rate(recipe, epoch) * recipe.rate_factor**depth
            block.train(depth < epoch).requires_grad_(depth < epoch)
        order = draw_order(fold, epoch, labels, recipe.sampler)
        drawn = draw_views(fold, epoch, len(order), len(views))
        total = 0.0
        for rows, own in zip(*(cut_batches(x, recipe.batch_size) for x in (order, drawn)), strict=True):
            batch = np.stack([views[view][row] for row, view in zip(rows, own, strict=True)])
            loss = torch.nn.functional.cross_entropy(whole(chain, batch), torch.from_numpy(labels[rows]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * len(rows)
        losses.append(total / len(order))
    return losses


def whole(chain: Chain, crops: np.ndarray) -> torch.Tensor:
    return chain(to_input(crops, chain.row))


def test_thawing_rates_and_views_equal_a_plain_loop(tmp_path: Path) -> None:
    config = run_config(n=3, **{**GRADUAL, "epochs": 4, "batch_size": 16})
    fold = two_folds()[0]
    (result,) = fit(config, tmp_path, folds=[fold])
    assert [epoch.train_loss for epoch in result.epochs] == pytest.approx(
        gradual_loop(config, fold), rel=1e-5
    )
    assert [epoch.lr for epoch in result.epochs] == [rate(config.training, e) for e in range(1, 5)]


def test_the_inner_split_is_neither_trained_on_nor_reported(tmp_path: Path) -> None:
    config = run_config(n=1, epochs=5, lr=0.05, selection="inner", calibrate=True, patience=1)
    labels, fold = crops_and_labels()[1], two_folds()[0]
    (result,) = fit(config, tmp_path / "a", folds=[fold])
    part = inner_split(fold, labels, None, config.training.inner_share)
    assert {epoch.images for epoch in result.epochs} == {len(part.fold.train)}
    assert not set(part.inner) & set(result.indices)
    assert result.note["selected_epoch"] == int(np.argmin(result.note["inner_losses"])) + 1
    assert result.note["temperature"] > 0
    (rest,) = fit(run_config(n=1, epochs=5, lr=0.05), tmp_path / "b", folds=[part.fold])
    assert [e.train_loss for e in rest.epochs][: len(result.epochs)] == [e.train_loss for e in result.epochs]


def test_the_optimistic_choice_reports_the_best_epoch(tmp_path: Path) -> None:
    config = run_config(n=2, epochs=4, lr=0.01, selection="best_on_validation")
    labels = crops_and_labels()[1]
    for result in fit(config, tmp_path):
        accuracies = [epoch.val_accuracy for epoch in result.epochs]
        assert result.note["selected_epoch"] == int(np.argmax(accuracies)) + 1
        reached = (result.probabilities.argmax(1) == labels[result.indices]).mean()
        assert reached == pytest.approx(max(accuracies))


def test_flip_at_test_averages_both_answers(tmp_path: Path) -> None:
    config = run_config(n=2, flip_at_test=True)
    (result,) = fit(config, tmp_path, folds=two_folds()[:1])
    chain = small_chain(config)
    suffix = chain.suffix("layer4")
    suffix.load_state_dict(
        {
            k.removeprefix("suffix."): v
            for k, v in load_file(result.weights).items()
            if k.startswith("suffix.")
        }
    )
    crops = crops_and_labels()[0][result.indices]
    with torch.no_grad():
        both = [chain.eval()(to_input(x, chain.row)).softmax(1) for x in (crops, crops[:, :, ::-1].copy())]
    assert np.allclose(result.probabilities, ((both[0] + both[1]) / 2).numpy(), atol=1e-5)


def test_temperature_is_fitted_on_the_inner_split_alone(tmp_path: Path) -> None:
    config = run_config(n=1, epochs=3, calibrate=True)
    labels, fold = crops_and_labels()[1], two_folds()[0]
    (result,) = fit(config, tmp_path, folds=[fold])
    inner = inner_split(fold, labels, None, 0.2).inner
    chain = small_chain(config)
    chain.fc.load_state_dict({k: load_file(result.weights)[f"suffix.fc.{k}"] for k in ("weight", "bias")})
    with torch.no_grad():
        found = chain.eval()(to_input(crops_and_labels()[0][inner], chain.row)).softmax(1)
    assert result.note["temperature"] == pytest.approx(
        fit_temperature(found.numpy(), labels[inner]), rel=1e-3
    )


def roomy(most: int, since: int = 0) -> Callable[[Inputs, np.ndarray], torch.Tensor]:
    """Return a way to read inputs for which memory lasts for so many images a pass, from the given pass on."""
    passes = iter(range(10**9))

    def read(inputs: Inputs, rows: np.ndarray) -> torch.Tensor:
        if next(passes) >= since and len(rows) > most:
            raise torch.OutOfMemoryError
        return inputs.clean[torch.from_numpy(rows)]

    return read


def test_memory_that_runs_out_halves_the_micro_batch(tmp_path: Path) -> None:
    config, report = run_config("efficientnet_lite0", 2, "imagenet", batch_size=16), Recorder()
    results = fit(config, tmp_path, report=report, save_every_s=0.0, live=roomy(4, since=3))
    assert {result.note["micro_batch"] for result in results} == {4}
    assert [line.rpartition("with ")[2] for line in report.lines] == ["8 images a pass", "4 images a pass"]
    assert report.steps[-1] == ("train", 4, 4)
    assert all(len(result.epochs) == 2 for result in results)


def test_parts_of_a_batch_train_as_the_batch(tmp_path: Path) -> None:
    """With n = 1 there is no BatchNorm, so gradients that add up give the whole batch's step up to rounding."""
    config = run_config(n=1, batch_size=16, class_weights=True, sampler="shuffled", label_smoothing=0.1)
    plain = fit(config, tmp_path / "plain")
    parts = fit(config, tmp_path / "parts", report=Recorder(), live=roomy(4))
    for one, other in zip(plain, parts, strict=True):
        assert np.allclose(one.probabilities, other.probabilities, atol=1e-5)
        assert other.note["micro_batch"] == 4


def test_memory_that_never_suffices_says_what_to_lower(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"must fit.*batch size 8.*Lower the batch size"):
        fit(run_config(n=1), tmp_path, report=Recorder(), live=roomy(0))


def test_auto_precision_is_kept_for_a_resumed_run(tmp_path: Path) -> None:
    config, kept, folds = run_config(n=2, precision="auto"), tmp_path / "fit" / PRECISION, two_folds()[:1]
    with pytest.raises(Cancelled):
        fit(config, tmp_path, report=Recorder(cancel_at_check=9), save_every_s=0.0, folds=folds)
    assert json.loads(kept.read_text())["used"] in ("float32", "bf16")
    kept.write_text(json.dumps({"used": "bf16", "reason": "measured on this CPU"}))
    assert {result.note["precision"] for result in fit(config, tmp_path, folds=folds)} == {"bf16"}
