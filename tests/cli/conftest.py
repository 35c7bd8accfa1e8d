"""Commands that compute on one CPU thread, in a home that the tests of a file may share."""

from pathlib import Path

import pytest
from cli_case import at_home


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return one home for all tests of a file, so that later ones find what earlier ones trained."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def in_shared(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command line work in the file's home."""
    at_home(monkeypatch, shared)
