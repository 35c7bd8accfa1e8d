"""The guard over signals: a test that reaches for a process it has not started fails, and the process lives."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import signal_guard

TESTS = Path(__file__).resolve().parent
SLEEP = "import time; time.sleep(60)"
INNER = """
import os, signal, subprocess, sys
import pytest

VICTIM = int(os.environ["VICTIM"])

def test_itself():
    with pytest.raises(RuntimeError, match="has not started"):
        os.kill(VICTIM, signal.SIGKILL)

def test_its_group():
    with pytest.raises(RuntimeError, match="has not started"):
        os.killpg(VICTIM, signal.SIGKILL)

def test_through_a_child():
    subprocess.run([sys.executable, "-c", f"import os; os.kill({VICTIM}, 9)"], check=False)

def test_its_own():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    child.kill()
    assert child.wait() == -signal.SIGKILL
"""


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return a log of its own."""
    path = tmp_path / "signals"
    monkeypatch.setenv(signal_guard.LOG, str(path))
    path.touch()
    return path


def test_a_test_that_signals_a_foreign_process_fails(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "test_inner.py"
    inner.write_text(INNER)
    victim = subprocess.Popen([sys.executable, "-c", SLEEP], start_new_session=True)
    try:
        monkeypatch.setenv("VICTIM", str(victim.pid))
        monkeypatch.setenv(
            "PYTHONPATH", os.pathsep.join([str(TESTS), str(TESTS.parent), os.environ["PYTHONPATH"]])
        )
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "conftest",
            "-p",
            "no:cacheprovider",
            str(inner),
        ]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert victim.poll() is None
    finally:
        victim.kill()
        victim.wait()
    assert done.returncode == 1, done.stdout + done.stderr
    assert "4 passed, 3 errors" in done.stdout, "each of three fails once its body has ended"
    lines = [line.split("\t") for line in log.read_text().splitlines()]
    assert [line[1] for line in lines] == ["REFUSED", "REFUSED", "REFUSED", "descendant", "descendant"]
    assert all(line[3] == f"to {victim.pid}" for line in lines if line[1] == "REFUSED")


def test_a_process_whose_parent_has_ended_is_still_this_runs(log: Path) -> None:
    code = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {SLEEP!r}], stdout=2).pid)"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    pid = int(done.stdout)
    end = time.monotonic() + 30
    while os.getpid() in signal_guard.ancestors(pid) and time.monotonic() < end:
        time.sleep(0.01)
    assert signal_guard.relation(pid) == "started here"
    os.kill(pid, 9)
    (line,) = log.read_text().splitlines()
    assert line.split("\t")[1:4] == ["started here", "SIGKILL", f"to {pid}"]


@pytest.mark.parametrize("pid", [1, 0, -1, os.getppid()])
def test_everybody_the_system_and_who_started_this_are_foreign(pid: int) -> None:
    assert signal_guard.relation(pid) == signal_guard.REFUSED
