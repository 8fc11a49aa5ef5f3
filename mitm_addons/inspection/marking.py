"""One exchange -> satisfies, violates or not judged, by the same checks and the same judge as the suites."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from mitmproxy.http import HTTPFlow

from harness.checks import Question
from harness.judge import judge
from harness.model.case import GOOD, Case, Stimulus
from harness.model.exchange import BalancerView, ClientView, Exchange, RequestView, Response
from harness.model.vocabulary import BROKEN, Grade, Outcome, Path, Posture
from mitm_addons.inspection.credentials import Examined, Examiner
from mitm_addons.inspection.payload import Payload
from mitm_addons.inspection.session import Expected, Session

KEY = "flowproof"
SATISFIES, VIOLATES, NOT_JUDGED = "satisfies", "violates", "not judged"
MARKERS = {SATISFIES: ":white_check_mark:", VIOLATES: ":red_circle:", NOT_JUDGED: ":grey_question:"}
_NONCE = "X-Flowproof-Case"


@dataclass(frozen=True)
class Mark:
    """What is said of one exchange."""

    verdict: str
    requirement: str
    reason: str
    case: str = ""
    stimulus: str = ""

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
                              "case": self.case, "stimulus": self.stimulus}  # fmt: skip


class Marker:
    """Marks the exchanges of one session."""

    def __init__(self, session: Session, payload: Payload | None = None) -> None:
        self.session = session
        self.examiner = Examiner(session.token)
        self._payload = payload or Payload()
        before, _, after = session.flow.path.partition("{nonce}")
        self._path = (before, after)

    def mark(self, flow: HTTPFlow) -> Mark:
        """The mark of a finished exchange: the worst of what its payload and its credentials show."""
        examined = self.examiner.examine(flow.request.headers.get_all("authorization"))
        broken = next(self._broken(flow), "")
        judged = self._judged(flow, examined)
        if broken and judged.verdict != VIOLATES:
            return Mark(VIOLATES, "payload", broken, stimulus=examined.stimulus)
        return judged

    def _broken(self, flow: HTTPFlow) -> Any:
        rules = self._payload
        yield from rules.request.broken(flow.request.headers, flow.request.raw_content or b"")
        if flow.response is not None:
            yield from rules.response.broken(flow.response.headers, flow.response.raw_content or b"")

    def _judged(self, flow: HTTPFlow, examined: Examined) -> Mark:
        session = self.session
        if flow.response is None and flow.error is not None and flow.error.msg.startswith("Client disconnected"):
            return Mark(NOT_JUDGED, "", "the client went away before the answer", stimulus=examined.stimulus)
        expected = session.expected.get(examined.stimulus)
        if expected is None:
            why = f"no requirement says what must happen with {examined.stimulus} ({examined.why})"
            return Mark(NOT_JUDGED, "", why, stimulus=examined.stimulus)
        if examined.stimulus == GOOD and session.posture is Posture.JWT and not self._of_the_flow(flow):
            return Mark(NOT_JUDGED, "", f"not a request of {session.flow.name}; its token is good", stimulus=GOOD)
        verdict = judge(
            Question(self._case(examined, expected), _exchange(flow, examined), session.classes, Grade.CLIENT_ONLY)
        )
        name = VIOLATES if verdict.outcome in BROKEN else SATISFIES if verdict.outcome is Outcome.PASS else NOT_JUDGED
        reason = verdict.reason if verdict.outcome is not Outcome.PASS else expected.requirement.text
        told = f"{reason} ({examined.why})" if examined.stimulus != GOOD else reason
        return Mark(name, expected.requirement.id, told, expected.case, examined.stimulus)

    def _case(self, examined: Examined, expected: Expected) -> Case:
        params = {"statuses": list(expected.statuses)} if expected.statuses else {}
        return Case(
            expected.requirement, self.session.flow, self.session.posture, Path.TERMINATING,
            Stimulus(token=examined.stimulus), expected.check, params=params,
        )  # fmt: skip

    def _of_the_flow(self, flow: HTTPFlow) -> bool:
        before, after = self._path
        path = flow.request.path.partition("?")[0]
        return flow.request.method == self.session.flow.method and path.startswith(before) and path.endswith(after)


def _exchange(flow: HTTPFlow, examined: Examined) -> Exchange:
    """The facts as the client had them and as this place between saw them; the server's own account is not here."""
    request, server = flow.request, flow.server_conn
    values = [value for name, value in request.headers.fields if name.lower() == b"authorization"]
    authorization = hashlib.sha256(b", ".join(values)).hexdigest() if values else ""
    body = hashlib.sha256(request.raw_content or b"").hexdigest()
    status = flow.response.status_code if flow.response else None
    nonce = request.headers.get(_NONCE, "")
    seen = RequestView(
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
        upstream_error=(flow.error.msg if flow.error else "") or server.error or "", requests=(seen,),
    )  # fmt: skip
    return Exchange(nonce, client, between, None)
