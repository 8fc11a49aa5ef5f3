"""The requests of a token exchange (RFC 8693), and what is kept of an answer: facts and never the token."""

from __future__ import annotations

import base64
import json
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any
from urllib.parse import quote_plus, urlencode

from harness.decode.tokens import describe
from harness.lab import Entrypoint
from harness.model.exchange import ClientView, Response
from harness.model.script_facts import Exchanged, Introspected, Obtained
from harness.model.token_script import ClientSecret, Exchange, Introspect, Obtain
from harness.stimuli.factory import NONCE_HEADER, USER_AGENT
from harness.wire.send import Address, Prepared, prepare

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
KEPT_HEADERS = frozenset({"cache-control"})
KEPT_CHARACTERS = 65_536
"""Of an answer's body: a token may be longer than what a report needs of any other answer."""
WRONG_SECRET = "hopproof-wrong-secret"
_LONGEST, _SKEW = 200, 60.0


class Authentication(StrEnum):
    """How a client proves to a token endpoint who it is (RFC 6749 section 2.3.1, RFC 8705 section 2)."""

    BASIC = "client_secret_basic"
    POST = "client_secret_post"
    TLS = "tls_client_auth"


@dataclass(frozen=True)
class TokenEndpoint:
    """Where tokens are exchanged, and as which client.

    ``context(proven)`` gives the TLS context, with the client's certificate where *proven* and the client has one.
    ``parameter`` is the one that names whom a new token is for, ``besides`` what every request has besides.
    """

    address: Address
    host: str
    path: str
    client: str
    secret: str
    context: Callable[[bool], ssl.SSLContext]
    authentication: Authentication = Authentication.BASIC
    subject_token_type: str = JWT_TYPE
    actor_token_type: str = JWT_TYPE
    parameter: str = "audience"
    besides: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TokenClient:
    """What a target file says of its token service: the endpoint, the token that its client holds, the servers behind.

    ``actor_token`` is the token of who is to act, ``expired`` one that the client held once; '' where none is given.
    ``audiences`` says by server which audience it takes, as far as that is known.
    """

    endpoint: TokenEndpoint
    subject_token: Callable[[], str]
    expired: str
    servers: Mapping[str, Entrypoint]
    send: Callable[[Address, Prepared, ssl.SSLContext | None], ClientView]
    refuses: Callable[[Response | None], bool]
    audiences: Mapping[str, str] = field(default_factory=dict)
    actor_token: str = ""


def request(endpoint: TokenEndpoint, step: Exchange, subject: str, nonce: str, actor: str = "") -> Prepared:
    """*step* as a request to *endpoint*; *subject* is the token that is exchanged, *actor* that of who is to act."""
    form = {
        "grant_type": GRANT,
        "subject_token": subject,
        "subject_token_type": endpoint.subject_token_type,
        endpoint.parameter: step.audience,
        **({"actor_token": actor, "actor_token_type": endpoint.actor_token_type} if actor else {}),
        **endpoint.besides,
        **dict(step.change),
    }
    headers, proof = _proof(replace(endpoint, client=step.client), step.secret)
    return _posted(endpoint, headers, {**form, **proof}, nonce)


def _posted(
    endpoint: TokenEndpoint, headers: tuple[tuple[str, bytes], ...], form: Mapping[str, str], nonce: str
) -> Prepared:
    body = urlencode({name: value for name, value in form.items() if value}).encode()
    return prepare(
        "POST",
        endpoint.path,
        (
            ("Host", endpoint.host.encode()),
            (NONCE_HEADER, nonce.encode()),
            ("User-Agent", USER_AGENT.encode()),
            ("Accept", b"application/json"),
            *headers,
            ("Content-Type", b"application/x-www-form-urlencoded"),
            ("Content-Length", str(len(body)).encode()),
            ("Connection", b"close"),
        ),
        body,
    )


def introspection(endpoint: TokenEndpoint, step: Introspect, token: str, nonce: str) -> Prepared:
    """*step* as a request to *endpoint* (RFC 7662 section 2.1)."""
    headers, proof = _proof(replace(endpoint, client=step.client), step.secret)
    return _posted(endpoint, headers, {"token": token, **proof}, nonce)


def password_grant(step: Obtain) -> Mapping[str, str]:
    """The parameters with which a client gets a token for a user of the lab."""
    user = {"username": step.user, "password": f"{step.user}123"}
    return {"grant_type": "password", **user, **({"resource": step.resource} if step.resource else {})}


def of_provider(endpoint: TokenEndpoint, form: Mapping[str, str], nonce: str) -> Prepared:
    """*form* as a request of the endpoint's client."""
    headers, proof = _proof(endpoint, ClientSecret.GOOD)
    return _posted(endpoint, headers, {**form, **proof}, nonce)


def obtained(client: ClientView) -> tuple[Obtained, str]:
    """What came of it, and the token that was issued ('' for none)."""
    response = client.response
    if response is None:
        return Obtained(None, client.alert or client.fault), ""
    members = _object(response.body)
    token = members.get("access_token")
    issued = token if isinstance(token, str) else ""
    return Obtained(response.status, "", bool(issued), _text(members.get("error"))), issued


def introspected(client: ClientView) -> Introspected:
    """What came of it (RFC 7662 section 2.2)."""
    response = client.response
    if response is None:
        return Introspected(None, client.alert or client.fault)
    members = _object(response.body)
    active = members.get("active")
    return Introspected(
        response.status,
        "",
        active if isinstance(active, bool) else None,
        _text(members.get("sub")),
        _text(members.get("error")),
    )


def _proof(endpoint: TokenEndpoint, kind: ClientSecret) -> tuple[tuple[tuple[str, bytes], ...], dict[str, str]]:
    """Header fields and parameters by which the client proves who it is."""
    if kind is ClientSecret.NONE or endpoint.authentication is Authentication.TLS:
        return (), {"client_id": endpoint.client}
    secret = endpoint.secret if kind is ClientSecret.GOOD else WRONG_SECRET
    if endpoint.authentication is Authentication.POST:
        return (), {"client_id": endpoint.client, "client_secret": secret}
    pair = f"{quote_plus(endpoint.client)}:{quote_plus(secret)}".encode()
    return (("Authorization", b"Basic " + base64.b64encode(pair)),), {}


def facts(client: ClientView, subject: str, offset: float = 0.0) -> tuple[Exchanged, str]:
    """What came of a request, and the token that was issued ('' for none).

    *subject* is the token that was exchanged, *offset* how far the issuer's clock has been moved, in seconds.
    """
    response = client.response
    if response is None:
        return Exchanged(None, client.alert or client.fault or ("timed out" if client.timed_out else "")), ""
    members = _object(response.body)
    plain = Exchanged(
        response.status,
        "",
        error=_text(members.get("error")),
        issued_token_type=_text(members.get("issued_token_type")),
        token_type=_text(members.get("token_type")),
        cache_control=_text(dict(response.headers).get("cache-control", "")),
        presented_subject=_text((describe(subject).claims or {}).get("sub")),
    )
    compact = members.get("access_token")
    if not isinstance(compact, str) or not compact:
        return plain, ""
    claims = describe(compact).claims
    if claims is None:
        return replace(plain, issued=True, opaque=True), compact
    actor = claims.get("act")
    earlier = actor.get("act") if isinstance(actor, dict) else None
    return (
        replace(
            plain,
            issued=True,
            audience=_text(claims.get("aud")),
            subject=_text(claims.get("sub")),
            actor=_text(actor.get("sub")) if isinstance(actor, dict) else "",
            earlier_actor=_text(earlier.get("sub")) if isinstance(earlier, dict) else "",
            lifetime=_lifetime(claims, time.time() + offset),
        ),
        compact,
    )


def _object(body: str) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: object) -> str:
    """A member in words; an array of one string is that string (RFC 7519 section 4.1.3)."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _lifetime(claims: Mapping[str, Any], now: float) -> int:
    """How long the token lives, 0 for one without ``exp``; an ``iat`` beyond clock skew does not shorten that."""
    issued, expiry = claims.get("iat"), claims.get("exp")
    if not isinstance(expiry, int | float):
        return 0
    begins = issued if isinstance(issued, int | float) and issued <= now + _SKEW else now
    return int(expiry - begins)
