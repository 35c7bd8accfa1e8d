"""What Streamlit 1.67 does that loses a click, a page or the tail of one, mended for all visitors of a server."""

from threading import Thread
from weakref import WeakValueDictionary

from starlette.formparsers import MultiPartParser
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.runtime.scriptrunner import ScriptRunner
from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequestType


def mend() -> None:
    """Do all of it; once a process."""
    one_run_after_the_other()
    polls_wait_for_the_end()
    lose_nothing_on_its_way()
    keep_uploads_in_memory()


#: Seconds that a run of a page waits for the one it replaces: that ends in milliseconds, where it draws next. One that
#: computes for longer is no danger, and is not waited for.
TURN = 0.25


def one_run_after_the_other() -> None:
    """Have a run of a page wait until the one that it replaces has let go of the session, for TURN seconds at most.

    Streamlit 1.67 starts a visitor's next run at once. One that was at its first or last lines then, such as a poll's,
    still puts the URL's parameters and the buttons back to what it knew: a click just after a poll could be lost.
    """
    begin, last = ScriptRunner.start, WeakValueDictionary[str, Thread]()

    def start(self: ScriptRunner) -> None:
        before, run = last.get(self._session_id), self._run_script_thread

        def in_turn() -> None:
            if before:
                before.join(TURN)
            run()

        self._run_script_thread = in_turn  # type: ignore[method-assign]
        begin(self)
        if self._script_thread:
            last[self._session_id] = self._script_thread

    ScriptRunner.start = start  # type: ignore[method-assign]


#: Seconds after which a poll looks again whether the run before it is over: its end is told within milliseconds.
SOON = 0.01


def polls_wait_for_the_end() -> None:
    """Have a fragment's run be asked for once all that the run before it drew has been taken in.

    Streamlit 1.67 hears no more of a run once the next one is there. A poll that arrived at a page's very end cost the
    page what it drew last, and nothing drew that again.
    """
    ask = AppSession.request_rerun

    def in_order(self: AppSession, client_state: ClientState | None) -> None:
        before = self._scriptrunner
        over = before and before._requests._state is ScriptRequestType.STOP
        if over and client_state and client_state.fragment_id:
            self._event_loop.call_later(SOON, in_order, self, client_state)
        else:
            ask(self, client_state)

    AppSession.request_rerun = in_order  # type: ignore[method-assign]


def lose_nothing_on_its_way() -> None:
    """Have a fragment's run drop nothing that waits to be sent to the browser.

    Streamlit 1.67 drops what the fragment's last run drew, but neither what fragments in it drew nor what stands for an
    element that the browser has kept: where the server was too busy to send the last run before the next began, those
    arrive alone, after elements that never came, and the browser gives up the page with "Bad delta path index".
    """
    clear = ForwardMsgQueue.clear

    def kept(
        self: ForwardMsgQueue,
        retain_lifecycle_msgs: bool = False,
        fragment_ids_this_run: list[str] | None = None,
    ) -> None:
        if fragment_ids_this_run:
            self._delta_index_map.clear()  # what comes now is sent after what waits, never in its place
        else:
            clear(self, retain_lifecycle_msgs)

    ForwardMsgQueue.clear = kept  # type: ignore[method-assign]


#: Bytes of an upload that stay in memory: more than the configuration lets in.
IN_MEMORY = 1 << 30


def keep_uploads_in_memory() -> None:
    """Have the parser of uploads hold every file in memory: above a megabyte it would write a temporary file.

    Streamlit 1.67 leaves this to Starlette, whose setting is a class attribute. The size limits hold before it.
    """
    MultiPartParser.spool_max_size = IN_MEMORY
