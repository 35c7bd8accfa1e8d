"""Face detection side by side: this project's MTCNN and facenet-pytorch's, on the same frames in one process.

    python benchmarks/detect.py [--images DIR] [--json] [--sizes 720x576,1280x720,mixed] [--batch 1,16] [--threads 1]
    python benchmarks/detect.py --memory 20000 [--images DIR] [--json] [--sizes 160x120,240x180,320x240]

Frames are DIR's images (any depth) scaled and centre-cropped to each size; under `mixed` each has a size of its own,
in each turn another, and facenet-pytorch takes them one by one. Both detectors take turns, `--repeats` times each after
a warm-up; frames per second are of the median turn, `lowest` and `highest` are the ratios of single turns. Equality is
of every face of every frame: how many frames differ in their number of faces, the least IoU, the greatest distance of a
landmark in px. Below it stands what each stage takes here.

With `--memory N` this project detects and cuts a data set of N frames as a worker does, DIR's images in all the sizes
under N names, and the table says what memory the process took on the way.
"""

import argparse
import json
import platform
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from facenet_pytorch import MTCNN as Reference
from PIL import Image, ImageOps

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.parts.devices import add_device, waiting  # noqa: E402
from benchmarks.parts.long_detection import Memory, watch  # noqa: E402
from fer_core.faces.crops import Faces, overlaps  # noqa: E402
from fer_core.faces.mtcnn import detector as detector_module  # noqa: E402
from fer_core.faces.mtcnn.detector import MTCNN  # noqa: E402

PHOTOS = ROOT.parent / "shared" / "data" / "london_faces"
SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
#: What `MTCNN._detect_chunk` calls, in its order.
STAGES = ("integral_images", "propose", "refine", "output")
CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}


@dataclass(frozen=True)
class Row:
    """One line of the table: frames per second of both, and how far their faces are apart."""

    size: str
    batch: int
    frames: int
    faces: int
    facenet_fps: float
    fer_fps: float
    ratio: float
    lowest: float
    highest: float
    frames_with_other_counts: int
    min_iou: float | None
    max_landmark_px: float | None
    stages_ms: dict[str, float]


def load_frames(folder: Path, size: tuple[int, int] | None, count: int, turn: int = 0) -> list[np.ndarray]:
    """Up to `count` images spread over the folder, fitted to (width, height) or each to its own: uint8 (h, w, 3).

    Args:
        turn: that of a benchmark, in each of which sizes of their own are others.
    """
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    if not paths:
        raise SystemExit(f"No images under {folder}: name a folder of photos with --images")
    chosen = [paths[i * len(paths) // count] for i in range(count)] if len(paths) > count else paths
    sizes = [
        size or (480 + 37 * index + 7 * turn, 360 + 29 * index + 5 * turn) for index in range(len(chosen))
    ]
    return [
        np.asarray(ImageOps.fit(Image.open(path).convert("RGB"), own))
        for path, own in zip(chosen, sizes, strict=True)
    ]


def run_facenet(detector: Reference, frames: list[np.ndarray], batch: int) -> list[Faces]:
    """facenet-pytorch's faces, `batch` frames a call."""
    found = []
    for start in range(0, len(frames), batch):
        images = frames[start : start + batch]
        for image, *of_one in zip(images, *detector.detect(np.stack(images), landmarks=True), strict=True):
            none = np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2))
            boxes, scores, points = none if of_one[0] is None else (np.asarray(own, float) for own in of_one)
            found.append(Faces(image.shape[1], image.shape[0], boxes, scores, points))
    return found


def run_fer(detector: MTCNN, frames: list[np.ndarray], batch: int) -> list[Faces]:
    """This project's faces, `batch` frames a call."""
    calls = (detector.detect(frames[start : start + batch]) for start in range(0, len(frames), batch))
    return [found for call in calls for found in call]


def profile(
    detector: MTCNN, frames: list[np.ndarray], batch: int, clock: Callable[[], float]
) -> dict[str, float]:
    """Milliseconds a frame that each stage takes, and all of them, in one turn."""
    spent = dict.fromkeys(STAGES, 0.0)

    def timed(name: str) -> Callable[..., Any]:
        stage = getattr(detector_module, name)

        def call(*args: Any) -> Any:
            start = clock()
            found = stage(*args)
            spent[name] += clock() - start
            return found

        return call

    with ExitStack() as stack:
        for name in STAGES:
            stack.enter_context(patch.object(detector_module, name, timed(name)))
        start = clock()
        run_fer(detector, frames, batch)
        spent["all"] = clock() - start
    return {name: 1000 * seconds / len(frames) for name, seconds in spent.items()}


def compare(reference: Sequence[Faces], found: Sequence[Faces]) -> tuple[int, float | None, float | None]:
    """Frames with another number of faces; over the others' faces the least IoU and greatest landmark distance."""
    others, ious, distances = 0, [], []
    for a, b in zip(reference, found, strict=True):
        if len(a.boxes) != len(b.boxes):
            others += 1
            continue
        ious += overlaps(a.boxes, b.boxes.astype(float)).diagonal().tolist()
        distances += np.linalg.norm(a.landmarks - b.landmarks, axis=2).max(1, initial=0).tolist()
    return others, min(ious, default=None), max(distances, default=None)


def measure(args: argparse.Namespace) -> list[Row]:
    """One row for each size and batch."""
    clock = waiting(CLOCKS[args.clock], args.device)
    reference, own = (
        Reference(keep_all=True, device=torch.device(args.device)),
        MTCNN(device=args.device),
    )
    rows = []
    for size in args.sizes:
        for batch in args.batch:
            frames = load_frames(args.images, size, args.frames)
            theirs_at_once = batch if size else 1
            seconds: tuple[list[float], list[float]] = ([], [])
            expected, found = run_facenet(reference, frames, theirs_at_once), run_fer(own, frames, batch)
            for turn in range(args.repeats):
                frames = load_frames(args.images, size, args.frames, turn + 1)
                start = clock()
                run_facenet(reference, frames, theirs_at_once)
                middle = clock()
                run_fer(own, frames, batch)
                seconds[0].append(middle - start)
                seconds[1].append(clock() - middle)
            theirs, ours = (len(frames) / median(turns) for turns in seconds)
            ratios = [slow / fast for slow, fast in zip(*seconds, strict=True)]
            others, iou, distance = compare(expected, found)
            rows.append(
                Row(
                    size="x".join(map(str, size)) if size else "mixed",
                    batch=batch,
                    frames=len(frames),
                    faces=sum(len(f.boxes) for f in found),
                    facenet_fps=theirs,
                    fer_fps=ours,
                    ratio=ours / theirs,
                    lowest=min(ratios),
                    highest=max(ratios),
                    frames_with_other_counts=others,
                    min_iou=iou,
                    max_landmark_px=distance,
                    stages_ms=profile(own, frames, batch, clock),
                )
            )
    return rows


def print_table(rows: list[Row]) -> None:
    """Print the rows under a heading."""
    print(f"{'size':>9} {'batch':>5} {'faces':>5} {'facenet fps':>11} {'FER fps':>8} {'ratio':>6} "
          f"{'counts':>8} {'min IoU':>9} {'max px':>8}")  # fmt: skip
    for row in rows:
        counts = "equal" if not row.frames_with_other_counts else f"{row.frames_with_other_counts} differ"
        iou, distance = ("-" if v is None else f"{v:.7f}"[:9] for v in (row.min_iou, row.max_landmark_px))
        print(f"{row.size:>9} {row.batch:>5} {row.faces:>5} {row.facenet_fps:>11.2f} {row.fer_fps:>8.2f} "
              f"{row.ratio:>6.2f} {counts:>8} {iou:>9} {distance[:8]:>8}")  # fmt: skip
    print(f"\n{'ms a frame':>9} {'batch':>5} " + " ".join(f"{name:>15}" for name in rows[0].stages_ms))
    for row in rows:
        print(f"{row.size:>10} {row.batch:>5} " + " ".join(f"{ms:>15.2f}" for ms in row.stages_ms.values()))


def measure_memory(args: argparse.Namespace) -> list[Memory]:
    """What a detection over `--memory` frames of all sizes took."""
    images = [
        Image.fromarray(frame) for size in args.sizes for frame in load_frames(args.images, size, args.frames)
    ]
    return watch(images, args.memory, args.device)


def print_memory(rows: list[Memory]) -> None:
    """Print the rows under a heading."""
    print(f"{'step':>15} {'frames':>7} {'fps':>7} {'resident MiB':>13} {'of it anonymous MiB':>20}")
    for row in rows:
        print(f"{row.step:>15} {row.frames:>7} {row.fps:>7.1f} {row.resident:>13.1f} {row.anonymous:>20.1f}")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=Path, default=PHOTOS, help="folder of images with faces")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of the table")
    parser.add_argument(
        "--memory", type=int, metavar="N", help="watch the memory of a detection over N frames instead"
    )
    parser.add_argument(
        "--sizes",
        help="width x height or mixed, comma-separated (720x576,1280x720,mixed; smaller for --memory)",
    )
    parser.add_argument("--batch", default="1,16", help="frames a call, comma-separated")
    parser.add_argument("--threads", type=int, default=1, help="torch's CPU threads")
    add_device(parser)
    parser.add_argument("--frames", type=int, default=16, help="frames at each size")
    parser.add_argument("--repeats", type=int, default=5, help="turns each detector takes")
    parser.add_argument(
        "--clock", choices=CLOCKS, default="wall", help="cpu: for a machine busy with other work"
    )
    args = parser.parse_args()
    args.sizes = args.sizes or ("160x120,240x180,320x240" if args.memory else "720x576,1280x720,mixed")
    args.sizes = [
        None if size == "mixed" else tuple(map(int, size.split("x"))) for size in args.sizes.split(",")
    ]
    args.batch = [int(batch) for batch in args.batch.split(",")]
    return args


def main() -> None:
    """Measure and print."""
    args = parse()
    warnings.filterwarnings("ignore", module="facenet_pytorch")
    torch.set_num_threads(args.threads)
    rows = measure_memory(args) if args.memory else measure(args)
    if args.json:
        setting = {
            "benchmark": "detect",
            "device": args.device,
            "processor": platform.processor() or platform.machine(),
            "threads": args.threads,
            "torch": torch.__version__,
            "clock": args.clock,
            "repeats": args.repeats,
        }
        print(json.dumps({**setting, "rows": [asdict(row) for row in rows]}, indent=2))
    elif args.memory:
        print_memory(rows)
    else:
        print_table(rows)


if __name__ == "__main__":
    main()
