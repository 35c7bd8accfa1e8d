"""Bidirectional neural network (Nejad and Gedeon 1995; paper, section 1.2): one W a layer, used both ways."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from fer_core.config.comparators import BdnnConfig, MlpConfig
from fer_core.config.run import CLASSES

ACTIVATIONS = {"tanh": torch.tanh, "sigmoid": torch.sigmoid}


class Bdnn(nn.Module):
    """Networks of equal shape side by side, one a fold; the leading dimension F of every tensor is the fold's.

    Layer i computes x W_i^T + b_i forward and y W_i + c_i in reverse with the very same tensor W_i; the
    biases are each direction's own. Hidden units have the activation in both directions, the outputs of both
    are linear: logits one way, standardised inputs the other. Weights start Glorot-uniform, whose variance
    suits both directions alike, drawn from (seed, fold); biases start at 0.

    Buffers: `shift` and `scale` (F, 1, D) standardise the inputs; `class_means` (F, 7) are the mean of the
    standardised inputs over each class's training images, the extra output's value in a prototype.
    """

    shift: Tensor
    scale: Tensor
    class_means: Tensor

    def __init__(self, config: BdnnConfig | MlpConfig, inputs: int, draws: Sequence[tuple[int, int]]) -> None:
        """Build F = len(draws) networks for `inputs` features; a draw is a fold's (seed, fold)."""
        super().__init__()
        self.mean_node = isinstance(config, BdnnConfig) and config.mean_node
        self.activation = ACTIVATIONS[config.activation]
        sizes = (inputs, *config.hidden, len(CLASSES) + self.mean_node)
        rngs = [np.random.default_rng(draw) for draw in draws]
        count = len(draws)
        self.weights = nn.ParameterList([_glorot(rngs, below, above) for below, above in pairwise(sizes)])
        self.forward_biases = nn.ParameterList([torch.zeros(count, 1, above) for above in sizes[1:]])
        self.reverse_biases = nn.ParameterList([torch.zeros(count, 1, below) for below in sizes[:-1]])
        self.register_buffer("shift", torch.zeros(count, 1, inputs))
        self.register_buffer("scale", torch.ones(count, 1, inputs))
        self.register_buffer("class_means", torch.zeros(count, len(CLASSES)))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, and the extra output last: (F, N, D) standardised -> (F, N, 7 or 8)."""
        last = len(self.weights) - 1
        for index, (weight, bias) in enumerate(zip(self.weights, self.forward_biases, strict=True)):
            x = torch.baddbmm(bias, x, weight.mT)
            if index < last:
                x = self.activation(x)
        return x

    def reverse(self, y: Tensor) -> Tensor:
        """Return the inputs that belong to outputs: (F, N, 7 or 8) -> (F, N, D) standardised."""
        for index in reversed(range(len(self.weights))):
            y = torch.baddbmm(self.reverse_biases[index], y, self.weights[index])
            if index > 0:
                y = self.activation(y)
        return y

    def standardise(self, features: Tensor) -> Tensor:
        """Return features in each fold's standard units: (N, D) -> (F, N, D)."""
        return (features - self.shift) / self.scale

    def targets(self, labels: Tensor, x: Tensor) -> Tensor:
        """Return what the reverse direction starts from: one-hot labels, and each image's mean input if used.

        Args:
            labels: (N,) int64.
            x: (F, N, D) standardised.
        """
        one_hot = nn.functional.one_hot(labels, len(CLASSES)).to(x.dtype).expand(len(x), -1, -1)
        return torch.cat([one_hot, x.mean(dim=2, keepdim=True)], dim=2) if self.mean_node else one_hot

    def standard_prototypes(self) -> Tensor:
        """Return the reverse output of each one-hot label, standardised: (F, 7, D)."""
        one_hot = torch.eye(len(CLASSES), device=self.scale.device).expand(len(self.scale), -1, -1)
        if self.mean_node:
            one_hot = torch.cat([one_hot, self.class_means[:, :, None]], dim=2)
        return self.reverse(one_hot)


@torch.no_grad()
def prototypes(model: Bdnn) -> np.ndarray:
    """Return the class prototypes in the units of the inputs: (F, 7, D) float32.

    With pixels as inputs each is a face of M x M gray values around 0..1; with descriptors a profile.
    """
    return (model.standard_prototypes() * model.scale + model.shift).cpu().numpy()


@torch.no_grad()
def distances(model: Bdnn, features: np.ndarray) -> np.ndarray:
    """Return how far each image is from each class's prototype.

    Args:
        features: (N, D) in the units of the inputs.

    Returns:
        (F, N, 7) float32: root of the mean squared difference over the D inputs, in standard deviations.
    """
    x = model.standardise(torch.as_tensor(features, dtype=torch.float32, device=model.scale.device))
    found = torch.cdist(x, model.standard_prototypes()) / features.shape[1] ** 0.5
    return found.cpu().numpy()


def parameter_count(config: BdnnConfig | MlpConfig, inputs: int) -> int:
    """Return the number of trained figures of one network."""
    extra = isinstance(config, BdnnConfig) and config.mean_node
    sizes = (inputs, *config.hidden, len(CLASSES) + extra)
    shared = sum(below * above for below, above in pairwise(sizes))
    return shared + sum(sizes[1:]) + (sum(sizes[:-1]) if isinstance(config, BdnnConfig) else 0)


def _glorot(rngs: Sequence[np.random.Generator], below: int, above: int) -> Tensor:
    bound = (6.0 / (below + above)) ** 0.5
    drawn = np.stack([rng.uniform(-bound, bound, (above, below)) for rng in rngs])
    return torch.from_numpy(drawn.astype(np.float32))
