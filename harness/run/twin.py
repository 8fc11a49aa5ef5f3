"""Puts the reference lab into each state of a plan, and shows who is accepted: the subsystem itself, a client without a
token, one without a certificate; and whether the balancer can read the request.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.errors import LabError
from harness.lab import Entrypoint
from harness.model.case import GOOD, Setup, Stimulus
from harness.model.catalogue import Flow
from harness.model.claims import Protection
from harness.model.runbook import Runbook, Table
from harness.model.vocabulary import Path
from harness.probes.live import Bench
from harness.products.rules import TwinState
from harness.wire.send import send

_NOTE = (
    "itself: the subsystem's own request; no token, no cert.: a client without the one or the other; readable: whether"
    " the balancer reads the request."
)
_NO_TOKEN, _NO_CERTIFICATE = "str-no-token", "tls-no-cert"


@dataclass(frozen=True)
class Seen:
    """What was seen in a state, or what should be: who is served, and whether the balancer reads the request (None: no
    request arrived that it could have read)."""

    served: bool
    without_token: bool
    without_certificate: bool
    readable: bool | None


@dataclass(frozen=True)
class Shown:
    """A state with what was seen and what should have been."""

    state: TwinState
    seen: Seen
    expected: Seen

    @property
    def as_expected(self) -> bool:
        """Whether the two agree."""
        return self.seen == self.expected


def expected(flow: Flow, state: TwinState) -> Seen:
    """What the documents say of *flow* in *state*: a balancer that terminates holds no client's key."""
    certificate = flow.server.verifies(Protection.CERTIFICATE, state.posture)
    token = flow.server.verifies(Protection.TOKEN, state.posture)
    ended = state.path is Path.TERMINATING
    arrives = not (certificate and ended)
    return Seen(arrives, arrives and not token, not certificate, ended)


def show(bench: Bench, flows: Mapping[str, Flow], states: Sequence[TwinState], fault: str = "") -> list[Shown]:
    """Each of *states* in turn, with a known *fault* in the reference or none; raises LabError if the lab fails."""
    setups = {state: Setup(flows[state.flow].server.name, state.posture, state.path, fault) for state in states}
    opened = bench.lab.open(setups.values())
    found = []
    for number, state in enumerate(states):
        entrypoint, flow = opened[setups[state]], flows[state.flow]
        if not isinstance(entrypoint, Entrypoint):
            raise LabError(f"{state.title}: the server of {state.flow} does not start: {entrypoint.message}")
        found.append(Shown(state, _look(bench, flow, entrypoint, f"twin-{number}"), expected(flow, state)))
    return found


def _look(bench: Bench, flow: Flow, entrypoint: Entrypoint, nonce: str) -> Seen:
    began = time.monotonic()
    act = bench.lab.act(entrypoint, flow, nonce)
    balancer, _ = bench.lab.views(entrypoint, act.get("local_port"), nonce, began)
    return Seen(
        act["status"] == flow.success,
        _served(bench, flow, entrypoint, Stimulus(token=_NO_TOKEN), f"{nonce}-no-token"),
        _served(bench, flow, entrypoint, Stimulus(_NO_CERTIFICATE), f"{nonce}-no-certificate"),
        None if balancer is None else any(request.nonce == nonce for request in balancer.requests),
    )


def _served(bench: Bench, flow: Flow, entrypoint: Entrypoint, stimulus: Stimulus, nonce: str) -> bool:
    context = bench.stimuli.context(entrypoint.ca, flow.client_secret, stimulus.certificate or GOOD)
    request = bench.stimuli.request(flow, stimulus, entrypoint.host_header, nonce)
    client = send(entrypoint.address, request, context)
    return client.response is not None and client.response.status == flow.success


def document(shown: Sequence[Shown]) -> Runbook:
    """The page of *shown*."""
    agree = all(each.as_expected for each in shown)
    return Runbook(
        "The plan in the reference lab",
        "Hopproof's own reference subsystems and balancers on loopback, in each state of the plan in turn.",
        before=tuple(_tables(shown)),
        closing=(
            "Each state is as the plan says."
            if agree
            else "NOT as the plan says: see the lines marked with ✗. The plan or the reference is wrong.",
        ),
    )


def _tables(shown: Sequence[Shown]) -> Iterator[Table]:
    head = ("state", "posture", "itself", "no token", "no cert.", "readable")
    for flow in dict.fromkeys(each.state.flow for each in shown):
        yield Table(flow, head, tuple(_row(each) for each in shown if each.state.flow == flow), _NOTE)


def _row(each: Shown) -> tuple[str, ...]:
    state, seen, wanted = each.state, each.seen, each.expected
    return (
        state.title if each.as_expected else f"✗ {state.title}",
        str(state.posture),
        _word(seen.served, wanted.served),
        _word(seen.without_token, wanted.without_token),
        _word(seen.without_certificate, wanted.without_certificate),
        _word(seen.readable, wanted.readable, "yes", "no"),
    )


def _word(seen: bool | None, wanted: bool | None, yes: str = "served", no: str = "refused") -> str:
    words = {True: yes, False: no, None: "nothing arrived"}
    return words[seen] if seen == wanted else f"{words[seen]} (should be {words[wanted]})"
