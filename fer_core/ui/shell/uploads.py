"""What browsers upload, counted while it arrives, and kept only as long as an uploader of the visit's page holds it.

Streamlit takes files from any open visit, whatever its page shows, and keeps them until the visit ends. Here a visit
whose page has no uploader sends nothing, a visitor and all visitors together have a budget of bytes, and what no
uploader holds is dropped.
"""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import streamlit as st
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from streamlit.runtime.scriptrunner import RerunException, get_script_run_ctx

from fer_core.config.once import once
from fer_core.config.settings import Limits, load

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

T = TypeVar("T")

#: Where a browser sends a file: its visit's session, and the file's id.
PLACE = re.compile(r"/_stcore/upload_file/([^/]+)/([^/]+)$")

#: A file counts in whole blocks of so many bytes: small ones take memory too, and no visitor has thousands.
BLOCK = 1 << 18

#: Uploads as large as an upload may be that one visitor has at a time: the one shown, and the one that replaces it.
TIMES = 2

#: Seconds that a file may wait for the others that were sent with it before an uploader holds them all.
GRACE = 60.0


class Files(Protocol):
    """Where the server keeps uploads: Streamlit's `MemoryUploadedFileManager`."""

    def get_files(self, session_id: str, file_ids: Sequence[str]) -> Sequence[object]:
        """Return those that are there."""

    def remove_file(self, session_id: str, file_id: str) -> None:
        """Forget one, if it is there."""


@dataclass
class _Upload:
    session: str
    file: str
    visitor: str
    size: int = 0
    arrived: float | None = None  # None while it is on its way
    held: bool = False  # whether an uploader has ever held it


class Ledger:
    """Who has how many bytes here. Called by the server's loop and by the pages' threads.

    Args:
        files: where uploads are kept.
        limits: `upload_mb` is the most of one file, twice that of one visitor, `all_upload_mb` of all.
        open_: whether a session is still open.
        clock: seconds.
    """

    def __init__(
        self,
        files: Files,
        limits: Limits,
        open_: Callable[[str], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._files, self._limits, self._open, self._clock = files, limits, open_, clock
        self._lock = threading.RLock()
        self._uploads: list[_Upload] = []
        self._pages: dict[str, set[str]] = {}  # by session: what the uploaders of its page hold

    @contextmanager
    def arriving(
        self, session: str, file: str, visitor: str, announced: int = 0
    ) -> Iterator[Callable[[int], None]]:
        """Count a file while the body takes it in; what is handed out is told how many bytes are there.

        Raises:
            HTTPException: nothing may come from this page, or so much is not taken now; with a sentence.
        """
        upload = _Upload(session, file, visitor)
        with self._lock:
            if session not in self._pages:
                raise HTTPException(409, "This page takes no files.")
            self._uploads.append(upload)
        try:
            self._grown(upload, announced)
            upload.size = 0  # whoever announces much and sends nothing takes no room
            yield lambda size: self._grown(upload, size)
        finally:
            with self._lock:
                upload.arrived = self._clock()
                self._forget()

    def _grown(self, upload: _Upload, size: int) -> None:
        if size > (self._limits.upload_mb + 1) << 20:  # a little more than the file: what is around it
            raise HTTPException(413, f"An upload may have {self._limits.upload_mb} MB.")
        if size <= upload.size:
            return
        with self._lock:
            upload.size = -(-size // BLOCK) * BLOCK
            if self._excess(upload.visitor):
                self._forget()
            if excess := self._excess(upload.visitor):
                raise HTTPException(429, f"{excess} Remove some, or try again later.")

    def _excess(self, visitor: str) -> str:
        """Return which budget is exceeded, a sentence; '' for none."""
        mine = sum(one.size for one in self._uploads if one.visitor == visitor)
        if mine > TIMES * self._limits.upload_mb << 20:
            return f"Uploads of one visitor may take {TIMES * self._limits.upload_mb} MB here."
        if sum(one.size for one in self._uploads) > self._limits.all_upload_mb << 20:
            return f"All uploads together may take {self._limits.all_upload_mb} MB here."
        return ""

    def hold(self, session: str, files: set[str]) -> None:
        """Note that a session's page has an uploader, and which files that holds."""
        with self._lock:
            self._pages.setdefault(session, set()).update(files)
            for one in self._uploads:
                one.held |= one.session == session and one.file in files

    def keep(self, session: str, files: set[str] | None) -> None:
        """Drop what the uploaders of a session's page don't hold once it is drawn; None where it has none."""
        with self._lock:
            self._pages = {
                one: held for one, held in self._pages.items() if one != session and self._open(one)
            }
            if files is not None:
                self._pages[session] = files
            self._forget()

    def _forget(self) -> None:
        """Drop what no uploader holds, and no longer count what is gone."""
        since, left = self._clock() - GRACE, []
        busy = {one.session for one in self._uploads if one.arrived is None or one.arrived > since}
        for one in self._uploads:
            if one.arrived is not None:
                page = self._pages.get(one.session)
                waiting = page is not None and one.session in busy and not one.held
                if not waiting and one.file not in (page or ()):
                    self._files.remove_file(one.session, one.file)
                if not self._files.get_files(one.session, [one.file]):
                    continue
            left.append(one)
        self._uploads = left


@once
def ledger() -> Ledger:
    """Return the ledger of this server, made at first use."""
    runtime = st.runtime.get_instance()
    return Ledger(runtime.uploaded_file_mgr, load().limits, runtime.is_active_session)  # type: ignore[arg-type]


class Uploads:
    """Lets uploads through as far as the ledger that `of` returns has room for them."""

    def __init__(self, app: ASGIApp, of: Callable[[], Ledger] = ledger) -> None:
        self.app, self.of = app, of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; only uploads are looked at."""
        place = PLACE.search(scope["path"]) if scope["type"] == "http" and scope["method"] == "PUT" else None
        if not place:
            await self.app(scope, receive, send)
            return
        headers, there = Headers(scope=scope), 0
        client = (scope.get("client") or ("",))[0]
        visitor = address(headers.get("x-forwarded-for"), client, load().behind_proxy) or place[1]
        length = headers.get("content-length", "")
        announced = int(length) if re.fullmatch(r"[0-9]{1,15}", length) else 0
        try:
            with self.of().arriving(place[1], place[2], visitor, announced) as count:

                async def counted() -> Message:
                    nonlocal there
                    message = await receive()
                    there += len(message.get("body", b""))
                    count(there)
                    return message

                await self.app(scope, counted, send)
        except HTTPException as error:
            await PlainTextResponse(error.detail, error.status_code)(scope, receive, send)


def address(forwarded: str | None, client: str | None, behind_proxy: bool) -> str:
    """Return the address that counts as one visitor; '' where none does.

    Args:
        forwarded: the header X-Forwarded-For. Anyone can send it: its last entry counts where a proxy writes it.
        client: who opened the connection; on this host itself that is no address.
        behind_proxy: whether a proxy is declared (FER_BEHIND_PROXY=1).
    """
    if behind_proxy and (last := (forwarded or "").rsplit(",", 1)[-1].strip()):
        return last
    return "" if client in (None, "127.0.0.1", "::1") else str(client)


def held(files: T) -> T:
    """Return what an uploader gives, noted as held by this page's."""
    context = get_script_run_ctx()
    if context and st.runtime.exists():
        listed: list[Any] = files if isinstance(files, list) else [files] if files else []
        ids = {file.file_id for file in listed}
        st.session_state.setdefault("held-uploads", set()).update(ids)
        ledger().hold(context.session_id, ids)
    return files


@contextmanager
def of_this_run() -> Iterator[None]:
    """Draw a page in the body; afterwards what its uploaders don't hold is dropped, unless it is to be drawn again."""
    st.session_state.pop("held-uploads", None)
    try:
        yield
    finally:
        context = get_script_run_ctx()
        if context and st.runtime.exists() and not isinstance(sys.exception(), RerunException):
            ledger().keep(context.session_id, st.session_state.get("held-uploads"))
