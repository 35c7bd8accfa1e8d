"""Nearest training faces equal plain loops over every training image; the image itself is left out."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from run_case import finished

from fer_core.config.run import CLASSES, RunConfig, TransferConfig
from fer_core.config.settings import Settings, load
from fer_core.errors import NotFoundError
from fer_core.learning.inputs.transforms import to_input
from fer_core.prediction.predictor import Predictor
from fer_core.storage.artifacts import Artifacts


@pytest.fixture(scope="module", params=[1, 2])
def run(
    request: pytest.FixtureRequest, generated: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[RunConfig, Settings, dict[str, int]]:
    """Return a finished run of two folds, and the fold that held each image out."""
    settings = load(home=tmp_path_factory.mktemp("home"), device="cpu", threads=1)
    model = TransferConfig(backbone="efficientnet_lite0", unfreeze=request.param)
    config, result = finished(generated, settings, model=model)
    held = result.predictions.set_index("name")["fold"]
    return config, settings, {str(name): int(fold) for name, fold in held.items()}


def features(predictor: Predictor, crop: np.ndarray) -> list[np.ndarray]:
    """Return what enters each network's head, one image at a time through the whole chain."""
    with torch.no_grad():
        entering = predictor.prefix(to_input(crop[None], predictor.row))
        rows = [network.suffix[:-1](entering)[0].flatten().numpy() for network in predictor.networks]
    return [row / np.linalg.norm(row) for row in rows]


def test_neighbours_are_those_of_plain_loops(run: tuple[RunConfig, Settings, dict[str, int]]) -> None:
    config, settings, held = run
    predictor = Predictor.load(config.key(), config, settings)
    crops = predictor.bank().crops
    table = crops.used()
    asked = np.array(crops.images[3])
    query = features(predictor, asked)
    expected = {}
    for index, name in enumerate(table["name"]):
        if index != 3:
            seen = features(predictor, np.array(crops.images[index]))
            voting = [m for m, network in enumerate(predictor.networks) if network.fold != held[name]]
            expected[name] = np.mean([query[m] @ seen[m] for m in voting])
    best = sorted(expected, key=lambda name: -expected[name])[:5]
    (found,) = predictor.nearest(asked[None], 5)
    assert [one.similarity for one in found] == pytest.approx([expected[name] for name in best], abs=1e-4)
    labels = dict(zip(table["name"], table["label"], strict=True))
    for one in found:
        assert one.similarity == pytest.approx(expected[one.name], abs=1e-4)
        assert one.label == CLASSES[labels[one.name]]
        assert np.array_equal(one.crop, crops.images[list(table["name"]).index(one.name)])


def test_one_fold_knows_only_what_it_trained_on(run: tuple[RunConfig, Settings, dict[str, int]]) -> None:
    config, settings, held = run
    whole = Predictor.load(config.key(), config, settings)
    first = whole.only(whole.networks[0].seed, 0)
    (found,) = first.nearest(np.array(whole.bank().crops.images[:1]), 100)
    assert {one.name for one in found} <= {name for name, fold in held.items() if fold != 0}


def test_names_are_left_out_and_features_are_kept(run: tuple[RunConfig, Settings, dict[str, int]]) -> None:
    config, settings, _ = run
    predictor = Predictor.load(config.key(), config, settings)
    crop = np.array(predictor.bank().crops.images[:1]) // 2
    (near,) = predictor.nearest(crop, 3)
    (without,) = predictor.nearest(crop, 2, exclude=[{near[0].name}])
    assert [one.name for one in without] == [one.name for one in near[1:]]
    assert Artifacts(settings.artifacts).has("neighbours", config.key())
    again = Predictor.load(config.key(), config, settings)
    assert [one.name for one in again.nearest(crop, 3)[0]] == [one.name for one in near]


def test_without_crops_it_says_what_to_do(
    run: tuple[RunConfig, Settings, dict[str, int]], tmp_path: Path
) -> None:
    config, settings, _ = run
    shutil.copytree(settings.home, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("crops"))
    predictor = Predictor.load(config.key(), config, load(home=tmp_path, device="cpu", threads=1))
    with pytest.raises(NotFoundError, match="Faces page"):
        predictor.nearest(np.zeros((1, 160, 160, 3), np.uint8), 3)
