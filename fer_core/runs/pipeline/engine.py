"""Where the heavy steps of a run are computed, and what with: here, unless an executor brings more."""

import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path

from fer_core import ROOT, __version__
from fer_core.config.devices import release, resolve
from fer_core.config.run import FacesConfig
from fer_core.config.settings import Settings
from fer_core.datasets.base import Sample
from fer_core.faces.extraction import detected
from fer_core.faces.finding import detectors
from fer_core.storage.artifacts import Artifacts

from .fitting import FITTERS, Work


class Engine:
    """The calling process; what computes elsewhere leaves the bits that this leaves on the same kind of device."""

    def describe(self, settings: Settings) -> tuple[str, dict[str, object]]:
        """Return the device that computes, 'cpu' or 'cuda:<index>', and its versions, commit and machine.

        Raises:
            ConfigError: a GPU is asked for that is not there.
        """
        device = resolve(settings)
        return device, describe_environment(device)

    def detect(
        self, samples: Sequence[Sample], faces: FacesConfig, artifacts: Artifacts, settings: Settings
    ) -> Iterable[list[str]]:
        """Yield one line of JSON a frame, in order, a batch at a time; decoding runs ahead in threads."""
        return detected(samples, faces, detectors(faces, artifacts, settings))

    def fit(self, work: Work, folder: Path) -> None:
        """Fit every fold into a folder, and continue with what an interrupted fit left there."""
        release(work.device)  # its peak is this run's
        try:
            FITTERS[work.config.model.kind].build(work, folder)
        finally:
            release(work.device)


LOCAL = Engine()


PACKAGES = (
    "torch",
    "torchvision",
    "facenet-pytorch",
    "numpy",
    "pillow",
    "scikit-learn",
    "scikit-image",
    "scipy",
)


def describe_environment(device: str) -> dict[str, object]:
    """Return package versions, the commit of this code, the interpreter, the platform and the device used."""
    return {
        "fer_lab": __version__,
        "commit": commit(),
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "cores": os.cpu_count(),
        "device": device,
        **_gpu(device),
        "packages": {name: metadata.version(name) for name in PACKAGES},
    }


def _gpu(device: str) -> dict[str, object]:
    """Return a GPU's name, memory in bytes and capability, and its driver's, CUDA's and cuDNN's versions."""
    if not device.startswith("cuda"):
        return {}
    import torch

    card = torch.cuda.get_device_properties(torch.device(device))
    driver = Path("/proc/driver/nvidia/version")
    return {
        "gpu": card.name,
        "gpu_bytes": card.total_memory,
        "gpu_capability": f"{card.major}.{card.minor}",
        "driver": driver.read_text(encoding="utf-8").splitlines()[0] if driver.is_file() else None,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
    }


def commit() -> str | None:
    """Return the commit this code is at, with '+' when files differ from it; None outside a checkout."""
    try:
        answer = subprocess.run(
            ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None
