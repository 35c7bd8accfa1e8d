"""One image from pixels to seven probabilities: this project beside facenet-pytorch and torchvision used plainly.

    python benchmarks/predict.py [--images DIR] [--json] [--size 720x576] [--batch 1,8] [--clock cpu] [--device cuda:0]

Plainly: `facenet_pytorch.MTCNN(keep_all=True)` cuts the faces, torchvision's ResNet-18 in eval mode classifies them,
image by image; once at 160 pixels, as the crops are, and once at the 224 that its transforms make. Here: a
ResNet-18 run of random weights and one fold or more, through `Predictor.predict`. Random weights on both sides:
this is about time only. Both take turns in one process after a warm-up; milliseconds are of the median turn.
"""

import argparse
import itertools
import json
import platform
import sys
import tempfile
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
import torchvision
from detect import CLOCKS, PHOTOS, Reference, load_frames
from PIL import Image
from torch import nn

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.parts.devices import add_device, waiting  # noqa: E402
from fer_core.config.run import CLASSES, DataConfig, FacesConfig, RunConfig, TransferConfig  # noqa: E402
from fer_core.config.settings import load  # noqa: E402
from fer_core.learning.networks.transfer import build, reset_head  # noqa: E402
from fer_core.learning.training import checkpoints  # noqa: E402
from fer_core.prediction.predictor import Predictor  # noqa: E402

MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


@dataclass(frozen=True)
class Row:
    """One line of the table: milliseconds an image of both, and ours over theirs with the turns furthest from it."""

    system: str
    batch: int
    faces: int
    plain_pixels: int
    plain_ms: float
    fer_ms: float
    share: float
    lowest: float
    highest: float


def plain_networks(device: str) -> tuple[Reference, torchvision.models.ResNet]:
    """Return facenet-pytorch's detector and torchvision's ResNet-18 with seven outputs."""
    network = torchvision.models.resnet18(weights=None)
    network.fc = nn.Linear(512, len(CLASSES))
    detector = Reference(keep_all=True, post_process=False, device=torch.device(device))
    return detector, network.eval().to(device)


def plain(detector: Reference, network: torchvision.models.ResNet, image: Image.Image, pixels: int) -> int:
    """Classify an image's faces, or the whole image where there is none; return how many were classified."""
    faces = detector(image)
    if faces is None:
        resized = np.array(image.resize((160, 160)))
        faces = torch.from_numpy(resized).permute(2, 0, 1)[None].float()
    with torch.no_grad():
        if pixels != 160:
            faces = nn.functional.interpolate(faces, size=(pixels, pixels), mode="bilinear", antialias=True)
        x = (faces / 255 - MEAN[:, None, None]) / STD[:, None, None]
        network(x.to(network.fc.weight.device)).softmax(1).cpu()
    return len(faces)


def own_predictor(home: Path, unfreeze: int, folds: int, device: str) -> Predictor:
    """Return a predictor of a run as training leaves it, its heads drawn at random."""
    config = RunConfig(
        data=DataConfig(fingerprint="0" * 16),
        faces=FacesConfig(),
        model=TransferConfig(backbone="resnet18", weights="none", unfreeze=unfreeze),
    )
    chain = build(config.transfer, None)
    folder = home / f"run-{unfreeze}-{folds}"
    folder.mkdir()
    suffix = chain.suffix(chain.row.boundary(unfreeze))
    for fold in range(folds):
        reset_head(suffix, seed=0, fold=fold)
        tensors = {f"suffix.{name}": value for name, value in suffix.state_dict().items()}
        checkpoints.write(folder / f"seed0-fold{fold}.safetensors", tensors, {"run": config.key()})
    return Predictor(config, folder, load(home=home, device=device))


def measure(options: argparse.Namespace, home: Path) -> list[Row]:
    """Return a row for each setting and batch."""
    clock = waiting(CLOCKS[options.clock], options.device)
    frames = load_frames(options.images, options.size, options.frames)
    pictures = [Image.fromarray(frame) for frame in frames]
    detector, network = plain_networks(options.device)
    predictors = {
        f"n = {unfreeze}, {folds} fold{'s' * (folds > 1)}": own_predictor(
            home, unfreeze, folds, options.device
        )
        for unfreeze, folds in ((1, 1), (1, 10), (2, 1), (2, 5))
    }
    seconds: dict[object, list[float]] = {}
    faces = 0
    for turn in range(options.repeats + 1):
        for pixels in (160, 224):
            start = clock()
            faces = sum(plain(detector, network, picture, pixels) for picture in pictures)
            if turn:
                seconds.setdefault(pixels, []).append(clock() - start)
        for batch in options.batch:
            for name, predictor in predictors.items():
                start = clock()
                for first in range(0, len(frames), batch):
                    predictor.predict(frames[first : first + batch])
                if turn:
                    seconds.setdefault((name, batch), []).append(clock() - start)
    each = {key: 1000 * median(turns) / len(frames) for key, turns in seconds.items()}

    def row(name: str, batch: int, pixels: int) -> Row:
        usual, own = each[pixels], each[name, batch]
        shares = [fast / slow for fast, slow in zip(seconds[name, batch], seconds[pixels], strict=True)]
        return Row(name, batch, faces, pixels, usual, own, own / usual, min(shares), max(shares))

    return [row(*of) for of in itertools.product(predictors, options.batch, (160, 224))]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=Path, default=PHOTOS, help="folder of images with faces")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of the table")
    parser.add_argument("--size", default="720x576", help="width x height of the frames")
    parser.add_argument("--batch", default="1,8", help="images a call, comma-separated")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3, help="turns that each takes")
    parser.add_argument("--threads", type=int, default=1, help="torch's CPU threads")
    parser.add_argument(
        "--clock", choices=CLOCKS, default="cpu", help="cpu: right on a machine busy with other work too"
    )
    add_device(parser)
    options = parser.parse_args()
    options.size = tuple(map(int, options.size.split("x")))
    options.batch = [int(batch) for batch in options.batch.split(",")]
    warnings.filterwarnings("ignore", module="facenet_pytorch")
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as home:
        rows = measure(options, Path(home))
    if options.json:
        setting = {
            "benchmark": "predict",
            "size": "x".join(map(str, options.size)),
            "frames": options.frames,
            "repeats": options.repeats,
            "threads": options.threads,
            "clock": options.clock,
            "device": options.device,
            "processor": platform.processor() or platform.machine(),
            "torch": torch.__version__,
        }
        print(json.dumps({**setting, "rows": [asdict(row) for row in rows]}, indent=2))
        return
    print(f"{'run':<14} {'batch':>5} {'faces':>5} {'plain at':>8} {'plain ms':>9} {'FER ms':>8} {'share':>6}")
    for row in rows:
        print(
            f"{row.system:<14} {row.batch:>5} {row.faces:>5} {row.plain_pixels:>8} {row.plain_ms:>9.1f} "
            f"{row.fer_ms:>8.1f} {row.share:>6.2f}"
        )


if __name__ == "__main__":
    main()
