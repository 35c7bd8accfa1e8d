"""What a run's trained blocks answer to inputs drawn from a seed: written by an export, compared by an import.

The images of a data set don't travel, nor do the backbone's frozen blocks. So what enters the trained blocks is drawn:
`IMAGES` inputs of the shape that the backbone's own images have there. That shows that the networks of an archive are
those that were exported, can be run, and answer alike on this host. It doesn't show that they gave the predictions
beside them, nor who trained them: whoever changes networks on purpose can write down their answers too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fer_core.config.run import RunConfig
from fer_core.errors import StoreError
from fer_core.learning.networks.transfer import build
from fer_core.learning.training import checkpoints

SEED, IMAGES = 13, 8

#: Largest difference of a logit from what was exported, as a share of the largest logit: hosts round differently.
TOLERANCE = 1e-3


class Blank:
    """The trained blocks of a definition without their weights, and what is put into them.

    Attributes:
        shapes: of every tensor, by its name in a checkpoint.
        bytes: of all of them.
    """

    def __init__(self, config: RunConfig) -> None:
        chain = build(config.transfer.model_copy(update={"weights": "none"}), None)
        boundary, side = chain.row.start(config), chain.row.input_size
        self.suffix: nn.Sequential = chain.suffix(boundary).eval()
        tensors = self.suffix.state_dict()
        self.shapes = {f"suffix.{name}": value.shape for name, value in tensors.items()}
        self.bytes = sum(value.nbytes for value in tensors.values())
        with torch.inference_mode():
            entering = chain.prefix(boundary)(torch.zeros(1, 3, side, side))
        generator = torch.Generator().manual_seed(SEED)
        self.inputs = torch.rand((IMAGES, *entering.shape[1:]), generator=generator)

    def answers(self, tensors: Mapping[str, Tensor]) -> np.ndarray:
        """Return the logits (IMAGES, 7) of a network given by its tensors, whose shapes are `shapes`."""
        self.suffix.load_state_dict({name.removeprefix("suffix."): value for name, value in tensors.items()})
        with torch.inference_mode():
            return self.suffix(self.inputs).double().numpy()


def write_probe(config: RunConfig, folder: Path) -> dict[str, Any]:
    """Return what a run's networks answer, by their files' names.

    Raises:
        StoreError: a network is damaged, or answers with what is no number.
    """
    blank, found = Blank(config), {}
    for path in sorted(folder.glob("seed*.safetensors")):
        tensors = checkpoints.read(path)[0]
        logits = blank.answers({name: tensors[name] for name in blank.shapes})
        if not np.isfinite(logits).all():
            raise StoreError(
                "A network that is shared must answer with numbers", got=f"none from {path.name}"
            )
        found[path.name] = logits.tolist()
    return {"logits": found}


def unlike(said: np.ndarray, found: np.ndarray, probabilities: np.ndarray) -> str:
    """Return what is wrong with a network's answers, '' for nothing.

    Args:
        said: (IMAGES, 7) logits that were exported; found: the same here.
        probabilities: (M, 7) that the network is said to have given for M images.
    """
    if said.shape != found.shape:
        return f"{len(said)} answers to the probe's {len(found)} inputs"
    most = np.abs(found - said).max() / max(np.abs(said).max(), 1e-9)
    if not most <= TOLERANCE:
        return f"answers to the probe that differ by {most:.2g} of the largest"
    if np.ptp(found, axis=0).max() <= 1e-6 < np.ptp(probabilities, axis=0).max():
        return "one answer to every input, beside predictions that differ"
    return ""
