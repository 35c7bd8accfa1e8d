"""What a GPU must show beside this host's CPU: the same faces, activations and answers, the same bits again, and speed.

    python benchmarks/gpu_check.py [--device cuda:0] [--images DIR] [--frames 40] [--only boxes,prefix] [--json]

Each check prints a line a figure; `docs/gpu.md` says what is expected. Nothing is written but a temporary folder.
`--device cpu` tries the checks themselves.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.autograd import DeviceType
from torch.profiler import profile

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.detect import PHOTOS, load_frames  # noqa: E402
from fer_core.config import settings  # noqa: E402
from fer_core.config.devices import prepare  # noqa: E402
from fer_core.config.run import DataConfig, RunConfig, TrainingConfig, TransferConfig  # noqa: E402
from fer_core.errors import Cancelled  # noqa: E402
from fer_core.evaluation.protocols import Fold  # noqa: E402
from fer_core.faces.crops import Faces, overlaps  # noqa: E402
from fer_core.faces.mtcnn.detector import MTCNN  # noqa: E402
from fer_core.learning.inputs.prefix import forward  # noqa: E402
from fer_core.learning.inputs.transforms import to_input  # noqa: E402
from fer_core.learning.inputs.views import prepare as prepare_inputs  # noqa: E402
from fer_core.learning.networks.transfer import build  # noqa: E402
from fer_core.learning.training import checkpoints  # noqa: E402
from fer_core.learning.training.loop import train  # noqa: E402
from fer_core.prediction.predictor import Predictor  # noqa: E402
from fer_core.runs.pipeline.engine import describe_environment  # noqa: E402
from fer_core.storage.artifacts import Artifacts  # noqa: E402

Figures = Iterator[dict[str, Any]]
BACKBONES = ("resnet18", "efficientnet_lite0", "resnet50", "convnext_tiny", "vit_b_16")


class Quiet:
    """A report that stops a training at one of its epochs, counted from 1; 0 never."""

    run_id, attempt = "check", 1

    def __init__(self, stop: int = 0) -> None:
        self.left = stop

    def epoch(self, record: object) -> None:
        """Count an epoch down."""
        self.left -= 1
        if self.left == 0:
            raise Cancelled

    def step(self, name: str, done: int, total: int) -> None:
        """Say nothing."""

    def log(self, text: str) -> None:
        """Say nothing."""

    def check(self) -> None:
        """Go on."""


def timed(work: Callable[[], object], device: torch.device, repeats: int = 5) -> float:
    """Return the median seconds of some work after a warm-up, the device waited for."""
    seconds = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - started)
    return median(seconds[1:])


def definition(backbone: str, unfreeze: int, **training: Any) -> RunConfig:
    """Return a run on no data set, from random weights."""
    model = TransferConfig(backbone=backbone, weights="none", unfreeze=unfreeze)
    return RunConfig(data=DataConfig(fingerprint="0" * 16), model=model, training=TrainingConfig(**training))


def noise(count: int) -> np.ndarray:
    """Return crops (count, 160, 160, 3) uint8 of noise."""
    return np.random.default_rng(0).integers(0, 256, (count, 160, 160, 3)).astype(np.uint8)


def host(device: torch.device, frames: list[np.ndarray]) -> Figures:
    """Versions, driver and card."""
    yield describe_environment(str(device))


def boxes(device: torch.device, frames: list[np.ndarray]) -> Figures:
    """Faces against the CPU's, whether they repeat, and frames a second."""
    want, detector = MTCNN("cpu").detect(frames), MTCNN(device)

    def look(batch: int) -> list[Faces]:
        return [
            one for at in range(0, len(frames), batch) for one in detector.detect(frames[at : at + batch])
        ]

    for batch in (1, 16, 64):
        got, again = look(batch), look(batch)
        alike = [
            (one, other) for one, other in zip(want, got, strict=True) if len(one.boxes) == len(other.boxes)
        ]
        yield {
            "batch": batch,
            "other_counts": len(want) - len(alike),
            "min_iou": min(
                (float(np.diag(overlaps(a.boxes, b.boxes)).min()) for a, b in alike if len(a.boxes)),
                default=None,
            ),
            "max_px": max(
                (float(abs(a.landmarks - b.landmarks).max()) for a, b in alike if len(a.boxes)), default=None
            ),
            "repeats": all(np.array_equal(a.boxes, b.boxes) for a, b in zip(got, again, strict=True)),
            "frames_a_second": len(frames) / timed(lambda size=batch: look(size), device, 3),
        }


def prefix(device: torch.device, frames: list[np.ndarray]) -> Figures:
    """Activations against the CPU's, relative; whether they repeat, alone and beside others; milliseconds of 256."""
    many = noise(256)
    for name in BACKBONES:
        chain = build(definition(name, 2).transfer, None)
        block, crops = chain.row.boundary(2), noise(16)
        want = forward(chain.prefix(block), to_input(crops, chain.row))
        there, x = chain.to(device).prefix(block), to_input(crops, chain.row, device)
        got, again, alone = (forward(there, part, full=256) for part in (x, x, x[3:4]))
        yield {
            "backbone": name,
            "relative": float((got.cpu() - want).norm() / want.norm()),
            "repeats": torch.equal(got, again),
            "alone_as_beside_others": torch.equal(alone[0], got[3]),
            "input_ms": 1e3
            * timed(lambda row=chain.row, crops=many: to_input(crops, row, device), device, 3),
            "pass_ms": 1e3
            * timed(
                lambda net=there, row=chain.row, crops=many: forward(net, to_input(crops, row, device)),
                device,
                3,
            ),
        }


def resume(device: torch.device, frames: list[np.ndarray]) -> Figures:
    """Whether a training that was cut off, and one begun anew, end with the bits of the first."""
    fold, labels = Fold(0, 0, np.arange(64), np.arange(64, 96)), np.arange(96) % 7
    for name, unfreeze, precision in (
        ("resnet18", 1, "float32"),
        ("resnet18", 2, "float32"),
        ("resnet18", 2, "tf32"),
        ("resnet18", 3, "bf16"),
        ("convnext_tiny", 2, "float32"),
        ("vit_b_16", 2, "float32"),
        ("vit_b_16", 2, "bf16"),
    ):
        config = definition(name, unfreeze, epochs=4, batch_size=16, precision=precision)
        ends = []
        with tempfile.TemporaryDirectory() as place:
            for folder, stop in (("whole", 0), ("cut", 3), ("cut", 0), ("again", 0)):
                report, chain = Quiet(stop), build(config.transfer, None)
                inputs = prepare_inputs(
                    chain,
                    noise(96),
                    config=config,
                    artifacts=Artifacts(Path(place) / "made"),
                    report=report,
                    device=device,
                )
                at = Path(place) / folder
                try:
                    train(
                        config,
                        chain,
                        inputs,
                        labels,
                        [fold],
                        device=device,
                        report=report,
                        checkpoints_dir=at,
                        save_every_s=0.0,
                    )
                    ends.append(checkpoints.read(at / "seed0-fold0.safetensors")[0])
                except Cancelled:
                    continue
        first, *others = ends
        same = [all(torch.equal(first[key], other[key]) for key in first) for other in others]
        yield {"backbone": name, "n": unfreeze, "precision": precision, "resumed": same[0], "again": same[1]}


def answers(device: torch.device, frames: list[np.ndarray]) -> Figures:
    """Probabilities against the CPU's, and milliseconds an image."""
    from benchmarks.predict import own_predictor

    with tempfile.TemporaryDirectory() as place:
        here = own_predictor(Path(place), 2, 5, "cpu")
        folder = next(path.parent for path in Path(place).rglob("seed*.safetensors"))
        there = Predictor(here.config, folder, settings.load(home=place, device=str(device)))
        pairs = [
            (a, b)
            for left, right in zip(here.predict(frames[:8]), there.predict(frames[:8]), strict=True)
            for a, b in zip(left, right, strict=True)
        ]
        crops = np.stack([face.crop for face, _ in pairs])
        maps = [one.explain(crops, [face.label for face, _ in pairs]) for one in (here, there)]

        def in_a_new_thread() -> None:
            with ThreadPoolExecutor(1) as pool:
                pool.submit(there.predict, frames[:1]).result()

        yield {
            "faces": len(pairs),
            "largest_difference": max(float(abs(a.probabilities - b.probabilities).max()) for a, b in pairs),
            "largest_difference_of_a_map": float(abs(maps[0] - maps[1]).max()),
            **{
                f"ms_an_image_of_{n}": 1e3 * timed(lambda n=n: there.predict(frames[:n]), device) / n
                for n in (1, 8)
            },
            "ms_in_a_new_thread": 1e3 * timed(in_a_new_thread, device),
        }


def shapes(device: torch.device, frames: list[np.ndarray], count: int = 32) -> Figures:
    """Milliseconds a frame of one size and of ever new sizes, first and again: what a plan for a new shape costs."""
    detector, random = MTCNN(device), np.random.default_rng(1)
    detector.detect(frames[:1])
    for title, sizes in (
        ("one", [(720, 576)] * count),
        ("each its own", random.integers(400, 900, (count, 2)).tolist()),
    ):
        images = [
            np.asarray(Image.fromarray(frames[i % len(frames)]).resize(size)) for i, size in enumerate(sizes)
        ]
        for turn in ("first", "again"):
            started = time.perf_counter()
            for image in images:
                detector.detect([image])
            yield {"sizes": title, "turn": turn, "ms_a_frame": 1e3 * (time.perf_counter() - started) / count}


def trace(device: torch.device, frames: list[np.ndarray]) -> Figures:
    """What a detection of 16 frames gives the device to do: kernels, copies, the share of the time that it is busy."""
    detector = MTCNN(device)
    detector.detect(frames[:16])
    with profile() as seen:
        started = time.perf_counter()
        detector.detect(frames[:16])
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds = time.perf_counter() - started
    there = [event for event in seen.events() if event.device_type != DeviceType.CPU]
    yield {
        "ms": 1e3 * seconds,
        "kernels_and_copies": len(there),
        "copies": sum("memcpy" in event.name.lower() for event in there),
        "busy": sum(event.self_device_time_total for event in there) / 1e6 / seconds,
    }


def memory(device: torch.device, frames: list[np.ndarray], turns: int = 60) -> Figures:
    """What is held after batches of ever-changing sizes: it must level off."""
    detector, random = MTCNN(device), np.random.default_rng(0)
    for turn in range(1, turns + 1):
        sizes = random.integers(300, 900, (16, 2)).tolist()
        detector.detect(
            [
                np.asarray(Image.fromarray(frames[i % len(frames)]).resize(size))
                for i, size in enumerate(sizes)
            ]
        )
        if turn % (turns // 6) == 0:
            resident = int(Path("/proc/self/statm").read_text().split()[1]) * 4 // 1024
            held = torch.cuda.memory_reserved(device) >> 20 if device.type == "cuda" else None
            yield {"frames": 16 * turn, "resident_mib": resident, "reserved_mib": held}


CHECKS = {check.__name__: check for check in (host, boxes, prefix, resume, answers, shapes, trace, memory)}


def main() -> None:
    """Run the checks asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--images", type=Path, default=PHOTOS)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--only", default=",".join(CHECKS), help="of " + ", ".join(CHECKS))
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.device != "cpu" and not torch.cuda.is_available():
        raise SystemExit("No GPU that torch can use is here: --device cpu tries the checks themselves")
    prepare(args.device)
    device, frames = torch.device(args.device), load_frames(args.images, (720, 576), args.frames)
    for name in args.only.split(","):
        for figures in CHECKS[name](device, frames):
            words = "  ".join(
                f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
                for key, value in figures.items()
            )
            print(json.dumps({"check": name, **figures}) if args.json else f"{name:8} {words}", flush=True)


if __name__ == "__main__":
    main()
