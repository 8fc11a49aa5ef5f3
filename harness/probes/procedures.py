"""How a case's stimulus is carried out, by the kind of transport class.  Gathers facts; expects and judges nothing."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from operator import itemgetter
from typing import Protocol

from harness.checks.dialect import LET_IN
from harness.decode.certificates import view
from harness.errors import LabError
from harness.lab import Entrypoint, Lab
from harness.lab.disruptions import operator_of
from harness.model.case import GOOD, Case
from harness.model.catalogue import Flow
from harness.model.exchange import ClientView
from harness.model.observations import Loaded, Observations
from harness.model.vocabulary import Grade
from harness.pki.issue import Identity
from harness.probes.attempt import Attempt
from harness.probes.bypass import WAYS, Asking
from harness.probes.bypass.asking import Means as Sends
from harness.probes.certificate_header import handed_on, in_handshake
from harness.probes.exchange import Parties
from harness.probes.expiry import present_again
from harness.probes.observing import compare
from harness.probes.script import Player
from harness.probes.sockets import Sockets
from harness.probes.token_endpoint import TokenClient
from harness.stimuli.factory import Sending
from harness.stimuli.key_server import KeyServer
from harness.stimuli.partial import StimulusUnavailable
from harness.stimuli.tokens import LURING
from harness.wire.send import Prepared


class Means(Sends, Protocol):
    """What carries a stimulus out: a :class:`harness.probes.live.Bench`."""

    @property
    def lab(self) -> Lab:
        """Where the servers run."""

    @property
    def load(self) -> Loaded | None:
        """What the record of a load says, if one was given."""

    @property
    def keys(self) -> KeyServer | None:
        """Our JWKS server, if there is one."""

    @property
    def describe(self) -> Callable[[Case, Prepared, Identity | None], Observations]:
        """What a record keeps of how a request was made."""

    @property
    def token_client(self) -> TokenClient | None:
        """What a target file says of its token service."""

    def nonce(self, *parts: str) -> str:
        """An opaque name for one request of this run."""


def _flow(case: Case) -> Flow:
    flow = replace(case.flow, path=case.params.path or case.flow.path)
    return handed_on(flow, case.path, case.stimulus.transport)


def request(bench: Means, case: Case, entrypoint: Entrypoint, nonce: str) -> Attempt:
    """The flow's request over TLS, with the stimulus's certificate and token, in each form until one is let in."""
    context = bench.stimuli.context(entrypoint.ca, case.flow.client_secret, in_handshake(case))

    def nonces(form: str) -> str:
        return bench.nonce(nonce, form) if form else nonce

    sendings = bench.stimuli.sendings(_flow(case), case.stimulus, entrypoint.host_header, nonces)
    tried: list[tuple[int, Attempt]] = []
    for sending in sendings:
        attempt = _send(bench, case, entrypoint, sending, context)
        tried.append((bench.dialect.worst_answer(attempt.client.response if attempt.client else None), attempt))
        if tried[-1][0] == LET_IN:
            break
    _, worst = max(tried, key=itemgetter(0))
    if len(sendings) == 1:
        return worst
    return replace(worst, extra={**worst.extra, "forms": f"{len(tried)} of {len(sendings)}"})


def _send(bench: Means, case: Case, entrypoint: Entrypoint, sending: Sending, context: ssl.SSLContext) -> Attempt:
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


def mixed_key_set(bench: Means, case: Case, entrypoint: Entrypoint, nonce: str) -> Attempt:
    """The good request for which a service has fetched a key set with keys of other kinds, as it was seen before the
    first case; once more, if it was served."""
    if bench.keys is None:
        return request(bench, case, entrypoint, nonce)  # a lab of our own publishes such a set itself
    observed = bench.keys.mixed_key_set.get(case.flow.name)
    if observed is None:
        raise StimulusUnavailable("the service has not fetched its keys from Hopproof's JWKS server during this run")
    if observed.response is not None and observed.response.status == case.flow.success:
        return request(bench, case, entrypoint, nonce)
    return Attempt(nonce, entrypoint, observed, observed.local_port, acts=False)


def clear_text(bench: Means, case: Case, entrypoint: Entrypoint, nonce: str) -> Attempt:
    """The same request, not encrypted."""
    request = bench.stimuli.request(_flow(case), case.stimulus, entrypoint.host_header, nonce)
    client = bench.send(entrypoint.address, request, None)
    extra = bench.describe(case, request, None)
    return Attempt(nonce, entrypoint, client, client.local_port, bool(case.flow.effect), extra)


def start(bench: Means, case: Case, entrypoint: Entrypoint, nonce: str) -> Attempt:
    """Nothing to send: that there is a door at all is the fact."""
    return Attempt(nonce, extra={"start": {"port": entrypoint.address.port}})


def exported(_bench: Means, case: Case, _entrypoint: Entrypoint, _nonce: str) -> Attempt:
    """Files are judged where they are read (:mod:`harness.run.files`): no server is asked."""
    raise LabError("a case about exported files has no server to send anything to", where=case.id)


def script(bench: Means, case: Case, entrypoint: Entrypoint, nonce: str) -> Attempt:
    """The steps that the catalogue writes down, on a server of their own; of a target file, with its token service."""
    if bench.token_client is not None:
        parties = Parties(bench.lab, bench.stimuli, case, entrypoint, bench.token_client)
        steps = enumerate(case.params.script)
        facts = tuple(parties.played(step, bench.nonce(nonce, str(number))) for number, step in steps)
        return Attempt(nonce, extra=_several(parties.sockets), steps=facts)
    player = Player(bench.lab, bench.stimuli, case, entrypoint, lambda step: bench.nonce(nonce, step))
    played = player.play()
    return Attempt(nonce, extra=_several(player.sockets), steps=played)


def _several(sockets: Sockets) -> Observations:
    found = sockets.to_json()
    return {"sockets": found} if found else {}


def initiated(bench: Means, case: Case, entrypoint: Entrypoint, nonce: str) -> Attempt:
    """The subsystem under test is the client; the harness only sets it off."""
    act = bench.lab.act(entrypoint, case.flow, nonce)
    extra: Observations = {"act": act, "now": bench.lab.now()}
    return Attempt(nonce, entrypoint, None, act.get("local_port"), bool(case.flow.effect), extra)


def compared(_bench: Means, _case: Case, entrypoint: Entrypoint, nonce: str) -> Attempt:
    """Two handshakes and no request."""
    facts, sockets = compare(entrypoint)
    return Attempt(nonce, extra={"compared": facts, **_several(sockets)})


def loaded(bench: Means, _case: Case, _entrypoint: Entrypoint, nonce: str) -> Attempt:
    """Nothing to send: the load was sent before, and its record is the fact."""
    return Attempt(nonce, extra={"load": bench.load} if bench.load is not None else {})


def past_balancer(bench: Means, case: Case, entrypoint: Entrypoint, nonce: str) -> Attempt:
    """The subsystem under test tries the server's own addresses, and then, as its twin, the balancer's."""
    operator = operator_of(bench.lab)
    if operator is None:
        raise LabError("all servers of this lab share one address", where=case.id)
    past = list(operator.past_balancer(entrypoint, case.flow, nonce))
    twin = bench.nonce(case.id, "twin")
    act = bench.lab.act(entrypoint, case.flow, twin)
    extra: Observations = {"past": past, "act": act, "now": bench.lab.now()}
    return Attempt(nonce, entrypoint, None, act.get("local_port"), bool(case.flow.effect), extra, twin)


def another_way(bench: Means, case: Case, entrypoint: Entrypoint, nonce: str) -> Attempt:
    """The request in another way, without a credential."""
    sent, client, extra = WAYS[case.stimulus.transport].go(Asking(bench, case, entrypoint, nonce))
    if sent.address == entrypoint.address:
        identity = bench.stimuli.presented(case.flow.client_secret, case.stimulus.certificate)
        extra.update(bench.describe(case, sent.request, identity))
    return Attempt(nonce, entrypoint, client, client.local_port, bool(case.flow.effect), extra)
