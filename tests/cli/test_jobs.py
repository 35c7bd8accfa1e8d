"""The queue from the command line: listed, cancelled, tried again."""

import pytest
from cli_case import run
from worker_case import config, take

from fer_core.cli.main import main
from fer_core.runs.jobs import held_run
from fer_core.runs.jobs.queue import submit
from fer_core.storage.store import Store


def test_jobs_go_from_the_queue_to_an_end_and_back(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    launched: list[object] = []
    monkeypatch.setattr("fer_core.runs.jobs.executors.launch", launched.append)
    first, second = (submit(store, config(number))[0] for number in (1, 2))
    held = take(store, "a worker")
    held_run.write_progress(store, held, "train", 3, 10)
    code, found = run(capsys, "jobs")
    assert code == 0
    assert found["executor"].startswith("a worker on")
    assert [(row["run_id"], row["status"], row["place"], row["progress"]) for row in found["jobs"]] == [
        (first, "running", None, "train 3 of 10"),
        (second, "queued", 1, None),
    ]
    assert run(capsys, "cancel", "--run", second) == (0, {"run_id": second, "status": "cancelled"})
    assert run(capsys, "cancel", "--run", first) == (0, {"run_id": first, "status": "stopping"})
    held_run.end(store, held, "cancelled", 1.0)
    assert not launched
    assert run(capsys, "retry", "--run", first) == (0, {"run_id": first, "status": "queued"})
    assert len(launched) == 1
    statuses = {row["run_id"]: row["status"] for row in run(capsys, "jobs")[1]["jobs"]}
    assert statuses == {first: "queued", second: "cancelled"}
    assert [row["run_id"] for row in run(capsys, "jobs", "--ended", "0")[1]["jobs"]] == [first]


@pytest.mark.parametrize(
    ("command", "words"), [("retry", "failed or been cancelled"), ("cancel", "wait or be running")]
)
def test_what_a_state_does_not_allow_is_refused(
    command: str, words: str, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id, _ = submit(store, config())
    if command == "cancel":
        run(capsys, "cancel", "--run", run_id)
    code, found = run(capsys, command, "--run", run_id)
    assert code == 2
    assert words in found["error"]
    assert "No run has this id" in run(capsys, command, "--run", "none")[1]["error"]


def test_jobs_are_a_table_for_people(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jobs"]) == 0
    assert "Start with" in capsys.readouterr().out
    run_id, _ = submit(store, config())
    assert main(["jobs"]) == 0
    assert run_id in capsys.readouterr().out


def test_the_first_digits_of_an_id_name_its_run(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """Pages show eight digits of an id."""
    run_id, _ = submit(store, config())
    code, said = run(capsys, "cancel", "--run", run_id[:8])
    assert (code, said["run_id"], said["status"]) == (0, run_id, "cancelled")
    for wrong in (run_id[:3], "ffff0000", "%%%%", f"{run_id[:8]}_"):
        code, said = run(capsys, "cancel", "--run", wrong)
        assert code == 2
        assert wrong in said["error"]
