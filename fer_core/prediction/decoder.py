"""Visitors' files decoded apart from the server: `python -m fer_core.prediction.decoder`, one process a file.

It reads requests from its input and answers each on its output, one at a time, until the input ends. A request is a
line of JSON, `size` (how many bytes follow) and arguments of `images.decode`, then the file's bytes; an answer is one
too, the `reason` of a refusal or `height`, `width` and what else `images.Decoded` says, then (H, W, 3) uint8. For each
file it forks: a small process with one thread, without a file of another visitor, which may take `MEMORY` and
`SECONDS` and writes no file. It imports Pillow and NumPy alone, so that it starts at once.
"""

import json
import os
import resource
import signal
import sys
import warnings
from pathlib import Path
from typing import IO, Any

from fer_core.datasets.images import decode, formats_here
from fer_core.errors import DataError

#: Bytes that decoding a file may take beside what the process takes at rest.
MEMORY = 272_000_000

#: Seconds of CPU time that decoding a file may take, and seconds by the clock on a host that is busy otherwise.
SECONDS, PATIENCE = 2.5, 10.0

TOO_LONG = f"it takes more than {SECONDS} seconds to decode; save it anew, or smaller, and send that"
TOO_MUCH = f"it takes more than {MEMORY // 1_000_000} MB of memory to decode; save it smaller, and send that"


def main() -> None:
    """Serve requests until the input ends."""
    warnings.simplefilter("ignore")
    source, target = sys.stdin.buffer, sys.stdout.buffer
    while line := source.readline():
        asked = json.loads(line)
        data = source.read(asked.pop("size"))
        formats_here(tuple(asked["formats"]))  # loads the decoders once, not in every fork
        if not (child := os.fork()):
            try:
                _decode(asked, data, target)
            finally:
                os._exit(0)
        del data
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status in (-signal.SIGALRM, -signal.SIGPROF):
            send(target, {"reason": TOO_LONG})
        elif status:
            send(target, {"reason": "damaged image: its decoder broke down"})


def _decode(asked: dict[str, Any], data: bytes, target: IO[bytes]) -> None:
    """Answer one request within the limits, which are off while the answer is read."""
    at_rest = Path("/proc/self/statm")  # of Linux
    if at_rest.exists():
        most = int(at_rest.read_text().split()[0]) * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    # What such a signal does is end the process, whatever it is at.
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    body: bytes | memoryview = b""
    try:
        found = decode(data, **asked)
    except DataError as error:
        no_memory = "memory" in error.rule.lower()
        answer: dict[str, Any] = {"reason": TOO_MUCH if no_memory else error.rule}
    else:
        height, width = found.pixels.shape[:2]
        answer = {"height": height, "width": width, "several": found.several, "scale": found.scale}
        body = found.pixels.data
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    send(target, answer, body)


def send(target: IO[bytes], head: dict[str, Any], body: bytes | memoryview = b"") -> None:
    """Write a line of JSON and what follows it."""
    target.write(json.dumps(head).encode() + b"\n")
    target.write(body)
    target.flush()


if __name__ == "__main__":
    main()
