"""Which devices there are, and which of them a run uses: decided once a run and stored with it."""

from __future__ import annotations

import gc
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

from fer_core.errors import ConfigError

from .settings import Settings

if TYPE_CHECKING:  # loading it takes seconds, which pages need not wait for
    from torch import Tensor
    from torch import device as Device


def resolve(settings: Settings) -> str:
    """Return 'cpu' or 'cuda:<index>' for the settings' device and set the CPU threads they ask for.

    Raises:
        ConfigError: a GPU is asked for that is not there.
    """
    import torch

    if settings.threads:
        torch.set_num_threads(settings.threads)
    wanted = settings.device
    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return "cpu"
    index = int(wanted.partition(":")[2] or 0)
    found = torch.cuda.device_count()
    if index >= found:
        raise ConfigError(
            "FER_DEVICE must name a GPU that torch sees",
            got=f"{wanted} with {found} GPUs",
            fix="Set FER_DEVICE to auto or cpu, or install the driver",
        )
    prepare(wanted)
    return f"cuda:{index}"


def prepare(device: str) -> None:
    """Have a GPU compute what is called float32 in float32, and sums that repeat; before its first product.

    cuDNN rounds convolutions to TF32 unless told not to, which moves MTCNN's boxes and a frozen prefix's
    activations; `learning.training.precision` lets training do so where that is asked for. cuBLAS repeats itself only
    with a workspace of fixed size, which it asks for once. Nothing on a CPU.
    """
    import torch

    if device.startswith("cuda"):
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False


def release(device: object) -> None:
    """Give a GPU's freed memory back to the other processes on it, and begin its peak anew; nothing on a CPU."""
    import torch

    if str(device).startswith("cuda"):
        gc.collect()  # networks and their gradients hold each other
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(torch.device(str(device)))


def to_device(values: Tensor, device: Device) -> Tensor:
    """Copy a tensor to a device; to a GPU from pinned memory, so that the copy waits for nothing."""
    if device.type == "cuda" and values.device.type == "cpu":
        values = values.pin_memory()
    return values.to(device, non_blocking=True)


def keep_freed_memory() -> None:
    """Let the C library keep up to 64 MiB of freed memory, for arrays of a few MiB that come and go in every pass.

    It otherwise hands them back to the system and fetches them again, with a page fault for each 4 KiB: 3,000 in a
    detection at 720x576, a tenth of its time. glibc raises what it keeps to twice the largest block it has seen freed,
    of 32 MiB at most. This block is never written to, so it takes no memory. Other C libraries are left as they are.
    """
    import torch

    torch.empty((32 << 20) - (64 << 10), dtype=torch.uint8)  # freed at once


def present() -> list[str]:
    """Return every GPU that torch sees as 'cuda:<index>', or 'cpu' alone where it sees none.

    Where a GPU is split into MIG instances, of which CUDA shows a process one alone, it is their UUIDs and those of
    the whole GPUs: what CUDA_VISIBLE_DEVICES of a process takes. Where that is set already, it holds.
    """
    import torch

    found = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    return (found and _instances()) or found or ["cpu"]


def _instances() -> list[str]:
    if "CUDA_VISIBLE_DEVICES" in os.environ or not shutil.which("nvidia-smi"):
        return []
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False, timeout=30)
    gpus: dict[str, list[str]] = {}
    for uuid in re.findall(r"UUID: ((?:GPU|MIG)-[^)]+)", listed.stdout):
        if uuid.startswith("GPU"):
            gpus[uuid] = []
        else:
            gpus[[*gpus][-1]].append(uuid)  # under the GPU that it is a part of
    if not any(gpus.values()):
        return []
    return [one for gpu, instances in gpus.items() for one in instances or [gpu]]


def name_on_host(device: str) -> str:
    """Return a device's name for all processes of a host: what CUDA_VISIBLE_DEVICES shows this one as `device`."""
    shown = [one.strip() for one in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if one.strip()]
    index = device.removeprefix("cuda:")
    if device == index or not index.isdigit() or int(index) >= len(shown):
        return device
    own = shown[int(index)]
    return f"cuda:{own}"
