"""The security token service: exchanges a token for one for the next service (RFC 8693), as its policy allows.

It signs with PyJWT, with a key of its own that it publishes.  The key sets of the issuers that it trusts are files
beside its own, and each verifies the tokens of its issuer alone.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from harness.errors import UsageError
from harness.subsystems.server.application import Application, HttpResponse, nothing_here
from harness.subsystems.server.certificates import read_file
from harness.subsystems.server.connection_record import HttpRequest
from harness.subsystems.server.jwks import ALGORITHM, Keys, parse_keys, signed_by_published_key
from harness.subsystems.server.jws import check_claim_types, date, parse
from harness.subsystems.server.kind import Making
from harness.subsystems.server.rejection import Rejected

TOKEN_PATH, KEYS_PATH, INTROSPECTION_PATH = "/oauth2/token", "/oauth2/jwks", "/oauth2/introspect"
GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
TYPES = "urn:ietf:params:oauth:token-type:"
JWT_TYPE, ACCESS_TOKEN = f"{TYPES}jwt", f"{TYPES}access_token"
MOST_ACTORS = 5
LIFETIME, LONG = 300, 86_400
_TOLD = ("iss", "sub", "aud", "act", "exp", "iat", "client_id")


@dataclass(frozen=True)
class Client:
    """A client: its key file is its secret's; ``audience`` is what tokens for it name, ``may`` whom it may call."""

    secret: str
    audience: str
    may: frozenset[str]


@dataclass(frozen=True)
class Domain:
    """One token service: its issuer, the folder of its keys, the other issuers that it trusts with the folders of
    theirs, its clients."""

    issuer: str
    keys: str
    trusts: Mapping[str, str]
    clients: Mapping[str, Client]


class OAuthError(Exception):
    """An error of RFC 6749 section 5.2 or RFC 8693 section 2.2.2."""

    def __init__(self, code: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.code, self.description, self.status = code, description, status


class TokenService(Application):
    """``POST /oauth2/token`` and ``GET /oauth2/jwks`` of *domain*."""

    def __init__(self, making: Making, domain: Domain) -> None:
        self._folder, self._slips, self._domain, self._clock = making.folder, making.rules.slips, domain, making.clock
        self._references: dict[str, dict[str, Any]] = {}

    def act(self, ask: HttpRequest) -> HttpResponse:
        """Answer a token request, or publish the keys."""
        if ask.method == "GET" and ask.path == KEYS_PATH:
            return HttpResponse(200, self._key_set(self._domain.keys))
        if ask.method != "POST" or ask.path not in (TOKEN_PATH, INTROSPECTION_PATH):
            raise nothing_here(ask)
        try:
            return self._exchange(ask) if ask.path == TOKEN_PATH else self._introspect(ask)
        except OAuthError as error:
            body = {"error": error.code, "error_description": error.description}
            challenge = (("WWW-Authenticate", 'Basic realm="sts"'),) if error.status == 401 else ()
            return HttpResponse(error.status, body, challenge)

    def _exchange(self, ask: HttpRequest) -> HttpResponse:
        form = _form(ask)
        name, client = self._client(ask, form)
        if form.get("grant_type") != GRANT:
            raise OAuthError("unsupported_grant_type", "only token exchange is offered")
        self._check_types(form)
        claims = self._subject(form.get("subject_token", ""), client)
        audience = form.get("audience", "")
        if audience not in client.may and "sts-exchanges-for-anybody" not in self._slips:
            raise OAuthError(self._word("invalid_target"), "this client may not have a token for that audience")
        return self._answer(name, audience, claims, form.get("requested_token_type") == ACCESS_TOKEN)

    def _introspect(self, ask: HttpRequest) -> HttpResponse:
        """RFC 7662: whether a token is good now, and then what it says; a token that is not is told nothing of."""
        form = _form(ask)
        if "sts-introspects-for-anybody" not in self._slips:
            self._client(ask, form)
        if not form.get("token"):
            raise OAuthError("invalid_request", "token is missing")
        try:
            claims = self._verified(form["token"])
            if not self._known(claims) or (date(claims, "exp") or 0) <= self._clock.now():
                raise OAuthError("invalid_request", "the token is not good")
        except (OAuthError, Rejected):
            return HttpResponse(200, {"active": "sts-calls-any-token-active" in self._slips})
        return HttpResponse(200, {"active": True, **{name: claims[name] for name in _TOLD if name in claims}})

    def _known(self, claims: Mapping[str, Any]) -> bool:
        return claims.get("iss") in self._issuers

    @property
    def _issuers(self) -> Mapping[str, str]:
        """The issuers that it trusts, itself among them, with the folders of their keys."""
        return {self._domain.issuer: self._domain.keys, **self._domain.trusts}

    def _key_set(self, issuer: str) -> bytes:
        return read_file(self._folder / "jwt" / issuer / "jwks.json")

    def _keys(self, issuer: object) -> Keys:
        """The keys that may have signed a token of *issuer*: its own and nobody else's."""
        known = isinstance(issuer, str) and issuer in self._issuers
        if "sts-pools-issuers-keys" in self._slips or (not known and "sts-trusts-any-issuer" in self._slips):
            sets = [parse_keys(self._key_set(name)) for name in self._issuers.values()]
            return {kid: key for found in sets for kid, key in found.items()}
        if not known:
            raise OAuthError(self._word("invalid_request"), "the issuer of the subject token is not trusted")
        return parse_keys(self._key_set(self._issuers[str(issuer)]))

    def _word(self, code: str) -> str:
        return "invalid_grant" if "sts-answers-invalid-grant" in self._slips else code

    def _client(self, ask: HttpRequest, form: Mapping[str, str]) -> tuple[str, Client]:
        """The client that authenticates with its secret (RFC 6749 section 2.3.1) or its certificate (RFC 8705)."""
        if not ask.authorization and "client_id" in form:
            return self._by_certificate(form["client_id"], ask.certificate)
        name, secret = _basic(ask)
        client = self._domain.clients.get(name)
        if client is None:
            raise OAuthError("invalid_client", "unknown client", 401)
        key = read_file(self._folder / "secrets" / client.secret / "tls.key")
        same = hmac.compare_digest(hashlib.sha256(key).hexdigest().encode(), secret.encode())
        if not same and "sts-skips-client-authentication" not in self._slips:
            raise OAuthError("invalid_client", "wrong client secret", 401)
        return name, client

    def _by_certificate(self, name: str, certificate: x509.Certificate | None) -> tuple[str, Client]:
        """RFC 8705 section 2.1: the CA's certificate for the subject that is registered for the client."""
        client = self._domain.clients.get(name)
        if client is None or certificate is None:
            raise OAuthError("invalid_client", "the client does not authenticate", 401)
        named = [str(item.value) for item in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
        if named != [client.secret] and "sts-takes-any-certificate" not in self._slips:
            raise OAuthError("invalid_client", "the certificate is another client's", 401)
        return name, client

    def _check_types(self, form: Mapping[str, str]) -> None:
        if not form.get("subject_token"):
            raise OAuthError("invalid_request", "subject_token is missing")
        known = form.get("subject_token_type") in (JWT_TYPE, ACCESS_TOKEN)
        if not known and "sts-ignores-token-types" not in self._slips:
            raise OAuthError("invalid_request", "subject_token_type is missing or unknown")
        alone = "actor_token_type" in form and "actor_token" not in form
        if alone and "sts-ignores-token-types" not in self._slips:
            raise OAuthError("invalid_request", "actor_token_type without actor_token")
        if "actor_token" in form:
            raise OAuthError("invalid_request", "the client is the actor; actor_token is not accepted")
        if form.get("requested_token_type", JWT_TYPE) not in (JWT_TYPE, ACCESS_TOKEN):
            raise OAuthError("invalid_request", "a token of that type cannot be issued")

    def _subject(self, compact: str, client: Client) -> dict[str, Any]:
        """The claims of the subject token, once all that is asked of it holds."""
        claims = self._verified(compact)
        self._check_claims(claims, date(claims, "exp"), client)
        return claims

    def _verified(self, compact: str) -> dict[str, Any]:
        """The claims of a token that the STS has issued as a reference, or whose signature verifies."""
        if compact in self._references:
            return self._references[compact]
        try:
            token = parse(compact)
            if "sts-skips-subject-signature" not in self._slips:
                if token.header.get("alg") != ALGORITHM:
                    raise OAuthError(self._word("invalid_request"), "the subject token is not signed with RS256")
                signed_by_published_key(token, self._keys(token.claims.get("iss")))
            check_claim_types(token.claims)
            date(token.claims, "exp")
        except Rejected as error:
            raise OAuthError(self._word("invalid_request"), f"subject_token: {error.detail}") from error
        return token.claims

    def _check_claims(self, claims: Mapping[str, Any], expiry: float | None, client: Client) -> None:
        named = claims.get("aud")
        checks = {
            "sts-accepts-expired-subject": expiry is not None and expiry > self._clock.now(),
            "sts-trusts-any-issuer": self._known(claims),
            "sts-ignores-subject-audience": client.audience in (named if isinstance(named, list) else [named]),
            "sts-ignores-may-act": self._may_act(claims, client),
            "sts-lets-actors-pile-up": _depth(claims) < MOST_ACTORS,
        }
        if failed := [slip for slip, fine in checks.items() if not fine and slip not in self._slips]:
            text = failed[0].removeprefix("sts-")
            raise OAuthError(self._word("invalid_request"), f"the subject token cannot be exchanged ({text})")

    def _may_act(self, claims: Mapping[str, Any], client: Client) -> bool:
        """RFC 8693 section 4.4: where the token names who may act, nobody else may."""
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
            "act": {"sub": name, **({"act": claims["act"]} if isinstance(claims.get("act"), dict) else {})},
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
        """A reference token, which says nothing but to whoever may introspect it."""
        reference = secrets.token_urlsafe(32)
        self._references[reference] = claims
        return reference

    def _sign(self, claims: Mapping[str, Any]) -> str:
        key = load_pem_private_key(read_file(self._folder / "jwt" / self._domain.keys / "signing.key"), None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise UsageError(f"jwt/{self._domain.keys}/signing.key is not an RSA key")
        published = parse_keys(self._key_set(self._domain.keys))
        kid = next(kid for kid, entry in published.items() if entry.key == key.public_key())
        return jwt.encode(dict(claims), key, algorithm=ALGORITHM, headers={"kid": kid})


def _depth(claims: Mapping[str, Any]) -> int:
    """How many act for the user, one after the other."""
    found, actor = 0, claims.get("act")
    while isinstance(actor, dict):
        found, actor = found + 1, actor.get("act")
    return found


def _form(ask: HttpRequest) -> dict[str, str]:
    """The parameters of a token request; one that stands twice is an error (RFC 6749 section 3.2)."""
    pairs = parse_qsl(ask.body.decode("utf-8", "replace"), keep_blank_values=True)
    form = dict(pairs)
    if len(form) != len(pairs):
        raise OAuthError("invalid_request", "a parameter stands twice")
    return {name: value for name, value in form.items() if value}


def _basic(ask: HttpRequest) -> tuple[str, str]:
    scheme, _, encoded = (ask.authorization[0].decode("latin-1") if ask.authorization else "").partition(" ")
    if scheme.lower() != "basic":
        raise OAuthError("invalid_client", "the client does not authenticate", 401)
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError) as error:
        raise OAuthError("invalid_client", "the credentials are not readable", 401) from error
    return unquote_plus(name), unquote_plus(secret)
