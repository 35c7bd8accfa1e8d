"""What a browser uploads never reaches the disk, however large."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartParser

from fer_core.ui.shell.setup import keep_uploads_in_memory

CONTENT = b"x" * 3_000_000


def received() -> bytes:
    """Parse an upload as the web server does, and return its content."""
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'

    async def stream() -> AsyncIterator[bytes]:
        yield head + CONTENT + b"\r\n--b--\r\n"

    async def parse() -> bytes:
        headers = Headers({"content-type": "multipart/form-data; boundary=b"})
        upload = (await MultiPartParser(headers, stream()).parse())["file"]
        assert isinstance(upload, UploadFile)
        return await upload.read()

    with ThreadPoolExecutor(1) as thread:  # this one may have a loop of a browser's
        return thread.submit(lambda: asyncio.run(parse())).result()


def test_a_large_upload_stays_in_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))  # a temporary file can't be made
    # A page opened earlier in this process has raised it for good.
    monkeypatch.setattr(MultiPartParser, "spool_max_size", 1024 * 1024)
    with pytest.raises(FileNotFoundError):  # what the server does by itself
        received()
    keep_uploads_in_memory()
    assert received() == CONTENT
