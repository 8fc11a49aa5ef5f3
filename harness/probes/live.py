"""What a lab is asked with, and what became of each case.  Gathers facts; expects and judges nothing."""

from __future__ import annotations

import hashlib
import ssl
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from harness.checks.dialect import Dialect
from harness.errors import EffectUnseen
from harness.lab import ConfigurationRefused, Entrypoint, Lab
from harness.model.case import GOOD, Case, Stimulus
from harness.model.catalogue import Flow
from harness.model.exchange import ClientView, Exchange
from harness.model.observations import Loaded, Observations
from harness.pki.issue import Identity
from harness.probes import procedures
from harness.probes.attempt import Attempt
from harness.probes.sockets import Sender, Sockets
from harness.probes.token_endpoint import TokenClient
from harness.probes.transports import TRANSPORTS
from harness.stimuli.certificates import CERTIFICATE_CLASSES
from harness.stimuli.factory import Stimuli
from harness.stimuli.key_server import KeyServer
from harness.stimuli.partial import StimulusUnavailable
from harness.stimuli.tokens import TOKEN_CLASSES
from harness.stimuli.unavailable import NoRoom
from harness.wire.send import Address, Prepared, send


def at_once(address: Address, request: Prepared, context: ssl.SSLContext | None) -> ClientView:
    """Sends without waiting."""
    return send(address, request, context)


def paced(wait: Callable[[], None], keep: frozenset[str] = frozenset()) -> Sender:
    """Sends like :func:`harness.wire.send.send`, once *wait* returns; the headers of *keep* are kept of an answer."""

    def sender(address: Address, request: Prepared, context: ssl.SSLContext | None) -> ClientView:
        wait()
        return send(address, request, context, keep)

    return sender


Describe = Callable[[Case, Prepared, Identity | None], Observations]


def _nothing_more(_case: Case, _request: Prepared, _identity: Identity | None) -> Observations:
    return {}


@dataclass(frozen=True)
class Bench:
    """A lab and what is presented to it.  ``seed`` makes the nonces, which reveal nothing to a server; ``dialect`` is
    how the lab's servers refuse, ``send`` how a request is sent.  ``twins`` None trusts the
    batch's controls; a dictionary records the result of each class's own twin.  ``everybody`` names
    the flows whose server was seen to serve any client, and how that was seen; ``notes`` are
    what a reader should know besides, ``describe`` what a record keeps of how a request was made, ``keys`` is our JWKS
    server, ``token_client`` what a target file says of its token service."""

    lab: Lab
    stimuli: Stimuli
    seed: int
    dialect: Dialect = field(default_factory=Dialect)
    send: Sender = at_once
    twins: dict[tuple[str, ...], str] | None = None
    keys: KeyServer | None = None
    token_client: TokenClient | None = None
    everybody: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    describe: Describe = _nothing_more
    load: Loaded | None = None

    def nonce(self, *parts: str) -> str:
        """An opaque name for one request of this run."""
        return "fp-" + hashlib.sha256("\0".join((str(self.seed), *parts)).encode()).hexdigest()[:20]

    def attempt(self, case: Case, entrypoint: Entrypoint | ConfigurationRefused, role: str = "") -> Attempt:
        """Carry out *case*'s stimulus at *door*; *role* distinguishes a control from the case itself."""
        if isinstance(entrypoint, ConfigurationRefused):
            return Attempt(self.nonce(case.id, role), extra={"start": {"refused": entrypoint.message}})
        # Servers behind a faulty balancer serve the right one too; their effects must be distinguished.
        nonce = self.nonce(case.id, role, entrypoint.setup.fault)
        began = time.monotonic()
        sockets = Sockets()
        try:
            bench = replace(self, send=sockets.through(self.send))
            attempt = TRANSPORTS[case.stimulus.transport].builder(bench, case, entrypoint, nonce)
        except StimulusUnavailable as missing:
            return Attempt(nonce, extra={"unmade": str(missing)})
        extra = attempt.extra.copy()
        if len(several := sockets.to_json()) > 1:
            extra["sockets"] = several
        if refused := self._refused_twin(case, entrypoint):
            extra["twin_refused"] = refused
        # A control proves that a client is served, which is so there.
        if not role and (let_in := self.everybody.get(case.flow.name)):
            extra["everybody_let_in"] = let_in
        return replace(attempt, extra=extra, began=attempt.began or began)

    def _refused_twin(self, case: Case, entrypoint: Entrypoint) -> str:
        """Why the refusal of *case*'s class proves nothing: its own twin, nearer than the good request, is refused too.

        A server that takes no intermediate CA at all refuses a bad one as well, which says nothing of what is bad.
        """
        twin = None if self.twins is None else _twin(case.stimulus)
        if self.twins is None or twin is None:
            return ""
        key = (case.flow.name, case.posture, case.path, twin.id)
        if key not in self.twins:
            self.twins[key] = self._try_twin(replace(case, stimulus=twin), entrypoint)
        return self.twins[key]

    def _try_twin(self, case: Case, entrypoint: Entrypoint) -> str:
        try:
            client = procedures.request(self, case, entrypoint, self.nonce(case.id, "twin")).client
        except NoRoom:
            return ""  # nothing nearer than the good request is right
        except StimulusUnavailable as missing:
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
        if attempt.entrypoint is None:
            return Exchange(attempt.nonce, extra=attempt.extra.copy(), steps=attempt.steps)
        nonce = attempt.asked or attempt.nonce
        balancer, server = self.lab.views(attempt.entrypoint, attempt.client_port, nonce, attempt.began)
        extra: Observations = {"server_leaf_sha256": attempt.entrypoint.server_leaf_sha256, **attempt.extra}
        if "fetchable" in extra:
            extra["fetched"] = self.stimuli.attacker_listener.fetches(attempt.nonce)
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
