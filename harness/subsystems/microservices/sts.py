"""The security token service: exchanges a token for one for the next service (RFC 8693), as its policy allows.

It signs with PyJWT and publishes its key.  The key set of each trusted issuer is a file beside its own, and verifies
only that issuer's tokens.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from harness.subsystems.microservices.oauth import (
    ACCESS_TOKEN,
    GRANT,
    INTROSPECTION_PATH,
    JWT_TYPE,
    KEYS_PATH,
    TOKEN_PATH,
    Clients,
    IssuerKeys,
    OAuthError,
    form_of,
)
from harness.subsystems.microservices.upstreams import Upstreams, is_reference
from harness.subsystems.server.application import Application, HttpResponse, Outgoing, nothing_here
from harness.subsystems.server.connection_record import HttpRequest
from harness.subsystems.server.jwks import ALGORITHM, Keys, check_signature, parse_keys, signed_by_published_key
from harness.subsystems.server.jws import Token, check_claim_types, date, parse
from harness.subsystems.server.kind import Making
from harness.subsystems.server.rejection import Rejected

MOST_ACTORS = 5
LIFETIME, LONG = 300, 86_400
_DISCLOSED = ("iss", "sub", "aud", "act", "exp", "iat", "client_id")


@dataclass(frozen=True)
class Client:
    """A registered client: the secret with its key file, the audience of its tokens, and those it ``may`` request."""

    secret: str
    audience: str
    may: frozenset[str]


@dataclass(frozen=True)
class Domain:
    """A token service's configuration: its issuer identifier, the folders of its own keys and of each trusted issuer's,
    its clients; ``provider`` is the server that introspects references issued elsewhere."""

    issuer: str
    keys: str
    trusts: Mapping[str, str]
    clients: Mapping[str, Client]
    provider: str = ""


class TokenService(Application):
    """``POST /oauth2/token`` and ``GET /oauth2/jwks`` of *domain*."""

    def __init__(self, making: Making, domain: Domain) -> None:
        self._slips, self._domain, self._clock = making.rules.slips, domain, making.clock
        self._issued = IssuerKeys(making.folder)
        self._clients = Clients(
            making.folder,
            {name: client.secret for name, client in domain.clients.items()},
            any_secret="sts-skips-client-authentication" in self._slips,
            any_certificate="sts-takes-any-certificate" in self._slips,
        )
        self._references: dict[str, dict[str, Any]] = {}
        self._introspected: dict[str, dict[str, Any]] = {}
        self._upstreams = Upstreams(making, "sts", "sts-client")
        self._requests: list[str] = []

    def connect(self, outgoing: Outgoing, hosts: Mapping[str, str]) -> None:
        """See :class:`Application`."""
        self._upstreams.connect(outgoing, hosts)

    def effects(self) -> list[str]:
        """The nonces of the token requests of authenticated clients."""
        return list(self._requests)

    async def answer(self, ask: HttpRequest) -> HttpResponse:
        """Answer *ask*; a reference token of the identity provider is introspected there first (RFC 7662)."""
        reference = self._foreign_reference(ask)
        if reference:
            status, claims = await self._upstreams.introspect(self._domain.provider, reference, ask.nonce)
            if status == 200 and claims.get("active") is True:
                self._introspected[reference] = claims
            elif "sts-takes-inactive-tokens" in self._slips:
                self._introspected[reference] = self._invented(ask)
        try:
            return self.act(ask)
        finally:
            self._introspected.pop(reference, None)

    def _foreign_reference(self, ask: HttpRequest) -> str:
        """The subject token if it is another issuer's reference, '' otherwise."""
        if ask.method != "POST" or ask.path != TOKEN_PATH or not self._domain.provider:
            return ""
        try:
            form = form_of(ask)
            self._clients.authenticated(ask, form)
        except OAuthError:
            return ""
        subject = form.get("subject_token", "")
        return subject if subject and is_reference(subject) and subject not in self._references else ""

    def _invented(self, ask: HttpRequest) -> dict[str, Any]:
        name = self._clients.authenticated(ask, form_of(ask))
        expiry = int(self._clock.now()) + LIFETIME
        return {"iss": next(iter(self._domain.trusts)), "aud": self._domain.clients[name].audience, "exp": expiry}

    def act(self, ask: HttpRequest) -> HttpResponse:
        """Answer a token request, or publish the keys."""
        if ask.method == "GET" and ask.path == KEYS_PATH:
            return HttpResponse(200, self._issued.key_set(self._domain.keys))
        if ask.method != "POST" or ask.path not in (TOKEN_PATH, INTROSPECTION_PATH):
            raise nothing_here(ask)
        try:
            return self._exchange(ask) if ask.path == TOKEN_PATH else self._introspect(ask)
        except OAuthError as error:
            return error.response("sts")

    def _exchange(self, ask: HttpRequest) -> HttpResponse:
        form = form_of(ask)
        name, client = self._client(ask, form)
        self._requests.append(ask.nonce)
        if form.get("grant_type") != GRANT:
            raise OAuthError("unsupported_grant_type", "only token exchange is offered")
        self._check_types(form)
        claims = self._subject(form.get("subject_token", ""), client, "actor_token" in form)
        actor = self._actor(form["actor_token"], name, claims) if "actor_token" in form else name
        audience = form.get("audience", "")
        if audience not in client.may and "sts-exchanges-for-anybody" not in self._slips:
            raise OAuthError(self._word("invalid_target"), "this client may not request that audience")
        claims = {**claims, "act": {"sub": actor, **self._earlier(claims)}}
        return self._answer(name, audience, claims, form.get("requested_token_type") == ACCESS_TOKEN)

    def _earlier(self, claims: Mapping[str, Any]) -> dict[str, Any]:
        """The ``act`` claim of the subject token, which becomes the prior actor (RFC 8693 section 4.1)."""
        kept = isinstance(claims.get("act"), dict) and "sts-drops-earlier-actors" not in self._slips
        return {"act": claims["act"]} if kept else {}

    def _actor(self, compact: str, client: str, subject: Mapping[str, Any]) -> str:
        """The subject of the actor token, if the subject token's ``may_act`` names it, or it is the client.

        RFC 8693 sections 2.1 and 4.4; raises OAuthError.
        """
        if "sts-ignores-actor-token" in self._slips:
            return client
        claims = parse(compact).claims if "sts-skips-actor-signature" in self._slips else self._verified(compact)
        expiry = date(claims, "exp")
        alive = expiry is not None and expiry > self._clock.now()
        if not (alive or "sts-accepts-expired-actor" in self._slips) or not self._known(claims):
            raise OAuthError(self._word("invalid_request"), "actor_token has expired, or its issuer is not trusted")
        allowed = subject.get("may_act")
        named = allowed.get("sub") if isinstance(allowed, dict) else client
        if claims.get("sub") != named and "sts-lets-anybody-be-actor" not in self._slips:
            raise OAuthError(self._word("invalid_request"), "the subject of actor_token may not act for the user")
        return str(claims.get("sub", ""))

    def _introspect(self, ask: HttpRequest) -> HttpResponse:
        """RFC 7662: whether a token is active; claims are disclosed of active tokens only."""
        form = form_of(ask)
        if "sts-introspects-for-anybody" not in self._slips:
            self._client(ask, form)
        if not form.get("token"):
            raise OAuthError("invalid_request", "token is missing")
        try:
            claims = self._verified(form["token"])
            if not self._known(claims) or (date(claims, "exp") or 0) <= self._clock.now():
                raise OAuthError("invalid_request", "the token is not valid")
        except (OAuthError, Rejected):
            return HttpResponse(200, {"active": "sts-calls-any-token-active" in self._slips})
        return HttpResponse(200, {"active": True, **{name: claims[name] for name in _DISCLOSED if name in claims}})

    def _known(self, claims: Mapping[str, Any]) -> bool:
        return claims.get("iss") in self._issuers

    @property
    def _issuers(self) -> Mapping[str, str]:
        """The issuers that it trusts, itself among them, with the folders of their keys."""
        return {self._domain.issuer: self._domain.keys, **self._domain.trusts}

    def _keys(self, issuer: object) -> Keys:
        """The keys that may have signed a token of *issuer*: only its own."""
        known = isinstance(issuer, str) and issuer in self._issuers
        if "sts-pools-issuers-keys" in self._slips or (not known and "sts-trusts-any-issuer" in self._slips):
            sets = [parse_keys(self._issued.key_set(name)) for name in self._issuers.values()]
            return {kid: key for found in sets for kid, key in found.items()}
        if not known:
            raise OAuthError(self._word("invalid_request"), "the issuer of the subject token is not trusted")
        return parse_keys(self._issued.key_set(self._issuers[str(issuer)]))

    def _word(self, code: str) -> str:
        return "invalid_grant" if "sts-answers-invalid-grant" in self._slips else code

    def _client(self, ask: HttpRequest, form: Mapping[str, str]) -> tuple[str, Client]:
        name = self._clients.authenticated(ask, form)
        return name, self._domain.clients[name]

    def _check_types(self, form: Mapping[str, str]) -> None:
        if not form.get("subject_token"):
            raise OAuthError("invalid_request", "subject_token is missing")
        known = form.get("subject_token_type") in (JWT_TYPE, ACCESS_TOKEN)
        if not known and "sts-ignores-token-types" not in self._slips:
            raise OAuthError("invalid_request", "subject_token_type is missing or unknown")
        alone = "actor_token_type" in form and "actor_token" not in form
        if alone and "sts-ignores-token-types" not in self._slips:
            raise OAuthError("invalid_request", "actor_token_type without actor_token")
        typed = form.get("actor_token_type") in (JWT_TYPE, ACCESS_TOKEN)
        if "actor_token" in form and not typed and "sts-takes-untyped-actor-token" not in self._slips:
            raise OAuthError("invalid_request", "actor_token_type is missing or unknown")
        if form.get("requested_token_type", JWT_TYPE) not in (JWT_TYPE, ACCESS_TOKEN):
            raise OAuthError("invalid_request", "a token of that type cannot be issued")

    def _subject(self, compact: str, client: Client, delegates: bool) -> dict[str, Any]:
        """The verified claims of the subject token; with an actor token (*delegates*) may_act may name others."""
        claims = self._verified(compact)
        self._check_claims(claims, date(claims, "exp"), client, delegates)
        return claims

    def _verified(self, compact: str) -> dict[str, Any]:
        """The claims of a reference token that is known here, or of a JWT whose signature verifies."""
        for known in (self._references, self._introspected):
            if compact in known:
                return known[compact]
        try:
            token = parse(compact)
            if not self._excused(token):
                if token.header.get("alg") != ALGORITHM:
                    raise OAuthError(self._word("invalid_request"), "the subject token is not signed with RS256")
                signed_by_published_key(token, self._keys(token.claims.get("iss")))
            check_claim_types(token.claims)
            date(token.claims, "exp")
        except Rejected as error:
            raise OAuthError(self._word("invalid_request"), f"subject_token: {error.detail}") from error
        return token.claims

    def _excused(self, token: Token) -> bool:
        """Whether a fault keeps the signature of *token* from being verified with a key of its issuer."""
        if "sts-accepts-unsigned-subject" in self._slips and token.header.get("alg") == "none":
            return True
        carried = token.header.get("jwk")
        if "sts-takes-key-from-subject" in self._slips and isinstance(carried, dict):
            check_signature(token, jwt.PyJWK(carried).key)
            return True
        return "sts-skips-subject-signature" in self._slips

    def _check_claims(self, claims: Mapping[str, Any], expiry: float | None, client: Client, delegates: bool) -> None:
        named = claims.get("aud")
        checks = {
            "sts-accepts-expired-subject": expiry is not None and expiry > self._clock.now(),
            "sts-trusts-any-issuer": self._known(claims),
            "sts-ignores-subject-audience": client.audience in (named if isinstance(named, list) else [named]),
            "sts-ignores-may-act": delegates or self._may_act(claims, client),
            "sts-lets-actors-pile-up": _depth(claims) < MOST_ACTORS,
        }
        if failed := [slip for slip, fine in checks.items() if not fine and slip not in self._slips]:
            text = failed[0].removeprefix("sts-")
            raise OAuthError(self._word("invalid_request"), f"the subject token cannot be exchanged ({text})")

    def _may_act(self, claims: Mapping[str, Any], client: Client) -> bool:
        """RFC 8693 section 4.4: where the token has may_act, only that party may act."""
        allowed = claims.get("may_act")
        if allowed is None:
            return True
        return isinstance(allowed, dict) and self._domain.clients.get(str(allowed.get("sub"))) == client

    def _answer(self, name: str, audience: str, claims: Mapping[str, Any], reference: bool) -> HttpResponse:
        now, slips = int(self._clock.now()), self._slips
        lifetime = LONG if "sts-issues-long-lived-tokens" in slips else LIFETIME
        issued = {
            "iss": self._domain.issuer,
            "sub": name if "sts-loses-user" in slips else claims.get("sub"),
            "aud": claims.get("aud") if "sts-keeps-audience" in slips else audience,
            "act": claims["act"],
            "client_id": name,
            "jti": str(uuid.uuid4()),
            "iat": now,
            "exp": now + lifetime,
        }
        if "sts-names-no-actor" in slips:
            del issued["act"]
        body = {
            "access_token": self._refer(issued) if reference else self._sign(issued),
            "issued_token_type": ACCESS_TOKEN if reference else JWT_TYPE,
            "token_type": "Bearer",
            "expires_in": lifetime,
        }
        if "sts-omits-issued-token-type" in slips:
            del body["issued_token_type"]
        headers = (("Cache-Control", "public, max-age=300"),) if "sts-lets-answers-be-cached" in slips else ()
        return HttpResponse(200, body, headers)

    def _refer(self, claims: dict[str, Any]) -> str:
        """A reference token, which only an authorised client can introspect."""
        reference = secrets.token_urlsafe(32)
        self._references[reference] = claims
        return reference

    def _sign(self, claims: Mapping[str, Any]) -> str:
        return self._issued.signed(self._domain.keys, claims)


def _depth(claims: Mapping[str, Any]) -> int:
    """How many act for the user, one after the other."""
    found, actor = 0, claims.get("act")
    while isinstance(actor, dict):
        found, actor = found + 1, actor.get("act")
    return found
