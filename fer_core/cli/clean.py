"""`clean`: what artifacts take on the disk, and what of it goes."""

from __future__ import annotations

from dataclasses import asdict

from fer_core.config.sizes import parse_size, size_text
from fer_core.errors import ConfigError
from fer_core.storage.disk import RUNS, collect, free_bytes

from .context import Context
from .options import Json
from .output import note, print_json, print_table

DAY_SECONDS = 86400.0


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
