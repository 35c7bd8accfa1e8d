"""`clean`: what artifacts take on the disk, and what of it goes."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from fer_core.config.sizes import parse_size, size_text
from fer_core.errors import ConfigError
from fer_core.storage.disk import RUNS, collect, free_bytes

from .context import Context, note, print_json, print_table

DAY_SECONDS = 86400.0


def add_clean(commands: Any, command: Any) -> None:
    """Add the command; `command` makes one as `cli._command` does."""
    text = (
        "delete artifacts that can be made again and that no run in the database rests on, and what is left of runs "
        "that are no longer in it, the longest unused first; what was used in the last hour stays"
    )
    clean = command(commands, "clean", "clean:clean", text)
    clean.add_argument(
        "--older-than", type=float, metavar="DAYS", help="only what has not been used for so many days"
    )
    clean.add_argument(
        "--limit", metavar="SIZE", help="stop once all artifacts take less, such as 20GB (default: no stop)"
    )
    clean.add_argument("--dry-run", action="store_true", help="delete nothing, print what would go")
    clean.add_argument("--json", action="store_true", help="print one JSON document on standard output")


def clean(options: argparse.Namespace) -> int:
    """Carry out `clean`."""
    days = 0.0 if options.older_than is None else options.older_than
    if not 0 <= days < float("inf"):
        raise ConfigError("--older-than must be a number of days, 0 or more", got=days)
    limit = None if options.limit is None else parse_size(options.limit, "--limit")
    context = Context.open()
    uses = collect(context.artifacts, context.store, limit=limit, age=days * DAY_SECONDS, dry=options.dry_run)
    total = sum(use.bytes for use in uses)
    freed = sum(use.collected for use in uses)
    free = free_bytes(context.settings.home)
    if options.json:
        kinds = [asdict(use) for use in uses]
        print_json(
            {"kinds": kinds, "bytes": total, "collected": freed, "dry_run": options.dry_run, "free": free}
        )
        return 0
    shown = dict.fromkeys(("bytes", "collectable", "collected"), size_text)
    print_table([asdict(use) for use in uses], {"kind": None, "artifacts": None, **shown})
    done = "would be deleted" if options.dry_run else "deleted"
    print(f"\n{size_text(freed)} of {size_text(total)} {done}; {size_text(free)} are free on the disk")
    if any(use.kind == RUNS and use.collectable for use in uses) and options.dry_run:
        note(
            "Among them are networks of runs that this database doesn't know: they can't be made again from it."
        )
    if limit is not None and total - freed > limit:
        note(
            f"{size_text(total - freed)} remain, more than {size_text(limit)}: runs need them, or they are in use."
        )
    return 0
