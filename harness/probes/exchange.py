"""Plays the steps of a script in which services exchange tokens (RFC 8693) and call each other.

The harness acts as the calling service: it holds the client's credentials, and what it was issued, by name.  The
services are those of a lab of our own, or those that a target file names.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from harness.decode.tokens import describe
from harness.errors import LabError
from harness.lab import Entrypoint, Lab
from harness.model.case import GOOD, Case, Setup
from harness.model.exchange import BalancerView, ClientView
from harness.model.expectation import MustBeRefused
from harness.model.script import Step
from harness.model.script_facts import Answered, Done, EvidenceSeen, Exchanged, Facts, Forwarded, Introspected, Obtained
from harness.model.token_script import (
    Call,
    ClientSecret,
    Evidence,
    Exchange,
    Forward,
    Introspect,
    Mint,
    NotAnswered,
    Obtain,
    Revoke,
    Take,
)
from harness.model.vocabulary import Path, Posture
from harness.probes.evidence import kept, said
from harness.probes.forwarding import forwarded, with_token
from harness.probes.minting import Minting
from harness.probes.sockets import Sockets
from harness.probes.taken_token import taken
from harness.probes.token_endpoint import (
    KEPT_CHARACTERS,
    KEPT_HEADERS,
    Authentication,
    TokenClient,
    TokenEndpoint,
    facts,
    introspected,
    introspection,
    obtained,
    of_provider,
    password_grant,
    request,
)
from harness.stimuli.factory import NONCE_HEADER, Stimuli
from harness.stimuli.unavailable import StimulusUnavailable
from harness.wire.send import Prepared, prepare, send

EXCHANGES: Mapping[str, str] = {
    "x-exchange": "a token exchanged for the next service, and presented there and elsewhere",
    "x-shared": "one token for every service of the domain, with their shared audience",
    "x-may-act": "a token with may_act",
    "x-policy": "an exchange that the policy of the token service refuses",
    "x-subject-token": "subject tokens that must not be exchanged",
    "x-actor-token": "exchanges with an actor_token",
    "x-issuer-key": "tokens signed with the key of another issuer than they name",
    "x-client": "a client that does not authenticate",
    "x-request": "malformed token requests (RFC 8693)",
    "x-elsewhere": "a token for one service presented to others, and the caller's own token presented to that service",
    "x-clear-text": "a token request in clear text",
    "x-lifetime": "a token exchanged for the next service, whose lifetime is checked",
    "x-domains": "a token exchanged across trust domains",
    "x-self-issued": "tokens that the caller signed itself, with its own or another key",
    "x-evidence": "a caller's self-signed token with an order id, kept as evidence and verified later",
    "x-nested-claim": "a caller's self-signed token with the user's token in a claim",
    "x-nested-jwt": "a caller's self-signed token whose payload is the user's token (cty: JWT)",
    "x-encrypted": "a caller's self-signed token, signed and then encrypted for the service",
    "x-bound": "tokens bound to the client's certificate, or to another",
    "x-introspection": "reference tokens and JWTs that are introspected",
    "x-edge": "tokens of the external identity provider at the edge gateway, and what the gateway forwards",
    "x-edge-refused": "tokens that the edge gateway must refuse, so that nothing is forwarded",
    "x-edge-reference": "reference tokens at the edge gateway: good, revoked, for another audience, expired",
    "x-client-certificate": (
        "a client that authenticates to the token service with its own certificate, or with another client's"
    ),
    "x-depth": "tokens with long chains of actors, and multiply nested tokens",
    "x-actor": "tokens with a current actor and prior actors",
}
"""What scripts of this kind are about, by the name of their class."""

TOKEN_PATH = "/oauth2/token"
EVIDENCE_PATH, INTROSPECTION_PATH, REVOCATION_PATH = "/evidence", "/oauth2/introspect", "/oauth2/revoke"


class Parties:
    """The services of one case, and the tokens they hold; *target* is what a target file says, None in our own labs."""

    def __init__(
        self, lab: Lab, stimuli: Stimuli, case: Case, entrypoint: Entrypoint, target: TokenClient | None = None
    ) -> None:
        self._lab, self._stimuli, self._case, self._door = lab, stimuli, case, entrypoint
        self._target = target
        self._tokens: dict[str, str] = {}
        self._signers: dict[str, str] = {}
        self._calls: dict[str, str] = {}
        self._taken: set[str] = set()
        self._minting = Minting(stimuli.issuer_key, stimuli.identity) if target is None else None
        self.sockets = Sockets()
        self.offset = 0.0
        """How far the lab's clock has been moved, in seconds."""

    def played(self, step: Step, nonce: str) -> Facts:
        """What happened at *step*."""
        match step:
            case Mint() if self._minting is not None:
                self._tokens[step.name] = self._minting.minted(step, self._tokens, self.offset)
                self._signers[step.name] = step.signed_by
                return Done()
            case Take():
                if self._target is None:
                    raise LabError("a token is taken from the source that a target file names", where=self._case.id)
                self._tokens[step.name] = taken(step, self._target)
                self._taken.add(step.name)
                return Done()
            case Exchange():
                return self._exchanged(step, nonce)
            case Call():
                return self._called(step, nonce)
            case Evidence():
                return self._evidence(step, nonce)
            case Introspect() if self._target is None:
                return self._introspected(step, nonce)
            case Obtain() | Revoke() if self._target is None:
                return self._from_provider(step, nonce)
            case Forward() if self._target is None:
                return self._forwarded(step, nonce)
            case _:
                raise LabError(f"only the labs can execute the step {step}", where=self._case.id)

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
        endpoint = self._target.endpoint if self._target else self._token_endpoint(step, step.certificate)
        subject = self._tokens.get(step.subject, "")
        clear = isinstance(step.then, NotAnswered)
        context = None if clear else endpoint.context(step.secret is ClientSecret.GOOD)
        prepared = request(endpoint, step, subject, nonce, self._tokens.get(step.actor_token, ""))
        if self._target is not None:
            client = self._target.send(endpoint.address, prepared, context)
        else:
            client = send(endpoint.address, prepared, context, KEPT_HEADERS, KEPT_CHARACTERS)
        observed, issued = facts(self.sockets.sent(client), subject, self.offset)
        if issued:
            self._tokens[step.name] = issued
        # That the connection was closed is what clear text is to end with; that there was none is not.
        return replace(observed, ended="") if clear and client.local_port is not None else observed

    def _introspected(self, step: Introspect, nonce: str) -> Introspected:
        endpoint = replace(self._token_endpoint(step), path=INTROSPECTION_PATH)
        prepared = introspection(endpoint, step, self._tokens.get(step.token, ""), nonce)
        return introspected(self.sockets.sent(send(endpoint.address, prepared, endpoint.context(True))))

    def _from_provider(self, step: Obtain | Revoke, nonce: str) -> Obtained:
        """A token of the identity provider, or the end of one."""
        obtains = isinstance(step, Obtain)
        endpoint = replace(self._token_endpoint(step), path=TOKEN_PATH if obtains else REVOCATION_PATH)
        form = password_grant(step) if isinstance(step, Obtain) else {"token": self._tokens.get(step.token, "")}
        client = send(endpoint.address, of_provider(endpoint, form, nonce), endpoint.context(True))
        observed, token = obtained(client)
        if isinstance(step, Obtain) and token:
            self._tokens[step.name] = token[::-1] if step.altered else token
        return observed

    def _forwarded(self, step: Forward, nonce: str) -> Forwarded:
        at, began = self._door, time.monotonic()
        client = self._send(at, self._request(at, step.token, nonce))
        balancer, server = self._lab.views(at, client.local_port, nonce, began)
        self.sockets.seen(balancer, server)
        observed, arrived = forwarded(self._lab, at.setup, step, client, server, nonce, began)
        return with_token(observed, arrived, self._tokens.get(step.token, ""), nonce) if arrived else observed

    def _token_endpoint(self, step: Exchange | Introspect | Obtain | Revoke, certificate: str = "") -> TokenEndpoint:
        """In the lab, a client's secret is the digest of the key that it and the token service both hold.

        Who proves itself so presents no certificate: that is another way to do it.
        """
        at = self._neighbour(step.at, Posture.TLS_ONLY)
        good = isinstance(step, Obtain | Revoke) or step.secret is ClientSecret.GOOD
        secret = self._stimuli.client_secret(f"{step.client}-client") if good else ""
        context = self._stimuli.context(at.ca, certificate, GOOD)
        proof = Authentication.TLS if certificate else Authentication.BASIC
        return TokenEndpoint(
            at.address, at.host_header, TOKEN_PATH, step.client, secret, lambda _proven: context, proof
        )

    def _called(self, step: Call, nonce: str) -> Answered:
        at = self._neighbour(step.server, self._case.posture, self._door.setup.variant)
        began = time.monotonic()
        if isinstance(step.then, MustBeRefused) and step.token in self._taken:
            self._not_meant_for(step)
        self._calls[step.token] = nonce
        client = self._send(at, self._request(at, step.token, nonce))
        status = client.response.status if client.response else None
        ended = client.alert or client.fault
        if self._target is not None:
            return Answered(status, ended, "", None, marked=self._target.refuses(client.response), server=step.server)
        balancer, server = self._lab.views(at, client.local_port, nonce, began)
        self.sockets.seen(balancer, server)
        reason = server.rejected or next((item.reason for item in server.requests), "") if server else ""
        effect = nonce in self._lab.effects([at.setup])[at.setup]
        return Answered(status, ended, reason, effect, server=step.server, read_on_the_way=_read(balancer))

    def _request(self, at: Entrypoint, token: str, nonce: str) -> Prepared:
        """The flow's request to *at* with the token of that name, '' for none."""
        flow = self._case.flow
        body = flow.body.replace("{nonce}", nonce).encode()
        headers: list[tuple[str, bytes]] = [("Host", at.host_header.encode()), (NONCE_HEADER, nonce.encode())]
        if token:
            headers.append(("Authorization", f"Bearer {self._tokens.get(token, '')}".encode()))
        if body:
            headers += [("Content-Type", b"application/json"), ("Content-Length", str(len(body)).encode())]
        headers.append(("Connection", b"close"))
        return prepare(flow.method, flow.path.replace("{nonce}", nonce), tuple(headers), body)

    def _evidence(self, step: Evidence, nonce: str) -> EvidenceSeen:
        at = self._door

        def ask(method: str, path: str, body: str) -> ClientView:
            headers = [("Host", at.host_header.encode()), (NONCE_HEADER, nonce.encode())]
            headers.append(("Authorization", f"Bearer {self._tokens[step.token]}".encode()))
            headers += [("Content-Length", str(len(body)).encode()), ("Connection", b"close")]
            return self._send(at, prepare(method, path, tuple(headers), body.encode()))

        if step.of:
            return said(ask, EVIDENCE_PATH, self._tokens[step.of])
        path = self._case.flow.path.replace("{nonce}", self._calls[step.call])
        key = self._stimuli.identity(self._signers[step.call]).key
        return kept(ask, path, self._tokens[step.call], key)

    def _not_meant_for(self, step: Call) -> None:
        """Raises StimulusUnavailable where the server may take the client's own token, since it is for both."""
        server = step.server or self._case.flow.server.name
        audience = self._target.audiences.get(server, "") if self._target else ""
        named = (describe(self._tokens[step.token]).claims or {}).get("aud")
        if audience and audience in (named if isinstance(named, list) else [named]):
            raise StimulusUnavailable(
                f"the client's own token names {audience} as well, so nothing is narrowed by exchanging it "
                "(sts.subject_token)"
            )

    def _send(self, at: Entrypoint, prepared: Prepared) -> ClientView:
        certificate = self._case.stimulus.certificate
        context = self._stimuli.context(at.ca, self._case.flow.client_secret, certificate)
        sender = send if self._target is None else self._target.send
        return self.sockets.sent(sender(at.address, prepared, context))


def _read(balancer: BalancerView | None) -> str:
    """What a balancer could read of the token: nothing, its header, what it says."""
    tokens = [request.token for request in balancer.requests if request.token] if balancer else []
    if any(token.claims is not None for token in tokens):
        return "claims"
    return "header" if tokens else ""
