"""What a run was made with: versions, commit, machine; stored beside its figures."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

from fer_core import ROOT, __version__

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
