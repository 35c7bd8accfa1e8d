"""Face detectors side by side on frames whose faces are known: found, missed, wrong, and how fast.

    python benchmarks/peers.py [--images DIR] [--frames 28] [--repeats 3] [--clock cpu] [--json]

FER Lab's MTCNN and facenet-pytorch's always take part; OpenCV's cascade, `fer` with its own detector, `mtcnn` and
`deepface` with the detector it works offline with do where they are installed, and are named as absent where not.
docs/benchmarks.md says how to install them beside FER Lab.

Each is called as its documentation does, an image a call, on one thread. Photographs (DIR: the London set's 360 x 360,
one face each, all in the same place) and generated frames of 720 x 576, some with one face, some with nobody. A face is
found where a box has an IoU of 0.4 or more with it, since a cascade's square and MTCNN's box differ by design; every
other box is wrong, a second one on the same face too. Frames a second are of the median turn over every fourth frame;
`ratio` is how many times as fast FER Lab is.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.parts.hard_frames import lost  # noqa: E402
from fer_core.datasets.generated.frames import GeneratedConfig, render_frame  # noqa: E402
from fer_core.faces.crops import overlaps  # noqa: E402
from fer_core.faces.mtcnn.detector import MTCNN  # noqa: E402

PHOTOS = ROOT.parent / "shared" / "data" / "london_faces"
#: Where the face is in each of the London set's photographs: they are taken and cut alike.
PLACE = (115.0, 95.0, 245.0, 260.0)
CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}

#: (n, 4) boxes x1, y1, x2, y2 of a uint8 RGB frame (h, w, 3).
Detector = Callable[[np.ndarray], np.ndarray]


def corners(found: Any) -> np.ndarray:
    """(n, 4) boxes of n tuples x, y, width, height."""
    boxes = np.array([tuple(box) for box in found], float).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def own() -> Detector:
    """FER Lab's MTCNN."""
    detector = MTCNN()
    return lambda frame: detector.detect([frame])[0].boxes


def facenet() -> Detector:
    """facenet-pytorch's MTCNN."""
    from facenet_pytorch import MTCNN as Reference

    detector = Reference(keep_all=True)

    def detect(frame: np.ndarray) -> np.ndarray:
        boxes, _ = detector.detect(frame)
        return np.zeros((0, 4)) if boxes is None else np.asarray(boxes, float)

    return detect


def cascade() -> Detector:
    """OpenCV's Haar cascade of frontal faces, with its defaults."""
    import cv2

    cv2.setNumThreads(1)
    faces = cv2.CascadeClassifier(f"{cv2.data.haarcascades}haarcascade_frontalface_default.xml")
    return lambda frame: corners(faces.detectMultiScale(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)))


def fer() -> Detector:
    """What `fer` looks for faces with unless told otherwise."""
    from fer.fer import FER

    faces = FER()
    return lambda frame: corners(faces.find_faces(np.ascontiguousarray(frame[:, :, ::-1])))


def tensorflow_mtcnn() -> Detector:
    """The package `mtcnn`."""
    from mtcnn import MTCNN as Keras

    faces = Keras()
    return lambda frame: corners([face["box"] for face in faces.detect_faces(frame) or []])


def deepface() -> Detector:
    """`deepface` with its default detector; it answers a frame without a face with the whole frame, confidence 0."""
    from deepface import DeepFace

    def detect(frame: np.ndarray) -> np.ndarray:
        found = DeepFace.extract_faces(
            np.ascontiguousarray(frame[:, :, ::-1]), enforce_detection=False, align=False
        )
        areas = [face["facial_area"] for face in found if face["confidence"]]
        return corners([[area[name] for name in "xywh"] for area in areas])

    return detect


#: Name -> the package whose version is shown, and what makes the detector.
DETECTORS: dict[str, tuple[str, Callable[[], Detector]]] = {
    "FER Lab": ("torch", own),
    "facenet-pytorch": ("facenet-pytorch", facenet),
    "OpenCV, Haar cascade": ("opencv-python-headless", cascade),
    "fer, its own": ("fer", fer),
    "mtcnn": ("mtcnn", tensorflow_mtcnn),
    "deepface, its default": ("deepface", deepface),
}


def match(boxes: np.ndarray, face: np.ndarray) -> tuple[bool, int]:
    """Whether one of the (n, 4) boxes is on the (1, 4) or (0, 4) face, and how many others there are."""
    found = bool(len(boxes)) and bool((overlaps(boxes, face) >= 0.4).any())
    return found, len(boxes) - found


def photographs(folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Each photograph with the place of its face."""
    paths = sorted(folder.rglob("*.jpg"))
    return [(np.array(Image.open(path).convert("RGB")), np.array([PLACE])) for path in paths]


def drawn(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """As many generated frames with one face as asked for, and half as many with nobody."""
    config = GeneratedConfig(seed=3, ordinary=count, hard=0, width=720, height=576)
    frames = []
    for index in range(count):
        image, truth = render_frame(config, index)
        frames.append((image, np.array([[truth[name] for name in ("x1", "y1", "x2", "y2")]], float)))
    for index in range(count // 2):
        frames.append((lost("nobody", np.random.default_rng([3, index])).image, np.zeros((0, 4))))
    return frames


def present() -> tuple[dict[str, Detector], list[dict[str, str]]]:
    """The detectors that are installed, and why the others are not there."""
    there, absent = {}, []
    for name, (_, make) in DETECTORS.items():
        try:
            there[name] = make()
        except Exception as error:
            absent.append({"absent": name, "because": f"{type(error).__name__}: {error}".splitlines()[0]})
    return there, absent


def measure(args: argparse.Namespace, detectors: dict[str, Detector]) -> list[dict[str, Any]]:
    """One row for each detector and kind of frame."""
    clock, rows = CLOCKS[args.clock], []
    kinds = {"photographs": photographs(args.images), "generated": drawn(args.frames)}
    for kind, frames in kinds.items():
        turns: dict[str, list[float]] = {name: [] for name in detectors}
        counts, timed = {}, frames[::4]
        for name, detect in detectors.items():
            met = [match(detect(image), face) for image, face in frames]
            counts[name] = sum(found for found, _ in met), sum(wrong for _, wrong in met)
        for _ in range(args.repeats):
            for name, detect in detectors.items():
                start = clock()
                for image, _ in timed:
                    detect(image)
                turns[name].append(clock() - start)
        for name, seconds in turns.items():
            ratios = [theirs / ours for theirs, ours in zip(seconds, turns["FER Lab"], strict=True)]
            row = {
                "detector": f"{name} ({DETECTORS[name][0]} {version(DETECTORS[name][0])})",
                "frames": kind,
                "images": len(frames),
                "faces": sum(len(face) for _, face in frames),
                "found": counts[name][0],
                "wrong boxes": counts[name][1],
                "per second": len(timed) / median(seconds),
                "slowest": len(timed) / max(seconds),
                "fastest": len(timed) / min(seconds),
                "ratio": median(ratios),
                "clock": args.clock,
            }
            rows.append(row)
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--images", type=Path, default=PHOTOS, help="photographs laid out as the London set's"
    )
    parser.add_argument(
        "--frames", type=int, default=28, help="generated frames with a face, 7 or more; half as many without"
    )
    parser.add_argument("--repeats", type=int, default=3, help="turns each detector takes")
    parser.add_argument(
        "--clock", choices=CLOCKS, default="wall", help="cpu: for a machine busy with other work"
    )
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ[name] = "1"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    with redirect_stdout(sys.stderr):  # where some tell of folders that they make
        detectors, absent = present()
        rows = measure(args, detectors)
    if args.json:
        print(json.dumps({"benchmark": "peers", "rows": rows, "absent": absent}, indent=2))
    else:
        print(pd.DataFrame(rows).to_string(index=False, float_format="{:.3g}".format))
        for one in absent:
            print(f"absent: {one['absent']}: {one['because']}")


if __name__ == "__main__":
    main()
