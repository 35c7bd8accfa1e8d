"""What a trained network answers: the same bits when training evaluates it and when a later prediction asks it."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from fer_core.learning.inputs.prefix import forward

from .precision import Precision

Passes = Callable[[nn.Module, Tensor], Tensor]


def answers(
    network: nn.Module, views: Sequence[Tensor], precision: Precision, *, passes: Passes = forward
) -> Tensor:
    """Return the logits of some images, (B, 7) float32.

    Every pass has one size (`inputs.prefix.forward`), so that an image's answer does not depend on the images
    beside it: those of its fold, or of an upload.

    Args:
        network: the suffix, put into eval mode.
        views: what enters it, (B, ...), of the images; with that of their mirror images as well, the result is
            the logarithm of the mean of both probabilities.
        passes: how a network is run; another way than training's gives answers that differ by rounding.
    """
    network.eval()
    with precision.autocast(views[0].device):
        found = [passes(network, x).float() for x in views]
    if len(found) == 1:
        return found[0]
    return torch.stack([one.softmax(1) for one in found]).mean(0).log()
