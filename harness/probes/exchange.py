"""Plays the steps of a script in which services exchange tokens (RFC 8693) and call each other.

The harness acts as the calling service: it holds the client's credentials, and what it was issued, by name.  The
services are those of a lab of our own, or those that a target file names.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from typing import Any, cast

import jwt

from harness.errors import LabError
from harness.lab import Entrypoint, Lab
from harness.model.case import Case, Setup
from harness.model.exchange import ClientView
from harness.model.script import Step
from harness.model.script_facts import Answered, Done, Exchanged
from harness.model.token_script import Call, ClientSecret, Exchange, Flaw, Mint, Take
from harness.model.vocabulary import Path, Posture
from harness.pki.deployment import key_id
from harness.pki.keys import new_key
from harness.probes.taken_token import taken
from harness.probes.token_endpoint import KEPT_CHARACTERS, KEPT_HEADERS, TokenClient, TokenEndpoint, facts, request
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
    "x-elsewhere": "a token for one service at others, and the caller's own at that service",
    "x-lifetime": "a token exchanged for the next service, of which is asked how long it lives",
    "x-domains": "a token exchanged across trust domains",
}
"""What scripts of this kind are about, by the name of their class."""

TOKEN_PATH = "/oauth2/token"
_MINUTES = 300


class Parties:
    """The services of one case, and the tokens they hold; *target* is what a target file says, None in our own labs."""

    def __init__(
        self, lab: Lab, stimuli: Stimuli, case: Case, entrypoint: Entrypoint, target: TokenClient | None = None
    ) -> None:
        self._lab, self._stimuli, self._case, self._door = lab, stimuli, case, entrypoint
        self._target = target
        self._tokens: dict[str, str] = {}

    def played(self, step: Step, nonce: str) -> Done | Exchanged | Answered:
        """What happened at *step*."""
        match step:
            case Mint():
                self._tokens[step.name] = self._minted(step)
                return Done()
            case Take():
                if self._target is None:
                    raise LabError("a token is taken from the source that a target file names", where=self._case.id)
                self._tokens[step.name] = taken(step, self._target)
                return Done()
            case Exchange():
                return self._exchanged(step, nonce)
            case Call():
                return self._called(step, nonce)
            case _:
                raise LabError(f"only our own labs can play the step {step}", where=self._case.id)

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
        if self._target is not None:
            return self._target.servers[server]
        setup = Setup(server, posture, Path.DIRECT, self._door.setup.fault, variant)
        found = self._lab.open([setup])[setup]
        if not isinstance(found, Entrypoint):
            raise LabError(f"{server} does not start: {found.message}", where=self._case.id)
        return found

    def _exchanged(self, step: Exchange, nonce: str) -> Exchanged:
        endpoint, subject = self._token_endpoint(step), self._tokens.get(step.subject, "")
        context = endpoint.context(step.secret is ClientSecret.GOOD)
        prepared = request(endpoint, step, subject, nonce)
        if self._target is not None:
            client = self._target.send(endpoint.address, prepared, context)
        else:
            client = send(endpoint.address, prepared, context, KEPT_HEADERS, KEPT_CHARACTERS)
        observed, issued = facts(client, subject)
        if issued:
            self._tokens[step.name] = issued
        return observed

    def _token_endpoint(self, step: Exchange) -> TokenEndpoint:
        """In the lab, a client's secret is the digest of the key that it and the token service both hold."""
        if self._target is not None:
            return self._target.endpoint
        at = self._neighbour(step.at, Posture.DEFAULT)
        good = step.secret is ClientSecret.GOOD
        secret = self._stimuli.client_secret(f"{step.client}-client") if good else ""
        certificate, holder = self._case.stimulus.certificate, self._case.flow.client_secret
        context = self._stimuli.context(at.ca, holder, certificate)
        return TokenEndpoint(at.address, at.host_header, TOKEN_PATH, step.client, secret, lambda _proven: context)

    def _called(self, step: Call, nonce: str) -> Answered:
        at = self._neighbour(step.server, self._case.posture, self._door.setup.variant)
        flow, began = self._case.flow, time.monotonic()
        body = flow.body.replace("{nonce}", nonce).encode()
        headers: list[tuple[str, bytes]] = [("Host", at.host_header.encode()), (NONCE_HEADER, nonce.encode())]
        if step.token:
            headers.append(("Authorization", f"Bearer {self._tokens.get(step.token, '')}".encode()))
        if body:
            headers += [("Content-Type", b"application/json"), ("Content-Length", str(len(body)).encode())]
        headers.append(("Connection", b"close"))
        prepared = prepare(flow.method, flow.path.replace("{nonce}", nonce), tuple(headers), body)
        client = self._send(at, prepared)
        status = client.response.status if client.response else None
        ended = client.alert or client.fault
        if self._target is not None:
            return Answered(status, ended, "", None, marked=self._target.refuses(client.response), server=step.server)
        _, server = self._lab.views(at, client.local_port, nonce, began)
        reason = server.rejected or next((item.reason for item in server.requests), "") if server else ""
        effect = nonce in self._lab.effects([at.setup])[at.setup]
        return Answered(status, ended, reason, effect, server=step.server)

    def _send(self, at: Entrypoint, prepared: Prepared) -> ClientView:
        certificate = self._case.stimulus.certificate
        context = self._stimuli.context(at.ca, self._case.flow.client_secret, certificate)
        return (
            send(at.address, prepared, context)
            if self._target is None
            else self._target.send(at.address, prepared, context)
        )


def _altered(compact: str, claims: Mapping[str, object]) -> str:
    """*compact* for another user, under the signature it had."""
    head, _, signature = compact.split(".")
    changed = json.dumps({**claims, "sub": "mallory"}).encode()
    return f"{head}.{base64.urlsafe_b64encode(changed).rstrip(b'=').decode()}.{signature}"
