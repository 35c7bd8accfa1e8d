"""The framework mended: uploads stay in memory, no click is lost, all that is drawn is sent."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartParser
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.runtime.fragment import MemoryFragmentStorage
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import RerunData, ScriptRunner
from streamlit.runtime.scriptrunner.script_cache import ScriptCache
from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequests
from streamlit.runtime.state import SessionState

from fer_core import ROOT
from fer_core.ui.shell import framework

CONTENT = b"x" * 3_000_000


@pytest.fixture(autouse=True)
def _as_it_was_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, name in ((ScriptRunner, "start"), (AppSession, "request_rerun"), (ForwardMsgQueue, "clear")):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    monkeypatch.setattr(MultiPartParser, "spool_max_size", MultiPartParser.spool_max_size)


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
    framework.mend()
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
    framework.mend()
    yield begin
    for one in runs.values():
        one.let_go.set()
    loop.close()


def test_a_click_waits_until_the_poll_before_it_has_let_go(
    run: Callable[[str], Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(framework, "TURN", 60.0)
    poll, click = run("visitor"), run("visitor")
    assert poll.begun.wait(10.0)
    assert not click.begun.wait(0.1)
    assert run("other visitor").begun.wait(10.0)
    poll.let_go.set()
    assert click.begun.wait(10.0)


def test_a_click_does_not_wait_for_what_computes(run: Callable[[str], Run]) -> None:
    run("visitor")  # lets go after a minute
    assert run("visitor").begun.wait(10.0)


def test_a_poll_waits_until_all_that_the_run_before_it_drew_is_taken_in_and_a_click_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    later: list[Callable[[], None]] = []
    monkeypatch.setattr(AppSession, "request_rerun", lambda _, state: asked.append(state.fragment_id))
    framework.mend()
    loop = SimpleNamespace(call_later=lambda _, call, *given: later.append(lambda: call(*given)))
    run = SimpleNamespace(_requests=ScriptRequests())
    session: Any = SimpleNamespace(_event_loop=loop, _scriptrunner=run)
    AppSession.request_rerun(session, ClientState(fragment_id="while it runs"))
    run._requests.on_scriptrunner_ready()  # it finds nothing more to do, and ends
    AppSession.request_rerun(session, ClientState(fragment_id="poll"))
    later.pop()()
    AppSession.request_rerun(session, ClientState(fragment_id=""))
    assert asked == ["while it runs", ""]
    session._scriptrunner = None  # its end is known
    later.pop()()
    assert asked == ["while it runs", "", "poll"]
    assert not later


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


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> type[ForwardMsgQueue]:
    """Return the framework's class of queues as it comes: pages opened in this process may have mended the other."""
    spec = find_spec("streamlit.runtime.forward_msg_queue")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(framework, "ForwardMsgQueue", module.ForwardMsgQueue)
    own: type[ForwardMsgQueue] = module.ForwardMsgQueue
    return own


@pytest.mark.parametrize("last", [element([0, 6, 1], "inner"), element([0, 6, 1], known=True)])
def test_the_next_run_of_a_fragment_begins_before_the_last_was_sent(
    last: ForwardMsg, queues: type[ForwardMsgQueue]
) -> None:
    first, queue = element([0, 6, 0], "outer"), queues()

    def next_run() -> list[list[int]]:
        for message in (first, last):
            queue.enqueue(message)
        queue.clear(retain_lifecycle_msgs=True, fragment_ids_this_run=["outer"])
        for message in (first, last):
            queue.enqueue(message)
        return drawn(queue)

    assert next_run()[0] == [0, 6, 1]  # what Streamlit does by itself: the second without the first
    framework.mend()
    assert next_run() == [[0, 6, 0], [0, 6, 1]] * 2


def test_a_new_run_of_a_page_drops_what_the_last_drew(queues: type[ForwardMsgQueue]) -> None:
    framework.mend()
    queue = queues()
    queue.enqueue(element([0, 6, 0], "outer"))
    queue.clear(retain_lifecycle_msgs=True)
    queue.enqueue(element([0, 0]))
    assert drawn(queue) == [[0, 0]]
