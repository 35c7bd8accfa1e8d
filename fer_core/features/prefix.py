"""The frozen prefix, computed once per image: activations that enter the first block that trains.

Every fold, epoch, seed and setting that shares crops, backbone and weights shares them (paper, section 2.2:
the frozen blocks of a transferred network never change). They are float32 and memory-mapped; those at an
earlier boundary feed a later one, n = 3's feed n = 2's and n = 1's.

oneDNN and BLAS choose their kernels by the size of the batch, and kernels differ in the last bits. So every
pass has the same size, the last one filled up, and an image's activations depend on that image alone.
Against a full forward of whole batches that means: equal to the bit for ResNet-18 in batches of two or more, and
for EfficientNet-Lite0 in batches that are a multiple of the size here; other batches differ there by about 1e-5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..artifacts import Artifacts
from ..config import RunConfig
from ..models.transfer import Chain
from ..reporting import Report
from ..transforms import to_input

FILE = "activations.npy"


@dataclass(frozen=True)
class View:
    """Something done to the crops before the prefix: its place in keys, its name, and how it is done.

    `apply` takes (n, H, W, 3) uint8 crops and the position of the first of them among all.
    """

    key: dict[str, Any]
    title: str
    apply: Callable[[np.ndarray, int], np.ndarray]


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
) -> Tensor:
    """Return what enters `block` for every crop, computed now unless it is there.

    Args:
        chain: from `models.transfer.build`; moved to `device`, its prefix left in eval mode.
        crops: (N, H, W, 3) uint8 RGB, in the data set's order.
        block: a boundary, `chain.row.boundary(n)`.
        view: what is done to the crops first; None for nothing.

    Returns:
        (N, ...) float32 on the CPU, memory-mapped; maps are (N, C, H, W) in channels_last order.

    Raises:
        Cancelled: `report` says so; nothing is kept then.
        StoreError: the artifact can't be written.
    """
    named = None if view is None else view.key
    key = config.activations_key(block, named)
    if not artifacts.has("activations", key):
        source, first = _source(chain, block, config, artifacts, named)
        described: dict[str, Any] = {
            "backbone": chain.row.name,
            "weights": config.transfer.weights,
            "block": block,
        }
        if named is not None:
            described["view"] = named
        artifacts.ensure(
            "activations",
            key,
            described | {"crops": config.crops_key(), "images": len(crops)},
            lambda folder: _compute(
                folder / FILE, chain, crops if source is None else source, first, block, report, device, view
            ),
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


def forward(network: nn.Module, x: Tensor) -> Tensor:
    """Run a network in eval mode on (B, ...), without gradients, in passes of one size: the last one filled up."""
    full, last = CHUNK.get(x.device.type, CHUNK["cuda"]), len(x) - 1
    found = []
    with torch.no_grad():
        for start in range(0, len(x), full):
            rows = torch.arange(start, start + full, device=x.device).clamp(max=last)
            found.append(network(take(x, rows)))
    return torch.cat(found)[: len(x)]


def _source(
    chain: Chain, block: str, config: RunConfig, artifacts: Artifacts, view: dict[str, Any] | None
) -> tuple[Tensor | None, str]:
    """Return the stored activations nearest before `block` and the block they enter; None for the pixels."""
    names = chain.row.blocks
    for name in reversed(names[1 : names.index(block)]):
        key = config.activations_key(name, view)
        if artifacts.has("activations", key):
            return read(artifacts.open("activations", key)), name
    return None, names[0]


def _compute(
    path: Path,
    chain: Chain,
    source: np.ndarray | Tensor,
    first: str,
    block: str,
    report: Report,
    device: torch.device,
    view: View | None,
) -> None:
    step = "activations" if view is None else f"activations, {view.title}"
    part = chain.to(device).between(first, block)
    total, chunk = len(source), CHUNK.get(device.type, CHUNK["cuda"])
    stored: np.memmap | None = None
    for start in range(0, total, chunk):
        report.check()
        rows = source[start : start + chunk]
        if isinstance(rows, Tensor):
            x = take(rows, torch.arange(len(rows)))
        else:
            x = to_input(rows if view is None else view.apply(rows, start), chain.row)
        found = forward(part, x.to(device)).cpu()
        values = (found.permute(0, 2, 3, 1) if found.ndim == 4 else found).numpy()
        if stored is None:
            stored = np.lib.format.open_memmap(path, "w+", np.float32, (total, *values.shape[1:]))
        stored[start : start + len(values)] = values
        report.step(step, min(start + chunk, total), total)
    if stored is not None:
        stored.flush()
