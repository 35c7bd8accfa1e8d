import hashlib
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from fer_core.config.run import TransferConfig
from fer_core.errors import WeightsError
from fer_core.learning.networks import weights
from fer_core.learning.networks.weights import load_weights, read_tensors


@pytest.fixture(autouse=True)
def _no_weights_but_packaged_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(weights, "can_download", lambda name: False)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_missing_weights_say_what_to_fetch_where_to_put_it_and_what_works_without(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        load_weights(TransferConfig(), tmp_path)
    for part in ("resnet18-f37072fd.pth", str(tmp_path), "FER_WEIGHTS_DIR", "efficientnet_lite0", "'none'"):
        assert part in str(caught.value)


def test_a_failed_download_is_no_other_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise OSError("connection reset")

    monkeypatch.setattr(weights, "can_download", lambda name: True)
    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(WeightsError, match=r"connection reset.*FER_WEIGHTS_DIR"):
        load_weights(TransferConfig(), tmp_path)


def test_a_network_without_pretrained_weights_says_so() -> None:
    with pytest.raises(WeightsError, match=r"no pretrained weights.*choose weights 'none'"):
        load_weights(TransferConfig(backbone="resnet18_plain"), None)


def test_a_file_with_another_hash_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "resnet18-f37072fd.pth")
    with pytest.raises(WeightsError, match="must begin with f37072fd"):
        load_weights(TransferConfig(), tmp_path)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_given_by_its_hash_loads(suffix: str, tmp_path: Path) -> None:
    path, tensors = tmp_path / f"own{suffix}", {"a": torch.arange(3.0)}
    save_file(tensors, path) if suffix == ".safetensors" else torch.save(tensors, path)
    model = TransferConfig(weights=f"sha256:{digest(path)}", weights_file=str(path))
    found = load_weights(model, None)
    assert found is not None
    assert torch.equal(found["a"], tensors["a"])
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(WeightsError, match="must begin with"):
        load_weights(model, None)


def test_pickles_do_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path(tmp_path / "ran").touch, ())

    path = tmp_path / "evil.pth"
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(WeightsError, match="readable file of tensors"):
        read_tensors(path)
    torch.save({"a": Evil()}, path)
    with pytest.raises(WeightsError, match="readable file of tensors"):
        read_tensors(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"not tensors"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_damaged_files_are_named(content: bytes, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"own{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=f"own{suffix} must be a readable file"):
        read_tensors(path)
