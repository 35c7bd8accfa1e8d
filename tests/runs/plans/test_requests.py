"""From what people ask for to run definitions."""

from pathlib import Path

import pytest
import torch

from fer_core.config.run import DataConfig, FacesConfig, ProtocolConfig, RunConfig, TrainingConfig, parse
from fer_core.datasets.base import Dataset
from fer_core.datasets.open import open_dataset
from fer_core.errors import ConfigError, DataError, WeightsError
from fer_core.learning.networks.mini_xception import MiniXception
from fer_core.runs.plans.requests import (
    faces_config,
    most_blocks_first,
    prefix_cost,
    require_folds,
    seeds,
    settings_of,
    transfer_configs,
    weights_values,
    whole_numbers,
)
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.store import Store

DATA = DataConfig(fingerprint="0123456789abcdef")


@pytest.mark.parametrize(
    ("text", "found"), [("1", (0,)), ("3", (0, 1, 2)), ("3,5,8", (3, 5, 8)), ("7,", (7,)), ("0", (0,))]
)
def test_seeds_are_a_number_of_them_or_a_list(text: str, found: tuple[int, ...]) -> None:
    assert seeds(text) == found


@pytest.mark.parametrize("text", ["", "a", "1,b", "-1", "1.5", "²"])
def test_what_is_no_whole_number_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="whole numbers"):
        whole_numbers(text, "seeds")


def test_a_weights_file_is_known_by_its_content(tmp_path: Path) -> None:
    one, two = tmp_path / "one.pth", tmp_path / "two.pth"
    one.write_bytes(b"weights")
    two.write_bytes(b"weights")
    assert weights_values(str(one))["weights"] == weights_values(str(two))["weights"]
    assert weights_values("none") == {"weights": "none"}
    with pytest.raises(WeightsError, match="nowhere"):
        weights_values("nowhere.pth")


def test_a_weights_file_is_judged_when_it_is_named(tmp_path: Path) -> None:
    file = tmp_path / "one.pth"
    file.write_bytes(b"weights")
    with pytest.raises(WeightsError, match="readable file of tensors"):
        transfer_configs("mini_xception", str(file), [1])
    torch.save({"conv1.weight": torch.zeros(1)}, file)
    with pytest.raises(WeightsError, match="fit mini-Xception in every name and shape"):
        transfer_configs("mini_xception", str(file), [1])
    torch.save(MiniXception().state_dict(), file)
    (found,) = transfer_configs("mini_xception", str(file), [1], mean="0.5", std="0.2, 0.3,0.4")
    assert (found.mean, found.std, found.weights_file) == ((0.5,) * 3, (0.2, 0.3, 0.4), str(file))
    (usual,) = transfer_configs("mini_xception", str(file), [1])
    keys = {RunConfig(data=DATA, model=one).activations_key("fc") for one in (found, usual)}
    assert len(keys) == 2
    with pytest.raises(ConfigError, match="1 or 3 numbers"):
        transfer_configs("mini_xception", str(file), [1], mean="1,2")
    with pytest.raises(ConfigError, match="declared of a file of weights"):
        transfer_configs("mini_xception", "none", [1], channels="bgr")


def test_every_model_meets_every_input_and_most_blocks_come_first() -> None:
    models = transfer_configs("resnet18", "imagenet", (1, 2, 3))
    faces = [FacesConfig(), FacesConfig(extract=False)]
    configs = settings_of(DATA, faces, models, ProtocolConfig(), TrainingConfig())
    assert len({config.key() for config in configs}) == 6
    assert [config.transfer.unfreeze for config in most_blocks_first(configs)] == [3, 3, 2, 2, 1, 1]


def test_drawn_boxes_are_frozen_under_their_policy_only(artifacts: Artifacts, store: Store) -> None:
    before = faces_config(store, artifacts, DATA, {"no_face": "manual"})
    store.add_manual_box(DATA.fingerprint, "a.png", (1.0, 2.0, 3.0, 4.0))
    after = faces_config(store, artifacts, DATA, {"no_face": "manual"})
    assert before.manual_boxes == ""
    assert after.manual_boxes != ""
    assert faces_config(store, artifacts, DATA, {"no_face": "resize"}).manual_boxes == ""


def test_new_runs_take_the_best_face_and_the_definition_s_own_default_stays_the_largest(
    artifacts: Artifacts, store: Store
) -> None:
    assert faces_config(store, artifacts, DATA, {}).choice == "best"
    paper = faces_config(store, artifacts, DATA, {"no_face": "resize", "choice": "largest"})
    assert paper == FacesConfig()
    assert faces_config(store, artifacts, DATA, {"extract": False}) == FacesConfig(extract=False)


def test_views_cost_disk_and_live_changes_cost_passes() -> None:
    def cost(**training: object) -> tuple[int, int]:
        protocol = {"name": "group", "folds": 5, "seeds": [0, 1]}
        values = {"data": DATA, "model": {"unfreeze": 2, "kind": "transfer"}, "protocol": protocol}
        found = prefix_cost(parse(RunConfig, values | {"training": {"epochs": 10, **training}}), 100)
        return found.stored, found.passes

    image = 4 * 256 * 10 * 10  # float32 maps that enter ResNet-18's last group
    assert cost() == (100 * image, 100)
    assert cost(flip_at_test=True) == (200 * image, 200)
    assert cost(augmentation={"flip": True, "views": 4}) == (500 * image, 500)
    assert cost(augmentation={"flip": True, "views": 0}) == (100 * image, 100 + 80 * 5 * 2 * 10)


@pytest.fixture(scope="module")
def drawn(generated: Path) -> Dataset:
    return open_dataset(generated)


@pytest.mark.parametrize("name", ["stratified", "group", "clip", "reshuffle"])
def test_folds_that_a_data_set_allows_pass(drawn: Dataset, name: str) -> None:
    require_folds(drawn, ProtocolConfig(name=name, folds=2))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "folds", "said"),
    [
        ("spi", 2, "every image in set1 or set2; got 48 in no split"),
        ("fixed", 2, "a fixed split needs"),
        ("group", 20, "as many groups as folds"),
    ],
)
def test_folds_that_a_data_set_lacks_are_told_of_beforehand(
    drawn: Dataset, name: str, folds: int, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        require_folds(drawn, ProtocolConfig(name=name, folds=folds))  # type: ignore[arg-type]
