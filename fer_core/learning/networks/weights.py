"""Pretrained weights: find or download the file, verify its hash, read it safely."""

import hashlib
import re
from collections.abc import Container
from pathlib import Path

import torch
from torch import Tensor

from fer_core.config.regular_files import opened, require_inside
from fer_core.config.run import TransferConfig
from fer_core.config.settings import load
from fer_core.errors import WeightsError

from .backbones import Backbone, backbone
from .mini_xception import read_keras
from .weight_status import can_download, how_to_bring, weight_status

#: What checkpoints call the tensors among other things that training keeps.
WRAPPERS = ("state_dict", "model_state_dict", "model")

#: What stands before names: DataParallel's and torch.compile's, and the attribute that holds the network in another.
_BEFORE = re.compile(r"(?:(?:module|_orig_mod|model|backbone|net)\.)+")
_BODY = re.compile(r"(?:(?:module|_orig_mod)\.)*(?:model|backbone|net)\.")


def load_weights(model: TransferConfig, weights_dir: Path | None) -> dict[str, Tensor] | None:
    """Return a backbone's pretrained tensors by name, None where random weights were asked for.

    A missing file is downloaded into `weights_dir` (torch hub's cache when None) if its host answers within
    2 s. The file's SHA-256 must begin with the row's digits (or be the 64 digits of 'sha256:...'); it is
    read as safetensors or with `torch.load(weights_only=True)`, never as a pickle.

    Raises:
        ConfigError: unknown backbone.
        DataError: the file named lies outside the allowed folders.
        WeightsError: no file and no download, another hash, or an unreadable file. Random weights never
            take the place of missing ones.
    """
    row = backbone(model.backbone)
    if model.weights_file is not None:  # a definition may have come from elsewhere
        require_inside(Path(model.weights_file), load().data_roots, what="A file of weights")
    status = weight_status(row.name, model.weights, weights_dir, model.weights_file)
    if status.state == "none":
        return None
    if status.state == "bring":
        raise _missing(row, status.message, weights_dir)
    path = status.path if status.path is not None else _download(row, weights_dir)
    published = row.weights.sha256 if row.weights else ""
    given = model.weights.removeprefix("sha256:")
    return read_tensors(path, published if given == model.weights else given)


def read_tensors(path: Path, sha256: str = "") -> dict[str, Tensor]:
    """Read a checkpoint whose SHA-256 begins with `sha256`: .safetensors, Keras's .hdf5, or a torch file of tensors.

    Raises:
        WeightsError: another hash, or not a dictionary of tensors.
    """
    with opened(path) as file:
        found = hashlib.file_digest(file, "sha256").hexdigest() if sha256 else ""
    if not found.startswith(sha256):
        raise WeightsError(
            f"The SHA-256 of {path} must begin with {sha256}",
            got=found[: len(sha256)],
            fix="Delete that file and fetch it again",
        )
    if path.suffix == ".hdf5":
        return read_keras(path)
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        values = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        fix = "Save it by torch.save(network.state_dict(), FILE), or as safetensors"
        raise WeightsError(
            f"{path} must be a readable file of tensors", got=_first_line(error), fix=fix
        ) from error
    while isinstance(values, dict) and (
        inside := next((w for w in WRAPPERS if isinstance(values.get(w), dict)), "")
    ):
        values = values[inside]
    if not isinstance(values, dict) or not all(isinstance(value, Tensor) for value in values.values()):
        raise WeightsError(f"{path} must hold a dictionary of tensors", got=type(values).__name__)
    return values


def plain_names(tensors: dict[str, Tensor], expected: Container[str]) -> dict[str, Tensor]:
    """Return tensors without what training code puts before their names, such as module. or backbone.

    Where some lie below backbone. (or the like) and others beside it, those beside it are a head of its own and go.

    Args:
        expected: the names that a network has itself; they stay.
    """
    if all(name in expected for name in tensors):
        return tensors
    short = {name: _BEFORE.sub("", name) for name in tensors}
    inside = {name for name in tensors if _BODY.match(name)}
    return {
        short[name]: value
        for name, value in tensors.items()
        if not inside or name in inside or short[name] in expected
    }


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0] or type(error).__name__


def _download(row: Backbone, weights_dir: Path | None) -> Path:
    source = row.weights
    if source is None or not can_download(row.name):
        raise _missing(
            row, f"The weights of {row.title} are not on this host and can't be fetched", weights_dir
        )
    folder = weights_dir if weights_dir is not None else Path(torch.hub.get_dir()) / "checkpoints"
    path = folder / source.file
    try:
        folder.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(source.url, str(path), source.sha256 or None, progress=False)
    except (OSError, RuntimeError) as error:
        raise _missing(
            row, f"The download of {source.file} failed ({_first_line(error)})", weights_dir
        ) from error
    return path


def _missing(row: Backbone, rule: str, weights_dir: Path | None) -> WeightsError:
    return WeightsError(rule.rstrip("."), fix=how_to_bring(row, weights_dir))
