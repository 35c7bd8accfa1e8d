"""A small OpenID Connect provider on the loopback address, which signs everyone in as the person it is asked to."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "fer-lab", "of the client"


class Provider:
    """Discovery, authorization-code flow and keys (OpenID Connect Core 1.0, section 3.1).

    Attributes:
        url: its issuer.
        claims: what the next person who signs in is: email, email_verified.
        asked: paths of the requests it has answered, in order.
    """

    def __init__(self, url: str) -> None:
        self.url, self.asked = url, list[str]()
        self.claims: dict[str, object] = {}
        self._key = RSAKey.generate_key(2048, {"kid": "one"})
        self._nonces: dict[str, str] = {}

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, dict[str, object] | str]:
        """Return a status, and JSON or where to go."""
        self.asked.append(path)
        if path == "/.well-known/openid-configuration":
            return 200, {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            }
        if path == "/keys":
            return 200, {"keys": [self._key.as_dict(private=False)]}
        if path == "/authorize" and query["client_id"] == CLIENT:
            code = f"code{len(self._nonces)}"
            self._nonces[code] = query["nonce"]
            return 302, f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"
        if path == "/token" and query["code"] in self._nonces:
            return 200, {
                "access_token": "none",
                "token_type": "Bearer",
                "id_token": self._token(query["code"]),
            }
        return 400, {"error": "invalid_request"}

    def _token(self, code: str) -> str:
        now = int(time.time())
        who = {"iss": self.url, "aud": CLIENT, "sub": str(self.claims["email"]), "iat": now, "exp": now + 600}
        payload = who | {"nonce": self._nonces.pop(code)} | self.claims
        return jwt.encode({"alg": "RS256", "kid": "one"}, payload, self._key)


@contextmanager
def running() -> Iterator[Provider]:
    """Run a provider on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            self._send(*provider.answer(address.path, _flat(address.query)))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._send(*provider.answer(urlsplit(self.path).path, _flat(body)))

        def _send(self, status: int, found: dict[str, object] | str) -> None:
            self.send_response(status)
            if isinstance(found, str):
                self.send_header("Location", found)
                self.end_headers()
                return
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(found).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = Provider(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()


def _flat(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}
