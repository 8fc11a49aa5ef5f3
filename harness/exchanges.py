"""How each kind of stimulus is carried out against a lab.  Gathers facts; expects and judges nothing."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from harness.bypass import WAYS, Asking
from harness.checks.dialect import Dialect
from harness.decode.certificates import view
from harness.errors import EffectUnseen, LabError
from harness.lab import ConfigurationRefused, Door, Lab
from harness.lab.operations import Operated
from harness.model.case import GOOD, Case, Stimulus
from harness.model.catalogue import Flow
from harness.model.exchange import ClientView, Exchange
from harness.scenario import Player
from harness.wire.certificates import CERTIFICATE_CLASSES
from harness.wire.given import CannotMake
from harness.wire.issue import Identity
from harness.wire.refusal import NoRoom
from harness.wire.send import Address, Prepared, send
from harness.wire.stimuli import Stimuli
from harness.wire.tokens import TOKEN_CLASSES

Sender = Callable[[Address, Prepared, ssl.SSLContext | None], ClientView]


def at_once(address: Address, request: Prepared, context: ssl.SSLContext | None) -> ClientView:
    """Sends without waiting for anybody."""
    return send(address, request, context)


def paced(wait: Callable[[], None], keep: frozenset[str] = frozenset()) -> Sender:
    """Sends like :func:`harness.wire.send.send`, once *wait* returns; the headers of *keep* are kept of an answer."""

    def sender(address: Address, request: Prepared, context: ssl.SSLContext | None) -> ClientView:
        wait()
        return send(address, request, context, keep)

    return sender


Told = Callable[[Case, Prepared, Identity | None], Mapping[str, Any]]


def _nothing_told(_case: Case, _request: Prepared, _identity: Identity | None) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True)
class Attempt:
    """What one try left behind on the client's side, before anybody else was asked.

    ``acts`` says that the request, if accepted, has an effect that can be looked for; ``asked`` is the nonce of the
    request on *client_port*, where that is another than the one which the attempt is about.
    """

    nonce: str
    door: Door | None = None
    client: ClientView | None = None
    client_port: int | None = None
    acts: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)
    asked: str = ""


@dataclass(frozen=True)
class Bench:
    """A lab and what is presented to it.  ``seed`` makes the nonces, which tell a server nothing; ``dialect`` is how
    the lab's servers say no, ``send`` how a request goes out.  ``twins`` None trusts the
    batch's controls; a dictionary is where what became of each class's own twin is remembered.  ``everybody`` names
    the flows whose server was seen to serve whoever asks, and how that was seen; ``notes`` are
    what a reader should know besides, ``told`` what a record keeps of how a request was made."""

    lab: Lab
    stimuli: Stimuli
    seed: int
    dialect: Dialect = field(default_factory=Dialect)
    send: Sender = at_once
    twins: dict[tuple[str, ...], str] | None = None
    everybody: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    told: Told = _nothing_told

    def nonce(self, *parts: str) -> str:
        """An opaque name for one request of this run."""
        return "fp-" + hashlib.sha256("\0".join((str(self.seed), *parts)).encode()).hexdigest()[:20]

    def attempt(self, case: Case, door: Door | ConfigurationRefused, role: str = "") -> Attempt:
        """Carry out *case*'s stimulus at *door*; *role* tells a control from the case itself."""
        if isinstance(door, ConfigurationRefused):
            return Attempt(self.nonce(case.id, role), extra={"start": {"refused": door.message}})
        # Servers behind a faulty balancer serve the right one too; their effects must be told apart.
        nonce = self.nonce(case.id, role, door.setup.fault)
        try:
            attempt = PROCEDURES[case.stimulus.transport](self, case, door, nonce)
        except CannotMake as missing:
            return Attempt(nonce, extra={"unmade": str(missing)})
        seen = {"twin_refused": self._unvouched(case, door)}
        if not role:  # a control vouches that somebody is served, which is so there
            seen["everybody_let_in"] = self.everybody.get(case.flow.name, "")
        return replace(attempt, extra={**attempt.extra, **{name: text for name, text in seen.items() if text}})

    def _unvouched(self, case: Case, door: Door) -> str:
        """Why the refusal of *case*'s class proves nothing: its own twin, nearer than the good request, is refused too.

        A server that takes no intermediate CA at all refuses a bad one as well, which says nothing of what is bad.
        """
        twin = None if self.twins is None else _twin(case.stimulus)
        if self.twins is None or twin is None:
            return ""
        key = (case.flow.name, case.posture, case.path, twin.id)
        if key not in self.twins:
            self.twins[key] = self._try_twin(replace(case, stimulus=twin), door)
        return self.twins[key]

    def _try_twin(self, case: Case, door: Door) -> str:
        try:
            client = _request(self, case, door, self.nonce(case.id, "twin")).client
        except NoRoom:
            return ""  # nothing nearer than the good request is right
        except CannotMake as missing:
            return f"its twin {case.stimulus.id} cannot be made: {missing}"
        return "" if self.served(client, case.flow) else f"its twin {case.stimulus.id} is not served either"

    def served(self, client: ClientView | None, flow: Flow) -> bool:
        """Whether *client* got the answer that *flow*'s good request gets."""
        response = client.response if client else None
        return response is not None and response.status == flow.success and not self.dialect.refuses(response)

    def exchange(self, attempt: Attempt, effects: Collection[str] | None) -> Exchange:
        """The attempt with what balancer and server tell of it.

        *effects* are the nonces the server acted upon, None where that cannot be seen.
        """
        if attempt.door is None:
            return Exchange(attempt.nonce, extra=dict(attempt.extra))
        balancer, server = self.lab.views(attempt.door, attempt.client_port, attempt.asked or attempt.nonce)
        extra = {"server_leaf_sha256": attempt.door.server_leaf_sha256, **attempt.extra}
        effect: bool | None = None
        if attempt.acts and effects is not None:
            try:
                effect = attempt.nonce in effects
            except EffectUnseen as error:
                extra["effect_unseen"] = error.what
        return Exchange(attempt.nonce, attempt.client, balancer, server, effect, extra)


def _twin(stimulus: Stimulus) -> Stimulus | None:
    """The stimulus that differs from this one in nothing but what is wrong with it; None where that is the good one."""
    certificate = CERTIFICATE_CLASSES[stimulus.certificate].twin if stimulus.certificate != GOOD else GOOD
    token = TOKEN_CLASSES[stimulus.token].twin if stimulus.token != GOOD else GOOD
    twin = Stimulus(certificate, token)
    return None if twin.id == GOOD or twin.id == stimulus.id else twin


def _prepared(bench: Bench, case: Case, door: Door, nonce: str) -> Prepared:
    flow = replace(case.flow, path=case.params.get("path", case.flow.path))
    return bench.stimuli.request(flow, case.stimulus, door.host_header, nonce)


def _request(bench: Bench, case: Case, door: Door, nonce: str) -> Attempt:
    """The flow's request over TLS, with the stimulus's certificate and token."""
    context = bench.stimuli.context(door.ca, case.flow.client_secret, case.stimulus.certificate)
    request = _prepared(bench, case, door, nonce)
    client = bench.send(door.address, request, context)
    identity = bench.stimuli.presented(case.flow.client_secret, case.stimulus.certificate)
    if identity is not None:
        client = replace(client, client_chain=tuple(map(view, identity.chain)))
    extra = bench.told(case, request, identity)
    return Attempt(nonce, door, client, client.local_port, bool(case.flow.effect), extra)


def _clear_text(bench: Bench, case: Case, door: Door, nonce: str) -> Attempt:
    """The same request, not encrypted."""
    request = _prepared(bench, case, door, nonce)
    client = bench.send(door.address, request, None)
    extra = bench.told(case, request, None)
    return Attempt(nonce, door, client, client.local_port, bool(case.flow.effect), extra)


def _start(bench: Bench, case: Case, door: Door, nonce: str) -> Attempt:
    """Nothing to send: that there is a door at all is the fact."""
    return Attempt(nonce, extra={"start": {"port": door.address.port}})


def _script(bench: Bench, case: Case, door: Door, nonce: str) -> Attempt:
    """The steps that the catalogue writes down, on a server of their own."""
    player = Player(bench.lab, bench.stimuli, case, door, lambda step: bench.nonce(nonce, step))
    return Attempt(nonce, extra={"steps": player.play()})


def _initiated(bench: Bench, case: Case, door: Door, nonce: str) -> Attempt:
    """The subsystem under test is the client; the harness only sets it off."""
    act = bench.lab.act(door, case.flow, nonce)
    extra = {"act": dict(act), "now": bench.lab.now()}
    return Attempt(nonce, door, None, act.get("local_port"), bool(case.flow.effect), extra)


def _past_balancer(bench: Bench, case: Case, door: Door, nonce: str) -> Attempt:
    """The subsystem under test tries the server's own addresses, and then, as its twin, the balancer's."""
    if not isinstance(bench.lab, Operated):
        raise LabError("all servers of this lab share one address", where=case.id)
    past = [dict(account) for account in bench.lab.past_balancer(door, case.flow, nonce)]
    twin = bench.nonce(case.id, "twin")
    act = bench.lab.act(door, case.flow, twin)
    extra = {"past": past, "act": dict(act), "now": bench.lab.now()}
    return Attempt(nonce, door, None, act.get("local_port"), bool(case.flow.effect), extra, twin)


def _another_way(bench: Bench, case: Case, door: Door, nonce: str) -> Attempt:
    """The request in another way, without a credential."""
    client, extra = WAYS[case.stimulus.transport].go(Asking(bench, case, door, nonce))
    return Attempt(nonce, door, client, client.local_port, bool(case.flow.effect), extra)


Procedure = Callable[[Bench, Case, Door, str], Attempt]

PROCEDURES: Mapping[str, Procedure] = {
    GOOD: _request,
    "j-tls-untrusted": _request,
    "j-tls-wrong-name": _request,
    "t-plaintext": _clear_text,
    "start": _start,
    "initiated": _initiated,
    "server-wrong-ca": _initiated,
    "server-wrong-name": _initiated,
    "server-expired": _initiated,
    "validation-off": _initiated,
    "corporate-front": _initiated,
    "in-cluster": _request,
    "in-cluster-wrong-ca": _request,
    "empty-jwks-url": _request,
    "old-switch-name": _request,
    "publish-api": _request,
    "without-sni": _request,
    "token-stripped": _request,
    "client-key-held": _request,
    "upstream-wrong-ca": _request,
    "upstream-wrong-name": _request,
    "upstream-expired": _request,
    "renewed-ingestion-client": _script,
    "renewed-portal-client": _script,
    "j-cache-hit": _script,
    "j-cache-expiry": _script,
    "j-outage-warm": _script,
    "j-outage-stale": _script,
    "j-rot-removed": _script,
    "j-rot-overlap": _script,
    "j-rot-new-kid": _script,
    "j-kid-flood": _script,
    "j-outage-token-expires": _script,
    "o-past-balancer": _past_balancer,
    "o-management-stopped": _script,
    "o-management-hangs": _script,
    "o-cut-off": _script,
    "o-killed": _script,
    "o-jwks-moved": _script,
    "o-slow-network": _script,
    **dict.fromkeys(WAYS, _another_way),
}
TRANSPORTS: Mapping[str, str] = {
    **{name: way.summary for name, way in WAYS.items()},
    "j-tls-untrusted": "a good token, while the JWKS URL leads to a server whose certificate another CA has signed",
    "j-tls-wrong-name": "a good token, while the JWKS URL leads to a server whose certificate is for another name",
    "t-plaintext": "a good request in clear text on the TLS port",
    "start": "nothing is sent: the server is started with this configuration",
    "renewed-ingestion-client": "the ingestion client certificate is renewed while gateways run",
    "renewed-portal-client": "management's client certificate is renewed while management runs",
    "j-cache-hit": "several good tokens one after the other",
    "j-cache-expiry": "good tokens before and after the key cache has expired",
    "j-outage-warm": "good tokens while management is down and the cached keys are fresh",
    "j-outage-stale": "good tokens while management is down and the cached keys have expired, then when it is back",
    "j-rot-removed": "management signs with a new key and withdraws the old one",
    "j-rot-overlap": "management publishes a new key beside the old one, and withdraws that later",
    "o-past-balancer": "management tries the server's own addresses, past the balancer",
    "o-management-stopped": "good tokens while management's container is stopped for a day, and after",
    "o-management-hangs": "a good token whose keys must come from a management that takes connections and is mute",
    "o-cut-off": "a good token whose keys must come from a management that the network no longer reaches",
    "o-killed": "the server's container is killed while it verifies a good token",
    "o-slow-network": "a good token whose keys arrive late",
    "o-jwks-moved": "the operator changes jwksUrl while good requests keep coming",
    "server-wrong-ca": "the client under test connects to a server whose certificate another CA has signed",
    "server-wrong-name": "the client under test connects to a server whose certificate is for another name",
    "server-expired": "the client under test connects to a server whose certificate has expired",
    "j-rot-new-kid": "management signs with a new key; the next token names a key id the server has not seen",
    "j-kid-flood": "many tokens that name unknown keys, one after the other",
    "j-outage-token-expires": "one token for the whole outage, which it does not outlive",
    "validation-off": "the client under test has no CA for the platform API, whose certificate another CA has signed",
    "corporate-front": "the client under test meets a balancer whose own certificate is under a corporate CA",
    "in-cluster": "a good request, while the keys come from the in-cluster service under management-ca",
    "in-cluster-wrong-ca": "a good request, while the in-cluster service has a certificate of ingress-ca",
    "empty-jwks-url": "a good request to a server whose jwksUrl is set, but empty",
    "old-switch-name": "a good request to a gateway that is configured with validateApimClient, the old name",
    "publish-api": "the gateway's second request: an API is published",
    "without-sni": "a good request through a balancer that names no host to the server",
    "token-stripped": "a good request through a balancer that drops the Authorization header",
    "client-key-held": "a good request through a balancer that was given management's client key",
    "upstream-wrong-ca": "a good request through a balancer, to a server whose certificate another CA has signed",
    "upstream-wrong-name": "a good request through a balancer, to a server whose certificate is for another name",
    "upstream-expired": "a good request through a balancer, to a server whose certificate has expired",
    "initiated": "the subsystem that is the client sends its own request; nothing is made up",
}
"""The transport classes that the catalogue may name, and what each does."""
