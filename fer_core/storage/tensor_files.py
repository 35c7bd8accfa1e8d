"""Tensors as a safetensors file with the permissions of any other file."""

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save
from torch import Tensor


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write named tensors, made contiguous, and strings that describe them; no two may share memory.

    The file is made as any other: `safetensors.torch.save_file` leaves one that only its owner can read, by way of
    a temporary file (safetensors 0.8.0). The price is the tensors' bytes once more in memory.

    Raises:
        OSError: the file can't be written.
    """
    plain = {name: value.contiguous() for name, value in tensors.items()}
    path.write_bytes(save(plain, dict(metadata or {})))
