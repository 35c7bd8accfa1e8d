"""The questions asked of the database, of both kinds, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from sqlalchemy import URL, text
from worker_case import take

from fer_core.config.reading import Reading
from fer_core.config.run import DataConfig, FacesConfig, RunConfig, SvmConfig, TransferConfig
from fer_core.errors import NotFoundError, StoreError
from fer_core.learning.reporting import EpochRecord
from fer_core.runs.jobs.held_run import end, write_epochs
from fer_core.runs.jobs.queue import cancel, claim, submit, submit_together
from fer_core.storage.store import Store

DATA = "0123456789abcdef"


def config(unfreeze: int = 1, fingerprint: str = DATA, goal: str = "train") -> RunConfig:
    model = TransferConfig(unfreeze=unfreeze)
    return RunConfig(goal=goal, data=DataConfig(fingerprint=fingerprint, name="faces"), model=model)


@pytest.fixture
def store(database: URL) -> Iterator[Store]:
    store = Store(database)
    yield store
    store.close()


def test_read_only_reads_and_refuses_writes(store: Store) -> None:
    run_id, _ = submit(store, config())
    frozen = Store(store.url, read_only=True)
    assert frozen.run(run_id).status == "queued"
    with pytest.raises(StoreError, match="read only"):
        submit(frozen, config(2))
    with frozen.read() as connection, pytest.raises(Exception, match=r"read-?only"):
        connection.execute(text("DELETE FROM runs"))
    assert store.counts()["queued"] == 1
    frozen.close()


def test_a_failed_write_leaves_nothing(store: Store) -> None:
    def work(connection) -> None:
        connection.execute(text("INSERT INTO workers VALUES ('a', 'b', 1, 'cpu', '', 0, 0)"))
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        store.write(work)
    assert store.workers().empty


def test_runs_are_filtered_and_paged_newest_first(store: Store) -> None:
    ids = [submit(store, config(n, fingerprint))[0] for fingerprint in (DATA, "f" * 16) for n in (1, 2, 3)]
    faces, _ = submit(store, config(goal="faces"))
    assert [run.id for run in store.runs(goal="train")] == ids[::-1]
    assert [run.id for run in store.runs(goal="faces")] == [faces]
    assert {run.id for run in store.runs(data=DATA, goal="train")} == set(ids[:3])
    assert {run.id for run in store.runs(ids=[ids[0], ids[4], "absent"])} == {ids[0], ids[4]}
    assert store.runs(ids=[]) == []
    assert store.runs(status=["done", "failed"]) == []
    assert len(store.runs(status=["queued", "done"], data="f" * 16)) == 3
    pages, before = [], None
    while page := store.runs(limit=3, before=before):
        pages.append([run.id for run in page])
        before = page[-1]
    assert pages == [[faces, *ids[:3:-1]], ids[3:0:-1], ids[:1]]


def test_runs_with_networks_and_those_on_drawn_data_are_asked_for_before_the_limit(store: Store) -> None:
    def on(name: str, *, generated: bool) -> DataConfig:
        return DataConfig(fingerprint=DATA, name=name, generated=generated)

    drawn, _ = submit(store, RunConfig(data=on("faces", generated=True), model=TransferConfig()))
    svm, _ = submit(store, RunConfig(data=on("faces", generated=False), model=SvmConfig()))
    named, _ = submit(
        store, RunConfig(data=on('"generated":true', generated=False), model=TransferConfig(unfreeze=2))
    )
    assert [run.id for run in store.runs()] == [named, svm, drawn]
    assert [run.id for run in store.runs(answers=True)] == [named, drawn]
    assert [run.id for run in store.runs(generated=True, limit=1)] == [drawn]
    assert [run.id for run in store.runs(answers=True, ids=[svm, named])] == [named]


def test_all_runs_that_are_named_come(store: Store) -> None:
    ids = [submit(store, config(fingerprint=f"{index:016x}"))[0] for index in range(201)]
    assert len(store.runs(ids=ids)) == 201
    assert [run.id for run in store.runs(ids=ids, limit=2)] == ids[:-3:-1]
    assert len(store.runs()) == 200
    assert store.runs(ids=[]) == []


def test_runs_with_a_set_of_hand_drawn_boxes_are_found(store: Store) -> None:
    boxes = ["a" * 16, "b" * 16]
    given = [
        config(n).model_copy(update={"faces": FacesConfig(no_face="manual", manual_boxes=boxes[0])})
        for n in (1, 2)
    ]
    ids = [submit(store, each)[0] for each in (*given, config(1))]
    assert [run.id for run in store.runs(boxes=boxes[0])] == ids[1::-1]
    assert store.runs(boxes=boxes[1]) == []


def test_a_run_tells_what_was_submitted(store: Store) -> None:
    run_id, _ = submit(store, config(3))
    run = store.run(run_id)
    assert run.config == config(3)
    assert (run.data_name, run.backbone, run.unfreeze, run.protocol, run.goal) == (
        "faces",
        "resnet18",
        3,
        "stratified",
        "train",
    )
    assert not run.ended
    assert run.started is None
    with pytest.raises(NotFoundError, match="absent"):
        store.run("absent")


def test_queue_places_count_from_one(store: Store) -> None:
    ids = [submit(store, config(n))[0] for n in (1, 2, 3)]
    assert store.queue_places(ids) == dict(zip(ids, (1, 2, 3), strict=True))
    claim(store, "worker")
    assert store.queue_places(ids) == dict(zip(ids[1:], (1, 2), strict=True))
    assert store.queue_places(ids[2:]) == {ids[2]: 2}
    assert store.counts() == {"queued": 2, "running": 1, "done": 0, "failed": 0, "cancelled": 0}


def test_active_runs_come_in_the_order_of_the_queue(store: Store) -> None:
    ids = [submit(store, config(n))[0] for n in (1, 2, 3)]
    assert store.active() == ids
    held = take(store, "worker", only=ids[1])
    assert store.active() == [ids[1], ids[0], ids[2]], "what is worked on comes first"
    assert store.active(ids[1:]) == ids[1:]
    assert store.active([]) == []
    end(store, held, "failed", 1.0, "no memory")
    cancel(store, ids[0])
    assert store.active() == ids[2:]


def test_epochs_come_sorted_and_can_be_polled(store: Store) -> None:
    run_id, _ = submit(store, config())
    held = take(store, "worker")
    for fold, epoch in ((1, 1), (0, 2), (0, 1)):
        write_epochs(store, held, [EpochRecord(0, fold, epoch, 1.5, 0.5, math.nan, math.nan, 0.001, 2.0, 64)])
    table = store.epochs(run_id)
    assert table[["fold", "epoch"]].to_numpy().tolist() == [[0, 1], [0, 2], [1, 1]]
    assert table["val_loss"].isna().all()
    assert table["train_loss"].tolist() == [1.5] * 3
    assert store.epochs("absent")["val_loss"].dtype == "float64"


def test_the_newest_box_wins_and_can_be_undone(store: Store) -> None:
    first, second = (1.0, 2.0, 30.5, 40.25), (5.0, 6.0, 70.0, 80.0)
    store.add_manual_box(DATA, "a.png", first, author="mary")
    store.add_manual_box(DATA, "a.png", second, author="tom", note="Harry, left")
    store.add_manual_box(DATA, "b.png", first)
    store.add_manual_box("f" * 16, "a.png", first)

    def boxes() -> dict[str, tuple[float, ...]]:
        table = store.manual_boxes(DATA).set_index("name")
        return {str(name): tuple(row[["x1", "y1", "x2", "y2"]]) for name, row in table.iterrows()}

    assert boxes() == {"a.png": second, "b.png": first}
    store.add_manual_box(DATA, "a.png", None)
    assert all(math.isnan(value) for value in boxes()["a.png"])
    assert store.undo_manual_box(DATA, "a.png")
    assert boxes()["a.png"] == second
    assert store.manual_boxes(DATA)["note"].tolist() == ["Harry, left", ""]
    assert store.undo_manual_box(DATA, "a.png")
    assert boxes()["a.png"] == first
    assert store.manual_boxes(DATA).set_index("name").loc["a.png", "author"] == "mary"
    assert store.undo_manual_box(DATA, "a.png")
    assert not store.undo_manual_box(DATA, "a.png")
    assert boxes() == {"b.png": first}
    with pytest.raises(StoreError, match="x1 < x2"):
        store.add_manual_box(DATA, "a.png", (5.0, 5.0, 5.0, 9.0))


@pytest.mark.parametrize("created", [-6e10, 0.0, 9e9, 1e300, float("inf"), float("nan")])
def test_a_time_that_cannot_be_is_not_stored(store: Store, created: float) -> None:
    with pytest.raises(StoreError, match="between the year 2000 and tomorrow"):
        store.add_manual_box(DATA, "a.png", (1.0, 2.0, 3.0, 4.0), created=created)
    assert store.manual_boxes(DATA).empty


@pytest.mark.parametrize("author", ["x" * 201, "two\nlines", "nul\0", "half \ud800", "\x1b[31m"])
def test_an_author_that_is_no_short_line_is_not_stored(store: Store, author: str) -> None:
    with pytest.raises(StoreError, match="Who drew a box"):
        store.add_manual_box(DATA, "a.png", (1.0, 2.0, 3.0, 4.0), author=author)
    assert store.manual_boxes(DATA).empty
    store.add_manual_box(DATA, "a.png", (1.0, 2.0, 3.0, 4.0), author="زهرا\u200cسادات ☺")
    with pytest.raises(StoreError, match="A box's note"):
        store.add_manual_box(DATA, "a.png", (1.0, 2.0, 3.0, 4.0), note=author)


@pytest.mark.parametrize(
    "box", [(0.0, 0.0, float("inf"), 1.0), (0.0, float("nan"), 1.0, 1.0), (-1e300, 0.0, 1.0, 1.0)]
)
def test_a_box_that_is_no_number_of_pixels_is_not_stored(
    store: Store, box: tuple[float, float, float, float]
) -> None:
    with pytest.raises(StoreError, match="in pixels"):
        store.add_manual_box(DATA, "a.png", box)


def test_an_undone_box_can_be_redone_as_it_was(store: Store) -> None:
    first, second, third = (1.0, 2.0, 3.0, 4.0), (5.0, 6.0, 7.0, 8.0), (0.0, 0.0, 9.0, 9.0)

    def counting() -> list[tuple[float, ...]]:
        return [tuple(row[["x1", "y1", "x2", "y2"]]) for _, row in store.manual_boxes(DATA).iterrows()]

    assert not store.redo_manual_box(DATA, "a.png")
    assert store.manual_box_history(DATA, "a.png").empty
    store.add_manual_box(DATA, "a.png", first, author="mary", created=1.6e9)
    store.add_manual_box(DATA, "a.png", second, author="tom", created=1.7e9)
    store.add_manual_box(DATA, "b.png", third)
    assert not store.redo_manual_box(DATA, "a.png")
    for expected in ([first, third], [third]):
        assert store.undo_manual_box(DATA, "a.png")
        assert counting() == expected
    for expected in ([first, third], [second, third]):
        assert store.redo_manual_box(DATA, "a.png")
        assert counting() == expected
    entry = store.manual_boxes(DATA).set_index("name").loc["a.png"]
    assert (entry["author"], entry["created"], entry["version"]) == ("tom", 1.7e9, 2)
    assert not store.redo_manual_box(DATA, "a.png")

    store.undo_manual_box(DATA, "a.png")
    store.add_manual_box(DATA, "a.png", third, author="ann")  # what was undone before it can't come back
    assert not store.redo_manual_box(DATA, "a.png")
    history = store.manual_box_history(DATA, "a.png")
    assert history["author"].tolist() == ["mary", "tom", "ann"]
    assert history["undone"].isna().tolist() == [True, False, True]
    store.undo_manual_box(DATA, "a.png")
    assert counting() == [first, third]
    assert store.redo_manual_box(DATA, "a.png")
    assert counting() == [third, third]  # not the second, which the third had replaced
    assert not store.redo_manual_box(DATA, "a.png")


def test_sources_are_listed_once_each(store: Store) -> None:
    assert store.sources() == []
    for number, source in enumerate(("/data/b", "demo", "/data/a", "/data/b", "")):
        data = DataConfig(fingerprint=f"{number:016x}", name="faces", source=source)
        submit(store, RunConfig(data=data))
    assert set(store.sources()) == {"", "/data/a", "/data/b", "demo"}
    assert len(store.sources()) == 4


def test_what_people_say_of_a_run_is_kept_and_archived_runs_can_be_left_out(store: Store) -> None:
    ids = list(submit_together(store, [config(number) for number in (1, 2, 3)], sweep="three"))
    submit_together(store, [config(1), config(2)], sweep="two")
    store.describe(ids[0], name="Best so far", note="Two\nlines", tags="paper, night  paper")
    store.describe(ids[1], archived=True)
    run = store.run(ids[0])
    assert (run.name, run.note, run.tags, run.archived) == ("Best so far", "Two\nlines", "paper night", False)
    assert {run.id for run in store.runs(archived=False)} == {ids[0], ids[2]}
    assert [run.id for run in store.runs(archived=True)] == [ids[1]]
    assert store.sweeps_of(ids[0]) == {"three": 3, "two": 2}
    assert store.sweeps_of(ids[2]) == {"three": 3}
    submit_together(store, [config(1)], sweep="two")
    submit_together(store, [config(2), config(1)], sweep="two")
    assert [run.id for run in store.sweep("two")] == [ids[1], ids[0]]
    with pytest.raises(StoreError, match="at most 200 characters"):
        store.describe(ids[0], name="x" * 201)
    for tags in ("a\x00b", "a\u202eb", "\u2067a"):  # the last two turn the direction of what follows
        with pytest.raises(StoreError, match="one line"):
            store.describe(ids[0], tags=tags)
    assert store.run(ids[0]).name == "Best so far"


def test_excluded_frames_are_kept_once_with_who_and_when_and_their_runs_stand_with_the_others(
    store: Store,
) -> None:
    key = store.exclude(DATA, ["b.png", "a.png"], author="ann")
    assert store.exclude(DATA, ["a.png", "b.png"], author="bob") == key
    other = store.exclude(DATA, ["c.png"], author="bob")
    found = store.exclusions(DATA)
    assert list(found) == [other, key]
    assert (found[key].names, found[key].author) == (("a.png", "b.png"), "ann")
    assert abs(found[key].created - store.now()) < 60
    assert store.exclusions("f" * 16) == {}
    fewer = DataConfig(fingerprint="1" * 16, of=DATA, reading=Reading(exclude=("c.png",)))
    ids = {submit(store, config())[0], submit(store, RunConfig(data=fewer))[0]}
    assert {run.id for run in store.runs(data=DATA)} == ids
