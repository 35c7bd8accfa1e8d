from pathlib import Path

import pytest

from fer_core.errors import ConfigError
from fer_core.learning.networks.backbones import BACKBONES
from fer_core.learning.networks.weight_status import can_download, weight_status


def test_the_papers_settings() -> None:
    row = BACKBONES["resnet18"]
    assert row.input_size == 160
    assert row.unfreeze == {1: ("fc",), 2: ("layer4", "fc"), 3: ("layer3", "layer4", "fc")}
    assert [row.boundary(n) for n in (1, 2, 3)] == ["fc", "layer4", "layer3"]
    with pytest.raises(ConfigError, match="1, 2 or 3; got 4"):
        row.boundary(4)


@pytest.fixture
def _empty_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


@pytest.mark.usefixtures("_empty_hub")
def test_weights_are_looked_for_in_the_folder_then_in_torch_hub(tmp_path: Path) -> None:
    name = "resnet18-f37072fd.pth"
    missing = weight_status("resnet18", "imagenet", tmp_path)
    assert (missing.state, missing.path) == ("download", None)
    assert name in missing.message
    hub = tmp_path / "torch" / "hub" / "checkpoints" / name
    hub.parent.mkdir(parents=True)
    hub.write_bytes(b"x")
    assert weight_status("resnet18", "imagenet", tmp_path).path == hub
    (tmp_path / name).write_bytes(b"x")
    assert weight_status("resnet18", "imagenet", tmp_path).path == tmp_path / name
    assert weight_status("resnet18", "imagenet", tmp_path).state == "here"


def test_every_file_of_weights_is_held_to_a_digest() -> None:
    files = {row.name: row.weights for row in BACKBONES.values() if row.weights is not None}
    assert len(files) == len(BACKBONES) - 1  # the plain twin has none
    for weights in files.values():
        assert 8 <= len(weights.sha256) <= 64
        int(weights.sha256, 16)


@pytest.mark.usefixtures("_empty_hub")
def test_states_of_other_weights(tmp_path: Path) -> None:
    packaged = weight_status("efficientnet_lite0", "imagenet", tmp_path)
    assert packaged.state == "here"
    assert packaged.path is not None
    assert packaged.path.is_file()
    assert weight_status("resnet18", "none", tmp_path).state == "none"
    assert weight_status("resnet18_plain", "imagenet", tmp_path).state == "bring"
    own = "sha256:" + "0" * 64
    assert weight_status("resnet18", own, tmp_path, tmp_path / "no.pth").state == "bring"
    (tmp_path / "own.pth").write_bytes(b"x")
    found = weight_status("resnet18", own, tmp_path, tmp_path / "own.pth")
    assert (found.state, found.path) == ("here", tmp_path / "own.pth")


def test_the_probe_asks_the_source_and_survives_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(request: object, timeout: float) -> None:
        asked.append((request.full_url, request.get_method(), timeout))  # type: ignore[attr-defined]
        raise OSError("no route")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    assert not can_download("resnet18", timeout=0.5)
    assert not can_download("efficientnet_lite0")
    assert asked == [("https://download.pytorch.org/models/resnet18-f37072fd.pth", "HEAD", 0.5)]
