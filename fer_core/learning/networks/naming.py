"""What people call each model: the same words on every page, table and figure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fer_core.config.run import Model

from .backbones import BACKBONES

INPUTS: dict[str, str] = {"pixels": "pixels", "phog": "PHOG", "lpq": "LPQ", "lpq+phog": "LPQ+PHOG"}
COLUMNS: dict[str, str] = {"lpq": "LPQ components", "phog": "PHOG components", "both": "LPQ+PHOG components"}


@dataclass(frozen=True)
class Naming:
    """How one kind of model is called.

    Attributes:
        family: the model without its settings; setting: what stands after it for the model as trained.
        column: what the table of runs keeps: backbone, or kind and inputs; and n, 0 for none.
    """

    family: Callable[[Any], str]
    setting: Callable[[Any], str] = lambda _: ""
    column: Callable[[Any], tuple[str, int]] = lambda model: (f"{model.kind}:{model.inputs.kind}", 0)


def family(model: Model) -> str:
    """Return the model without its unfreeze setting: 'ResNet-18', 'PHOG + SVM', 'BDNN (pixels)'."""
    return NAMES[model.kind].family(model)


def system(model: Model) -> str:
    """Return the name of a model as trained: 'ResNet-18 n=2', 'PHOG + SVM', 'BDNN (pixels)'.

    Weights that are not ImageNet's are part of it: 'ResNet-18 n=2, random weights'.
    """
    return family(model) + NAMES[model.kind].setting(model)


def column(model: Model) -> tuple[str, int]:
    """Return what the table of runs keeps of a model: backbone, or kind and inputs; and n, 0 for none."""
    return NAMES[model.kind].column(model)


def weights_words(weights: str) -> str:
    """Return what sets weights apart from ImageNet's, to stand after a name: ', random weights', or ''."""
    if weights == "imagenet":
        return ""
    return ", random weights" if weights == "none" else ", own weights"


def _backbone(model: Any) -> str:
    row = BACKBONES.get(model.backbone)
    return row.title.split(" (")[0] if row else model.backbone


def _inputs(model: Any) -> str:
    inputs = model.inputs
    return COLUMNS[inputs.columns] if inputs.kind == "table" else INPUTS[inputs.kind]


#: Every kind of model.
NAMES: dict[str, Naming] = {
    "transfer": Naming(
        _backbone,
        lambda model: f" n={model.unfreeze}{weights_words(model.weights)}",
        lambda model: (model.backbone, model.unfreeze),
    ),
    "svm": Naming(lambda model: f"{_inputs(model)} + SVM"),
    "bdnn": Naming(lambda model: f"BDNN ({_inputs(model)})"),
    "mlp": Naming(lambda model: f"MLP ({_inputs(model)})"),
}
