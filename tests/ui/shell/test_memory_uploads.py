"""What a browser uploads never reaches the disk, however large."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartParser

from fer_core.ui.shell.memory_uploads import keep_in_memory

CONTENT = b"x" * 3_000_000


def on_disk() -> bool:
    """Parse an upload as the web server does, and return whether it went into a temporary file."""
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'

    async def stream() -> AsyncIterator[bytes]:
        yield head + CONTENT + b"\r\n--b--\r\n"

    async def parse() -> bool:
        headers = Headers({"content-type": "multipart/form-data; boundary=b"})
        upload = (await MultiPartParser(headers, stream()).parse())["file"]
        assert isinstance(upload, UploadFile)
        assert await upload.read() == CONTENT
        return bool(upload.file._rolled)  # type: ignore[attr-defined]

    with ThreadPoolExecutor(1) as thread:  # this one may have a loop of a browser's
        return thread.submit(lambda: asyncio.run(parse())).result()


def test_a_large_upload_stays_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    # A page opened earlier in this process has raised it for good.
    monkeypatch.setattr(MultiPartParser, "spool_max_size", 1024 * 1024)
    assert on_disk()  # what the server does by itself
    keep_in_memory()
    assert not on_disk()
