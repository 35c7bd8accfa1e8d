"""The schema's revisions: applied once and in order; databases of unknown versions are refused and left alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from fer_core.config.run import DataConfig, RunConfig
from fer_core.errors import StoreError
from fer_core.runs.jobs.queue import submit
from fer_core.storage import migrations
from fer_core.storage.store import Store


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def schema(path: Path) -> Iterable[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()


def test_alembic_walks_the_revisions_in_their_numbers_order() -> None:
    options = Config()
    options.set_main_option("script_location", str(migrations.FOLDER))
    walked = [script.revision for script in ScriptDirectory.from_config(options).walk_revisions()]
    assert tuple(reversed(walked)) == migrations.REVISIONS


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize(
    ("statement", "got"),
    [
        ("UPDATE alembic_version SET version_num = 'v9999'", "v9999"),
        ("UPDATE alembic_version SET version_num = 'v0001'", "v0001"),
        ("DROP TABLE alembic_version", "that has no number"),
    ],
    ids=["newer", "before the first release", "before Alembic"],
)
def test_a_database_of_an_unknown_version_is_refused_and_left_alone(
    tmp_path: Path, statement: str, got: str, read_only: bool
) -> None:
    path = tmp_path / "fer.sqlite"
    Store(path).close()
    change(path, statement)
    before = schema(path)
    said = rf"this FER Lab knows.*got a version {got}\. Choose another FER_HOME.*delete it.*update FER Lab"
    with pytest.raises(StoreError, match=said):
        Store(path, read_only=read_only)
    assert schema(path) == before


def test_a_revision_that_fails_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "fer.sqlite"
    change(path, "CREATE TABLE manual_boxes (miles INTEGER)")
    before = schema(path)
    with pytest.raises(StoreError, match="manual_boxes already exists"):
        Store(path)
    assert schema(path) == before
    change(path, "DROP TABLE manual_boxes")
    Store(path).close()


def test_a_home_of_the_revision_before_opens_with_its_runs(tmp_path: Path) -> None:
    path = tmp_path / "fer.sqlite"
    newest = Store(path)
    run_id, _ = submit(newest, RunConfig(data=DataConfig(fingerprint="0" * 16)))
    newest.close()
    change(
        path,
        "ALTER TABLE manual_boxes DROP COLUMN note",
        "UPDATE alembic_version SET version_num = 'v0004'",
    )
    with pytest.raises(StoreError, match="Run once: python -m fer_core jobs"):
        Store(path, read_only=True)
    store = Store(path)
    store.add_manual_box("data", "image", (1, 2, 3, 4), note="Kept")
    assert store.run(run_id).status == "queued"
    assert list(store.manual_boxes("data")["note"]) == ["Kept"]
    store.close()
