from pathlib import Path

import numpy as np
import pytest
import torch
from report_case import Recorder
from training_case import CPU, crops_and_labels, run_config, small_chain

from fer_core.config.run import AugmentationConfig
from fer_core.learning.inputs.prefix import forward
from fer_core.learning.inputs.transforms import augment, to_input
from fer_core.learning.inputs.views import Inputs, augmented_view, prepare
from fer_core.storage.artifacts import Artifacts

CHANGES = {"flip": True, "crop": 0.2, "colour": 0.2, "erase": 0.5}


def prepared(folder: Path, report: Recorder | None = None, **recipe: object) -> Inputs:
    config = run_config(n=2, **recipe)
    return prepare(
        small_chain(config),
        crops_and_labels()[0],
        config=config,
        artifacts=Artifacts(folder),
        report=report or Recorder(),
        device=CPU,
    )


def entering(crops: np.ndarray) -> torch.Tensor:
    """Return what enters the suffix, computed of all crops at once."""
    chain = small_chain(run_config(n=2))
    return forward(chain.prefix("layer4"), to_input(crops, chain.row))


def test_a_view_is_what_its_number_says_however_many_there_are(tmp_path: Path) -> None:
    report = Recorder()
    three = prepared(tmp_path, report, augmentation={"views": 3, **CHANGES})
    assert {name for name, *_ in report.steps} == {"activations"} | {
        f"activations, view {k} of 3" for k in (1, 2, 3)
    }
    report = Recorder()
    two = prepared(tmp_path, report, augmentation={"views": 2, **CHANGES})
    assert not report.steps
    assert all(torch.equal(a, b) for a, b in zip(two.augmented, three.augmented, strict=False))
    assert not torch.equal(three.augmented[0], three.augmented[1])
    assert torch.equal(two.clean, three.clean)


def test_activations_of_a_view_are_those_of_its_crops(tmp_path: Path) -> None:
    recipe = AugmentationConfig(views=1, **CHANGES)
    found = prepared(tmp_path, augmentation=recipe.model_dump())
    crops = crops_and_labels()[0]
    expected = entering(augmented_view(recipe, 0).apply(crops, np.arange(len(crops))))
    assert torch.equal(found.augmented[0], expected)
    assert not torch.equal(found.clean, expected)


def test_a_batch_holds_each_image_in_its_own_view(tmp_path: Path) -> None:
    found = prepared(tmp_path, augmentation={"views": 3, **CHANGES})
    rows, draws = np.array([5, 1, 5, 40, 7]), np.array([2, 0, 0, 1, 2])
    batch = found.training(rows, draws, CPU)
    for place, (row, view) in enumerate(zip(rows, draws, strict=True)):
        assert torch.equal(batch[place], found.augmented[view][row])


def test_live_changes_go_through_the_prefix_anew(tmp_path: Path) -> None:
    found = prepared(tmp_path, augmentation={"views": 0, **CHANGES})
    assert found.live is not None
    assert not found.augmented
    changed = augment(crops_and_labels()[0][[3, 9]], AugmentationConfig(**CHANGES), [11, 12])
    assert torch.equal(found.training(np.array([3, 9]), np.array([11, 12]), CPU), entering(changed))


def test_the_mirrored_view_is_that_of_mirrored_crops(tmp_path: Path) -> None:
    found = prepared(tmp_path, flip_at_test=True)
    assert found.mirrored is not None
    assert torch.equal(found.mirrored, entering(crops_and_labels()[0][:, :, ::-1].copy()))
    assert len(found.evaluation(np.arange(4), CPU)) == 2


def test_changes_follow_from_the_seed_of_the_image_alone() -> None:
    crops, recipe = crops_and_labels()[0], AugmentationConfig(**CHANGES, randaugment=9)
    before = torch.get_rng_state()
    whole = augment(crops[:6], recipe, range(6))
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(whole[4:], augment(crops[4:6], recipe, [4, 5]))
    assert not np.array_equal(whole[0], augment(crops[:1], recipe, [9])[0])
    assert whole.shape == (6, *crops.shape[1:])
    assert whole.dtype == np.uint8


def test_augmenting_leaves_the_generators_of_gpus_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dropout draws from them in the middle of the epoch whose views these are."""
    seeded: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    augment(crops_and_labels()[0][:2], AugmentationConfig(**CHANGES), [1, 2])
    assert not seeded
    torch.manual_seed(0)
    assert seeded == [0]  # the way by which they would have been


@pytest.mark.parametrize("change", [{"crop": 0.3}, {"colour": 0.4}, {"randaugment": 9}, {"erase": 1.0}])
def test_each_operation_changes_pixels(change: dict[str, float]) -> None:
    crops = crops_and_labels()[0][:4]
    assert not np.array_equal(augment(crops, AugmentationConfig(**change), range(4)), crops)


def test_flip_is_a_mirror_image_or_nothing() -> None:
    crops = crops_and_labels()[0][:16]
    found = augment(crops, AugmentationConfig(flip=True), range(16))
    turned = [np.array_equal(a, b[:, ::-1]) for a, b in zip(found, crops, strict=True)]
    kept = [np.array_equal(a, b) for a, b in zip(found, crops, strict=True)]
    assert np.array_equal(turned, ~np.array(kept))
    assert 0 < sum(turned) < 16
