"""The external identity provider: gives end users' clients tokens, self-contained or as references, introspects and
revokes them (RFC 7662, RFC 7009), and publishes its keys.

Like the document's sample it offers the grant ``password``.  A client's registration decides which kind of token it
gets.
"""

from __future__ import annotations

import hmac
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.subsystems.microservices.oauth import (
    INTROSPECTION_PATH,
    KEYS_PATH,
    REVOCATION_PATH,
    TOKEN_PATH,
    Clients,
    IssuerKeys,
    OAuthError,
    form_of,
)
from harness.subsystems.server.application import Application, HttpResponse, nothing_here
from harness.subsystems.server.connection_record import HttpRequest
from harness.subsystems.server.jwks import parse_keys, signed_by_published_key
from harness.subsystems.server.jws import parse
from harness.subsystems.server.kind import Making
from harness.subsystems.server.rejection import Rejected

LIFETIME = 300
_DISCLOSED = ("iss", "sub", "aud", "client_id", "exp", "iat", "jti")


@dataclass(frozen=True)
class Provider:
    """An identity provider's configuration: issuer, folder of its keys, audience of its tokens, clients with the names
    of their secrets, the clients that get reference tokens, and users with their passwords."""

    issuer: str
    keys: str
    audience: str
    clients: Mapping[str, str]
    references: frozenset[str]
    users: Mapping[str, str]


class IdentityProvider(Application):
    """``POST /oauth2/{token,introspect,revoke}`` and ``GET /oauth2/jwks`` of *provider*."""

    def __init__(self, making: Making, provider: Provider) -> None:
        self._slips, self._clock, self._provider = making.rules.slips, making.clock, provider
        self._keys = IssuerKeys(making.folder)
        self._clients = Clients(making.folder, provider.clients)
        self._references: dict[str, dict[str, Any]] = {}
        self._revoked: set[str] = set()

    def act(self, ask: HttpRequest) -> HttpResponse:
        """Answer a request of a client, or publish the keys."""
        if ask.method == "GET" and ask.path == KEYS_PATH:
            return HttpResponse(200, self._keys.key_set(self._provider.keys))
        answers = {TOKEN_PATH: self._token, INTROSPECTION_PATH: self._introspect, REVOCATION_PATH: self._revoke}
        if ask.method != "POST" or ask.path not in answers:
            raise nothing_here(ask)
        try:
            return answers[ask.path](ask, form_of(ask))
        except OAuthError as error:
            return error.response("identity-provider")

    def _token(self, ask: HttpRequest, form: Mapping[str, str]) -> HttpResponse:
        client = self._clients.authenticated(ask, form)
        if form.get("grant_type") != "password":
            raise OAuthError("unsupported_grant_type", "only the grant password is offered")
        user, given = form.get("username", ""), form.get("password", "")
        if not hmac.compare_digest(self._provider.users.get(user, "").encode() or b"\0", given.encode()):
            raise OAuthError("invalid_grant", "user and password do not match")
        now = int(self._clock.now())
        claims = {
            "iss": self._provider.issuer,
            "sub": user,
            "aud": form.get("resource", self._provider.audience),
            "client_id": client,
            "jti": str(uuid.uuid4()),
            "iat": now,
            "exp": now + LIFETIME,
        }
        token = self._refer(claims) if client in self._provider.references else self._sign(claims)
        return HttpResponse(200, {"access_token": token, "token_type": "Bearer", "expires_in": LIFETIME})

    def _sign(self, claims: Mapping[str, Any]) -> str:
        return self._keys.signed(self._provider.keys, claims)

    def _refer(self, claims: dict[str, Any]) -> str:
        reference = secrets.token_urlsafe(32)
        self._references[reference] = claims
        return reference

    def _introspect(self, ask: HttpRequest, form: Mapping[str, str]) -> HttpResponse:
        """RFC 7662: whether a token is active; claims are disclosed of active tokens only."""
        if "idp-introspects-for-anybody" not in self._slips:
            self._clients.authenticated(ask, form)
        claims = self._claims(form.get("token", ""))
        if claims is None or claims["exp"] <= self._clock.now():
            return HttpResponse(200, {"active": False})
        return HttpResponse(200, {"active": True, **{name: claims[name] for name in _DISCLOSED if name in claims}})

    def _claims(self, token: str) -> Mapping[str, Any] | None:
        """The claims of a token that this provider issued; None for any other, and for a revoked one."""
        if token in self._revoked and "idp-forgets-revocations" not in self._slips:
            return None
        if token in self._references:
            return self._references[token]
        try:
            found = parse(token)
            signed_by_published_key(found, parse_keys(self._keys.key_set(self._provider.keys)))
        except Rejected:
            return None
        return found.claims if isinstance(found.claims.get("exp"), int) else None

    def _revoke(self, ask: HttpRequest, form: Mapping[str, str]) -> HttpResponse:
        """RFC 7009: a client revokes its own token; an unknown token gets the same response (section 2.2)."""
        client, token = self._clients.authenticated(ask, form), form.get("token", "")
        if (self._claims(token) or {}).get("client_id") == client:
            self._revoked.add(token)
        return HttpResponse(200, {})
