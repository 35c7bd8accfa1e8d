"""What people call each model: the same words on every page, table and figure."""

from collections.abc import Sequence

from fer_core.config.comparators import BdnnConfig, Inputs, LpqConfig, LpqPhogConfig, PhogConfig, TableConfig
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
    if model.kind == "svm":
        return f"{words} + SVM{_settings(inputs)}"
    raw = "" if model.standardise else "raw "
    turns = ", in turns" if isinstance(model, BdnnConfig) and model.alternate else ""
    return f"{model.kind.upper()} ({raw}{words}{turns})"


def _settings(inputs: Inputs) -> str:
    """Return what sets a descriptor apart from its usual settings, to stand after a name."""
    parts = [inputs.lpq, inputs.phog] if isinstance(inputs, LpqPhogConfig) else [inputs]
    said = []
    for part in parts:
        if isinstance(part, LpqConfig) and part.blocks != LpqConfig().blocks:
            said.append(f"{part.blocks}x{part.blocks} blocks")
        if isinstance(part, PhogConfig) and (part.levels, part.bins) != (
            PhogConfig().levels,
            PhogConfig().bins,
        ):
            said.append(f"L = {part.levels}, {part.bins} bins")
    return f" ({', '.join(said)})" if said else ""


def voters(names: Sequence[str]) -> str:
    """Return the name of a vote of two or more: 'Vote of A and B', 'Vote of A and 3 others'."""
    first, *others = names
    return f"Vote of {first} and {others[0] if len(others) == 1 else f'{len(others)} others'}"


def system(model: Model) -> str:
    """Return the name of a model as trained: 'ResNet-18 n=2', 'PHOG + SVM', 'BDNN (pixels)'.

    Weights that are not ImageNet's are part of it: 'ResNet-18 n=2, random weights'.
    """
    if isinstance(model, TransferConfig):
        return f"{family(model)} n={model.unfreeze}{weights_words(model.weights)}"
    if isinstance(model, VoteConfig):
        return voters(model.names or model.members)
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
