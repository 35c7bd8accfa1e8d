"""Definitions of the models compared with: each reads every input, and keys change with the result alone."""

from typing import Any

import pytest

from fer_core.config.comparators import (
    BdnnConfig,
    LpqConfig,
    MlpConfig,
    PhogConfig,
    PixelsConfig,
    SvmConfig,
    TableConfig,
    descriptor_key,
)
from fer_core.config.run import TransferConfig, parse
from fer_core.errors import ConfigError

MODELS = [TransferConfig(), SvmConfig(), BdnnConfig(), MlpConfig()]
INPUTS = [PixelsConfig(), PhogConfig(), LpqConfig(), TableConfig(fingerprint="0" * 16)]

#: Changing a default changes runs that people have stored: do so knowingly.
GOLDEN = {
    "svm": "bfb3a6df540fdf2f",
    "bdnn": "ee73f9f88082b927",
    "mlp": "08485b11c9b92c75",
}


@pytest.mark.parametrize("inputs", INPUTS, ids=lambda inputs: inputs.kind)
@pytest.mark.parametrize("kind", [SvmConfig, BdnnConfig, MlpConfig])
def test_every_model_takes_every_input(kind: type[SvmConfig | BdnnConfig | MlpConfig], inputs: Any) -> None:
    model = kind(inputs=inputs)
    assert kind.model_validate_json(model.model_dump_json()) == model
    assert model.hashed()["inputs"] == inputs.hashed()


def test_defaults_are_pinned() -> None:
    assert {model.kind: model.key() for model in MODELS[1:]} == GOLDEN


def test_the_descriptor_s_key_follows_crops_and_settings() -> None:
    keys = {descriptor_key(crops, inputs) for crops in ("a", "b") for inputs in INPUTS[:3]}
    assert len(keys) == 6
    assert descriptor_key("a", PhogConfig()) == descriptor_key("a", PhogConfig(levels=3))
    assert descriptor_key("a", PhogConfig()) != descriptor_key("a", PhogConfig(bins=16))


def test_a_weight_without_part_stays_out_of_the_key() -> None:
    assert BdnnConfig(alternate=5, reverse_weight=2.0).key() == BdnnConfig(alternate=5).key()
    assert BdnnConfig(reverse_weight=2.0).key() != BdnnConfig().key()


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (PhogConfig, {"levels": 2}),
        (PhogConfig, {"bins": 9}),
        (PhogConfig, {"degrees": 90}),
        (LpqConfig, {"window": 4}),
        (LpqConfig, {"window": 11}),
        (LpqConfig, {"blocks": 5}),
        (LpqConfig, {"correlation": 1.0}),
        (PixelsConfig, {"side": 3}),
        (TableConfig, {"fingerprint": "short"}),
        (SvmConfig, {"costs": [1.0, 0.1]}),
        (SvmConfig, {"gammas": [0.0, 1.0]}),
        (SvmConfig, {"variance": 1.0}),
        (BdnnConfig, {"hidden": [8, 8]}),
        (BdnnConfig, {"hidden": [8, 0, 8]}),
        (BdnnConfig, {"reverse_weight": 0.0}),
        (MlpConfig, {"mean_node": True}),
    ],
)
def test_values_out_of_range_are_refused(kind: type[Any], values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        parse(kind, values)
