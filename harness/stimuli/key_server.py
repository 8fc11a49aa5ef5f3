"""A JWKS server of ours, for a service that is configured to fetch its keys from us."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from harness.errors import CannotJudge
from harness.model.exchange import ClientView
from harness.pki.jwk import public_jwk
from harness.stimuli.attacker_listener import QuietServer

_PATIENCE = 20.0

Json = Mapping[str, Any]


def among_others(key: Json) -> list[Json]:
    """*key* among keys of kinds that a verifier need not know, and should pass over (RFC 7517 section 5).

    An issuer that signs with several algorithms, or gets ready for the next one, publishes such a set.
    """
    edwards = public_jwk(ed25519.Ed25519PrivateKey.generate().public_key())
    koblitz = public_jwk(ec.generate_private_key(ec.SECP256K1()).public_key())
    return [
        {**edwards, "kid": "neighbour-ed25519", "use": "sig"},
        {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA", "kid": "neighbour-ml-dsa", "use": "sig"},
        key,
        {**koblitz, "kid": "neighbour-secp256k1", "use": "sig", "alg": "ES256K"},
        {"kty": "hopproof", "kid": "neighbour-unknown", "use": "sig"},
    ]


class KeyServer:
    """A JWKS server of ours on loopback.  It answers every GET with *key* and, while ``crowded``, with keys of unknown
    kinds around it; ``asked`` says whether one came."""

    def __init__(self, listen: str, key: Json, tls: ssl.SSLContext | None) -> None:
        host, _, port = listen.rpartition(":")
        self._alone = json.dumps({"keys": [key]}).encode()
        self._crowd = json.dumps({"keys": among_others(key)}).encode()
        self.crowded = False
        self.mixed_key_set: dict[str, ClientView] = {}
        """By flow, the response to a good request for which the mixed key set was fetched."""
        self.fetched = 0
        try:
            self._server = QuietServer((host, int(port)), self._handler())
        except (OSError, OverflowError) as error:
            raise CannotJudge(
                f"the JWKS server cannot listen on {listen}: {getattr(error, 'strerror', None) or error}",
                hint="choose another tokens.jwks.listen",
            ) from error
        self.port: int = self._server.server_address[1]
        if tls:
            # The handshake is left to each connection's own thread, or one that is mute would keep all others out.
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, name="jwks", daemon=True)
        self._thread.start()

    @property
    def asked(self) -> bool:
        """Whether the keys have been fetched yet."""
        return self.fetched > 0

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _document(self) -> bytes:
        self.fetched += 1
        return self._crowd if self.crowded else self._alone

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        document = self._document

        class Handler(BaseHTTPRequestHandler):
            timeout = _PATIENCE

            def do_GET(self) -> None:
                body = document()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
                """Say nothing on the terminal."""

        return Handler
