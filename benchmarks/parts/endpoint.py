"""Files put past any page where Streamlit takes uploads, and requests for hosts and paths that are nobody's."""

import http.client
import time
import urllib.request
import uuid
from collections.abc import Callable

#: Small budgets: an upload has 1 MB, a visitor 2, all 4: one is left over by whoever came first.
LIMITS = "upload_mb=1,all_upload_mb=4"

#: Bytes of a file that fits; seconds until a closed visit is forgotten.
FITS, PATIENCE = 900_000, 300


class Sender:
    """Puts files as any program may, with the token that every visitor has."""

    def __init__(self, port: int) -> None:
        self.port = port
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health") as answer:
            self.token = answer.headers["Set-Cookie"].partition("=")[2].partition(";")[0]
        self.idle: list[http.client.HTTPConnection] = []

    def put(self, session: str, size: int, address: str, *, said: bool = True, cut: int | None = None) -> int:
        """Send a file and return the status, 0 where the server hung up.

        Args:
            said: whether its length is said beforehand.
            cut: bytes after which nothing more is sent, and no answer awaited.
        """
        asked = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        head = b'--b\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\n\r\n'
        body = head + bytes(size) + b"\r\n--b--\r\n"
        headers = {"Content-Type": "multipart/form-data; boundary=b", "X-Forwarded-For": address}
        headers |= {"Content-Length": str(len(body))} if said else {"Transfer-Encoding": "chunked"}
        headers |= {"Cookie": f"_streamlit_xsrf={self.token}", "X-Xsrftoken": self.token}
        pieces = (body[at : at + 65_536] for at in range(0, len(body[:cut]), 65_536))
        path = f"/_stcore/upload_file/{session}/{uuid.uuid4()}"
        try:
            asked.request("PUT", path, (piece[:cut] for piece in pieces), headers, encode_chunked=not said)
            if cut:
                self.idle.append(asked)
                return 0
            return asked.getresponse().status
        except OSError:
            return 0

    def get(self, path: str, host: str = "localhost") -> int:
        """Ask for a path of a host and return the status."""
        asked = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        asked.request("GET", path, headers={"Host": host})
        return asked.getresponse().status


def attacks(port: int, visit: Callable[[str, str], str], leave: Callable[[], None]) -> dict[str, bool]:
    """Carry out the attacks on a server with `LIMITS` that fer.example.org is, and return by name which held.

    Args:
        visit: opens a page from an address and returns the session.
        leave: closes all visits.
    """
    sender = Sender(port)
    put, get = sender.put, sender.get
    mine = [visit("predict", "10.3.0.3") for _ in range(3)]
    statuses = [put(one, FITS, "10.3.0.3", said=number != 1) for number, one in enumerate(mine)]
    others = [put(visit("predict", f"10.3.1.{n}"), FITS, f"10.3.1.{n}", said=n != 1) for n in range(2)]
    leave()
    end = time.monotonic() + PATIENCE
    while (again := put(visit("predict", "10.3.2.1"), FITS, "10.3.2.1")) != 204 and time.monotonic() < end:
        time.sleep(5)
    leave()
    idler = visit("predict", "10.3.3.1")
    for _ in range(4):
        put(idler, FITS, "10.3.3.1", cut=1000)
    nowhere, large = visit("compare", "10.3.0.1"), visit("predict", "10.3.0.2")
    found = {
        "a visitor's budget, over three visits": statuses[:2] == [204, 204] and statuses[2] in (0, 429),
        "the budget of all": others[0] == 204 and others[1] in (0, 429),
        "who leaves frees it": again == 204,
        "announced, never sent": put(visit("predict", "10.3.3.2"), FITS, "10.3.3.2") == 204,
        "six of 190 MB, on a page without an uploader": all(
            put(nowhere, 190_000_000, "10.3.0.1") in (0, 409, 413) for _ in range(6)
        ),
        "a small one, on a page without an uploader": put(nowhere, 1000, "10.3.0.1") == 409,
        "to Bring data, of a demo": put(visit("bring", "10.3.0.5"), 1000, "10.3.0.5") == 409,
        "nobody's visit": put(str(uuid.uuid4()), 1000, "10.3.0.1") in (400, 409),
        "190 MB": put(large, 190_000_000, "10.3.0.2") in (0, 413),
        "190 MB, length unsaid": put(large, 190_000_000, "10.3.0.2", said=False) in (0, 413, 429),
        "a thousand small ones": 429 in [put(large, 10, "10.3.0.2") for _ in range(1000)],
        "metrics": get("/_stcore/metrics") == get("/_stcore/metrics/?families=x") == 404,
        "the way in for programs": get("/_stcore/agent/openapi.json") == get("/_stcore/agent/mcp") == 404,
        "another host's name": get("/", "evil.example") == get("/_stcore/host-config", "evil.example") == 400,
        "its own host's name": get("/", "fer.example.org") == 200,
    }
    sender.token = "forged"
    return found | {"without the token": put(visit("predict", "10.3.0.4"), 1000, "10.3.0.4") != 204}
