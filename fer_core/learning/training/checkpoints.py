"""Checkpoints as safetensors: tensors and a JSON note in one file, whole or not there at all."""

import json
import os
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from fer_core.errors import StoreError
from fer_core.storage.artifacts import require_room
from fer_core.storage.tensor_files import write_tensors


def write(path: Path, tensors: dict[str, Tensor], note: dict[str, Any]) -> None:
    """Write a checkpoint under a temporary name, then rename it.

    Args:
        tensors: saved on the CPU, in any memory format; no two may share memory.
        note: JSON-able values, with the run's key as "run"; kept as the file's metadata.
    """
    partial = path.with_name(path.name + ".partial")
    require_room(path.parent, sum(value.nbytes for value in tensors.values()))
    plain = {name: value.detach().cpu() for name, value in tensors.items()}
    write_tensors(partial, plain, {"note": json.dumps(note)})
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)


def read(path: Path, *, run: str | None = None) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return a checkpoint's tensors and its note, whose "run" must be the given key; None takes any.

    Raises:
        StoreError: the file is damaged, not a checkpoint, or another run's.
    """
    try:
        with safe_open(path, framework="pt") as file:
            note = json.loads((file.metadata() or {})["note"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if not isinstance(note, dict):
            raise ValueError("its note is no object")
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise StoreError(
            f"{path} must be a checkpoint", got=str(error), fix="Delete it; the fold is then trained again"
        ) from error
    if run is not None and note.get("run") != run:
        raise StoreError(f"{path} must belong to run {run}", got=note.get("run"), fix="Delete it")
    return tensors, note


def part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors below `prefix` with that part of their name taken off."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
