"""The attacker's server: it answers at the URLs that our forged tokens name, and remembers who came.

It listens on loopback, serves only what :func:`harness.stimuli.tokens.attacker.attacker_file` makes, and is ours: a
server under test that fetches here has done what no token may make it do (RFC 8725 section 3.10).
"""

from __future__ import annotations

import ipaddress
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from harness.stimuli.tokens.attacker import attacker_file
from harness.stimuli.unavailable import StimulusUnavailable

_PATIENCE = 10.0
_POLL = 0.02


class QuietServer(ThreadingHTTPServer):
    """Asks the resolver for nothing and says nothing on the terminal: the side that broke off reports it."""

    # The base class asks the resolver for our own name, which may be slow, or worse; it is not needed.
    server_bind = TCPServer.server_bind

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing."""


class AttackerListener:
    """A listener on loopback, there from the first URL that is asked for; each nonce has URLs of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._server: QuietServer | None = None
        self._thread: threading.Thread | None = None
        self._fetched: Counter[str] = Counter()

    def url(self, nonce: str) -> str:
        """Below this, what the token under *nonce* may name."""
        with self._lock:
            if self._server is None:
                self._server = QuietServer(("127.0.0.1", 0), self._handler())
                self._thread = threading.Thread(
                    target=self._server.serve_forever, args=(_POLL,), name="attacker_listener", daemon=True
                )
                self._thread.start()
            return f"http://127.0.0.1:{self._server.server_address[1]}/{nonce}"

    def fetches(self, nonce: str) -> int:
        """How often something was fetched that the token under *nonce* named."""
        with self._lock:
            return self._fetched[nonce]

    def close(self) -> None:
        """Stop listening; may be called twice."""
        with self._lock:
            server, self._server = self._server, None
        if server is not None and self._thread is not None:
            server.shutdown()
            server.server_close()
            self._thread.join()

    def _came(self, path: str) -> tuple[str, bytes]:
        nonce, alg, name = (*path.strip("/").split("/"), "", "")[:3]
        with self._lock:
            self._fetched[nonce] += 1
        return attacker_file(alg, name)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        came = self._came

        class Handler(BaseHTTPRequestHandler):
            timeout = _PATIENCE

            def do_GET(self) -> None:
                try:
                    kind, body = came(self.path.partition("?")[0])
                except StimulusUnavailable:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_HEAD = do_POST = do_GET

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
                """Say nothing on the terminal."""

        return Handler


def on_loopback(host: str) -> bool:
    """Whether *host*, as an address or as ``localhost``, is this machine, so that it can reach the listener."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
