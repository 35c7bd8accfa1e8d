"""What README and docs tell people to type: every command is understood, and what takes seconds is run."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from fer_core import ROOT
from fer_core.cli.main import app, main

DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^ *```(?:sh|bash)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)

#: What is run on the small set and a finished run, in a folder of its own; the others train or wait for years.
QUICK = (
    "data audit",
    "faces",
    "compare --json",
    "predict",
    "report",
    "export --run",
    "jobs",
    "clean --dry-run",
)


def lines() -> list[str]:
    """Return every line of shell in the documents, comments left out."""
    blocks = (block for path in DOCUMENTS for block in FENCE.findall(path.read_text(encoding="utf-8")))
    found = (shlex.join(shlex.split(line, comments=True)) for block in blocks for line in block.splitlines())
    return sorted({line for line in found if line})


def commands() -> list[str]:
    """Return the words after `python -m fer_core` of each such line."""
    return sorted({line.partition("-m fer_core ")[2] for line in lines() if "-m fer_core " in line})


def test_documents_name_commands() -> None:
    assert len(commands()) > 15


@pytest.mark.parametrize("command", commands())
def test_a_command_is_understood(command: str) -> None:
    app.parse_args(shlex.split(command.replace("KEY", "0" * 16)), exit_on_error=False, print_error=False)


@pytest.mark.parametrize("command", [one for one in commands() if one.startswith(QUICK)])
def test_a_quick_command_does_what_it_says(
    command: str, trained: Path, generated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fer_core.storage.store import Store

    home = shutil.copytree(trained, tmp_path / "home")
    monkeypatch.setenv("FER_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    [run, *_] = Store(home / "fer.sqlite").runs(goal="train", status=["done"])
    frames = sorted(generated.rglob("*.png"))
    (tmp_path / "holiday").mkdir()
    shutil.copy(frames[0], "holiday")
    shutil.copy(frames[1], "photo.jpg")
    given = {"/data/sfew": str(generated), "ID": run.id, "more.zip": "holiday", "photo.heic": "photo.jpg"}
    words = [given.get(word, word) for word in shlex.split(command)]
    if "--detector" in words:
        pytest.skip("needs a fine-tuned detector, which takes minutes")
    assert main(words) == 0


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        word for line in lines() for word in re.findall(r"\bmake ((?:[a-z-]+ ?)+)", line) if "apt" not in line
    }
    assert {part for words in named for part in words.split()} <= targets


def test_the_locks_hold_every_pin() -> None:
    for lock, sources in {
        "app": ("", "-auth"),
        "dev": ("-dev", "-onnx", "-postgresql", "-ray", "-slurm"),
    }.items():
        locked = {
            line.split()[0].lower()
            for part in (lock, "torch")
            for line in (ROOT / "locks" / f"{part}.txt").read_text().splitlines()
            if "==" in line
        }
        for source in sources:
            pins = re.findall(
                r"^[^#\s-][^\s]*==\S+", (ROOT / f"requirements{source}.txt").read_text(), re.MULTILINE
            )
            missing = {re.sub(r"\[.*?\]", "", pin).lower() for pin in pins} - locked
            assert not missing, f"make lock: {missing}"
