"""Shared by the OAuth servers: errors, form parameters, client authentication, issuers' keys."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from harness.errors import UsageError
from harness.subsystems.server.application import HttpResponse
from harness.subsystems.server.certificates import read_file
from harness.subsystems.server.connection_record import HttpRequest
from harness.subsystems.server.jwks import ALGORITHM, parse_keys

TOKEN_PATH, KEYS_PATH, INTROSPECTION_PATH = "/oauth2/token", "/oauth2/jwks", "/oauth2/introspect"
REVOCATION_PATH = "/oauth2/revoke"
GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
TYPES = "urn:ietf:params:oauth:token-type:"
JWT_TYPE, ACCESS_TOKEN = f"{TYPES}jwt", f"{TYPES}access_token"


class OAuthError(Exception):
    """An error of RFC 6749 section 5.2 or RFC 8693 section 2.2.2."""

    def __init__(self, code: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.code, self.description, self.status = code, description, status

    def response(self, realm: str) -> HttpResponse:
        """The response to it."""
        challenge = (("WWW-Authenticate", f'Basic realm="{realm}"'),) if self.status == 401 else ()
        return HttpResponse(self.status, {"error": self.code, "error_description": self.description}, challenge)


def form_of(ask: HttpRequest) -> dict[str, str]:
    """The parameters of a token request; a repeated one is an error (RFC 6749 section 3.2)."""
    pairs = parse_qsl(ask.body.decode("utf-8", "replace"), keep_blank_values=True)
    form = dict(pairs)
    if len(form) != len(pairs):
        raise OAuthError("invalid_request", "a parameter is repeated")
    return {name: value for name, value in form.items() if value}


def client_secret(folder: Path, secret: str) -> str:
    """A client's secret: the digest of the key file that client and server share."""
    return hashlib.sha256(read_file(folder / "secrets" / secret / "tls.key")).hexdigest()


def basic(name: str, secret: str) -> str:
    """The Authorization value of a client (RFC 6749 section 2.3.1)."""
    return f"Basic {base64.b64encode(f'{name}:{secret}'.encode()).decode()}"


@dataclass(frozen=True)
class Clients:
    """Registered clients by name, each with its secret's name.  ``any_secret`` and ``any_certificate`` are faults that
    skip client authentication."""

    folder: Path
    secrets: Mapping[str, str]
    any_secret: bool = False
    any_certificate: bool = False

    def authenticated(self, ask: HttpRequest, form: Mapping[str, str]) -> str:
        """The client that authenticates with its secret (RFC 6749 section 2.3.1) or its certificate (RFC 8705)."""
        if not ask.authorization and "client_id" in form:
            return self._by_certificate(form["client_id"], ask.certificate)
        name, secret = _basic(ask)
        if name not in self.secrets:
            raise OAuthError("invalid_client", "unknown client", 401)
        same = hmac.compare_digest(client_secret(self.folder, self.secrets[name]).encode(), secret.encode())
        if not same and not self.any_secret:
            raise OAuthError("invalid_client", "wrong client secret", 401)
        return name

    def _by_certificate(self, name: str, certificate: x509.Certificate | None) -> str:
        """RFC 8705 section 2.1: a certificate of the CA with the subject registered for the client."""
        if name not in self.secrets or certificate is None:
            raise OAuthError("invalid_client", "client authentication is missing", 401)
        named = [str(item.value) for item in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
        if named != [self.secrets[name]] and not self.any_certificate:
            raise OAuthError("invalid_client", "the certificate is not the one registered for this client", 401)
        return name


def _basic(ask: HttpRequest) -> tuple[str, str]:
    scheme, _, encoded = (ask.authorization[0].decode("latin-1") if ask.authorization else "").partition(" ")
    if scheme.lower() != "basic":
        raise OAuthError("invalid_client", "client authentication is missing", 401)
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError) as error:
        raise OAuthError("invalid_client", "the credentials are not readable", 401) from error
    return unquote_plus(name), unquote_plus(secret)


@dataclass(frozen=True)
class IssuerKeys:
    """The keys of issuers: each has its own folder under ``jwt`` in the deployment's *folder*."""

    folder: Path

    def key_set(self, issuer: str) -> bytes:
        """The JWK set that *issuer* publishes."""
        return read_file(self.folder / "jwt" / issuer / "jwks.json")

    def signed(self, issuer: str, claims: Mapping[str, Any]) -> str:
        """*claims* as a token of *issuer*."""
        key = load_pem_private_key(read_file(self.folder / "jwt" / issuer / "signing.key"), None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise UsageError(f"jwt/{issuer}/signing.key is not an RSA key")
        published = parse_keys(self.key_set(issuer))
        kid = next(kid for kid, entry in published.items() if entry.key == key.public_key())
        return jwt.encode(dict(claims), key, algorithm=ALGORITHM, headers={"kid": kid})
