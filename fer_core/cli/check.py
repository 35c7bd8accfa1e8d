"""`check`: whether artifacts and database are whole; `clean`: what they take on the disk, and what of it goes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fer_core.config.sizes import parse_size, size_text
from fer_core.errors import ConfigError
from fer_core.runs.jobs import executors, queue
from fer_core.storage import home
from fer_core.storage.disk import COMPUTED, FACES, LOOKED_UP, RUNS, collect, free_bytes

from .context import Context
from .options import Json
from .output import answer, note, print_json, print_table, progress

DAY_SECONDS = 86400.0


def check(*, repair: bool = False, json: Json = False) -> int:
    """Carry out `check`; 1 when something is damaged and was not repaired.

    Args:
        repair: delete what is damaged and can be made again, and queue the finished runs that must make it.
    """
    context = Context.open()
    context.store.check()
    with progress("comparing sums") as show:
        found = home.check(context.store, context.artifacts, show)
    mended = [one for one in found.damaged if repair and _mend(context, one)]
    if any(one.run for one in mended):
        executors.launch(context.settings)
    document = {**asdict(found), "repaired": [f"{one.kind}/{one.key}" for one in mended]}
    answer(json, document, _print)
    return 0 if len(mended) == len(found.damaged) else 1


def _mend(context: Context, one: home.Damage) -> bool:
    """Delete what is damaged if it can be made again, and have it made where only a finished run does."""
    if not one.run and one.kind not in (*FACES, *COMPUTED, LOOKED_UP):
        return False
    context.artifacts.delete(one.kind, one.key)
    return not one.run or queue.retry(context.store, one.run, done=True) or one.run in context.store.active()


def _print(found: dict[str, Any]) -> None:
    rows = [
        {
            "artifact": f"{one['kind']}/{one['key']}",
            "file": name or "all",
            "is": problem,
            "had again": one["again"],
        }
        for one in found["damaged"]
        for name, problem in one["files"].items()
    ]
    if rows:
        print_table(rows, rows[0])
    damaged, repaired = len(found["damaged"]) or "none", len(found["repaired"])
    print(
        f"{found['artifacts']} artifacts, {size_text(found['bytes'])}: {damaged} damaged, {repaired} repaired"
    )
    print("The database is whole")
    if found["summed"]:
        print(f"{found['summed']} were made before there were sums: taken as they are, and summed now")


def clean(
    *, older_than: float = 0.0, limit: str | None = None, dry_run: bool = False, json: Json = False
) -> int:
    """Carry out `clean`.

    Args:
        older_than: only what has not been used for so many days.
        limit: stop once all artifacts take less, such as 20GB (default: no stop).
        dry_run: delete nothing, print what would go.
    """
    if not 0 <= older_than < float("inf"):
        raise ConfigError("--older-than must be a number of days, 0 or more", got=older_than)
    most = None if limit is None else parse_size(limit, "--limit")
    context = Context.open()
    uses = collect(context.artifacts, context.store, limit=most, age=older_than * DAY_SECONDS, dry=dry_run)
    total = sum(use.bytes for use in uses)
    freed = sum(use.collected for use in uses)
    free = free_bytes(context.settings.home)
    kinds = [asdict(use) for use in uses]
    if json:
        print_json({"kinds": kinds, "bytes": total, "collected": freed, "dry_run": dry_run, "free": free})
        return 0
    print_table(kinds, ("kind", "artifacts", "bytes", "collectable", "collected"))
    done = "would be deleted" if dry_run else "deleted"
    print(f"\n{size_text(freed)} of {size_text(total)} {done}; {size_text(free)} are free on the disk")
    if any(use.kind == RUNS and use.collectable for use in uses) and dry_run:
        note(
            "Among them are networks of runs that this database doesn't know: they can't be made again from it."
        )
    if most is not None and total - freed > most:
        note(
            f"{size_text(total - freed)} remain, more than {size_text(most)}: runs need them, or they are in use."
        )
    return 0
