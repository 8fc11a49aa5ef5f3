"""Cases, exchanges and rows built by hand.  Every default is what a conforming product shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from harness.catalogue.params import read_params
from harness.checks import Question
from harness.model.case import Case, Stimulus
from harness.model.catalogue import CataloguedClass, Cells, Flow, Requirement, Server, Source
from harness.model.exchange import (
    BalancerView,
    CertificateView,
    ClientView,
    Exchange,
    RequestView,
    Response,
    ServerView,
    TokenView,
)
from harness.model.observations import Observations
from harness.model.record import Footer, Header, Row
from harness.model.vocabulary import Basis, Depth, Grade, Level, Path, Posture, Reason

NOW = 1_800_000_000.0
SECOND = "id-second-registered"
"""The class for which a client has a second certificate, which only the clients of suites/apk have."""
LEAF = "1e4f" * 16
OTHER_LEAF = "07e2" * 16
AUTHORIZATION = "a0" * 32
BODY = "b0" * 32

CLASSES: Mapping[str, CataloguedClass] = {
    row.name: row
    for row in (
        CataloguedClass("bad-cert", "certificate", "another CA's", frozenset({Reason.CERTIFICATE_UNTRUSTED})),
        CataloguedClass("no-cert", "certificate", "none", frozenset({Reason.CERTIFICATE_MISSING})),
        CataloguedClass("odd-cert", "certificate", "odd, but good"),
        CataloguedClass("bad-token", "token", "forged", frozenset({Reason.TOKEN_SIGNATURE})),
        CataloguedClass("no-keys", "transport", "keys from a stranger", frozenset({Reason.KEYS_UNAVAILABLE})),
        CataloguedClass("t-plaintext", "transport", "clear text", frozenset({Reason.NOT_TLS})),
    )
}

SERVER = Server(
    name="portal",
    kind="PortalCluster",
    endpoint="admin endpoint",
    host="portal.test",
    secret="portal-admin",
    postures=tuple(Posture),
    default=Posture.MTLS,
    subject="CN=client",
)
FLOW = Flow(
    name="management-to-portal",
    client="management",
    server=SERVER,
    client_secret="portal-admin-client",
    method="PUT",
    path="/things/{nonce}",
    body='{"name": "{nonce}"}',
    success=201,
    effect="a thing is made",
)
OTHER_FLOW = replace(FLOW, name="management-to-analytics", server=replace(SERVER, name="analytics"), success=202)


def requirement(name: str = "REQ-1", level: Level = Level.MUST, **changes: Any) -> Requirement:
    """A row of the catalogue in the area ``flows``."""
    cells = Cells("served", ("management-to-portal",), (Posture.MTLS,), (Path.DIRECT,), ("good",), ("good",))
    made = Requirement(
        id=name,
        area="flows",
        text="It holds.",
        why="It matters.",
        level=level,
        source=Source("A document", "section 1"),
        basis=Basis.DOCUMENT,
        cells=(cells,),
        faults=("breaks-it",),
    )
    return replace(made, **changes)


def case(
    expected: str = "served",
    *,
    posture: Posture = Posture.MTLS,
    path: Path = Path.DIRECT,
    stimulus: Stimulus | None = None,
    flow: Flow = FLOW,
    row: Requirement | None = None,
    depth: Depth = Depth.QUICK,
    **params: Any,
) -> Case:
    """A case; *params* are those of its cells, as a catalogue has them."""
    read = read_params(params, "a case")
    return Case(row or requirement(), flow, posture, path, stimulus or Stimulus(), expected, depth, read)


def client(status: int | None = 201, **changes: Any) -> ClientView:
    """What a client saw that got an answer with *status* (None: no answer)."""
    observed = ClientView(
        local_port=40000,
        peer_port=443,
        established=True,
        tls_version="TLSv1.3",
        server_chain=(CertificateView("CN=portal.test", "CN=ingress-ca", LEAF),),
        response=None if status is None else Response(status),
        body_sha256=BODY,
        authorization_sha256=AUTHORIZATION,
    )
    return replace(observed, **changes)


def request(decision: str = "accepted", reason: str = "", **changes: Any) -> RequestView:
    """A request as it was sent."""
    token = TokenView("70" * 32, {"alg": "RS256"}, {"exp": NOW + 900})
    observed = RequestView(
        method="PUT",
        path="/things/fp-1",
        nonce="fp-1",
        status=201 if decision != "rejected" else 401,
        decision=decision,
        reason=reason,
        token=token,
        authorization_sha256=AUTHORIZATION,
        body_sha256=BODY,
    )
    return replace(observed, **changes)


def server(*requests: RequestView, **changes: Any) -> ServerView:
    """A connection as the server saw it."""
    return replace(ServerView("portal|mtls", 443, 40000, established=True, requests=requests), **changes)


def rejecting(reason: Reason | str, *, tls: bool = False) -> ServerView:
    """A server that turned the client away, in the handshake or by an answer."""
    return server(rejected=str(reason), established=False) if tls else server(request("rejected", str(reason)))


def passthrough(**changes: Any) -> BalancerView:
    """A connection as a balancer saw it that read nothing."""
    return replace(BalancerView("portal|passthrough", "passthrough", 443, 40000, upstream_port=40001), **changes)


def terminating(*requests: RequestView, **changes: Any) -> BalancerView:
    """A connection as a balancer saw it that terminated TLS."""
    view = BalancerView(
        "portal|terminating",
        "terminating",
        443,
        40000,
        established=True,
        upstream_port=40001,
        upstream_established=True,
        requests=requests or (request("upstream"),),
    )
    return replace(view, **changes)


def exchange(
    seen: ClientView | None = None,
    server_view: ServerView | None = None,
    between: BalancerView | None = None,
    *,
    effect: bool | None = True,
    **changes: Any,
) -> Exchange:
    """An exchange; without arguments, one that was served directly."""
    extra = cast("Observations", {"server_leaf_sha256": LEAF, **changes.pop("extra", {})})
    return replace(Exchange("fp-1", seen or client(), between, server_view, effect, extra), **changes)


def ask(about: Case, facts: Exchange, grade: Grade = Grade.BOTH_SIDES) -> Question:
    """The question that a check gets."""
    return Question(about, facts, CLASSES, grade)


def row(name: str = "flows/REQ-1/management-to-portal/mtls/direct/good", outcome: str = "PASS", **changes: Any) -> Row:
    """A row as it stands in a record."""
    parts = name.split("/")
    made: Row = {
        "kind": "row",
        "case": name,
        "requirement": parts[1],
        "level": "MUST",
        "basis": "document",
        "source": "A document, section 1",
        "flow": parts[2],
        "posture": parts[3],
        "modes": "",
        "path": parts[4],
        "stimulus": parts[5],
        "expected": "served",
        "outcome": outcome,
        "as_expected": outcome == "PASS",
        "known": None,
        "reason": "as required",
        "reason_code": "as-required",
        "finding": "" if outcome not in ("FAIL", "WRONG_REASON") else f"{parts[1]} is broken",
        "grade": "both-sides",
        "evidence": {},
        "ms": 1.5,
    }
    return cast("Row", {**made, **changes})


def header(**changes: Any) -> Header:
    """The first line of a record, of a run of the case that :func:`row` has."""
    made: Header = {
        "kind": "header",
        "tool": "hopproof 0.1.0",
        "python": "3.11.7",
        "target": "embedded",
        "product": "A product",
        "depth": "quick",
        "seed": 1,
        "fault": None,
        "only": [],
        "expected": None,
        "catalogue_sha256": "5" * 64,
        "started": "2026-11-26T08:00:00+00:00",
        "planned": [row()["case"]],
        "withheld": [],
        "skipped": [],
        "scope": "A lab.",
        "claims": [],
    }
    return cast("Header", {**made, **changes})


def footer(**changes: Any) -> Footer:
    """The last line of a record with one row that passed."""
    made: Footer = {
        "kind": "footer",
        "cases": 1,
        "answer": "conforms",
        "not_shown": [],
        "trustworthy": True,
        "trouble": [],
        "exit_status": 0,
        "seconds": 1.0,
    }
    return cast("Footer", {**made, **changes})
