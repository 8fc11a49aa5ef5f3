"""One exchange -> satisfies, violates or not judged, by the same checks and the same judge as the suites."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from mitmproxy.connection import ConnectionState
from mitmproxy.http import HTTPFlow

from harness.checks import Question
from harness.judge import judge
from harness.model.case import GOOD, Case, Stimulus
from harness.model.exchange import BalancerView, ClientView, Exchange, RequestView, Response
from harness.model.params import Params
from harness.model.vocabulary import BROKEN, Grade, Outcome, Path
from mitm_addons.inspection.certificate_header import MALFORMED, MISSING, Presented, presented
from mitm_addons.inspection.credentials import Examined, Examiner
from mitm_addons.inspection.payload import Payload
from mitm_addons.inspection.session import Expected, Session

KEY = "hopproof"
SATISFIES, VIOLATES, NOT_JUDGED = "satisfies", "violates", "not judged"
MARKERS = {SATISFIES: ":white_check_mark:", VIOLATES: ":red_circle:", NOT_JUDGED: ":grey_question:"}
NO_CERTIFICATE = "tls-no-cert"
BARE = ("(sent again without the client certificate)", 0)
"""In place of the client's address: the mark of such an exchange that mitmproxy carries through all its copies."""
_NONCE = "X-Hopproof-Case"
_NO_TOKEN, _BROKEN = "str-no-token", "sig-wrong-key"


@dataclass(frozen=True)
class Mark:
    """What is said of one exchange."""

    verdict: str
    requirement: str
    reason: str
    case: str = ""
    stimulus: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def comment(self) -> str:
        """For the flow's comment."""
        return (
            f"{self.verdict} {self.requirement}: {self.reason}"
            if self.requirement
            else f"{self.verdict}: {self.reason}"
        )

    def put(self, flow: HTTPFlow) -> None:
        """Onto the flow: marker, comment, and metadata that are saved with it."""
        flow.marked, flow.comment = MARKERS[self.verdict], self.comment
        flow.metadata[KEY] = {"verdict": self.verdict, "requirement": self.requirement, "reason": self.reason,
                              "case": self.case, "stimulus": self.stimulus, **self.details}  # fmt: skip


class Marker:
    """Marks the exchanges of one session.

    With *detailed* a mark carries what a reader wants later, so that nothing has to be examined again: each claim as it
    was judged, the key, the requirement's text.
    """

    def __init__(self, session: Session, payload: Payload | None = None, *, detailed: bool = True) -> None:
        self.session = session
        self._detailed = detailed
        self.examiner = Examiner(session.token)
        self._payload = payload or Payload()
        before, _, after = session.flow.path.partition("{nonce}")
        self._path = (before, after)

    @property
    def certificate_header(self) -> str:
        """The header in which clients set their certificate themselves, '' where they show it in the handshake."""
        server = self.session.flow.server
        return "" if server.certificate_in_handshake else server.certificate_header

    def mark(self, flow: HTTPFlow, alert: str = "") -> Mark:
        """The mark of a finished exchange: the worst of what its payload and its credentials show.

        *alert* is the TLS alert with which the server ended the connection, '' for none.
        """
        examined = self.examiner.examine(flow.request.headers.get_all("authorization"))
        broken = next(self._broken(flow), "")
        certificate = self._certificate(flow)
        judged = self._judged(flow, examined, certificate, alert)
        if broken and judged.verdict != VIOLATES:
            judged = Mark(VIOLATES, "payload", broken, stimulus=judged.stimulus)
        return replace(judged, details=self._details(judged, examined, certificate)) if self._detailed else judged

    def _certificate(self, flow: HTTPFlow) -> Presented | None:
        """What a gateway is shown of its client's certificate; None of a server that is configured without modes."""
        session, server = self.session, self.session.flow.server
        if not session.flow.modes:
            return None
        if server.certificate_in_handshake:
            bare = flow.client_conn.peername == BARE or not session.as_client
            return Presented(MISSING, "no client certificate") if bare else Presented(GOOD, "the client's certificate")
        values = flow.request.headers.get_all(self.certificate_header)
        return presented(values, server.certificate_encoding, session.certificates)

    def _details(self, mark: Mark, examined: Examined, certificate: Presented | None) -> dict[str, Any]:
        expected = self.session.expected.get(mark.stimulus)
        row = expected.requirement if expected and expected.requirement.id == mark.requirement else None
        about = {"level": str(row.level), "text": row.text, "why": row.why, "source": str(row.source)} if row else {}
        token = examined.token
        return {
            **about,
            **({"certificate": asdict(certificate)} if certificate else {}),
            "token": {
                "stimulus": examined.stimulus, "why": examined.why, "key": examined.key,
                "sha256": token.sha256 if token else "", "header": json.dumps(token.header) if token else "",
                "claims": [[item.name, json.dumps(item.value), item.holds, item.text] for item in examined.claims],
            },
        }  # fmt: skip

    def _broken(self, flow: HTTPFlow) -> Any:
        rules = self._payload
        yield from rules.request.broken(flow.request.headers, flow.request.raw_content or b"")
        if flow.response is not None:
            yield from rules.response.broken(flow.response.headers, flow.response.raw_content or b"")

    def _judged(self, flow: HTTPFlow, examined: Examined, certificate: Presented | None, alert: str) -> Mark:
        session = self.session
        if _abandoned(flow):
            return Mark(NOT_JUDGED, "", "the client disconnected before the response", stimulus=examined.stimulus)
        bare = flow.client_conn.peername == BARE
        if certificate is not None:
            stimulus, why = _combined(certificate, examined)
            name, expected = stimulus.id, self._wanted(stimulus)
        else:
            name, why = (NO_CERTIFICATE, "no client certificate") if bare else (examined.stimulus, examined.why)
            stimulus, expected = self._stimulus(name, examined), session.expected.get(name)
        if expected is None:
            answered = f"answered {flow.response.status_code}" if flow.response else "not answered"
            message = f"no requirement covers {name} ({why}); it was {answered}"
            return Mark(NOT_JUDGED, "", message, stimulus=name)
        # Another API of a gateway may have other modes.
        if (expected.check == "served" or certificate is not None) and not self._of_the_flow(flow):
            return Mark(NOT_JUDGED, "", f"not a request of {session.flow.name} ({why})", stimulus=name)
        exchange = _outgoing(flow, alert) if bare else _exchange(flow, examined)
        case = self._case(stimulus, expected)
        verdict = judge(Question(case, exchange, session.classes, Grade.CLIENT_ONLY, session.dialect))
        said = VIOLATES if verdict.outcome in BROKEN else SATISFIES if verdict.outcome is Outcome.PASS else NOT_JUDGED
        reason = verdict.reason if verdict.outcome is not Outcome.PASS else expected.requirement.text
        message = f"{reason} ({why})" if name != GOOD else reason
        return Mark(said, expected.requirement.id, message, expected.case, name)

    def _wanted(self, stimulus: Stimulus) -> Expected | None:
        """What must happen with *stimulus*: a token that is broken in any way is a broken token."""
        broken = replace(stimulus, token=_BROKEN) if stimulus.token not in (GOOD, _NO_TOKEN) else stimulus
        return self.session.expected.get(stimulus.id) or self.session.expected.get(broken.id)

    def _stimulus(self, name: str, examined: Examined) -> Stimulus:
        if name != NO_CERTIFICATE:
            return Stimulus(token=name)
        requested = self.session.expected.get(examined.stimulus)
        bad = requested is None or requested.check != "served"
        return Stimulus(certificate=name, token=examined.stimulus if bad else GOOD)

    def _case(self, stimulus: Stimulus, expected: Expected) -> Case:
        params = Params(statuses=frozenset(expected.statuses))
        path = Path.DIRECT if stimulus.certificate == NO_CERTIFICATE else Path.TERMINATING
        return Case(
            expected.requirement, self.session.flow, self.session.posture, path, stimulus, expected.check, params=params
        )

    def _of_the_flow(self, flow: HTTPFlow) -> bool:
        before, after = self._path
        path = flow.request.path.partition("?")[0]
        return flow.request.method == self.session.flow.method and path.startswith(before) and path.endswith(after)


def _combined(certificate: Presented, examined: Examined) -> tuple[Stimulus, str]:
    """Everything that a client presents to a gateway, and how that is known."""
    unreadable = certificate.stimulus == MALFORMED
    stimulus = Stimulus(
        certificate=GOOD if unreadable else certificate.stimulus,
        token=examined.stimulus,
        transport=MALFORMED if unreadable else GOOD,
    )
    return stimulus, f"{certificate.why}; {examined.why}"


def _abandoned(flow: HTTPFlow) -> bool:
    """Whether the client disconnected before the response: what came of the server's side then is its doing."""
    if flow.response is not None:
        return False
    said = flow.error is not None and flow.error.msg.startswith("Client disconnected")
    gone = flow.is_replay is None and not flow.client_conn.state & ConnectionState.CAN_READ
    return said or gone


def _outgoing(flow: HTTPFlow, alert: str) -> Exchange:
    """What the inspector itself met as the server's client, when it left the certificate out."""
    server, error = flow.server_conn, flow.error.msg if flow.error else ""
    answer = Response(flow.response.status_code) if flow.response else None
    untrusted = (server.error or "") if "certificate verify failed" in (server.error or "") else ""
    client = ClientView(
        local_port=server.sockname[1] if server.sockname else None,
        established=server.timestamp_tls_setup is not None,
        alert=alert,
        closed=answer is None,
        response=answer,
        server_refused=untrusted,
        # Neither answered nor refused by TLS: that is the network's doing, or of unknown cause.
        fault="" if answer or alert or untrusted or server.timestamp_tls_setup else error or "no connection",
    )
    return Exchange(flow.request.headers.get(_NONCE, ""), client, None, None)


def _exchange(flow: HTTPFlow, examined: Examined) -> Exchange:
    """The facts as the client had them and as this place between saw them; the server's own account is not here."""
    request, server = flow.request, flow.server_conn
    values = [value for name, value in request.headers.fields if name.lower() == b"authorization"]
    authorization = hashlib.sha256(b", ".join(values)).hexdigest() if values else ""
    body = hashlib.sha256(request.raw_content or b"").hexdigest()
    status = flow.response.status_code if flow.response else None
    nonce = request.headers.get(_NONCE, "")
    observed = RequestView(
        request.method, request.path.partition("?")[0], nonce, status, "upstream" if flow.response else "balancer",
        token=examined.token, authorization_sha256=authorization, body_sha256=body,
    )  # fmt: skip
    client = ClientView(
        local_port=flow.client_conn.peername[1] if flow.client_conn.peername else None,
        established=flow.client_conn.timestamp_tls_setup is not None,
        tls_version=flow.client_conn.tls_version or "",
        closed=flow.response is None,
        response=Response(status) if status is not None else None,
        body_sha256=body,
        authorization_sha256=authorization,
    )
    port = server.sockname[1] if server.sockname else None
    between = BalancerView(
        "inspector", "terminating", 0, client.local_port or 0, established=client.established, upstream_port=port,
        upstream_established=server.timestamp_tls_setup is not None,
        upstream_error=(flow.error.msg if flow.error else "") or server.error or "", requests=(observed,),
    )  # fmt: skip
    return Exchange(nonce, client, between, None)
