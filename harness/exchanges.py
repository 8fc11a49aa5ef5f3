"""How each kind of stimulus is carried out against a lab.  Gathers facts; expects and judges nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.errors import LabError
from harness.lab import ConfigurationRefused, Door, Lab
from harness.lab.operations import Operated
from harness.model.case import GOOD, Case
from harness.model.exchange import ClientView, Exchange
from harness.scenario import Player
from harness.wire.send import Prepared, send
from harness.wire.stimuli import Stimuli


@dataclass(frozen=True)
class Attempt:
    """What one try left behind on the client's side, before anybody else was asked."""

    nonce: str
    door: Door | None = None
    client: ClientView | None = None
    client_port: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Bench:
    """A lab and what is presented to it.  ``seed`` makes the nonces, which tell a server nothing."""

    lab: Lab
    stimuli: Stimuli
    seed: int

    def nonce(self, *parts: str) -> str:
        """An opaque name for one request of this run."""
        return "fp-" + hashlib.sha256("\0".join((str(self.seed), *parts)).encode()).hexdigest()[:20]

    def attempt(self, case: Case, door: Door | ConfigurationRefused, role: str = "") -> Attempt:
        """Carry out *case*'s stimulus at *door*; *role* tells a control from the case itself."""
        nonce = self.nonce(case.id, role)
        if isinstance(door, ConfigurationRefused):
            return Attempt(nonce, extra={"start": {"refused": door.message}})
        return PROCEDURES[case.stimulus.transport](self, case, door, nonce)

    def exchange(self, attempt: Attempt, effects: Collection[str]) -> Exchange:
        """The attempt with what balancer and server tell of it; *effects* are the nonces the server acted upon."""
        if attempt.door is None:
            return Exchange(attempt.nonce, extra=dict(attempt.extra))
        balancer, server = self.lab.views(attempt.door, attempt.client_port)
        extra = {"server_leaf_sha256": attempt.door.server_leaf_sha256, **attempt.extra}
        return Exchange(attempt.nonce, attempt.client, balancer, server, attempt.nonce in effects, extra)


def _prepared(bench: Bench, case: Case, door: Door, nonce: str) -> Prepared:
    return bench.stimuli.request(case.flow, case.stimulus, door.host_header, nonce)


def _request(bench: Bench, case: Case, door: Door, nonce: str) -> Attempt:
    """The flow's request over TLS, with the stimulus's certificate and token."""
    context = bench.stimuli.context(door.ca, case.flow.client_secret, case.stimulus.certificate)
    client = send(door.address, _prepared(bench, case, door, nonce), context)
    return Attempt(nonce, door, client, client.local_port)


def _clear_text(bench: Bench, case: Case, door: Door, nonce: str) -> Attempt:
    """The same request, not encrypted."""
    client = send(door.address, _prepared(bench, case, door, nonce), None)
    return Attempt(nonce, door, client, client.local_port)


def _start(bench: Bench, case: Case, door: Door, nonce: str) -> Attempt:
    """Nothing to send: that there is a door at all is the fact."""
    return Attempt(nonce, extra={"start": {"port": door.address.port}})


def _script(bench: Bench, case: Case, door: Door, nonce: str) -> Attempt:
    """The steps that the catalogue writes down, on a server of their own."""
    player = Player(bench.lab, bench.stimuli, case, door, lambda step: bench.nonce(case.id, step))
    return Attempt(nonce, extra={"steps": player.play()})


def _initiated(bench: Bench, case: Case, door: Door, nonce: str) -> Attempt:
    """The subsystem under test is the client; the harness only sets it off."""
    act = bench.lab.act(door, case.flow, nonce)
    return Attempt(nonce, door, None, act.get("local_port"), {"act": dict(act), "now": bench.lab.now()})


def _past_balancer(bench: Bench, case: Case, door: Door, nonce: str) -> Attempt:
    """The subsystem under test tries the server's own addresses, and then, as its twin, the balancer's."""
    if not isinstance(bench.lab, Operated):
        raise LabError("all servers of this lab share one address", where=case.id)
    past = [dict(account) for account in bench.lab.past_balancer(door, case.flow, nonce)]
    act = bench.lab.act(door, case.flow, bench.nonce(case.id, "twin"))
    return Attempt(nonce, door, None, act.get("local_port"), {"past": past, "act": dict(act)})


Procedure = Callable[[Bench, Case, Door, str], Attempt]

PROCEDURES: Mapping[str, Procedure] = {
    GOOD: _request,
    "j-tls-untrusted": _request,
    "t-plaintext": _clear_text,
    "start": _start,
    "initiated": _initiated,
    "server-wrong-ca": _initiated,
    "server-wrong-name": _initiated,
    "server-expired": _initiated,
    "j-cache-hit": _script,
    "j-cache-expiry": _script,
    "j-outage-warm": _script,
    "j-outage-stale": _script,
    "j-rot-removed": _script,
    "j-rot-overlap": _script,
    "o-past-balancer": _past_balancer,
    "o-management-stopped": _script,
    "o-management-hangs": _script,
    "o-cut-off": _script,
    "o-killed": _script,
    "o-jwks-moved": _script,
}
TRANSPORTS: Mapping[str, str] = {
    "j-tls-untrusted": "a good token, while the JWKS URL leads to a server whose certificate another CA has signed",
    "t-plaintext": "a good request in clear text on the TLS port",
    "start": "nothing is sent: the server is started with this configuration",
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
    "o-jwks-moved": "the operator changes jwksUrl while good requests keep coming",
    "server-wrong-ca": "the client under test connects to a server whose certificate another CA has signed",
    "server-wrong-name": "the client under test connects to a server whose certificate is for another name",
    "server-expired": "the client under test connects to a server whose certificate has expired",
    "initiated": "the subsystem that is the client sends its own request; nothing is made up",
}
"""The transport classes that the catalogue may name, and what each does."""
