"""What the suffix reads: every image as it is, mirrored for evaluation, and changed for training.

The K changed views of an image are fixed by their number, so that each goes through the frozen prefix once
for all folds, epochs, seeds and settings. That costs K + 1 times the disk and the passes of the plain run, and an
epoch never meets a change that is not among the K. With K = 0 images are changed at each use, nothing more is stored,
and each epoch sends all its images through the prefix again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

from fer_core.config.devices import to_device
from fer_core.config.run import AugmentationConfig, RunConfig
from fer_core.errors import ConfigError
from fer_core.learning.networks.transfer import Chain, derived_seed
from fer_core.learning.reporting import Report
from fer_core.storage.artifacts import Artifacts

from .prefix import Compute, View, activations, forward, take
from .transforms import augment, mirrored, to_input

MIRROR = View({"mirror": True}, "mirrored", lambda crops, _: mirrored(crops))


#: By image: stored activations (N, ...), or what computes the (B, ...) of some rows (B,), each time.
Values = Tensor | Callable[[np.ndarray], Tensor]


@dataclass(frozen=True)
class Inputs:
    """What enters the first block that is a fold's own, by image.

    Attributes:
        clean: of the crops as they are: what evaluation reads.
        mirrored: of their mirror images; None unless evaluation averages both.
        augmented: K, one a view; training reads them instead of `clean`.
        live: where training changes images at each use: returns the (B, ...) of some rows (B,), by the seeds (B,).
    """

    clean: Values
    mirrored: Values | None = None
    augmented: tuple[Values, ...] = ()
    live: Callable[[np.ndarray, np.ndarray], Tensor] | None = None

    def training(self, rows: np.ndarray, draws: np.ndarray, device: torch.device) -> Tensor:
        """Return what training reads of some images.

        Args:
            rows: (B,) positions of images.
            draws: (B,) the view of each, or the seed of its change; not read without augmentation.
        """
        if self.live is not None:
            return self.live(rows, draws)
        if not self.augmented:
            return _moved(self.clean, rows, device)
        order = np.argsort(draws, kind="stable")
        parts = [
            _moved(self.augmented[view], rows[order[draws[order] == view]], device)
            for view in np.unique(draws)
        ]
        back = torch.from_numpy(np.argsort(order, kind="stable")).to(device)
        return take(torch.cat(parts), back)

    def evaluation(self, rows: np.ndarray, device: torch.device) -> list[Tensor]:
        """Return what evaluation reads of some images: one tensor (B, ...), or two whose answers it averages."""
        found = [self.clean] if self.mirrored is None else [self.clean, self.mirrored]
        return [_moved(values, rows, device) for values in found]

    def to(self, device: torch.device) -> Self:
        """Return these with the tensors on a GPU that fit into half of its free memory; else as they are."""
        return replace(
            self,
            clean=_kept(self.clean, device),
            mirrored=None if self.mirrored is None else _kept(self.mirrored, device),
            augmented=tuple(_kept(values, device) for values in self.augmented),
        )


def prepare(
    chain: Chain,
    crops: np.ndarray,
    *,
    config: RunConfig,
    artifacts: Artifacts,
    report: Report,
    device: torch.device,
    compute: Compute | None = None,
) -> Inputs:
    """Compute what a run's suffix reads, where it is not there already (`prefix.activations`); pixels are not stored.

    Raises:
        ConfigError: train-mode BatchNorm is asked of frozen blocks that have none.
    """
    boundary = chain.row.start(config)
    recipe = config.training.augmentation
    if boundary != chain.row.boundary(config.transfer.unfreeze):
        frozen = chain.prefix(chain.row.boundary(config.transfer.unfreeze)).modules()
        if not any(isinstance(module, BatchNorm) for module in frozen):
            raise ConfigError(
                "train-mode BatchNorm needs frozen blocks that have BatchNorm",
                got=f"{chain.row.title}, n = {config.transfer.unfreeze}",
                fix="Choose batch_norm = 'frozen', or a ResNet",
            )

    def pixels(view: View | None = None) -> Values:
        def some(rows: np.ndarray) -> Tensor:
            seen = crops[rows]
            return to_input(seen if view is None else view.apply(seen, rows), chain.row, device)

        return some

    stored = partial(
        activations,
        chain,
        crops,
        boundary,
        config=config,
        artifacts=artifacts,
        report=report,
        device=device,
        compute=compute,
    )

    of: Callable[..., Values] = stored if boundary != chain.row.blocks[0] else pixels

    def live(rows: np.ndarray, seeds: np.ndarray) -> Tensor:
        changed = augment(crops[rows], recipe, seeds.tolist())
        return forward(chain.to(device).prefix(boundary), to_input(changed, chain.row, device))

    return Inputs(
        clean=of(),
        mirrored=of(view=MIRROR) if config.training.flip_at_test else None,
        augmented=tuple(
            of(view=augmented_view(recipe, k)) for k in range(recipe.views if recipe.active else 0)
        ),
        live=live if recipe.active and not recipe.views else None,
    )


def augmented_view(recipe: AugmentationConfig, number: int) -> View:
    """Return the view of that number, 0 or more; the same whatever K is, so that more views add to those there."""

    def apply(crops: np.ndarray, places: np.ndarray) -> np.ndarray:
        return augment(crops, recipe, [derived_seed(number, int(place)) for place in places])

    key = {"augment": recipe.operations(), "number": number}
    return View(key, f"view {number + 1} of {recipe.views}", apply, placed=True)


def _moved(values: Values, rows: np.ndarray, device: torch.device) -> Tensor:
    """Copy some rows to the device."""
    if not isinstance(values, Tensor):
        return values(rows)
    return to_device(take(values, to_device(torch.from_numpy(rows), values.device)), device)


def _kept(values: Values, device: torch.device) -> Values:
    if not isinstance(values, Tensor) or device.type != "cuda":
        return values
    free, _ = torch.cuda.mem_get_info(device)
    return values.to(device) if values.numel() * values.element_size() < free / 2 else values
