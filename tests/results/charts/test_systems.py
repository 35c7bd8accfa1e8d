"""Each system has one mark, and colour-blind readers can tell the marks apart."""

from itertools import combinations

import numpy as np
import pytest
from plotly.validator_cache import ValidatorCache
from skimage.color import deltaE_ciede2000, rgb2lab

from fer_core.config.comparators import (
    BdnnConfig,
    LpqConfig,
    LpqPhogConfig,
    MlpConfig,
    PhogConfig,
    PixelsConfig,
    SvmConfig,
    TableConfig,
)
from fer_core.config.recognition import RecogniserConfig, VoteConfig
from fer_core.config.run import Model, TransferConfig
from fer_core.learning.networks.backbones import BACKBONES
from fer_core.learning.networks.naming import family, system
from fer_core.results.charts.style import CLASS_COLORS, PROTOCOL_COLORS, STATUS_COLORS
from fer_core.results.charts.systems import SYSTEM_MARKS, system_mark

INPUTS = (
    *(PixelsConfig(), PhogConfig(), LpqConfig(), LpqPhogConfig()),
    *(TableConfig(columns=columns) for columns in ("lpq", "phog", "both")),
)
MODELS: tuple[Model, ...] = (
    *(TransferConfig(backbone=name) for name in BACKBONES),
    *(kind(inputs=inputs) for kind in (SvmConfig, BdnnConfig, MlpConfig) for inputs in INPUTS),
    RecogniserConfig(),
    VoteConfig(members=("0" * 16, "1" * 16)),
)
#: Linear RGB as seen with a cone missing: Machado, Oliveira and Fernandes (2009), table 1, severity 1.0.
SIGHTS = {
    "full": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
#: CIEDE2000 at which patches of colour are distinguished at a glance; 1 is barely seen side by side.
APART = 10


def seen(color: str, sight: np.ndarray) -> np.ndarray:
    """Return '#RRGGBB' as CIELAB under a sight (IEC 61966-2-1 for sRGB's curve)."""
    values = np.array([int(color[index : index + 2], 16) for index in (1, 3, 5)]) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    changed = np.clip(sight @ linear, 0, 1)
    return rgb2lab(np.where(changed <= 0.0031308, 12.92 * changed, 1.055 * changed ** (1 / 2.4) - 0.055))


def test_every_system_has_a_mark_of_its_own() -> None:
    marks = [system_mark(family(model)) for model in MODELS]
    assert len(set(marks)) == len(MODELS) == len(SYSTEM_MARKS)
    assert {family(model) for model in MODELS} == set(SYSTEM_MARKS)


@pytest.mark.parametrize("sight", SIGHTS)
def test_colours_of_one_shape_are_told_apart(sight: str) -> None:
    for one, other in combinations(set(SYSTEM_MARKS.values()), 2):
        if one.symbol == other.symbol:
            apart = deltaE_ciede2000(seen(one.color, SIGHTS[sight]), seen(other.color, SIGHTS[sight]))
            assert apart >= APART, (one, other)


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("colors", [CLASS_COLORS, STATUS_COLORS, PROTOCOL_COLORS])
def test_classes_statuses_and_protocols_are_told_apart(colors: dict[str, str], sight: str) -> None:
    for (one, first), (other, second) in combinations(colors.items(), 2):
        apart = deltaE_ciede2000(seen(first, SIGHTS[sight]), seen(second, SIGHTS[sight]))
        assert apart >= APART, (one, other)


def test_the_systems_of_one_comparison_differ_in_colour_alone() -> None:
    names = ("ResNet-18 n=1", "BDNN (pixels)", "MLP (pixels)", "PHOG + SVM", "LPQ + SVM", "LPQ+PHOG + SVM")
    assert len({system_mark(name).color for name in names}) == len(names)


def test_a_setting_keeps_its_system_s_mark() -> None:
    for model in MODELS:
        assert system_mark(f"{system(model)}, whole frames") == system_mark(family(model))
    assert system_mark("ResNet18, n = 2") == system_mark("resnet-18")
    assert system_mark("something new") == system_mark("Something New")


def test_shapes_are_plotly_s_and_have_an_open_kind() -> None:
    known = set(ValidatorCache.get_validator("scatter.marker", "symbol").values)
    for mark in (*SYSTEM_MARKS.values(), system_mark("something new")):
        assert {mark.symbol, f"{mark.symbol}-open"} <= known
