"""A finished run as a model for other programs: safetensors, config.json, a model card and ONNX.

Nothing is written unless every ONNX file gives PyTorch's probabilities within `TOLERANCE`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fer_core.config.run import CLASSES, TransferConfig
from fer_core.config.settings import Settings
from fer_core.errors import ConfigError, StoreError
from fer_core.learning.networks.backbones import Backbone
from fer_core.learning.networks.naming import family
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.store import Store, StoredRun

from .report import document, finished, public_config

if TYPE_CHECKING:
    from torch import nn

#: Largest difference of a probability between ONNX Runtime and PyTorch.
TOLERANCE = 1e-4
OPSET = 18
INSTALL = "pip install -r requirements-onnx.txt"

OnnxKind = Literal["ensemble", "folds", "none"]


@dataclass(frozen=True)
class OnnxFile:
    """A written ONNX file: its name, its opset, and how far it was from PyTorch when checked."""

    file: str
    opset: int
    difference: float


def export_model(
    store: Store,
    artifacts: Artifacts,
    settings: Settings,
    run_id: str,
    folder: Path,
    *,
    onnx: OnnxKind = "ensemble",
) -> list[OnnxFile]:
    """Write a finished run's networks into a new folder; return the ONNX files.

    Args:
        onnx: 'ensemble' is one file that gives the mean of all networks, 'folds' one file a network.

    Raises:
        NotFoundError: there is no such run, or its networks are not here.
        StoreError: it is no finished training run of a transferred backbone, the folder has something in it or
            can't be written, or ONNX does not agree with PyTorch.
        ConfigError: the packages for ONNX are not installed.
        WeightsError: the backbone's weights are missing.
    """
    run = finished(store, run_id)
    model = run.config.model
    if not isinstance(model, TransferConfig):
        raise StoreError(
            "Only a transferred network is exported as a model", got=family(model), fix="Choose such a run"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreError("The folder of a model must be new or empty", got=str(folder))
    if onnx != "none":
        require_onnx()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as partial:
            files = _write(run, artifacts.open("runs", run.id), settings, Path(partial) / "model", onnx)
            if folder.exists():
                folder.rmdir()
            shutil.move(Path(partial) / "model", folder)
    except OSError as error:
        raise StoreError("A model must be written to a writable place", got=str(error)) from error
    return files


def require_onnx() -> None:
    """Raise ConfigError unless what writes and checks ONNX is installed."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "ONNX needs the packages onnx, onnxruntime and onnxscript",
            got=f"no {error.name}",
            fix=f"{INSTALL}, or export without ONNX",
        ) from error


def _write(run: StoredRun, source: Path, settings: Settings, folder: Path, kind: OnnxKind) -> list[OnnxFile]:
    from fer_core.learning.training import checkpoints
    from fer_core.storage.tensor_files import write_tensors

    from .networks import Ensemble, load

    prefix, suffixes, row = load(run.config, source, settings)
    folder.mkdir()
    write_tensors(folder / "prefix.safetensors", prefix.state_dict(), {"format": "pt"})
    temperatures = {}
    for name, suffix in suffixes.items():
        write_tensors(folder / name, suffix.state_dict(), {"format": "pt"})
        temperatures[name] = checkpoints.read(source / name)[1].get("training", {}).get("temperature")
    flip = run.config.training.flip_at_test
    if kind == "none":
        networks: dict[str, nn.Module] = {}
    elif kind == "ensemble":
        networks = {"model.onnx": Ensemble(prefix, list(suffixes.values()), flip)}
    else:
        networks = {
            Path(name).with_suffix(".onnx").name: Ensemble(prefix, [one], flip)
            for name, one in suffixes.items()
        }
    files = [write_onnx(network, row.input_size, folder / name) for name, network in networks.items()]
    config = {
        "format": "fer-lab-model",
        "version": 1,
        "classes": list(CLASSES),
        "input": {
            "name": "faces",
            "shape": ["batch", 3, row.input_size, row.input_size],
            "colour": "RGB",
            "mean": list(row.mean),
            "std": list(row.std),
        },
        "backbone": row.name,
        "prefix": list(prefix._modules),
        "suffix": list(next(iter(suffixes.values()))._modules),
        "flip_at_test": flip,
        "temperatures": temperatures,
        "onnx": [asdict(one) for one in files],
        "generated_faces": run.config.data.generated,
        "run": public_config(run.config),
        "sha256": {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())
        },
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    (folder / "README.md").write_text(_card(run, row, len(suffixes), files), encoding="utf-8")
    return files


def write_onnx(network: nn.Module, side: int, path: Path) -> OnnxFile:
    """Write a network of (N, 3, side, side) images as ONNX and compare it with PyTorch at two batch sizes.

    Raises:
        StoreError: they differ by more than `TOLERANCE`.
    """
    import numpy as np
    import onnx
    import onnxruntime
    import torch

    generator = torch.Generator().manual_seed(0)
    images = torch.randn((3, 3, side, side), generator=generator)
    program = torch.onnx.export(
        network,
        (images,),
        input_names=["faces"],
        output_names=["probabilities"],
        dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=4096)},),
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    program.save(str(path), include_initializers=True, external_data=False)
    onnx.checker.check_model(str(path), full_check=True)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    difference = 0.0
    for batch in (images[:1], images):
        (found,) = session.run(["probabilities"], {"faces": batch.numpy()})
        with torch.inference_mode():
            expected = network(batch).numpy()
        difference = max(difference, float(np.abs(np.asarray(found) - expected).max()))
    if not difference <= TOLERANCE:
        raise StoreError(
            f"ONNX must give PyTorch's probabilities within {TOLERANCE:g}",
            got=f"{difference:.2g} in {path.name}",
        )
    opset = next(one.version for one in onnx.load(path).opset_import if one.domain in ("", "ai.onnx"))
    return OnnxFile(path.name, int(opset), difference)


def _card(run: StoredRun, row: Backbone, networks: int, onnx: Sequence[OnnxFile]) -> str:
    return document(
        "model_card.md.j2",
        run,
        classes=CLASSES,
        networks=networks,
        backbone=row.title,
        blocks=" and ".join(row.unfreeze[run.config.transfer.unfreeze]),
        side=row.input_size,
        onnx=onnx,
    )
