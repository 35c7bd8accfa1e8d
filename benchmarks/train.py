"""Time an epoch of transfer learning: this engine beside the usual loop, and the machine's floor.

The usual loop is what a tutorial shows: in each epoch every frame is decoded, resized to 160 x 160 and sent through the
whole ResNet-18, its frozen blocks in eval mode, with PyTorch's defaults (contiguous images and weights, torch's own
convolutions, plain Adam). Both train the same weights on the same frames in one process, on one fold of k = 5; with
n = 1 the engine trains its five folds side by side, and its time is that of one. The floor is what the suffix's
multiplications would take at the speed of a large matrix product measured here; it counts those by a map's padding,
which the engine partly leaves out. Weights are random: speed doesn't depend on them.

Recipes beyond the paper's are timed with n = 2 on fewer frames, each beside the usual loop with the same recipe:
augmentation as views through the cache (their frozen prefix computed once) and on the fly.

    python benchmarks/train.py [--images N] [--recipe-images N] [--repeats R] [--threads T] [--device cuda:0]
        [--cpu-time] [--json]
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from baselines.usual_loop import draw_frames, load, usual_epoch

from benchmarks.parts.devices import Clock, add_device, waiting
from fer_core.config import devices
from fer_core.config.run import RunConfig, parse
from fer_core.config.training import RECIPES
from fer_core.evaluation.protocols import Fold
from fer_core.learning.inputs.prefix import take
from fer_core.learning.inputs.views import Inputs, prepare
from fer_core.learning.networks.transfer import build
from fer_core.learning.reporting import EpochRecord
from fer_core.learning.training.loop import train
from fer_core.learning.training.precision import native_bf16
from fer_core.storage.artifacts import Artifacts

FOLDS, EPOCHS = 5, 20
NO_BF16 = "not measured: this CPU has neither AMX nor AVX512-BF16, and would only imitate it"


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


def configuration(n: int, **training: Any) -> RunConfig:
    """Return ResNet-18 with n blocks unfrozen, batches of 32."""
    model = {"kind": "transfer", "weights": "none", "unfreeze": n}
    return parse(RunConfig, {"data": {"fingerprint": "0" * 16}, "model": model, "training": training})


def engine_epoch(
    config: RunConfig,
    inputs: Inputs,
    labels: np.ndarray,
    folds: list[Fold],
    folder: Path,
    clock: Clock,
    device: torch.device,
) -> float:
    """Return the seconds of one fold's epoch in this engine: the median over epochs after the first."""
    report = Quiet(clock)
    chain = build(config.transfer, None)
    train(config, chain, inputs, labels, folds, device=device, report=report, checkpoints_dir=folder)
    return statistics.median(report.epochs()[1:]) / len(folds)


def gemm_gflops(dtype: torch.dtype, clock: Clock, device: torch.device) -> float:
    """Return the best of several 1024-cubed matrix products, in GFLOP/s."""
    a, b = (torch.randn(1024, 1024).to(device, dtype) for _ in range(2))
    times = []
    for _ in range(12):
        started = clock()
        a @ b
        times.append(clock() - started)
    return 2 * 1024**3 / min(times) / 1e9


def suffix_gflop(n: int, inputs: torch.Tensor, fold: Fold) -> float:
    """Count the multiplications and additions of one epoch of the suffix, in GFLOP."""
    chain = build(configuration(n).transfer, None)
    suffix = chain.suffix(chain.row.boundary(n)).train()
    x = take(inputs, torch.arange(4)).cpu()
    with FlopCounterMode(display=False) as both:
        suffix(x).sum().backward()
    with FlopCounterMode(display=False) as forward, torch.no_grad():
        suffix(x)
    per_image = both.get_total_flops() / 4, forward.get_total_flops() / 4
    return (per_image[0] * len(fold.train) + per_image[1] * len(fold.validation)) / 1e9


@dataclass(frozen=True)
class Case:
    """Frames on disk and as crops, their labels and five folds."""

    paths: list[Path]
    crops: np.ndarray
    labels: np.ndarray
    folds: list[Fold]
    folder: Path
    clock: Clock
    device: torch.device

    @classmethod
    def draw(cls, paths: list[Path], folder: Path, clock: Clock, device: torch.device) -> Case:
        """Deal frames into folds."""
        count = len(paths)
        parts = np.array_split(np.random.default_rng(0).permutation(count), FOLDS)
        folds = [Fold(0, i, np.setdiff1d(np.arange(count), part), part) for i, part in enumerate(parts)]
        crops = np.stack([load(path) for path in paths])
        return cls(paths, crops, np.arange(count) % 7, folds, folder, clock, device)

    def prepare(self, config: RunConfig) -> tuple[Inputs, float]:
        """Return what the suffix reads, and the seconds it took to compute."""
        started = self.clock()
        inputs = prepare(
            build(config.transfer, None),
            self.crops,
            config=config,
            artifacts=Artifacts(self.folder / "artifacts"),
            report=Quiet(self.clock),
            device=self.device,
        )
        return inputs, self.clock() - started

    def usual(self, config: RunConfig, repeats: int) -> list[float]:
        """Return the seconds of the usual loop's epoch, each time."""
        return [
            usual_epoch(config, self.paths, self.labels, self.folds[0], self.clock, self.device)
            for _ in range(repeats)
        ]

    def engine(self, config: RunConfig, inputs: Inputs, repeats: int) -> list[float]:
        """Return the seconds of one fold's epoch in this engine, each time."""
        own = self.folds if config.transfer.unfreeze == 1 else self.folds[:1]
        times = []
        for _ in range(repeats):
            with tempfile.TemporaryDirectory(dir=self.folder) as place:
                times.append(
                    engine_epoch(config, inputs, self.labels, own, Path(place), self.clock, self.device)
                )
        return times


def beside(usual: list[float], engine: list[float]) -> dict[str, float]:
    """Return both medians and their ratio, and the ratios of the turns furthest from it."""
    ratios = [slow / fast for slow, fast in zip(usual, engine, strict=True)]
    slow, fast = statistics.median(usual), statistics.median(engine)
    return {
        "usual_s": slow,
        "engine_s": fast,
        "ratio": slow / fast,
        "lowest": min(ratios),
        "highest": max(ratios),
    }


def measure_setting(case: Case, n: int, repeats: int, gflops: float) -> dict[str, Any]:
    """Time the paper's recipe with n blocks unfrozen."""
    config = configuration(n, epochs=EPOCHS if n == 1 else 3)
    inputs, prefix = case.prepare(config)
    both = beside(case.usual(config, repeats), case.engine(config, inputs, repeats))
    usual, engine = both["usual_s"], both["engine_s"]
    floor = suffix_gflop(n, inputs.clean, case.folds[0]) / gflops
    row = {
        "unfreeze": n,
        **both,
        "bf16_s": None,
        "bf16_ratio": None,
        "prefix_once_s": prefix,
        "run_ratio": FOLDS * EPOCHS * usual / (prefix + FOLDS * EPOCHS * engine),
        "floor_s": floor,
        "times_floor": engine / floor,
    }
    if native_bf16():
        rough = configuration(n, epochs=config.training.epochs, precision="bf16")
        row["bf16_s"] = statistics.median(case.engine(rough, inputs, repeats))
        row["bf16_ratio"] = usual / row["bf16_s"]
    return row


def measure_recipe(case: Case, name: str, fields: dict[str, Any], repeats: int) -> dict[str, Any]:
    """Time a recipe with n = 2."""
    config = configuration(2, **fields, epochs=3)
    inputs, prefix = case.prepare(config)
    both = beside(case.usual(config, repeats), case.engine(config, inputs, repeats))
    usual, engine = both["usual_s"], both["engine_s"]
    return {
        "recipe": name,
        **both,
        "prefix_once_s": prefix,
        "run_ratio": FOLDS * EPOCHS * usual / (prefix + FOLDS * EPOCHS * engine),
    }


def recipes() -> dict[str, dict[str, Any]]:
    """Return the recipes that are timed; of augmentation two views, and the same on the fly."""
    named = {name: dict(RECIPES[name].fields) for name in ("paper", "adamw", "smooth", "mixup")}
    pixels = RECIPES["augmented"].fields["augmentation"]
    named["augmented, 2 views"] = {"augmentation": {**pixels, "views": 2}}
    named["augmented, on the fly"] = {"augmentation": {**pixels, "views": 0}}
    return {name: {k: v for k, v in own.items() if k != "warmup_epochs"} for name, own in named.items()}


def measure(
    images: int, recipe_images: int, repeats: int, folder: Path, clock: Clock, device: torch.device
) -> dict[str, Any]:
    """Time every setting and recipe."""
    gflops = {"float32": gemm_gflops(torch.float32, clock, device)}
    if native_bf16():
        gflops["bf16"] = gemm_gflops(torch.bfloat16, clock, device)
    paths = draw_frames(folder, max(images, recipe_images))
    case = Case.draw(paths[:images], folder / "settings", clock, device)
    small = Case.draw(paths[:recipe_images], folder / "recipes", clock, device)
    for one in (case, small):
        one.folder.mkdir()
    settings = [measure_setting(case, n, repeats, gflops["float32"]) for n in (3, 2, 1)]
    return {
        "images": images,
        "recipe_images": recipe_images,
        "threads": torch.get_num_threads(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "device": str(device),
        "gemm_gflops": gflops,
        "bf16": "measured" if native_bf16() else NO_BF16,
        "settings": sorted(settings, key=lambda row: row["unfreeze"]),
        "recipes": [measure_recipe(small, name, fields, repeats) for name, fields in recipes().items()],
    }


def main() -> None:
    """Measure and print one table, or one JSON document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=1000, help="frames of the data set (default 1000)")
    parser.add_argument(
        "--recipe-images", type=int, default=256, help="frames on which recipes are timed (default 256)"
    )
    parser.add_argument(
        "--repeats", type=int, default=1, help="of each timing; the median counts (default 1)"
    )
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: torch's choice)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "--cpu-time", action="store_true", help="count CPU seconds instead of wall time, on a busy machine"
    )
    add_device(parser)
    options = parser.parse_args()
    clock = waiting(time.process_time if options.cpu_time else time.perf_counter, options.device)
    devices.prepare(options.device)
    if options.threads:
        torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        found = measure(
            options.images,
            options.recipe_images,
            options.repeats,
            Path(folder),
            clock,
            torch.device(options.device),
        )
    found["clock"] = "CPU" if options.cpu_time else "wall"
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        show(found)


def show(found: dict[str, Any]) -> None:
    """Print both tables."""
    gemm = found["gemm_gflops"]
    print(f"{found['images']} images, {found['threads']} threads ({found['cpu']})")
    print(f"{found['clock']} seconds an epoch of one fold")
    print("matrix product: " + ", ".join(f"{value:.0f} GFLOP/s in {name}" for name, value in gemm.items()))
    print(f"bf16: {found['bf16']}")
    print(f"run: {FOLDS} folds x {EPOCHS} epochs, float32, the prefix's one pass included\n")
    print("n    usual   engine    ratio     bf16    ratio   prefix  run ratio    floor  x floor")
    for row in found["settings"]:
        rough = (
            f"{'-':>8} {'-':>8}"
            if row["bf16_s"] is None
            else f"{row['bf16_s']:8.4f} {row['bf16_ratio']:7.2f}x"
        )
        print(
            f"{row['unfreeze']} {row['usual_s']:8.2f} {row['engine_s']:8.4f} {row['ratio']:7.2f}x"
            f" {rough} {row['prefix_once_s']:8.2f} {row['run_ratio']:9.2f}x"
            f" {row['floor_s']:8.4f} {row['times_floor']:7.2f}x"
        )
    print(f"\nn = 2, {found['recipe_images']} images; a later recipe finds the earlier ones' activations")
    print(f"{'recipe':24}   usual   engine    ratio   prefix  run ratio")
    for row in found["recipes"]:
        print(
            f"{row['recipe']:24}{row['usual_s']:8.2f} {row['engine_s']:8.4f} {row['ratio']:7.2f}x"
            f" {row['prefix_once_s']:8.2f} {row['run_ratio']:9.2f}x"
        )


if __name__ == "__main__":
    main()
