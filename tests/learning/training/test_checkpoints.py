import os
import stat
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from fer_core.errors import StoreError
from fer_core.learning.training import checkpoints


def test_tensors_and_note_come_back(tmp_path: Path) -> None:
    maps = torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    tensors = {"a.maps": maps, "a.count": torch.tensor(3), "b": torch.zeros(0)}
    checkpoints.write(tmp_path / "x.safetensors", tensors, {"run": "k", "value": 0.1})
    found, note = checkpoints.read(tmp_path / "x.safetensors", run="k")
    assert all(torch.equal(found[name], value) for name, value in tensors.items())
    assert note == {"run": "k", "value": 0.1}
    assert checkpoints.part(found, "a.").keys() == {"maps", "count"}
    assert load_file(tmp_path / "x.safetensors").keys() == tensors.keys()


@pytest.mark.parametrize("umask", [0o022, 0o007])
def test_a_checkpoint_is_readable_to_whom_the_umask_allows(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        checkpoints.write(tmp_path / "x.safetensors", {"a": torch.zeros(2)}, {"run": "k"})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x.safetensors").stat().st_mode) == 0o666 & ~umask


def test_a_failed_write_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    checkpoints.write(path, {"a": torch.zeros(2)}, {"run": "k"})
    with pytest.raises(NotImplementedError):
        checkpoints.write(path, {"a": torch.ones(2, device="meta")}, {"run": "k"})
    (tmp_path / "x.safetensors.partial").write_bytes(b"half")  # what a killed process leaves
    assert checkpoints.read(path)[0]["a"].tolist() == [0, 0]
    checkpoints.write(path, {"a": torch.ones(2)}, {"run": "k"})
    assert checkpoints.read(path)[0]["a"].tolist() == [1, 1]


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    for content in (b"", b"garbage" * 10):
        path.write_bytes(content)
        with pytest.raises(StoreError, match="must be a checkpoint"):
            checkpoints.read(path)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(StoreError, match="must be a checkpoint"):
        checkpoints.read(path)
    with pytest.raises(StoreError, match="must be a checkpoint"):
        checkpoints.read(tmp_path / "absent.safetensors")
