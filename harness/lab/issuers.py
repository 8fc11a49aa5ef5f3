"""Where a target's tokens come from: a key we hold, a JWKS server of ours, a command, a token endpoint, a capture."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from harness.errors import LabError, UsageError
from harness.lab.credentials import signing_key
from harness.lab.targetfile import TargetFile
from harness.wire.given import BorrowedMint, ServiceMint
from harness.wire.pki import key_id, public_jwk
from harness.wire.tokens import Mint

_SECONDS = 20.0
_LIFETIME = 300

Json = dict[str, Any]


class KeyServer:
    """A JWKS server of ours on loopback.  ``url_path`` does not matter: it answers every GET with the one key."""

    def __init__(self, listen: str, key: rsa.RSAPrivateKey, kid: str, tls: tuple[str, str] | None) -> None:
        host, _, port = listen.rpartition(":")
        public = {**public_jwk(key.public_key()), "use": "sig", "alg": "RS256", "kid": kid}
        document = json.dumps({"keys": [public]}).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(document)))
                self.end_headers()
                self.wfile.write(document)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
                """Say nothing on the terminal."""

        try:
            self._server = ThreadingHTTPServer((host, int(port)), Handler)
        except OSError as error:
            raise LabError(
                f"the JWKS server cannot listen on {listen}: {error.strerror}",
                attempt="choose another tokens.jwks.listen",
            ) from error
        self.port: int = self._server.server_address[1]
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, name="jwks", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def check_sources(target: TargetFile) -> None:
    """Raises :class:`UsageError` for a token source that cannot be used; listens and connects nowhere."""
    tokens = target.tokens
    for key, value in {**tokens, **tokens.get("jwks", {})}.items():
        if key == "signing_key":
            signing_key(target.secret(value), f"tokens.{key}")
    if "captured" in tokens:
        target.secret(tokens["captured"]).read("tokens.captured")
    for name, value in tokens.get("endpoint", {}).get("form", {}).items():
        if not isinstance(value, str):
            target.secret(value).read(f"tokens.endpoint.form.{name}")
    _public_keys(target)


def open_mint(target: TargetFile) -> tuple[Mint, KeyServer | None]:
    """The mint that *target*'s tokens section describes, and the JWKS server it needs, if any.

    Raises :class:`UsageError` for files that cannot be used, LabError where the server cannot listen.
    """
    tokens = target.tokens
    claims, lifetime = tokens.get("claims", {}), tokens.get("lifetime", _LIFETIME)
    if "signing_key" in tokens:
        key = signing_key(target.secret(tokens["signing_key"]), "tokens.signing_key")
        return ServiceMint(key, claims, tokens.get("kid"), lifetime), None
    if "jwks" in tokens:
        row = tokens["jwks"]
        key = signing_key(target.secret(row["signing_key"]), "tokens.jwks.signing_key")
        kid = tokens.get("kid", key_id(key.public_key()))
        tls = (str(target.place(row["certificate"])), str(target.place(row["key"]))) if "certificate" in row else None
        return ServiceMint(key, claims, kid, lifetime), KeyServer(row["listen"], key, kid, tls)
    return BorrowedMint(_fetcher(target), claims, _public_keys(target)), None


def _fetcher(target: TargetFile) -> Callable[[], str] | None:
    tokens = target.tokens
    if "captured" in tokens:
        captured = target.secret(tokens["captured"]).read("tokens.captured").decode("ascii", "replace").strip()
        return lambda: captured
    if "command" in tokens:
        return lambda: _from_command(tokens["command"])
    if "endpoint" in tokens:
        return lambda: _from_endpoint(target, tokens["endpoint"])
    return None


def _from_command(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=True)  # noqa: S603 - the user's own
    except (OSError, subprocess.SubprocessError) as error:
        raise LabError(f"tokens.command gives no token: {type(error).__name__}", where=command[0]) from error
    return done.stdout.decode("ascii", "replace")


def _from_endpoint(target: TargetFile, row: Mapping[str, Any]) -> str:
    # A bare string in a form is meant as it stands (grant_type, scope); only what is secret points elsewhere.
    form = {
        name: value
        if isinstance(value, str)
        else target.secret(value).read(f"tokens.endpoint.form.{name}").decode().strip()
        for name, value in row.get("form", {}).items()
    }
    verify = ssl.create_default_context(cafile=str(target.place(row["ca"])) if "ca" in row else None)
    try:
        answer = httpx.post(row["url"], data=form, verify=verify, timeout=_SECONDS, trust_env=False)
        answer.raise_for_status()
        return str(answer.json()[row.get("field", "access_token")])
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        told = f"{error.response.status_code}" if isinstance(error, httpx.HTTPStatusError) else type(error).__name__
        raise LabError(f"the token endpoint gives no token: {told}", where=row["url"]) from error


def _public_keys(target: TargetFile) -> dict[str, rsa.RSAPublicKey]:
    if "keys" not in target.tokens:
        return {}
    file = target.place(target.tokens["keys"])
    try:
        found = jwt.PyJWKSet.from_json(file.read_text("utf-8")).keys
    except (OSError, ValueError, jwt.PyJWTError) as error:
        raise UsageError("tokens.keys holds no JWK set", where=str(file)) from error
    return {str(item.key_id or ""): item.key for item in found if isinstance(item.key, rsa.RSAPublicKey)}
