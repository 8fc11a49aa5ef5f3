"""A strict verifier of tokens as somebody else might have written it, with a place for one fault.

Nothing of Hopproof's own is used: parsing, verification and the HTTPS server are this file's.
"""

from __future__ import annotations

import base64
import hmac
import json
import math
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ISSUER, AUDIENCE, KID = "https://sts.ecomm.test/", "orders", "Key-1"
Members = dict[str, Any]


class Bad(Exception):
    """The token is refused."""


def octets(segment: str) -> bytes:
    """The octets of a canonical base64url *segment*."""
    found = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    if base64.urlsafe_b64encode(found).rstrip(b"=").decode() != segment:
        raise Bad("encoding")
    return found


def members(octets_: bytes) -> Members:
    """The JSON object in *octets_*."""
    found = json.loads(octets_.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_unique)
    if not isinstance(found, dict) or not octets_.startswith(b"{"):
        raise Bad("no object")
    return found


def _no_constant(text: str) -> Any:
    raise Bad(text)


def _unique(pairs: list[tuple[str, Any]]) -> Members:
    if len(dict(pairs)) != len(pairs):
        raise Bad("a name twice")
    return dict(pairs)


def number(value: Any) -> float:
    """*value* as a NumericDate."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Bad("no number")
    return float(value)


def hmac_fits(secret: bytes, signed: bytes, signature: bytes, alg: object) -> bool:
    """Whether *signature* is the HMAC under *secret* that *alg* names."""
    return str(alg) in ("HS256", "HS384", "HS512") and hmac.compare_digest(
        hmac.digest(secret, signed, f"sha{str(alg)[2:]}"), signature
    )


class Verifier:
    """Right in everything; a subclass gets one method wrong."""

    clock: Callable[[], float] = staticmethod(time.time)

    def __init__(self, key: Any, alg: str) -> None:
        self.key, self.alg = key, alg

    def pem(self) -> bytes:
        """The key as PEM (SPKI)."""
        return bytes(self.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    def token(self, fields: Mapping[str, list[str]], query: str) -> str:
        """The token that a request carries."""
        values = fields.get("authorization", [])
        scheme, _, token = (values[0] if len(values) == 1 else "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Bad("no token")
        return token

    def verify(self, token: str) -> None:
        """Raises for a token that is not good."""
        if not re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", token, re.ASCII):
            raise Bad("form")
        head, payload, signature = token.split(".")
        header = members(octets(head))
        self.header(header)
        self.signature(header, f"{head}.{payload}".encode(), octets(signature))
        claims = self.claims(octets(payload))
        self.times(claims)
        self.issuer(claims.get("iss"))
        self.audience(claims.get("aud"))

    def claims(self, payload: bytes) -> Members:
        """The claims in *payload*."""
        return members(payload)

    def header(self, header: Members) -> None:
        """Algorithm, extensions, key id."""
        if header.get("alg") != self.alg or "crit" in header or header.get("kid") != KID:
            raise Bad("header")

    def signature(self, header: Members, signed: bytes, signature: bytes) -> None:
        """The signature, by the one key."""
        self.check(self.key, self.alg, signed, signature)

    def check(self, key: Any, alg: str, signed: bytes, signature: bytes) -> None:
        """The signature, by *key*."""
        if not jwt.get_algorithm_by_name(alg).verify(signed, key, signature):
            raise Bad("signature")

    def times(self, claims: Members) -> None:
        """exp, nbf, iat."""
        if number(claims["exp"]) <= self.clock():
            raise Bad("exp")
        if "nbf" in claims and number(claims["nbf"]) > self.clock():
            raise Bad("nbf")
        number(claims.get("iat", 0))

    def issuer(self, issuer: Any) -> None:
        """Exactly the right one."""
        if issuer != ISSUER:
            raise Bad("iss")

    def audience(self, audience: Any) -> None:
        """The right one, alone or among strings."""
        named = audience if isinstance(audience, list) else [audience]
        if AUDIENCE not in named or not all(isinstance(item, str) for item in named):
            raise Bad("aud")


class _Server(ThreadingHTTPServer):
    server_bind = TCPServer.server_bind
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(verifier: Verifier, certificate: Path) -> Iterator[int]:
    """The port of an HTTPS service on loopback that asks *verifier* of each GET; *certificate* is key and chain."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            fields: dict[str, list[str]] = {}
            for name, value in self.headers.items():
                fields.setdefault(name.lower(), []).append(value)
            try:
                verifier.verify(verifier.token(fields, query))
                status = 200 if path == "/" else 404
            except Exception:  # whatever goes wrong with a token, it is refused
                status = 401
            self.send_response(status)
            if status == 401:
                self.send_header("WWW-Authenticate", "Bearer")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            """Say nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = _Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
