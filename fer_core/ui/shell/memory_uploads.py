"""Uploads stay in memory: the web server's form parser would put files above a megabyte into temporary files."""

from __future__ import annotations

#: More than any upload that the configuration lets in.
IN_MEMORY = 1 << 30


def keep_in_memory() -> None:
    """Have the parser of uploads hold every file in memory; the size limits hold before it."""
    from starlette.formparsers import MultiPartParser

    MultiPartParser.spool_max_size = IN_MEMORY
