"""A finished run's networks as one module: frozen blocks once, then every fold's trained blocks."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from fer_core.config.run import RunConfig
from fer_core.config.settings import Settings
from fer_core.errors import NotFoundError
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
