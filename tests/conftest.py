"""What all tests share: one torch thread, a state folder of their own, the real photos where they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]
PHOTOS = ROOT.parent / "shared" / "data" / "london_faces"


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test's state in its own folder and FER_* variables of the caller out."""
    for name in [name for name in os.environ if name.startswith("FER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FER_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="session")
def photos() -> list[Path]:
    """Return the real photos, sorted; skip where they are not at hand."""
    found = sorted(PHOTOS.glob("*/*.jpg"))
    if not found:
        pytest.skip("the London faces photos are not beside this checkout")
    return found
