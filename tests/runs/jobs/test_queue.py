"""Submitting, claiming, cancelling and the fence, with time passing by a hand-set clock."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import URL, text
from worker_case import take

from fer_core import ROOT
from fer_core.config.run import DataConfig, FacesConfig, RunConfig, TransferConfig
from fer_core.errors import LeaseLost, NotFoundError, StoreError
from fer_core.learning.reporting import EpochRecord, RunResult
from fer_core.runs.jobs import held_run, registry
from fer_core.runs.jobs.queue import LEASE_SECONDS, MAX_ATTEMPTS, adopt, cancel, claim, retry, submit
from fer_core.storage.store import Store


def config(unfreeze: int = 1) -> RunConfig:
    return RunConfig(data=DataConfig(fingerprint="0" * 16), model=TransferConfig(unfreeze=unfreeze))


class Clocked(Store):
    """A store whose clock, by which leases are measured, a test sets forward."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


@pytest.fixture
def store(database: URL) -> Iterator[Clocked]:
    store = Clocked(database)
    yield store
    store.close()


def epoch(number: int, loss: float = 1.0) -> EpochRecord:
    return EpochRecord(0, 0, number, loss, 0.5, loss, 0.5, 0.001, 1.0, 10)


def result(names: list[str], accuracy: object = 0.5) -> RunResult:
    table = pd.DataFrame({"seed": 0, "fold": 1, "name": names, "label": 3, "group": "g"})
    table["face_status"] = "found"
    rng = np.random.default_rng(0)
    for i in range(7):
        table[f"p{i}"] = rng.random(len(names), dtype=np.float32)
    return RunResult({"accuracy": accuracy}, table, {"python": "3.11", "cores": np.int64(2)})


def test_the_same_definition_is_the_same_run_in_every_state(store: Store) -> None:
    run_id, created = submit(store, config())
    assert (run_id, created) == (config().key(), True)
    assert submit(store, config()) == (run_id, False)
    held = take(store)
    assert held.config == config()
    assert submit(store, config()) == (run_id, False)
    held_run.finish(store, held, result(["x"]), 1.0)
    assert submit(store, config()) == (run_id, False)
    assert store.run(run_id).status == "done"
    assert claim(store, "a") is None
    assert not retry(store, run_id)
    assert retry(store, run_id, done=True)


def test_a_detection_takes_the_name_that_it_is_asked_for_by_last(store: Store) -> None:
    for goal, kept in (("faces", "second"), ("train", "first")):
        for name in ("first", "second", ""):
            asked = config().model_copy(update={"goal": goal, "faces": FacesConfig(name=name)})
            run_id, _ = submit(store, asked)
        assert store.run(run_id).config.faces.name == kept


def test_a_failed_run_is_tried_again_when_submitted_or_retried(store: Store) -> None:
    run_id, _ = submit(store, config())
    for again in (lambda: submit(store, config())[1], lambda: retry(store, run_id)):
        held = take(store)
        held_run.write_epochs(store, held, [epoch(held.attempt)])
        held_run.end(store, held, "failed", 2.0, "no memory")
        assert store.run(run_id).error == "no memory"
        assert again()
        run = store.run(run_id)
        assert (run.status, run.error, run.finished) == ("queued", "", None)
        assert run.max_attempts == run.attempts + MAX_ATTEMPTS
    assert store.epochs(run_id)["epoch"].tolist() == [1, 2], "what was reached is kept"
    assert store.run(run_id).seconds == 4.0
    assert not retry(store, run_id)
    with pytest.raises(NotFoundError):
        retry(store, "absent")


def test_an_expired_lease_gives_the_run_to_the_next_worker(store: Clocked) -> None:
    run_id, _ = submit(store, config())
    first = take(store, "a")
    store.ahead += LEASE_SECONDS - 1
    assert claim(store, "b") is None
    held_run.heartbeat(store, first)
    store.ahead += LEASE_SECONDS - 1
    assert claim(store, "b") is None, "the heartbeat renewed the lease"
    store.ahead += 2
    second = take(store, "b")
    assert (second.run_id, second.attempt) == (run_id, 2)
    with pytest.raises(LeaseLost):
        held_run.heartbeat(store, first)
    held_run.heartbeat(store, second)


def test_a_lease_of_a_clock_that_was_set_back_holds_nothing(store: Clocked) -> None:
    run_id, _ = submit(store, config())
    store.ahead = 3600.0
    first = take(store, "first")
    store.ahead = 0.0
    second = take(store, "second")
    assert (second.run_id, second.attempt) == (run_id, 2)
    with pytest.raises(LeaseLost):
        held_run.heartbeat(store, first)
    store.ahead = 3600.0
    held_run.heartbeat(store, second)
    store.ahead = 0.0
    assert cancel(store, run_id)
    assert store.run(run_id).status == "cancelled", "no worker is waited for"


def test_a_worker_without_its_lease_can_write_nothing(store: Clocked) -> None:
    run_id, _ = submit(store, config())
    stale = take(store, "a")
    store.ahead += LEASE_SECONDS + 1
    fresh = take(store, "a")
    assert fresh.attempt == 2, "even the same owner is fenced by the attempt"
    before = store.run(run_id)
    writes = [
        lambda: held_run.write_progress(store, stale, "folds", 1, 2),
        lambda: held_run.write_epochs(store, stale, [epoch(1)]),
        lambda: held_run.write_log(store, stale, "still here"),
        lambda: held_run.finish(store, stale, result(["x"]), 1.0),
        lambda: held_run.end(store, stale, "failed", 1.0, "oh"),
        lambda: held_run.end(store, stale, "cancelled", 1.0),
        lambda: held_run.end(store, stale, "released", 1.0),
        lambda: held_run.end(store, stale, "lost", 1.0, "gone"),
        lambda: held_run.heartbeat(store, stale),
        lambda: held_run.cancel_requested(store, stale),
    ]
    for write in writes:
        with pytest.raises(LeaseLost):
            write()
    assert store.run(run_id) == before
    assert store.epochs(run_id).empty
    assert store.log(run_id).empty
    assert store.predictions(run_id).empty


def test_attempts_are_capped_with_an_error_that_says_so(store: Clocked) -> None:
    run_id, _ = submit(store, config())
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert take(store, "doomed").attempt == attempt
        store.ahead += LEASE_SECONDS + 1
    assert claim(store, "next") is None
    run = store.run(run_id)
    assert run.status == "failed"
    assert "start the run again" in run.error
    assert retry(store, run_id)
    assert take(store).attempt == MAX_ATTEMPTS + 1


def test_a_release_spends_no_attempt_and_keeps_the_place(store: Clocked) -> None:
    run_id, _ = submit(store, config())
    store.ahead += 1
    submit(store, config(2))
    for _ in range(2 * MAX_ATTEMPTS):
        held = take(store)
        assert held.run_id == run_id
        held_run.end(store, held, "released", 0.5)
    store.ahead += LEASE_SECONDS + 1
    assert claim(store, "a", only=run_id) is not None
    assert store.run(run_id).seconds == MAX_ATTEMPTS


def test_cancelling(store: Clocked) -> None:
    run_id, _ = submit(store, config())
    assert cancel(store, run_id)
    assert store.run(run_id).status == "cancelled"
    assert not cancel(store, run_id)
    assert claim(store, "a") is None
    assert submit(store, config()) == (run_id, True)
    held = take(store)
    assert not held_run.cancel_requested(store, held)
    assert cancel(store, run_id)
    assert held_run.cancel_requested(store, held)
    assert store.run(run_id).status == "running"
    held_run.end(store, held, "cancelled", 1.0)
    assert store.run(run_id).status == "cancelled"
    with pytest.raises(NotFoundError):
        cancel(store, "absent")


def test_cancelling_a_run_whose_worker_died(store: Clocked) -> None:
    first, second = (submit(store, config(n))[0] for n in (1, 2))
    for run_id in (first, second):
        take(store, only=run_id)
    cancel(store, first)
    store.ahead += LEASE_SECONDS + 1
    cancel(store, second)
    assert store.run(second).status == "cancelled", "nobody is there to be asked"
    assert claim(store, "b") is None
    assert store.run(first).status == "cancelled"


def test_submitting_again_takes_a_cancelling_back(store: Store) -> None:
    run_id, _ = submit(store, config())
    held = take(store)
    cancel(store, run_id)
    assert submit(store, config()) == (run_id, False)
    assert not held_run.cancel_requested(store, held)
    held_run.end(store, held, "cancelled", 0.0)  # the worker had seen the request before
    assert store.run(run_id).status == "queued"


def test_an_epoch_written_again_replaces_the_first(store: Store) -> None:
    run_id, _ = submit(store, config())
    held = take(store)
    for loss in (3.0, 2.0):
        held_run.write_epochs(store, held, [epoch(1, loss)])
    assert store.epochs(run_id)["train_loss"].tolist() == [2.0]


def test_finishing_is_all_or_nothing(store: Store) -> None:
    run_id, _ = submit(store, config())
    held = take(store)
    with pytest.raises(Exception, match=r"(?i)unique"):
        held_run.finish(store, held, result(["twice", "twice"]), 1.0)
    assert store.run(run_id).status == "running"
    assert store.predictions(run_id).empty
    done = result(["b", "a"], accuracy=np.float32(0.5))
    done.summary["loss"] = float("nan")
    held_run.finish(store, held, done, 2.5)
    run = store.run(run_id)
    assert (run.status, run.seconds, run.owner, run.lease_until) == ("done", 2.5, None, None)
    assert run.summary == {"accuracy": 0.5, "loss": None}
    assert run.environment == {"python": "3.11", "cores": 2}
    expected = done.predictions.sort_values("name").reset_index(drop=True)
    expected = expected.astype({f"p{i}": "float64" for i in range(7)})  # float32 is kept exactly
    pd.testing.assert_frame_equal(store.predictions(run_id), expected, check_dtype=False)


def test_the_log_keeps_its_newest_lines(store: Store) -> None:
    run_id, _ = submit(store, config())
    held = take(store)
    most = held_run.LOG_LINES
    held_run.write_log(store, held, "one\ntwo")
    held_run.write_log(store, held, "\n".join([*(["more"] * (most - 1)), "x" * 5000]))
    log = store.log(run_id)
    assert log["line"].tolist() == list(range(3, most + 3))
    assert log["text"].tolist() == [*(["more"] * (most - 1)), "x" * held_run.LOG_WIDTH]


def test_a_second_hosts_workers_are_refused_while_one_lives_unless_the_database_is_shared(
    store: Clocked,
) -> None:
    submit(store, config())
    registry.enter(store, "elsewhere:1", device="cpu")
    elsewhere = text("UPDATE workers SET host = 'elsewhere'")
    store.write(lambda connection: connection.execute(elsewhere))
    if not store.shared:
        for attempt in (
            lambda: registry.enter(store, "here:1", device="cpu"),
            lambda: claim(store, "here:1"),
        ):
            with pytest.raises(StoreError, match=r"one host.*PostgreSQL.*FER_DATABASE_URL.*FER_HOME"):
                attempt()
        store.ahead += registry.LIVE_SECONDS + 1
    registry.enter(store, "here:1", device="cpu")
    assert claim(store, "here:1") is not None


def test_a_worker_leaves_only_when_no_work_is_left(store: Store) -> None:
    registry.enter(store, "a", device="cpu")
    run_id, _ = submit(store, config())
    assert not registry.leave_if_idle(store, "a")
    held = take(store, "b")
    assert not registry.leave_if_idle(store, "a"), "the other worker may die"
    assert registry.leave_if_idle(store, "a", only="another run")
    registry.enter(store, "a", device="cpu")
    held_run.finish(store, held, result(["x"]), 1.0)
    assert store.workers()["owner"].tolist() == ["a"]
    assert registry.leave_if_idle(store, "a")
    assert store.workers().empty
    assert store.run(run_id).status == "done"


SUBMIT_MANY = """
import sys, threading
from fer_core.config.run import DataConfig, RunConfig
from fer_core.runs.jobs.queue import submit
from fer_core.storage.store import Store
store, created = Store(sys.argv[1]), []
def work():
    created.append(submit(store, RunConfig(data=DataConfig(fingerprint="0" * 16)))[1])
threads = [threading.Thread(target=work) for _ in range(50)]
sys.stdin.readline()
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(created), sum(created))
"""


def test_a_hundred_simultaneous_submissions_are_one_run(store: Store) -> None:
    address = store.url.render_as_string(hide_password=False)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SUBMIT_MANY, address],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate()[0].split() for process in processes]
    assert sum(int(asked) for asked, _ in answers) == 100
    assert sum(int(created) for _, created in answers) == 1
    assert store.counts()["queued"] == 1


def test_workers_that_claim_at_once_never_share_a_run(store: Store) -> None:
    ids = {submit(store, RunConfig(data=DataConfig(fingerprint=f"{number:016x}")))[0] for number in range(20)}
    taken: list[str] = []

    def work(owner: str) -> None:
        own = Store(store.url)
        while (held := claim(own, owner)) is not None:
            taken.append(held.run_id)
        own.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, "abcdef"))
    assert Counter(taken) == dict.fromkeys(ids, 1)


def test_a_lease_that_runs_out_after_the_look_for_orphans_is_left_to_the_next_look(store: Store) -> None:
    run_id, _ = submit(store, config())
    looked = store.now()
    assert claim(store, "dead", lease_seconds=0.0) is not None
    assert claim(store, "next", abandoned=looked) is None
    held = take(store, "next", abandoned=store.now() + 1.0)
    assert (held.run_id, held.attempt) == (run_id, 2)


def test_a_run_from_elsewhere_takes_no_other_s_place_and_its_figures_are_json(store: Store) -> None:
    row = {"created": 1.0, "finished": 3.0, "seconds": 2.0, "extra": {}, "summary": {}, "environment": {}}
    tables: dict[str, list[dict[str, object]]] = {"epochs": [], "predictions": [], "log": []}
    run_id, _ = submit(store, config())
    with pytest.raises(StoreError, match=r"under way.*queued"):
        adopt(store, config(), row, tables)
    assert store.run(run_id).status == "queued"
    cancel(store, run_id)
    for name in ("extra", "summary", "environment"):  # NaN is no JSON
        with pytest.raises(ValueError, match="JSON"):
            adopt(store, config(), row | {name: {"accuracy": float("nan")}}, tables)
    assert adopt(store, config(), row, tables)
    assert not adopt(store, config(), row | {"seconds": 5.0}, tables)
    assert (store.run(run_id).status, store.run(run_id).seconds) == ("done", 2.0)
