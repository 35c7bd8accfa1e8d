"""A finished run's networks: as one module, and what their trained blocks answer to inputs drawn from a seed.

Those answers, the probe, are written by an export and compared by an import. The images of a data set don't travel,
nor do the backbone's frozen blocks. So what enters the trained blocks is drawn: `IMAGES` inputs of the shape that the
backbone's own images have there. That shows that the networks of an archive are those that were exported, can be run,
and answer alike on this host. It doesn't show that they gave the predictions beside them, nor who trained them:
whoever changes networks on purpose can write down their answers too.
"""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fer_core.config.run import RunConfig
from fer_core.config.settings import Settings
from fer_core.errors import NotFoundError, StoreError
from fer_core.learning.networks.backbones import Backbone
from fer_core.learning.networks.transfer import build
from fer_core.learning.training import checkpoints


class Ensemble(nn.Module):
    """The mean of several networks' probabilities; with `flip` of the image and its mirror image alike."""

    def __init__(self, prefix: nn.Module, suffixes: Sequence[nn.Module], flip: bool) -> None:
        super().__init__()
        self.prefix, self.suffixes, self.flip = prefix, nn.ModuleList(suffixes), flip
        self.eval().requires_grad_(False)

    def forward(self, faces: Tensor) -> Tensor:
        """Return (N, 7) probabilities of normalised images (N, 3, H, W)."""
        mean = self._mean(faces)
        return (mean + self._mean(faces.flip(3))) / 2 if self.flip else mean

    def _mean(self, faces: Tensor) -> Tensor:
        inputs = self.prefix(faces)
        return torch.stack([suffix(inputs).softmax(1) for suffix in self.suffixes]).mean(0)


def load(
    config: RunConfig, folder: Path, settings: Settings
) -> tuple[nn.Sequential, dict[str, nn.Sequential], Backbone]:
    """Return a run's frozen blocks, its trained ones by file name, and their backbone; on the CPU, in eval mode.

    Raises:
        NotFoundError: the folder has no networks.
        WeightsError: the backbone's weights are missing.
    """
    chain = build(config.transfer, settings.weights_dir)
    boundary = chain.row.start(config)
    suffixes = {}
    for path in sorted(folder.glob("seed*.safetensors")):
        suffix = copy.deepcopy(chain.suffix(boundary))
        suffix.load_state_dict(checkpoints.part(checkpoints.read(path)[0], "suffix."))
        suffixes[path.name] = suffix.eval().requires_grad_(False)
    if not suffixes:
        raise NotFoundError("A run's networks must be here", got=f"none in {folder.name}", fix="Run it again")
    return chain.prefix(boundary), suffixes, chain.row


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
