"""The command line within this process: in a home of its own, on one CPU thread, for the document it prints."""

import json
from pathlib import Path
from typing import Any

import pytest

from fer_core.cli.main import main


def at_home(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Set a home, and one CPU thread to compute with."""
    for name, value in {"FER_HOME": str(home), "FER_DEVICE": "cpu", "FER_THREADS": "1"}.items():
        patch.setenv(name, value)


def train_at(home: Path, *arguments: str) -> Path:
    """Return the home, in which `train` was carried out."""
    with pytest.MonkeyPatch.context() as patch:
        at_home(patch, home)
        assert main(["train", "--backbone", "efficientnet_lite0", *arguments, "--json"]) == 0
    return home


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    """Return a command's exit status, and what it prints for scripts."""
    code = main([*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)
