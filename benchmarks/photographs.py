"""Every shipped way to answer on real photographs: 80 faces, 40 people neutral and smiling.

    python benchmarks/photographs.py [--images DIR] [--home DIR] [--epochs 20] [--json]

Trained ways learn from the generated set alone, by movie, five networks voting; no photograph is seen before it
is judged. Folds of photographs play no part. A way to answer has accuracy with its interval over persons, the
calibration error, and its commonest misses. Trying many ways on 80 pictures finds one that suits these 80, so
the rows are shown for what they are: the default was not chosen by them.
"""

import argparse
import io
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from fer_core.cli.main import main as fer_lab  # noqa: E402
from fer_core.config.recognition import RecogniserConfig  # noqa: E402
from fer_core.config.run import CLASSES, FacesConfig  # noqa: E402
from fer_core.config.settings import Settings, load  # noqa: E402
from fer_core.datasets.images import load_rgb  # noqa: E402
from fer_core.evaluation.metrics import ece  # noqa: E402
from fer_core.evaluation.metrics.intervals import share  # noqa: E402
from fer_core.learning.networks.recognisers import SQUARE  # noqa: E402
from fer_core.prediction.answering import Answerer  # noqa: E402
from fer_core.prediction.loading import answerer  # noqa: E402
from fer_core.prediction.recognition import Recognition  # noqa: E402
from fer_core.storage.store import Store  # noqa: E402

PHOTOS = ROOT.parent / "shared" / "data" / "london_faces"

#: Ways to use the recogniser: its default first, then one thing changed at a time.
RECOGNISED: dict[str, tuple[RecogniserConfig, FacesConfig]] = {
    "recogniser (default: 4 zooms, mirrored)": (RecogniserConfig(), SQUARE),
    "recogniser, one zoom": (RecogniserConfig(zooms=(1.0,)), SQUARE),
    "recogniser, one zoom, not mirrored": (RecogniserConfig(zooms=(1.0,), mirror=False), SQUARE),
    "recogniser, MTCNN's box as it is": (RecogniserConfig(zooms=(1.0,)), FacesConfig()),
    "recogniser, aligned by five points": (RecogniserConfig(), FacesConfig(align=True, margin=32)),
}

#: Ways that are trained on drawn faces: what `train` is asked for.
TRAINED = {
    "EfficientNet-Lite0 n = 1, ImageNet": ["--backbone", "efficientnet_lite0", "--unfreeze", "1"],
    "mini-Xception n = 1, FER2013": ["--backbone", "mini_xception", "--unfreeze", "1"],
    "mini-Xception n = 2, FER2013": ["--backbone", "mini_xception", "--unfreeze", "2"],
}

#: Shares of FER2013's training pictures (Goodfellow et al. 2013), as `CLASSES` stand: mini-Xception leans to them.
FER2013 = np.array([3995, 436, 4097, 7215, 4965, 4830, 3171]) / 28709


def reweighted(found: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return probabilities (N, 7) as they would be, had the classes had these shares in training."""
    weighted = found * shares / FER2013
    return weighted / weighted.sum(1, keepdims=True)


def estimated(found: np.ndarray) -> np.ndarray:
    """Return probabilities under the shares that these pictures seem to have: EM of Saerens et al. (2002)."""
    shares = FER2013
    for _ in range(200):
        shares = reweighted(found, shares).mean(0)
    return reweighted(found, shares)


def multiplied(of: Recognition, images: list[np.ndarray]) -> np.ndarray:
    """Return the geometric mean over zooms and mirror images in place of the arithmetic one."""
    crops = np.stack([of.predict([image])[0][0].crop for image in images])
    found = np.exp(np.log(of.network.views(crops, of.faces).clip(1e-9)).mean(0))
    return found / found.sum(1, keepdims=True)


def answers(of: Answerer, images: list[np.ndarray]) -> np.ndarray:
    """Return the probabilities of the first face of each image, (N, 7)."""
    return np.stack([of.predict([image])[0][0].best for image in images])


def trained(arguments: list[str], epochs: int, settings: Settings) -> Answerer:
    """Train on the generated set by movie, or recall it, and return its networks."""
    wanted = ["train", "--data", "demo", "--protocol", "group", "--epochs", str(epochs), "--json", *arguments]
    with redirect_stdout(io.StringIO()) as printed:
        if fer_lab(wanted):
            raise SystemExit(f"training failed: {' '.join(arguments)}")
    (told,) = json.loads(printed.getvalue())
    run = Store(settings.database).run(told["run_id"])
    return answerer(run, settings)


def row(name: str, found: np.ndarray, labels: np.ndarray, persons: list[str]) -> dict[str, object]:
    """Return what a way to answer comes to."""
    said = found.argmax(1)
    accuracy = share(said == labels, persons)
    misses = Counter(
        f"{CLASSES[label]} as {CLASSES[guess]}"
        for label, guess in zip(labels, said, strict=True)
        if label != guess
    )
    return {
        "way": name,
        "accuracy": accuracy.value,
        "interval": accuracy.interval,
        "over": accuracy.over,
        "ece": ece(found, labels),
        "misses": dict(misses.most_common(3)),
    }


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=Path, default=PHOTOS)
    parser.add_argument("--home", type=Path, help="keeps what is trained (default: a temporary folder)")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    paths = sorted(given.images.glob("*/*.jpg"))
    if not paths:
        print(f"There are no photographs in {given.images}: nothing is measured.")
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["FER_HOME"] = str(given.home or temporary)
        os.environ["FER_EXECUTOR"] = "inline"
        settings = load()
        labels = np.array([CLASSES.index(path.parent.name) for path in paths])
        persons = [path.name.partition("_")[0] for path in paths]
        images = [load_rgb(path) for path in paths]
        ways: dict[str, Callable[[], Answerer]] = {
            name: lambda model=model, faces=faces: Recognition(model, faces, settings)
            for name, (model, faces) in RECOGNISED.items()
        }
        ways |= {
            name: lambda arguments=arguments: trained(arguments, given.epochs, settings)
            for name, arguments in TRAINED.items()
        }
        found = {name: answers(make(), images) for name, make in ways.items()}
        default, drawn = next(iter(RECOGNISED)), list(TRAINED)
        found |= {
            "default, classes equally frequent": reweighted(found[default], np.full(7, 1 / 7)),
            "default, frequencies estimated (EM)": estimated(found[default]),
            "default, geometric mean": multiplied(Recognition(*RECOGNISED[default], settings), images),
        }
        for name in drawn[:2]:
            found[f"vote: default and {name}"] = (found[default] + found[name]) / 2
        rows = [row(name, values, labels, persons) for name, values in found.items()]
    if given.json:
        print(json.dumps(rows, indent=2))
        return 0
    print(f"{len(paths)} photographs of {len(set(persons))} people; intervals over persons")
    for one in rows:
        low, high = one["interval"]  # type: ignore[misc]
        misses = ", ".join(f"{count} {what}" for what, count in one["misses"].items())  # type: ignore[attr-defined]
        figure = f"{100 * float(one['accuracy']):5.1f} %  ({100 * low:.1f} - {100 * high:.1f})"  # type: ignore[arg-type]
        print(f"{one['way']:<52} {figure}  ECE {float(one['ece']):.3f}  {misses}")  # type: ignore[arg-type]
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
