"""Plays the steps of a script in which services exchange tokens (RFC 8693) and call each other.

The harness acts as the calling service: it holds the client's credentials, and what it was issued, by name.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast
from urllib.parse import urlencode

import jwt

from harness.decode.tokens import describe
from harness.errors import LabError
from harness.lab import Entrypoint, Lab
from harness.model.case import Case, Setup
from harness.model.exchange import ClientView
from harness.model.script import Call, Exchange, Flaw, Mint
from harness.model.script_facts import Answered, Done, Exchanged
from harness.model.vocabulary import Path, Posture
from harness.pki.deployment import key_id
from harness.pki.keys import new_key
from harness.stimuli.factory import NONCE_HEADER, Stimuli
from harness.wire.send import Prepared, prepare, send

EXCHANGES: Mapping[str, str] = {
    "x-exchange": "a token exchanged for the next service, and presented there and elsewhere",
    "x-shared": "one token for every service of the domain, with the audience that all of them know",
    "x-may-act": "a token that names who alone may act for its user",
    "x-policy": "an exchange that the policy of the token service refuses",
    "x-subject-token": "subject tokens that must not be exchanged",
    "x-client": "a client that does not authenticate",
    "x-request": "token requests that are not of the form RFC 8693 has",
    "x-domains": "a token exchanged across trust domains",
}
"""What scripts of this kind are about, by the name of their class."""

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
TOKEN_PATH = "/oauth2/token"
_MINUTES = 300


class Parties:
    """The services of one case, and the tokens they hold."""

    def __init__(self, lab: Lab, stimuli: Stimuli, case: Case, entrypoint: Entrypoint) -> None:
        self._lab, self._stimuli, self._case, self._door = lab, stimuli, case, entrypoint
        self._tokens: dict[str, str] = {}

    def played(self, step: Mint | Exchange | Call, nonce: str) -> Done | Exchanged | Answered:
        """What happened at *step*."""
        if isinstance(step, Mint):
            self._tokens[step.name] = self._minted(step)
            return Done()
        return self._exchanged(step, nonce) if isinstance(step, Exchange) else self._called(step, nonce)

    def _minted(self, step: Mint) -> str:
        key: Any = self._stimuli.signing_key
        now = int(time.time()) - (2 * _MINUTES if step.flaw is Flaw.EXPIRED else 0)
        claims = {
            "iss": step.issuer,
            "aud": step.audience,
            "sub": step.subject,
            "iat": now,
            "exp": now + _MINUTES,
            **({"may_act": {"sub": step.may_act}} if step.may_act else {}),
        }
        signer = cast(Any, new_key(key)) if step.flaw is Flaw.STRANGER else key
        compact = jwt.encode(claims, signer, algorithm="RS256", headers={"kid": key_id(key.public_key())})
        return _altered(compact, claims) if step.flaw is Flaw.ALTERED else compact

    def _neighbour(self, server: str, posture: Posture, variant: str = "") -> Entrypoint:
        if server in ("", self._case.flow.server.name):
            return self._door

        setup = Setup(server, posture, Path.DIRECT, self._door.setup.fault, variant)
        found = self._lab.open([setup])[setup]
        if not isinstance(found, Entrypoint):
            raise LabError(f"{server} does not start: {found.message}", where=self._case.id)
        return found

    def _send(self, at: Entrypoint, request: Prepared, keep: frozenset[str] = frozenset()) -> ClientView:
        certificate = self._case.stimulus.certificate
        return send(at.address, request, self._stimuli.context(at.ca, self._case.flow.client_secret, certificate), keep)

    def _exchanged(self, step: Exchange, nonce: str) -> Exchanged:
        at = self._neighbour(step.at, Posture.DEFAULT)
        form = {
            "grant_type": GRANT,
            "subject_token": self._tokens.get(step.subject, ""),
            "subject_token_type": JWT_TYPE,
            "audience": step.audience,
            **dict(step.change),
        }
        body = urlencode({name: value for name, value in form.items() if value}).encode()
        pair = base64.b64encode(f"{step.client}:{self._secret(step)}".encode())
        headers = (
            ("Host", at.host_header.encode()),
            (NONCE_HEADER, nonce.encode()),
            ("Authorization", b"Basic " + pair),
            ("Content-Type", b"application/x-www-form-urlencoded"),
            ("Content-Length", str(len(body)).encode()),
            ("Connection", b"close"),
        )
        client = self._send(at, prepare("POST", TOKEN_PATH, headers, body), frozenset({"cache-control"}))
        return self._facts(step, client)

    def _secret(self, step: Exchange) -> str:
        """The client's secret: in the lab, the digest of the key that the client and the token service both hold."""
        return self._stimuli.client_secret(f"{step.client}-client") if step.secret else "wrong"

    def _facts(self, step: Exchange, client: ClientView) -> Exchanged:
        response = client.response
        if response is None:
            return Exchanged(None, client.alert or client.fault or ("timed out" if client.timed_out else ""))
        members = _object(response.body)
        cache = dict(response.headers).get("cache-control", "")
        plain = Exchanged(
            response.status,
            "",
            error=_text(members.get("error")),
            issued_token_type=_text(members.get("issued_token_type")),
            token_type=_text(members.get("token_type")),
            cache_control=cache,
        )
        compact = members.get("access_token")
        if not isinstance(compact, str) or not compact:
            return plain
        self._tokens[step.name] = compact
        claims = describe(compact).claims or {}
        actor = claims.get("act")
        return replace(
            plain,
            issued=True,
            audience=_text(claims.get("aud")),
            subject=_text(claims.get("sub")),
            actor=_text(actor.get("sub")) if isinstance(actor, dict) else "",
            lifetime=_lifetime(claims),
        )

    def _called(self, step: Call, nonce: str) -> Answered:
        at, flow, began = (
            self._neighbour(step.server, self._case.posture, self._door.setup.variant),
            self._case.flow,
            time.monotonic(),
        )
        body = flow.body.replace("{nonce}", nonce).encode()
        headers: list[tuple[str, bytes]] = [("Host", at.host_header.encode()), (NONCE_HEADER, nonce.encode())]
        if step.token:
            headers.append(("Authorization", f"Bearer {self._tokens.get(step.token, '')}".encode()))
        headers += [("Content-Type", b"application/json"), ("Content-Length", str(len(body)).encode())]
        headers.append(("Connection", b"close"))
        request = prepare(flow.method, flow.path.replace("{nonce}", nonce), tuple(headers), body)
        client = self._send(at, request)
        _, server = self._lab.views(at, client.local_port, nonce, began)
        reason = server.rejected or next((item.reason for item in server.requests), "") if server else ""
        status = client.response.status if client.response else None
        effect = nonce in self._lab.effects([at.setup])[at.setup]
        return Answered(status, client.alert or client.fault, reason, effect)


def _altered(compact: str, claims: Mapping[str, object]) -> str:
    """*compact* for another user, under the signature it had."""
    head, _, signature = compact.split(".")
    changed = json.dumps({**claims, "sub": "mallory"}).encode()
    return f"{head}.{base64.urlsafe_b64encode(changed).rstrip(b'=').decode()}.{signature}"


def _object(body: str) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: object) -> str:
    """A claim in words; an array of one string is that string (RFC 7519 section 4.1.3)."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def _lifetime(claims: Mapping[str, Any]) -> int:
    issued, expiry = claims.get("iat"), claims.get("exp")
    if not isinstance(issued, int | float) or not isinstance(expiry, int | float):
        return 0
    return int(expiry - issued)
