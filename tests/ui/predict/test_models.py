"""The folds that the Predict page offers are those that a run has left, wherever hosts share them."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from fer_core.storage.artifacts import Artifacts
from fer_core.storage.shared_artifacts import SharedArtifacts
from fer_core.ui.predict import models


def build(folder: Path) -> None:
    for name in ("seed0-fold1", "seed0-fold10", "seed0-fold2", "seed3-fold0"):
        (folder / f"{name}.safetensors").touch()
    (folder / "precision.json").touch()


def test_folds_come_in_order_and_from_where_hosts_share_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"file://{tmp_path}/bucket"
    SharedArtifacts(tmp_path / "maker", url).ensure("runs", "a" * 16, {}, build)
    offered = [(0, 1), (0, 2), (0, 10), (3, 0)]
    for artifacts, members in (
        (Artifacts(tmp_path / "maker"), offered),
        (SharedArtifacts(tmp_path / "other", url), offered),
        (Artifacts(tmp_path / "alone"), []),
    ):
        monkeypatch.setattr(models.resources, "artifacts", lambda found=artifacts: found)
        assert models.members(SimpleNamespace(id="a" * 16, unfreeze=1)) == members  # type: ignore[arg-type]
