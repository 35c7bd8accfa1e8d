"""A PostgreSQL server for the tests: Debian's binaries, on loopback, in a temporary folder, gone afterwards.

Its programs refuse to run as root, so root's tests start them as `nobody`.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, create_engine, text
from sqlalchemy.exc import OperationalError

PASSWORD = "never@shown"
TEMPLATE = "fer_template"
#: What has to outlive the server need not outlive the machine, so nothing waits for the disk.
OPTIONS = (
    "fsync=off",
    "full_page_writes=off",
    "autovacuum=off",
    "max_connections=100",
)


class Server:
    """A running server."""

    def __init__(self, folder: Path, binaries: Path) -> None:
        self._folder, self._binaries, self._numbers = folder, binaries, count(1)
        self.port = _free_port()
        password = folder / "password"
        password.write_text(PASSWORD, encoding="utf-8")
        if os.getuid() == 0:
            for path in (folder, password):
                shutil.chown(path, "nobody")
        self._log = (folder / "log").open("w+")
        made = self._start(
            "initdb", "--username=fer", "--auth=scram-sha-256", f"--pwfile={password}", "--no-sync"
        )
        assert made.wait(60) == 0, self.log()
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = [*OPTIONS, f"port={self.port}", "listen_addresses=127.0.0.1", "unix_socket_directories="]
        self._server = self._start("postgres", *(word for option in options for word in ("-c", option)))
        give_up = time.monotonic() + 60
        while True:
            try:
                self.execute("SELECT 1")
                return
            except OperationalError:
                assert self._server.poll() is None, self.log()
                assert time.monotonic() < give_up, self.log()
                time.sleep(0.05)

    def stop(self) -> None:
        """Break every connection off and end it at once, as a crash would; what was committed is kept."""
        self._server.send_signal(signal.SIGQUIT)
        self._server.wait(60)

    def log(self) -> str:
        """Return what its programs have said so far."""
        return (self._folder / "log").read_text(encoding="utf-8")

    def url(self, name: str) -> URL:
        """Return the URL of a database."""
        return URL.create("postgresql+psycopg", "fer", PASSWORD, "127.0.0.1", self.port, name)

    def execute(self, statement: str, *, database: str = "postgres") -> list[Any]:
        """Run a statement as the administrator."""
        engine = create_engine(self.url(database), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                result = connection.execute(text(statement))
                return list(result) if result.returns_rows else []
        finally:
            engine.dispose()

    def make(self, *, empty: bool = False) -> URL:
        """Make a database of its own for a test: with all tables, or `empty`."""
        name = f"fer_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {'template0' if empty else TEMPLATE}")
        return self.url(name)

    def make_template(self) -> None:
        """Make the database that others are copied from."""
        from fer_core.storage.store import Store

        self.execute(f"CREATE DATABASE {TEMPLATE}")
        Store(self.url(TEMPLATE)).close()

    def _start(self, program: str, *options: str) -> subprocess.Popen[bytes]:
        who: dict[str, Any] = {}
        if os.getuid() == 0:
            who = {"user": "nobody", "group": "nogroup", "extra_groups": []}
        environment = os.environ | {"PGDATA": str(self._folder / "data"), "LC_ALL": "C.UTF-8"}
        command = [str(self._binaries / program), *options]
        log = self._log
        return subprocess.Popen(command, env=environment, cwd=self._folder, stdout=log, stderr=log, **who)


@contextmanager
def server() -> Iterator[Server]:
    """Run a server; skip the test where PostgreSQL is not installed, but fail in CI, where it is."""
    binaries = _binaries()
    if binaries is None:
        message = "PostgreSQL's initdb was not found: apt-get install postgresql"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    folder = Path(tempfile.mkdtemp(prefix="fer-postgresql-"))
    try:
        running = Server(folder, binaries)
        try:
            running.make_template()
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(folder)


def installed() -> bool:
    """Return whether this host has PostgreSQL's programs."""
    return _binaries() is not None


def _binaries() -> Path | None:
    """Return the folder of the newest version's programs; Debian keeps them off the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
