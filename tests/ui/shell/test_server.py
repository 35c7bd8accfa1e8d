"""What the server is set up for: uploads in memory, one run of a page after the other, all that is drawn is sent."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartParser
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.runtime.fragment import MemoryFragmentStorage
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import RerunData, ScriptRunner
from streamlit.runtime.scriptrunner.script_cache import ScriptCache
from streamlit.runtime.state import SessionState

from fer_core import ROOT
from fer_core.ui.shell import setup
from fer_core.ui.shell.setup import keep_uploads_in_memory, lose_nothing_on_its_way, one_run_after_the_other

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


class Run:
    """A run of a page that has begun once `begun` is set, and goes on until `let_go` is set."""

    def __init__(self, session: str, loop: asyncio.AbstractEventLoop) -> None:
        self.begun, self.let_go = Event(), Event()
        page, files = str(ROOT / "app.py"), MemoryUploadedFileManager("/uploads")
        more = SessionState(), files, ScriptCache(), RerunData(), {}, MemoryFragmentStorage()
        self.runner = ScriptRunner(session, page, *more, PagesManager(page), loop)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Run]]:
    """Yield what starts a run of a session's page, where one run follows the other."""
    runs: dict[ScriptRunner, Run] = {}
    loop = asyncio.new_event_loop()

    def drawn(runner: ScriptRunner) -> None:
        runs[runner].begun.set()
        runs[runner].let_go.wait(60.0)

    def begin(session: str) -> Run:
        one = Run(session, loop)
        runs[one.runner] = one
        one.runner.start()
        return one

    monkeypatch.setattr(ScriptRunner, "_run_script_thread", drawn)
    monkeypatch.setattr(ScriptRunner, "start", ScriptRunner.start)  # as it is, once the test is over
    one_run_after_the_other()
    yield begin
    for one in runs.values():
        one.let_go.set()
    loop.close()


def test_a_click_waits_until_the_poll_before_it_has_let_go(
    run: Callable[[str], Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "TURN", 60.0)
    poll, click = run("visitor"), run("visitor")
    assert poll.begun.wait(10.0)
    assert not click.begun.wait(0.1)
    assert run("other visitor").begun.wait(10.0)
    poll.let_go.set()
    assert click.begun.wait(10.0)


def test_a_click_does_not_wait_for_what_computes(run: Callable[[str], Run]) -> None:
    run("visitor")  # lets go after a minute
    assert run("visitor").begun.wait(10.0)


def element(path: list[int], fragment: str = "", *, known: bool = False) -> ForwardMsg:
    """Return what is sent of an element: itself, or its hash where the browser has it from an earlier run."""
    message = ForwardMsg()
    message.metadata.delta_path[:] = path
    if known:
        message.ref_hash = "hash"
    else:
        message.delta.fragment_id = fragment
        message.delta.new_element.markdown.body = f"{path}"
    return message


def drawn(queue: ForwardMsgQueue) -> list[list[int]]:
    return [list(message.metadata.delta_path) for message in queue.flush()]


@pytest.mark.parametrize("last", [element([0, 6, 1], "inner"), element([0, 6, 1], known=True)])
def test_the_next_run_of_a_fragment_begins_before_the_last_was_sent(
    last: ForwardMsg, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, queue = element([0, 6, 0], "outer"), ForwardMsgQueue()

    def next_run() -> list[list[int]]:
        for message in (first, last):
            queue.enqueue(message)
        queue.clear(retain_lifecycle_msgs=True, fragment_ids_this_run=["outer"])
        for message in (first, last):
            queue.enqueue(message)
        return drawn(queue)

    monkeypatch.setattr(ForwardMsgQueue, "clear", ForwardMsgQueue.clear)  # as it is, once the test is over
    assert next_run()[0] == [0, 6, 1]  # what Streamlit does by itself: the second without the first
    lose_nothing_on_its_way()
    assert next_run() == [[0, 6, 0], [0, 6, 1]] * 2


def test_a_new_run_of_a_page_drops_what_the_last_drew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ForwardMsgQueue, "clear", ForwardMsgQueue.clear)
    lose_nothing_on_its_way()
    queue = ForwardMsgQueue()
    queue.enqueue(element([0, 6, 0], "outer"))
    queue.clear(retain_lifecycle_msgs=True)
    queue.enqueue(element([0, 0]))
    assert drawn(queue) == [[0, 0]]
