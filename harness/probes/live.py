"""How each kind of stimulus is carried out against a lab.  Gathers facts; expects and judges nothing."""

from __future__ import annotations

import hashlib
import ssl
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from operator import itemgetter

from harness.checks.dialect import LET_IN, Dialect
from harness.decode.certificates import view
from harness.errors import EffectUnseen, LabError
from harness.lab import ConfigurationRefused, Entrypoint, Lab
from harness.lab.disruptions import Operated
from harness.model.case import GOOD, Case, Stimulus
from harness.model.catalogue import Flow
from harness.model.exchange import ClientView, Exchange
from harness.model.observations import Observations
from harness.model.vocabulary import Grade
from harness.pki.issue import Identity
from harness.probes.attempt import Attempt
from harness.probes.bypass import WAYS, Asking
from harness.probes.certificate_header import HEADERS, handed_on, in_handshake
from harness.probes.expiry import present_again
from harness.probes.observing import compare
from harness.probes.script import Player
from harness.stimuli.certificates import CERTIFICATE_CLASSES
from harness.stimuli.factory import Sending, Stimuli
from harness.stimuli.key_server import KeyServer
from harness.stimuli.partial import StimulusUnavailable
from harness.stimuli.tokens import LURING, TOKEN_CLASSES
from harness.stimuli.unavailable import NoRoom
from harness.wire.send import Address, Prepared, send

Sender = Callable[[Address, Prepared, ssl.SSLContext | None], ClientView]


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
    """A lab and what is presented to it.  ``seed`` makes the nonces, which tell a server nothing; ``dialect`` is how
    the lab's servers say no, ``send`` how a request goes out.  ``twins`` None trusts the
    batch's controls; a dictionary is where what became of each class's own twin is remembered.  ``everybody`` names
    the flows whose server was seen to serve any client, and how that was seen; ``notes`` are
    what a reader should know besides, ``describe`` what a record keeps of how a request was made, ``keys`` is our JWKS
    server."""

    lab: Lab
    stimuli: Stimuli
    seed: int
    dialect: Dialect = field(default_factory=Dialect)
    send: Sender = at_once
    twins: dict[tuple[str, ...], str] | None = None
    keys: KeyServer | None = None
    everybody: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    describe: Describe = _nothing_more

    def nonce(self, *parts: str) -> str:
        """An opaque name for one request of this run."""
        return "fp-" + hashlib.sha256("\0".join((str(self.seed), *parts)).encode()).hexdigest()[:20]

    def attempt(self, case: Case, entrypoint: Entrypoint | ConfigurationRefused, role: str = "") -> Attempt:
        """Carry out *case*'s stimulus at *door*; *role* tells a control from the case itself."""
        if isinstance(entrypoint, ConfigurationRefused):
            return Attempt(self.nonce(case.id, role), extra={"start": {"refused": entrypoint.message}})
        # Servers behind a faulty balancer serve the right one too; their effects must be distinguished.
        nonce = self.nonce(case.id, role, entrypoint.setup.fault)
        began = time.monotonic()
        try:
            attempt = PROCEDURES[case.stimulus.transport](self, case, entrypoint, nonce)
        except StimulusUnavailable as missing:
            return Attempt(nonce, extra={"unmade": str(missing)})
        extra = attempt.extra.copy()
        if refused := self._unvouched(case, entrypoint):
            extra["twin_refused"] = refused
        # A control proves that a client is served, which is so there.
        if not role and (let_in := self.everybody.get(case.flow.name)):
            extra["everybody_let_in"] = let_in
        return replace(attempt, extra=extra, began=attempt.began or began)

    def _unvouched(self, case: Case, entrypoint: Entrypoint) -> str:
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
            client = _request(self, case, entrypoint, self.nonce(case.id, "twin")).client
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
            extra["fetched"] = self.stimuli.lure.fetches(attempt.nonce)
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


def _flow(case: Case) -> Flow:
    return handed_on(case, replace(case.flow, path=case.params.path or case.flow.path))


def _request(bench: Bench, case: Case, entrypoint: Entrypoint, nonce: str) -> Attempt:
    """The flow's request over TLS, with the stimulus's certificate and token, in each form until one is let in."""
    context = bench.stimuli.context(entrypoint.ca, case.flow.client_secret, in_handshake(case))

    def nonces(form: str) -> str:
        return bench.nonce(nonce, form) if form else nonce

    sendings = bench.stimuli.sendings(_flow(case), case.stimulus, entrypoint.host_header, nonces)
    tried: list[tuple[int, Attempt]] = []
    for sending in sendings:
        attempt = _send(bench, case, entrypoint, sending, context)
        tried.append((bench.dialect.oddity(attempt.client.response if attempt.client else None), attempt))
        if tried[-1][0] == LET_IN:
            break
    _, worst = max(tried, key=itemgetter(0))
    if len(sendings) == 1:
        return worst
    return replace(worst, extra={**worst.extra, "forms": f"{len(tried)} of {len(sendings)}"})


def _send(bench: Bench, case: Case, entrypoint: Entrypoint, sending: Sending, context: ssl.SSLContext) -> Attempt:
    for request in sending.before:
        first = bench.send(entrypoint.address, request, context)
        status = first.response.status if first.response else None
        if status != case.flow.success:
            raise StimulusUnavailable(f"what must be served before it is answered {status or 'nothing'}")
    began = time.monotonic()

    def ask(request: Prepared) -> ClientView:
        return bench.send(entrypoint.address, request, context)

    if sending.unseen is None:
        client = ask(sending.request)
    else:
        client = present_again(ask, sending.request, sending.unseen, sending.wait, bench.dialect)
    identity = bench.stimuli.presented(case.flow.client_secret, case.stimulus.certificate)
    if identity is not None:
        client = replace(client, client_chain=tuple(map(view, identity.chain)))
    extra = bench.describe(case, sending.request, identity)
    if sending.form:
        extra["form"] = sending.form
    if case.stimulus.token == GOOD and bench.stimuli.misnamed:
        extra["misnamed"] = bench.stimuli.misnamed
    if case.stimulus.token in LURING:
        extra["fetchable"] = entrypoint.local or bench.lab.grade is Grade.BOTH_SIDES
    acts = bool(case.flow.effect)
    return Attempt(sending.nonce, entrypoint, client, client.local_port, acts, extra, began=began)


def _crowd(bench: Bench, case: Case, entrypoint: Entrypoint, nonce: str) -> Attempt:
    """The good request for which a service has fetched a key set with keys of other kinds, as it was seen before the
    first case; once more, if it was served."""
    if bench.keys is None:
        return _request(bench, case, entrypoint, nonce)  # a lab of our own publishes such a set itself
    observed = bench.keys.crowd.get(case.flow.name)
    if observed is None:
        raise StimulusUnavailable("the service has not fetched its keys from our JWKS server during this run")
    if observed.response is not None and observed.response.status == case.flow.success:
        return _request(bench, case, entrypoint, nonce)
    return Attempt(nonce, entrypoint, observed, observed.local_port, acts=False)


def _clear_text(bench: Bench, case: Case, entrypoint: Entrypoint, nonce: str) -> Attempt:
    """The same request, not encrypted."""
    request = bench.stimuli.request(_flow(case), case.stimulus, entrypoint.host_header, nonce)
    client = bench.send(entrypoint.address, request, None)
    extra = bench.describe(case, request, None)
    return Attempt(nonce, entrypoint, client, client.local_port, bool(case.flow.effect), extra)


def _start(bench: Bench, case: Case, entrypoint: Entrypoint, nonce: str) -> Attempt:
    """Nothing to send: that there is a door at all is the fact."""
    return Attempt(nonce, extra={"start": {"port": entrypoint.address.port}})


def _script(bench: Bench, case: Case, entrypoint: Entrypoint, nonce: str) -> Attempt:
    """The steps that the catalogue writes down, on a server of their own."""
    player = Player(bench.lab, bench.stimuli, case, entrypoint, lambda step: bench.nonce(nonce, step))
    return Attempt(nonce, steps=player.play())


def _initiated(bench: Bench, case: Case, entrypoint: Entrypoint, nonce: str) -> Attempt:
    """The subsystem under test is the client; the harness only sets it off."""
    act = bench.lab.act(entrypoint, case.flow, nonce)
    extra: Observations = {"act": act, "now": bench.lab.now()}
    return Attempt(nonce, entrypoint, None, act.get("local_port"), bool(case.flow.effect), extra)


def _compared(_bench: Bench, _case: Case, entrypoint: Entrypoint, nonce: str) -> Attempt:
    """Two handshakes and no request."""
    return Attempt(nonce, extra={"compared": compare(entrypoint)})


def _past_balancer(bench: Bench, case: Case, entrypoint: Entrypoint, nonce: str) -> Attempt:
    """The subsystem under test tries the server's own addresses, and then, as its twin, the balancer's."""
    if not isinstance(bench.lab, Operated):
        raise LabError("all servers of this lab share one address", where=case.id)
    past = list(bench.lab.past_balancer(entrypoint, case.flow, nonce))
    twin = bench.nonce(case.id, "twin")
    act = bench.lab.act(entrypoint, case.flow, twin)
    extra: Observations = {"past": past, "act": act, "now": bench.lab.now()}
    return Attempt(nonce, entrypoint, None, act.get("local_port"), bool(case.flow.effect), extra, twin)


def _another_way(bench: Bench, case: Case, entrypoint: Entrypoint, nonce: str) -> Attempt:
    """The request in another way, without a credential."""
    sent, client, extra = WAYS[case.stimulus.transport].go(Asking(bench, case, entrypoint, nonce))
    if sent.address == entrypoint.address:
        identity = bench.stimuli.presented(case.flow.client_secret, case.stimulus.certificate)
        extra.update(bench.describe(case, sent.request, identity))
    return Attempt(nonce, entrypoint, client, client.local_port, bool(case.flow.effect), extra)


Procedure = Callable[[Bench, Case, Entrypoint, str], Attempt]

PROCEDURES: Mapping[str, Procedure] = {
    GOOD: _request,
    "j-tls-untrusted": _request,
    "j-tls-wrong-name": _request,
    "t-plaintext": _clear_text,
    "compared": _compared,
    "j-other-kinds": _crowd,
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
    **dict.fromkeys(HEADERS, _request),
    **dict.fromkeys(WAYS, _another_way),
}
