"""Time what the comparators cost: this project's descriptors and BDNN beside what is usually written.

The usual LPQ is the port of the authors' MATLAB code that goes round in Python: complex two-dimensional
convolutions and the decorrelation as one matrix product over pixels; the usual PHOG cuts each cell of each
level out and histograms it. Both get the same gray crops, made of smooth noise: what describing costs, not what
faces look like. The usual BDNN trains its folds one after another. All in one process, repeats alternate, the
median counts.

    python benchmarks/descriptors.py [--images N] [--repeats R] [--threads T] [--json]
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.signal import convolve2d
from skimage.feature import canny

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fer_core.config.comparators import BdnnConfig, LpqConfig, PhogConfig
from fer_core.config.run import ProtocolConfig
from fer_core.evaluation.protocols import draw
from fer_core.learning.comparators import lpq
from fer_core.learning.comparators.bdnn_training import fit_folds
from fer_core.learning.comparators.descriptors import LUMA, describe
from fer_core.learning.reporting import EpochRecord

EPOCHS, FOLDS = 20, 10


class Quiet:
    """A report that says nothing and never stops."""

    run_id, attempt = "benchmark", 1

    def epoch(self, record: EpochRecord) -> None:
        """Forget the epoch."""

    def step(self, name: str, done: int, total: int) -> None:
        """Say nothing."""

    def log(self, text: str) -> None:
        """Say nothing."""

    def check(self) -> None:
        """Never stop."""


def draw_crops(count: int) -> np.ndarray:
    """Return (N, 160, 160, 3) uint8 smooth random crops."""
    rng = np.random.default_rng(0)
    small = [Image.fromarray(rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)) for _ in range(count)]
    return np.stack([np.asarray(image.resize((160, 160), Image.Resampling.BICUBIC)) for image in small])


def usual_lpq(gray: np.ndarray, config: LpqConfig) -> np.ndarray:
    """Return the LPQ histograms as ports of the authors' code compute them."""
    x = np.arange(config.window)[None, :] - config.window // 2
    w0, w1 = np.ones(x.shape, dtype=complex), np.exp(-2j * np.pi * x / config.window)
    responses = []
    for rows, columns in ((w0, w1), (w1, w0), (w1, w1), (w1, np.conj(w1))):
        found = convolve2d(convolve2d(gray, rows.T, "valid"), columns, "valid")
        responses += [found.real, found.imag]
    stacked = np.dstack(responses)
    whitened = stacked.reshape(-1, 8) @ lpq.whitening(config.window, config.correlation).T
    codes = ((whitened > lpq.NOISE) * 2 ** np.arange(8)).sum(axis=1).reshape(stacked.shape[:2])
    edges = [[-(-k * size // config.blocks) for k in range(config.blocks + 1)] for size in codes.shape]
    parts = []
    for top, bottom in zip(edges[0], edges[0][1:], strict=False):
        for left, right in zip(edges[1], edges[1][1:], strict=False):
            counts = np.histogram(codes[top:bottom, left:right], bins=256, range=(0, 256))[0]
            parts.append(counts / counts.sum())
    return np.concatenate(parts)


def usual_phog(gray: np.ndarray, config: PhogConfig) -> np.ndarray:
    """Return a PHOG cell by cell, as ports of the authors' code compute it (edges by scikit-image's defaults)."""
    edges = canny(gray / 255.0, sigma=2.0**0.5)
    down, across = np.gradient(gray)
    angle = np.degrees(np.arctan2(down, across)) % config.degrees
    bins = np.where(edges, (angle * config.bins / config.degrees).astype(int) % config.bins, -1)
    strength = np.hypot(down, across)
    parts = []
    for level in range(config.levels + 1):
        cell = len(gray) // 2**level
        for row in range(2**level):
            for column in range(2**level):
                part = np.s_[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell]
                parts += [strength[part][bins[part] == index].sum() for index in range(config.bins)]
    return np.array(parts) / max(sum(parts), 1e-12)


def measure(images: int, repeats: int) -> dict[str, Any]:
    """Time both sides of every row; the usual LPQ must also give the same figures."""
    crops = draw_crops(images)
    grays = [crop @ LUMA for crop in crops]
    labels = np.arange(images) % 7
    folds = draw(ProtocolConfig(folds=FOLDS), labels, [""] * images, [""] * images, [None] * images)
    table = np.random.default_rng(1).normal(size=(images, 10))
    bdnn = BdnnConfig(epochs=EPOCHS)
    small, large = PhogConfig(), PhogConfig(levels=4, bins=16)
    same = np.abs(describe(crops[:8], LpqConfig()) - [usual_lpq(g, LpqConfig()) for g in grays[:8]]).max()
    if same > 1e-3:
        raise SystemExit(f"both LPQs must agree; they differ by {same}")

    sides: dict[str, tuple[Callable[[], object], Callable[[], object], int]] = {
        "LPQ 7x7, 4x4 blocks": (
            lambda: [usual_lpq(gray, LpqConfig()) for gray in grays],
            lambda: describe(crops, LpqConfig()),
            images,
        ),
        "PHOG L=3, 8 bins": (
            lambda: [usual_phog(gray, small) for gray in grays],
            lambda: describe(crops, small),
            images,
        ),
        "PHOG L=4, 16 bins": (
            lambda: [usual_phog(gray, large) for gray in grays],
            lambda: describe(crops, large),
            images,
        ),
        f"BDNN, {FOLDS} folds": (
            lambda: [fit_folds(bdnn, table, labels, [fold], Quiet()) for fold in folds],
            lambda: fit_folds(bdnn, table, labels, folds, Quiet()),
            EPOCHS * FOLDS,
        ),
    }
    rows = []
    for name, (usual, own, pieces) in sides.items():
        own()  # the first call pays for imports and first allocations
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(repeats):
            for side, call in zip(times, (usual, own), strict=True):
                started = time.perf_counter()
                call()
                side.append(time.perf_counter() - started)
        before, after = (pieces / statistics.median(side) for side in times)
        ratios = [slow / fast for slow, fast in zip(*times, strict=True)]
        spread = {"ratio": after / before, "lowest": min(ratios), "highest": max(ratios)}
        rows.append({"what": name, "usual_per_s": before, "own_per_s": after, **spread})
    return {"images": images, "repeats": repeats, "threads": torch.get_num_threads(), "rows": rows}


def main() -> None:
    """Measure and print one table, or one JSON document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=140, help="crops (default 140)")
    parser.add_argument("--repeats", type=int, default=3, help="of each timing (default 3)")
    parser.add_argument("--threads", type=int, default=0, help="torch's CPU threads (default: its choice)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    found = measure(options.images, options.repeats)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{found['images']} crops of 160 x 160; images (BDNN: epochs of a fold) a second\n")
    print(f"{'':22}{'usual':>10}{'here':>10}{'ratio':>10}")
    for row in found["rows"]:
        print(f"{row['what']:22}{row['usual_per_s']:10.1f}{row['own_per_s']:10.1f}{row['ratio']:9.2f}x")


if __name__ == "__main__":
    main()
