"""Where a target's tokens come from: a key we hold, a JWKS server of ours, or a source of tokens signed elsewhere."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from harness.errors import CannotJudge, UsageError
from harness.lab.credentials import private_key_password, signing_key
from harness.lab.targetfile import TargetFile
from harness.lab.tokensources import check_source, published_keys, token_source
from harness.wire.given import BorrowedMint, ServiceMint
from harness.wire.pki import key_id, public_jwk
from harness.wire.tokens import Mint

_LIFETIME = 300
_PATIENCE = 20.0

Json = dict[str, Any]


class _Server(ThreadingHTTPServer):
    # The base class asks the resolver for our own name, which may be slow, or worse; nobody wants to know it.
    server_bind = TCPServer.server_bind

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing on the terminal: whoever broke off, or did not trust us, tells it at their end."""


class KeyServer:
    """A JWKS server of ours on loopback.  It answers every GET with the one key; ``asked`` says whether one came."""

    def __init__(self, listen: str, key: rsa.RSAPrivateKey, kid: str, tls: ssl.SSLContext | None) -> None:
        host, _, port = listen.rpartition(":")
        public = {**public_jwk(key.public_key()), "use": "sig", "alg": "RS256", "kid": kid}
        document = json.dumps({"keys": [public]}).encode()
        self._asked = asked = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            timeout = _PATIENCE

            def do_GET(self) -> None:
                asked.set()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(document)))
                self.end_headers()
                self.wfile.write(document)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
                """Say nothing on the terminal."""

        try:
            self._server = _Server((host, int(port)), Handler)
        except (OSError, OverflowError) as error:
            raise CannotJudge(
                f"the JWKS server cannot listen on {listen}: {getattr(error, 'strerror', None) or error}",
                attempt="choose another tokens.jwks.listen",
            ) from error
        self.port: int = self._server.server_address[1]
        if tls:
            # The handshake is left to each connection's own thread, or one that is mute would keep all others out.
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, name="jwks", daemon=True)
        self._thread.start()

    @property
    def asked(self) -> bool:
        """Whether anybody has fetched the keys yet."""
        return self._asked.is_set()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def check_sources(target: TargetFile) -> None:
    """Raises :class:`UsageError` for a token source that cannot be used; listens and connects nowhere."""
    tokens = target.tokens
    if "signing_key" in tokens:
        signing_key(target.private_key(tokens, "signing_key"), "tokens.signing_key")
    if "jwks" in tokens:
        signing_key(target.private_key(tokens["jwks"], "signing_key"), "tokens.jwks.signing_key")
        _server_context(target, tokens["jwks"])
    check_source(target)
    if isinstance(tokens.get("keys"), str):
        _public_keys(target)
    try:
        json.dumps(tokens.get("claims", {}))
    except TypeError as error:
        text = f"tokens.claims: only what JSON has ({error}); put a date into quotes"
        raise UsageError(text, where=str(target.file)) from error


def open_mint(target: TargetFile) -> tuple[Mint, KeyServer | None]:
    """The mint that *target*'s tokens section describes, and the JWKS server it needs, if any.

    Raises :class:`UsageError` for files that cannot be used, CannotJudge where the server cannot listen.
    """
    tokens = target.tokens
    claims, lifetime = tokens.get("claims", {}), tokens.get("lifetime", _LIFETIME)
    if "signing_key" in tokens:
        key = signing_key(target.private_key(tokens, "signing_key"), "tokens.signing_key")
        return ServiceMint(key, claims, tokens.get("kid"), lifetime), None
    if "jwks" in tokens:
        row = tokens["jwks"]
        key = signing_key(target.private_key(row, "signing_key"), "tokens.jwks.signing_key")
        kid = tokens.get("kid", key_id(key.public_key()))
        server = KeyServer(row["listen"], key, kid, _server_context(target, row))
        return ServiceMint(key, claims, kid, lifetime), server
    return BorrowedMint(token_source(target), claims, _public_keys(target)), None


def _public_keys(target: TargetFile) -> dict[str, rsa.RSAPublicKey]:
    if "keys" not in target.tokens:
        return {}
    keys = target.tokens["keys"]
    where = keys["url"] if isinstance(keys, dict) else str(target.place(keys))
    try:
        text = published_keys(target) if isinstance(keys, dict) else target.place(keys).read_bytes()
        found = jwt.PyJWKSet.from_json(text.decode("utf-8")).keys
    except (OSError, ValueError, KeyError, TypeError, AttributeError, jwt.PyJWTError) as error:
        raise UsageError("tokens.keys holds no JWK set", where=where) from error
    return {str(item.key_id or ""): item.key for item in found if isinstance(item.key, rsa.RSAPublicKey)}


def _server_context(target: TargetFile, row: Mapping[str, Any]) -> ssl.SSLContext | None:
    if "certificate" not in row:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate, private = target.place(row["certificate"]), target.private_key(row, "key")
    # An empty password keeps OpenSSL from asking for one on the terminal.
    password = private_key_password(private, "tokens.jwks.key") or b""
    try:
        context.load_cert_chain(certificate, private.secret.file, password)
    except (OSError, ValueError) as error:
        told = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        text = f"tokens.jwks: certificate and key cannot be used: {told}"
        raise UsageError(text, where=f"{certificate}, {private.secret.file}") from error
    return context
