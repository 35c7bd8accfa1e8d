"""Recognisers in ONNX files that users add: kept by SHA-256 as artifacts, run by onnxruntime, never unpickled."""

import hashlib
import tempfile
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fer_core.config.base import CLASSES, parse
from fer_core.config.recognition import OnnxConfig
from fer_core.config.regular_files import MOST, read
from fer_core.datasets.readers.meanings.labels import meaning
from fer_core.errors import ConfigError, NotFoundError, WeightsError
from fer_core.storage.artifacts import Artifacts

KIND, FILE = "recognisers", "model.onnx"

#: Colour order -> the planes taken of RGB.
PLANES = {"rgb": [0, 1, 2], "bgr": [2, 1, 0]}
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


#: Seconds that a host may be silent, and bytes that a published file may have.
SILENCE, MOST_FETCHED = 20.0, 512 << 20


@dataclass(frozen=True)
class Known:
    """A published file that can be fetched by name: where it is, what it must be, how it is fed and read.

    Attributes:
        title: what it was trained on, and its licence.
        sha256: of its bytes; '' where its source states none.
        settings: what `add` takes, as its source states it.
    """

    title: str
    url: str
    sha256: str
    settings: dict[str, Any]

    @property
    def file(self) -> str:
        """Its name in the weights folder."""
        return self.url.rpartition("/")[2]


_HSEMOTION = (
    "https://github.com/HSE-asavchenko/face-emotion-recognition/raw/main/models/affectnet_emotions/onnx/"
)
_AFFECTNET = ["anger", "contempt=-", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"]
_FERPLUS = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear"]
_IMAGENET = {"channels": "rgb", "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}

#: A row each, as the source's own code feeds and reads it: hsemotion-onnx's `facial_emotions.py`, the model zoo's
#: README of FER+, OpenCV Zoo's `facial_fer_model.py`. A test recomputes each in NumPy.
KNOWN: dict[str, Known] = {
    "hsemotion_b0_8": Known(
        "AffectNet, 8 classes; HSEmotion, Apache-2.0",
        f"{_HSEMOTION}enet_b0_8_best_vgaf.onnx",
        "",
        {"labels": _AFFECTNET, "size": 224, **_IMAGENET},
    ),
    "hsemotion_b2_7": Known(
        "AffectNet, 7 classes; HSEmotion, Apache-2.0",
        f"{_HSEMOTION}enet_b2_7.onnx",
        "",
        {"labels": [one for one in _AFFECTNET if "=" not in one], "size": 260, **_IMAGENET},
    ),
    "ferplus": Known(
        "FER2013 with the labels of FER+, 8 classes; ONNX model zoo, MIT",
        "https://github.com/onnx/models/raw/main/validated/vision/body_analysis/emotion_ferplus/model/emotion-ferplus-8.onnx",
        "a2a2ba6a335a3b29c21acb6272f962bd3d47f84952aaffa03b60986e04efa61c",
        {
            "labels": [*_FERPLUS, "contempt=-"],
            **{"size": 64, "channels": "gray", "mean": (0.0,), "std": (1 / 255,)},
        },
    ),
    "opencv_mobilefacenet": Known(
        "RAF-DB, right on 88 % of its test pictures; OpenCV Zoo, Apache-2.0",
        "https://github.com/opencv/opencv_zoo/raw/main/models/facial_expression_recognition/"
        "facial_expression_recognition_mobilefacenet_2022july.onnx",
        "4f61307602fc089ce20488a31d4e4614e3c9753a7d6c41578c854858b183e1a9",
        {
            "labels": ("angry", "disgust", "fearful", "happy", "neutral", "sad", "surprised"),
            **{"size": 112, "channels": "rgb", "mean": (0.5,), "std": (0.5,), "aligned": True},
        },
    ),
}


def fetch(name: str, artifacts: Artifacts, weights_dir: Path, known: dict[str, Known] = KNOWN) -> OnnxConfig:
    """Add a published file: from the weights folder, where it lies there under its own name, else from its source.

    Raises:
        ConfigError: none has this name.
        WeightsError: it can't be had, or is not the file that was published.
    """
    if name not in known:
        raise ConfigError(f"a published recogniser must be one of {', '.join(known)}", got=repr(name))
    row = known[name]
    with tempfile.TemporaryDirectory() as folder:
        path = weights_dir / row.file
        if not path.is_file():
            path = _fetched(row, Path(folder) / path.name, weights_dir)
        return add(path, artifacts, name=name, sha256=row.sha256, **row.settings)


def _fetched(row: Known, path: Path, weights_dir: Path) -> Path:
    """Download a file of `MOST_FETCHED` at most."""
    try:
        with closing(urllib.request.urlopen(row.url, timeout=SILENCE)) as answered, path.open("wb") as file:
            while file.tell() <= MOST_FETCHED and (chunk := answered.read(1 << 20)):
                file.write(chunk)
    except (OSError, ValueError) as error:
        rule = f"{path.name} must be fetched or lie in {weights_dir}"
        fix = f"Download {row.url} elsewhere and put it into the weights folder (FER_WEIGHTS_DIR)"
        raise WeightsError(rule, got=str(error), fix=fix) from error
    return path


def classes_of(labels: Sequence[str]) -> tuple[str, ...]:
    """Return the class that each output's label means.

    Args:
        labels: words such as 'Anger' or 'happy'; 'contempt=-' leaves an output out, 'contempt=disgust' counts it.

    Raises:
        ConfigError: a word means none of the seven classes and nothing is declared for it.
    """
    found = []
    for label in labels:
        word, _, declared = label.partition("=")
        means = None if declared == "-" else meaning(declared or word)
        index = means if isinstance(means, int) else None
        if index is None and declared != "-":
            raise ConfigError(
                f"a label must mean one of {', '.join(CLASSES)}",
                got=repr(label),
                fix=f"Write {word}=- to leave that output out, or {word}=CLASS to count it as a class",
            )
        found.append("-" if index is None else CLASSES[index])
    return tuple(found)


def add(
    path: Path,
    artifacts: Artifacts,
    *,
    labels: Sequence[str],
    size: int,
    channels: str,
    mean: Sequence[float | str],
    std: Sequence[float | str],
    aligned: bool = False,
    name: str = "",
    sha256: str = "",
) -> OnnxConfig:
    """Keep a file and how it is fed, once it has answered to pictures of noise as declared; return its definition.

    Where height and width stand, and whether the outputs are probabilities, is asked of the file.

    Args:
        sha256: that its bytes must have; '' for any.

    Raises:
        WeightsError: it is no ONNX file, or not the one meant, or has another size, number of channels or of outputs.
        ConfigError: a setting is out of range, or onnxruntime is not installed.
    """
    try:
        data = read(path, MOST)
    except OSError as error:
        raise WeightsError(f"{path} must be a readable file", got=error.strerror or str(error)) from error
    digest = hashlib.sha256(data).hexdigest()
    if sha256 not in ("", digest):
        fix = "Delete it, download it anew and put it into the weights folder (FER_WEIGHTS_DIR)"
        raise WeightsError(f"{path.name} must be the published file", got=f"SHA-256 {digest}", fix=fix)
    given = {
        "sha256": digest,
        "labels": classes_of(labels),
        **{"size": size, "channels": channels, "mean": tuple(mean), "std": tuple(std)},
        **{"aligned": aligned, "name": name or path.stem},
    }
    config = parse(OnnxConfig, given)
    session = _session(path)
    shape, width = session.get_inputs()[0].shape, 1 if channels == "gray" else 3
    layouts = {"nchw": (width, size, size), "nhwc": (size, size, width)}
    declared = [None if isinstance(side, str) else side for side in shape[1:]]  # a word stands for any size
    fits = [
        layout
        for layout, wanted in layouts.items()
        if len(declared) == 3 and all(a in (None, b) for a, b in zip(declared, wanted, strict=True))
    ]
    if not fits:
        raise WeightsError(
            f"The network's input must be (batch, {width}, {size}, {size}) or (batch, {size}, {size}, {width})",
            got=str(shape),
            fix="Give the --size and --channels of this file",
        )
    config = config.model_copy(update={"layout": fits[0]})
    noise = np.random.default_rng(0).integers(0, 256, (4, size, size, 3), np.uint8)
    outputs = _run(session, config, noise)
    if outputs.shape != (len(noise), len(config.labels)):
        raise WeightsError(
            f"The network must give {len(config.labels)} numbers an image, one a label",
            got=str(outputs.shape),
            fix="Name every output's label, in the network's order",
        )
    if outputs.min() >= 0 and np.allclose(outputs.sum(1), 1, atol=1e-3):
        config = config.model_copy(update={"output": "probabilities"})
    artifacts.delete(KIND, config.sha256)

    def write(folder: Path) -> None:
        (folder / FILE).write_bytes(data)

    artifacts.ensure(KIND, config.sha256, config.model_dump(mode="json"), write)
    return config


def listed(artifacts: Artifacts) -> list[OnnxConfig]:
    """Return the files that were added, sorted by name."""
    found = [parse(OnnxConfig, artifacts.read_config(KIND, key)) for key in artifacts.keys(KIND)]
    return sorted(found, key=lambda one: one.name)


def remove(config: OnnxConfig, artifacts: Artifacts) -> None:
    """Delete a file; runs that it made stay, and can't be repeated without it."""
    artifacts.delete(KIND, config.sha256)


def answer(config: OnnxConfig, artifacts: Artifacts) -> Callable[[np.ndarray], np.ndarray]:
    """Return what a file says of (B, size, size, 3) uint8 RGB pictures: (B, 7) probabilities.

    Raises:
        NotFoundError: the file was not added here.
        WeightsError: it is not the file that was added.
        ConfigError: onnxruntime is not installed.
    """
    if not artifacts.has(KIND, config.sha256):
        raise NotFoundError(
            f"The ONNX file of {config.name or 'this recogniser'} must be here",
            got=f"none with SHA-256 {config.sha256[:16]}",
            fix="Add it: python -m fer_core recogniser add FILE --labels ...",
        )
    path = artifacts.open(KIND, config.sha256) / FILE
    if hashlib.sha256(path.read_bytes()).hexdigest() != config.sha256:
        raise WeightsError(
            f"{path} must be the file that was added", got="another SHA-256", fix="Add it again"
        )
    session = _session(path)

    def said(pictures: np.ndarray) -> np.ndarray:
        return to_classes(_run(session, config, pictures), config)

    return said


def to_classes(outputs: np.ndarray, config: OnnxConfig) -> np.ndarray:
    """Return the seven probabilities of a network's outputs (B, K): left-out ones dropped, those of a class added."""
    from scipy.special import softmax  # 0.3 s, which the command line does without

    shares = softmax(outputs, axis=1) if config.output == "logits" else outputs
    found = np.zeros((len(outputs), len(CLASSES)), np.float32)
    for place, name in enumerate(config.labels):
        if name != "-":
            found[:, CLASSES.index(name)] += shares[:, place]
    return found / np.maximum(found.sum(1, keepdims=True), 1e-12)


def _run(session: Any, config: OnnxConfig, pictures: np.ndarray) -> np.ndarray:
    """Feed pictures, one at a time where the file's batch is fixed; return (B, K)."""
    x = pictures.astype(np.float32) / 255
    x = x[..., PLANES[config.channels]] if config.channels in PLANES else (x @ LUMA)[..., None]
    x = (x - np.array(config.mean, np.float32)) / np.array(config.std, np.float32)
    x = np.ascontiguousarray(x.transpose(0, 3, 1, 2) if config.layout == "nchw" else x, np.float32)
    (given, *_), (output, *_) = session.get_inputs(), session.get_outputs()
    parts = np.split(x, len(x)) if given.shape[0] == 1 else [x]
    found = [session.run([output.name], {given.name: part})[0] for part in parts]
    return np.concatenate(found).reshape(len(x), -1)


def _session(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigError(
            "An ONNX file is run by onnxruntime", got="not installed", fix="pip install -r requirements.txt"
        ) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own kinds, which are not exported
        text = (str(error).splitlines() or [""])[0][:200]
        raise WeightsError(f"{path} must be an ONNX file that onnxruntime can run", got=text) from error
