"""Time an epoch of transfer learning: this engine beside the usual loop, and the machine's floor.

The usual loop is what a tutorial shows: in each epoch every frame is decoded, resized to 160 x 160 and sent through the
whole ResNet-18, its frozen blocks in eval mode, with PyTorch's defaults (contiguous images, plain Adam). Both
train the same weights on the same frames in one process, on one fold of k = 5; with n = 1 the engine trains
its five folds side by side, and its time is that of one. The floor is what the suffix's multiplications
would take at the speed of a large matrix product measured here. Weights are random: speed doesn't depend on them.

    python benchmarks/train.py [--images N] [--repeats R] [--threads T] [--json]
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fer_core.artifacts import Artifacts
from fer_core.config import RunConfig, parse
from fer_core.features.prefix import activations, take
from fer_core.models.transfer import build
from fer_core.protocols import Fold
from fer_core.reporting import EpochRecord
from fer_core.training.loop import train
from fer_core.training.sampling import cut_batches, draw_order
from fer_core.transforms import to_input

CPU, FOLDS, EPOCHS, FRAME = torch.device("cpu"), 5, 20, (720, 576)


Clock = Callable[[], float]


class Quiet:
    """A report that keeps the epochs' times."""

    run_id, attempt = "benchmark", 1

    def __init__(self, clock: Clock) -> None:
        self.clock, self.ends = clock, {0: clock()}

    def epoch(self, record: EpochRecord) -> None:
        """Keep when the last fold ended this epoch."""
        self.ends[record.epoch] = self.clock()

    def epochs(self) -> list[float]:
        """Return the seconds of each epoch."""
        ends = list(self.ends.values())
        return [after - before for before, after in itertools.pairwise(ends)]

    def step(self, name: str, done: int, total: int) -> None:
        """Say nothing."""

    def log(self, text: str) -> None:
        """Say nothing."""

    def check(self) -> None:
        """Never stop."""


def draw_frames(folder: Path, count: int) -> list[Path]:
    """Write smooth random frames of 720 x 576 as JPEG: what decoding costs, not what faces look like."""
    rng, paths = np.random.default_rng(0), []
    for index in range(count):
        small = Image.fromarray(rng.integers(0, 256, (18, 22, 3), dtype=np.uint8))
        paths.append(folder / f"{index:05d}.jpg")
        small.resize(FRAME, Image.Resampling.BICUBIC).save(paths[-1], quality=90)
    return paths


def load(path: Path) -> np.ndarray:
    """Decode a frame and resize it to 160 x 160."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((160, 160), Image.Resampling.BILINEAR))


def configuration(n: int, precision: str, epochs: int) -> RunConfig:
    """Return ResNet-18 with n blocks unfrozen, batches of 32."""
    return parse(
        RunConfig,
        {
            "data": {"fingerprint": "0" * 16},
            "model": {"kind": "transfer", "weights": "none", "unfreeze": n},
            "training": {"epochs": epochs, "precision": precision},
        },
    )


def usual_epoch(config: RunConfig, paths: list[Path], labels: np.ndarray, fold: Fold, clock: Clock) -> float:
    """Return the seconds of one epoch of the usual loop, training and validation."""
    chain = build(config.transfer, None).to(memory_format=torch.contiguous_format)
    chain.freeze(config.transfer.unfreeze)
    optimizer = torch.optim.Adam([p for p in chain.parameters() if p.requires_grad], lr=1e-3)
    targets = torch.from_numpy(labels)

    def images(rows: np.ndarray) -> torch.Tensor:
        return to_input(np.stack([load(paths[row]) for row in rows]), chain.row).contiguous()

    chain(images(fold.train[:2]))
    started = clock()
    for batch in cut_batches(draw_order(fold, 1, labels, "balanced"), config.training.batch_size):
        loss = F.cross_entropy(chain(images(batch)), targets[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    chain.eval()
    with torch.no_grad():
        for start in range(0, len(fold.validation), 64):
            chain(images(fold.validation[start : start + 64]))
    return clock() - started


def engine_epoch(
    config: RunConfig,
    inputs: torch.Tensor,
    labels: np.ndarray,
    folds: list[Fold],
    folder: Path,
    clock: Clock,
) -> float:
    """Return the seconds of one fold's epoch in this engine: the median over epochs after the first."""
    report = Quiet(clock)
    chain = build(config.transfer, None)
    train(config, chain, inputs, labels, folds, device=CPU, report=report, checkpoints_dir=folder)
    return statistics.median(report.epochs()[1:]) / len(folds)


def gemm_gflops(dtype: torch.dtype, clock: Clock) -> float:
    """Return the best of several 1024-cubed matrix products, in GFLOP/s."""
    a, b = torch.randn(1024, 1024).to(dtype), torch.randn(1024, 1024).to(dtype)
    times = []
    for _ in range(12):
        started = clock()
        a @ b
        times.append(clock() - started)
    return 2 * 1024**3 / min(times) / 1e9


def suffix_gflop(n: int, inputs: torch.Tensor, fold: Fold) -> float:
    """Count the multiplications and additions of one epoch of the suffix, in GFLOP."""
    chain = build(configuration(n, "float32", 1).transfer, None)
    suffix = chain.suffix(chain.row.boundary(n)).train()
    x = take(inputs, torch.arange(4))
    with FlopCounterMode(display=False) as both:
        suffix(x).sum().backward()
    with FlopCounterMode(display=False) as forward, torch.no_grad():
        suffix(x)
    per_image = both.get_total_flops() / 4, forward.get_total_flops() / 4
    return (per_image[0] * len(fold.train) + per_image[1] * len(fold.validation)) / 1e9


def measure(images: int, repeats: int, folder: Path, clock: Clock) -> dict[str, Any]:
    """Time every setting; the repeats of both sides alternate, the median counts."""
    paths = draw_frames(folder, images)
    labels = np.arange(images) % 7
    parts = np.array_split(np.random.default_rng(0).permutation(images), FOLDS)
    folds = [Fold(0, i, np.setdiff1d(np.arange(images), part), part) for i, part in enumerate(parts)]
    crops = np.stack([load(path) for path in paths])
    gflops = {"float32": gemm_gflops(torch.float32, clock), "bf16": gemm_gflops(torch.bfloat16, clock)}
    rows = []
    for n in (3, 2, 1):
        config = configuration(n, "float32", 3)
        chain = build(config.transfer, None)
        started = clock()
        inputs = activations(
            chain,
            crops,
            chain.row.boundary(n),
            config=config,
            artifacts=Artifacts(folder / "artifacts"),
            report=Quiet(clock),
            device=CPU,
        )
        prefix = clock() - started
        own = folds if n == 1 else folds[:1]
        times: dict[str, list[float]] = {"usual": [], "float32": [], "bf16": []}
        for repeat in range(repeats):
            times["usual"].append(usual_epoch(config, paths, labels, folds[0], clock))
            for precision in ("float32", "bf16"):
                epochs = EPOCHS if n == 1 else 3
                place = folder / f"{n}-{precision}-{repeat}"
                recipe = configuration(n, precision, epochs)
                times[precision].append(engine_epoch(recipe, inputs, labels, own, place, clock))
        usual, exact, rough = (statistics.median(times[name]) for name in ("usual", "float32", "bf16"))
        floor = suffix_gflop(n, inputs, folds[0]) / gflops["float32"]
        rows.append(
            {
                "unfreeze": n,
                "usual_s": usual,
                "engine_s": exact,
                "ratio": usual / exact,
                "bf16_s": rough,
                "bf16_ratio": usual / rough,
                "prefix_once_s": prefix,
                "run_ratio": FOLDS * EPOCHS * usual / (prefix + FOLDS * EPOCHS * exact),
                "floor_s": floor,
                "times_floor": exact / floor,
            }
        )
    return {
        "images": images,
        "threads": torch.get_num_threads(),
        "clock": "CPU" if clock is time.process_time else "wall",
        "gemm_gflops": gflops,
        "settings": sorted(rows, key=lambda row: row["unfreeze"]),
    }


def main() -> None:
    """Measure and print one table, or one JSON document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=320, help="frames of the data set (default 320)")
    parser.add_argument(
        "--repeats", type=int, default=3, help="of each timing; the median counts (default 3)"
    )
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: torch's choice)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "--cpu-time", action="store_true", help="count CPU seconds in place of wall time, on a busy machine"
    )
    options = parser.parse_args()
    clock: Clock = time.process_time if options.cpu_time else time.perf_counter
    if options.threads:
        torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        found = measure(options.images, options.repeats, Path(folder), clock)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    gemm = found["gemm_gflops"]
    print(
        f"{found['images']} images, {found['threads']} threads; {found['clock']} seconds an epoch of one fold"
    )
    print(f"matrix product: {gemm['float32']:.0f} GFLOP/s in float32, {gemm['bf16']:.0f} in bf16")
    print(f"run: {FOLDS} folds x {EPOCHS} epochs, float32, the prefix's one pass included\n")
    print("n    usual   engine    ratio     bf16    ratio   prefix  run ratio    floor  x floor")
    for row in found["settings"]:
        print(
            f"{row['unfreeze']} {row['usual_s']:8.2f} {row['engine_s']:8.4f} {row['ratio']:7.2f}x"
            f" {row['bf16_s']:8.4f} {row['bf16_ratio']:7.2f}x {row['prefix_once_s']:8.2f} {row['run_ratio']:9.2f}x"
            f" {row['floor_s']:8.4f} {row['times_floor']:7.2f}x"
        )


if __name__ == "__main__":
    main()
