"""What people call each model: the same words on every page, table and figure."""

from __future__ import annotations

from fer_core.config.comparators import TableConfig
from fer_core.config.recognition import OnnxConfig, RecogniserConfig, VoteConfig
from fer_core.config.run import Model, TransferConfig

from .backbones import BACKBONES

INPUTS: dict[str, str] = {"pixels": "pixels", "phog": "PHOG", "lpq": "LPQ", "lpq+phog": "LPQ+PHOG"}
COLUMNS: dict[str, str] = {"lpq": "LPQ components", "phog": "PHOG components", "both": "LPQ+PHOG components"}


def family(model: Model) -> str:
    """Return the model without its unfreeze setting: 'ResNet-18', 'PHOG + SVM', 'BDNN (pixels)', 'Vote'."""
    if isinstance(model, TransferConfig):
        row = BACKBONES.get(model.backbone)
        return row.title.split(" (")[0] if row else model.backbone
    if isinstance(model, VoteConfig):
        return "Vote"
    if isinstance(model, RecogniserConfig):
        return f"{recogniser_name(model)}, as it is"
    inputs = model.inputs
    words = (
        COLUMNS[inputs.columns]
        if isinstance(inputs, TableConfig)
        else INPUTS.get(inputs.kind, inputs.kind.upper())
    )
    return f"{words} + SVM" if model.kind == "svm" else f"{model.kind.upper()} ({words})"


def system(model: Model) -> str:
    """Return the name of a model as trained: 'ResNet-18 n=2', 'PHOG + SVM', 'BDNN (pixels)'.

    Weights that are not ImageNet's are part of it: 'ResNet-18 n=2, random weights'.
    """
    if isinstance(model, TransferConfig):
        return f"{family(model)} n={model.unfreeze}{weights_words(model.weights)}"
    if isinstance(model, VoteConfig):
        return f"Vote of {' and '.join(model.names) or ', '.join(model.members)}"
    return family(model)


def recogniser_name(model: RecogniserConfig) -> str:
    """Return what people call a recogniser: 'mini-Xception', or the name that a file was given."""
    network = model.network
    if isinstance(network, OnnxConfig):
        return network.name or f"ONNX {network.sha256[:8]}"
    return BACKBONES[network].title


def column(model: Model) -> tuple[str, int]:
    """Return what the table of runs keeps of a model: backbone, or kind and inputs; and n, 0 for none."""
    if isinstance(model, TransferConfig):
        return model.backbone, model.unfreeze
    if isinstance(model, VoteConfig):
        return "vote", 0
    if isinstance(model, RecogniserConfig):
        network = model.network
        return f"recogniser:{network if isinstance(network, str) else network.sha256[:16]}", 0
    return f"{model.kind}:{model.inputs.kind}", 0


def weights_words(weights: str) -> str:
    """Return what sets weights apart from ImageNet's, to stand after a name: ', random weights', or ''."""
    if weights in ("imagenet", "fer2013"):
        return ""
    return ", random weights" if weights == "none" else ", own weights"
