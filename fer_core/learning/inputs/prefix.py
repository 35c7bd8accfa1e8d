"""The frozen prefix, computed once per image: activations that enter the first block that trains.

Every fold, epoch, seed and setting that shares crops, backbone and weights shares them (paper, section 2.2:
the frozen blocks of a transferred network never change). They are float32 and memory-mapped; those at an
earlier boundary feed a later one, n = 3's feed n = 2's and n = 1's.

Which kernel multiplies depends on the size of the batch, and kernels differ in the last bits. So every pass has the
same size, the last one filled up, and an image's activations depend on that image alone. A full forward whose frozen
part keeps to this rule, as that of images changed at each use does, equals training from here to the bit in batches
of any size. One that doesn't keep to it is equal where its kernels are the same: on one thread PyTorch gives 1 x 1
convolutions of fewer than 16 images to its own im2col and BLAS product, others to oneDNN, and the two differ by about
1e-6 (EfficientNet-Lite0); products of tokens or vectors (ViT, ConvNeXt, VGG) are BLAS's and go by the batch
throughout.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fer_core.config.devices import to_device
from fer_core.config.run import STEP_VERSIONS, RunConfig
from fer_core.learning.networks.transfer import Chain
from fer_core.learning.reporting import Report
from fer_core.storage.artifacts import Artifacts

from .reuse import marks_of, write_rows
from .transforms import to_input

FILE = "activations.npy"


@dataclass(frozen=True)
class View:
    """Something done to the crops before the prefix: its place in keys, its name, and how it is done.

    `apply` takes (n, H, W, 3) uint8 crops and their places (n,) among all; `placed` says whether it heeds these.
    """

    key: dict[str, Any]
    title: str
    apply: Callable[[np.ndarray, np.ndarray], np.ndarray]
    placed: bool = False


@dataclass(frozen=True)
class Pass:
    """A pass of images through a part of the frozen prefix.

    Attributes:
        source: key of the activations it starts from; '' for the crops.
        first: the block that these enter; block: the one whose inputs are wanted.
        view: what is done to the crops first.
    """

    config: RunConfig
    source: str
    first: str
    block: str
    view: View | None


#: Does a pass for the images at some places (M,): yields (n, ...) float32 in their order, maps channels last.
Compute = Callable[[Pass, np.ndarray], Iterable[np.ndarray]]

#: Images a forward pass, fixed; few on a CPU, where a block's maps then stay in its cache.
CHUNK = {"cpu": 16, "cuda": 256}


def activations(
    chain: Chain,
    crops: np.ndarray,
    block: str,
    *,
    config: RunConfig,
    artifacts: Artifacts,
    report: Report,
    device: torch.device,
    view: View | None = None,
    compute: Compute | None = None,
) -> Tensor:
    """Return what enters `block` for every crop, computed now unless it is there.

    Crops that other sets hold too, byte for byte, are not computed again (`reuse`).

    Args:
        chain: from `networks.transfer.build`; moved to `device`, its prefix left in eval mode.
        crops: (N, H, W, 3) uint8 RGB, in the data set's order.
        block: a boundary, `chain.row.boundary(n)`.
        view: what is done to the crops first; None for nothing.
        compute: does the passes elsewhere; None does them here.

    Returns:
        (N, ...) float32 on the CPU, memory-mapped; maps are (N, C, H, W) in channels_last order.

    Raises:
        Cancelled: `report` says so; nothing is kept then.
        StoreError: the artifact can't be written.
    """
    named = None if view is None else view.key
    key = config.activations_key(block, named)
    if not artifacts.has("activations", key):
        passed = Pass(config, *_source(chain, block, config, artifacts, named), block, view)
        described = config.transfer.network() | {"block": block, "version": STEP_VERSIONS["activations"]}
        if named is not None:
            described["view"] = named

        def rows_of(rows: np.ndarray) -> Iterator[np.ndarray]:
            found = (
                compute(passed, rows) if compute else outputs(passed, rows, chain, crops, artifacts, device)
            )
            return _reported(found, passed, len(rows), report)

        def build(folder: Path) -> None:
            marks = marks_of(crops, placed=view is not None and view.placed)
            write_rows(folder / FILE, "activations", described, marks, rows_of, artifacts)

        artifacts.ensure(
            "activations",
            key,
            described | {"crops": config.crops_key(), "images": len(crops)},
            build,
            waiting=report.check,
        )
    return read(artifacts.open("activations", key))


def read(folder: Path) -> Tensor:
    """Open activations: (N, ...) float32, memory-mapped; maps as (N, C, H, W) in channels_last order."""
    # Copy on write: torch wants a writable array, and a slip must not reach the file.
    stored = torch.from_numpy(np.load(folder / FILE, mmap_mode="c"))
    return stored.permute(0, 3, 1, 2) if stored.ndim == 4 else stored


def take(values: Tensor, rows: Tensor) -> Tensor:
    """Return some rows as a copy that keeps channels_last maps so."""
    if values.ndim == 4:
        return values.permute(0, 2, 3, 1).index_select(0, rows).permute(0, 3, 1, 2)
    return values.index_select(0, rows)


def pass_size(device: torch.device) -> int:
    """Return the images of a forward pass."""
    return CHUNK.get(device.type, CHUNK["cuda"])


def forward(network: nn.Module, x: Tensor, *, full: int | None = None) -> Tensor:
    """Run a network in eval mode on (B, ...), without gradients, in passes of one size: the last one filled up.

    Args:
        full: images a pass. None takes a CPU's 16, and on a GPU, where only what is stored has to keep its bits in any
            company, as many as are given, a multiple of 32 for few shapes.
    """
    if full is None:
        full = pass_size(x.device)
        full = full if x.device.type == "cpu" else min(full, -(-len(x) // 32) * 32)
    last, found = len(x) - 1, []
    with torch.no_grad():
        for start in range(0, len(x), full):
            rows = torch.arange(start, start + full, device=x.device).clamp(max=last)
            found.append(network(take(x, rows)))
    return torch.cat(found)[: len(x)]


def _source(
    chain: Chain, block: str, config: RunConfig, artifacts: Artifacts, view: dict[str, Any] | None
) -> tuple[str, str]:
    """Return the key of the stored activations nearest before `block` ('' for the pixels) and the block they enter."""
    names = chain.row.blocks
    for name in reversed(names[1 : names.index(block)]):
        key = config.activations_key(name, view)
        if artifacts.has("activations", key):
            return key, name
    return "", names[0]


def outputs(
    passed: Pass,
    rows: np.ndarray,
    chain: Chain,
    crops: np.ndarray,
    artifacts: Artifacts,
    device: torch.device,
) -> Iterator[np.ndarray]:
    """Yield what a pass gives for some rows, `CHUNK` at a time: (n, ...) float32, maps channels last.

    While a GPU computes, the next images are taken there and what it gave last is passed on.

    Args:
        rows: (M,) places of images.
        crops: (N, H, W, 3) uint8, what the pass starts from where it names no activations.
    """
    part = chain.to(device).between(passed.first, passed.block)
    source = read(artifacts.open("activations", passed.source)) if passed.source else crops
    chunk = pass_size(device)

    def there(places: np.ndarray) -> Tensor:
        if isinstance(source, Tensor):
            return to_device(take(source, torch.from_numpy(places)), device)
        taken = source[places]
        return to_input(taken if passed.view is None else passed.view.apply(taken, places), chain.row, device)

    inputs = (there(rows[start : start + chunk]) for start in range(0, len(rows), chunk))
    x, ready = next(inputs, None), None
    while x is not None:
        found = forward(part, x, full=chunk)
        x = next(inputs, None)
        if ready is not None:
            yield ready
        ready = (found.permute(0, 2, 3, 1) if found.ndim == 4 else found).cpu().numpy()
    if ready is not None:
        yield ready


def _reported(chunks: Iterable[np.ndarray], passed: Pass, total: int, report: Report) -> Iterator[np.ndarray]:
    """Yield what a pass gives, and report how far it is."""
    step = "activations" if passed.view is None else f"activations, {passed.view.title}"
    done = 0
    report.check()
    for values in chunks:
        report.check()
        yield values
        done += len(values)
        report.step(step, done, total)
