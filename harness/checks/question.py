"""What a check is asked, and the few words it answers with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.model.case import GOOD, Case
from harness.model.catalogue import StimulusClass
from harness.model.exchange import BalancerView, ClientView, Exchange, RequestView
from harness.model.verdict import Finding, FindingKind
from harness.model.vocabulary import Grade, Path, Reason

LET_IN = 4


@dataclass(frozen=True)
class Dialect:
    """How honest products differ: the statuses with which they turn a certificate or a token away."""

    name: str = "apic"
    certificate_statuses: frozenset[int] = frozenset({400, 401, 403, 495, 496})
    token_statuses: frozenset[int] = frozenset({401})

    def oddity(self, client: ClientView | None) -> int:
        """Which of several answers tells most against a server: let in, an error of its own, none, another status."""
        status = client.response.status if client and client.response else None
        if status is None or (300 <= status < 400 and status not in self.token_statuses):
            return 2
        if status < 300:
            return LET_IN
        return 3 if status >= 500 else int(status not in self.token_statuses)


@dataclass(frozen=True)
class Question:
    """One case, its exchange, and what else is needed to read them."""

    case: Case
    exchange: Exchange
    classes: Mapping[str, StimulusClass]
    grade: Grade = Grade.BOTH_SIDES
    dialect: Dialect = field(default_factory=Dialect)

    def because(self, *kinds: str) -> frozenset[Reason]:
        """The reasons for which a server may rightly reject this case's stimulus, of the given kinds."""
        stimulus = self.case.stimulus
        parts = {"certificate": stimulus.certificate, "token": stimulus.token, "transport": stimulus.transport}
        named = [self.classes[parts[kind]].because for kind in kinds if parts[kind] != GOOD]
        return frozenset().union(*named) if named else frozenset()

    def statuses(self, dialects: frozenset[int]) -> frozenset[int]:
        """The statuses for a rejection: the dialect's, or those that the catalogue names for this case.

        What a target's own dialect adds to the usual one counts beside those that the catalogue names.
        """
        named = self.case.params.get("statuses")
        usual = Dialect()
        own = dialects - usual.token_statuses - usual.certificate_statuses
        return frozenset(named) | own if named else dialects

    @property
    def both_sides(self) -> bool:
        """Whether the server's own account may be expected."""
        return self.grade is Grade.BOTH_SIDES

    @property
    def client(self) -> ClientView:
        """The client's view; an exchange without one is a harness fault, which the judge catches."""
        if self.exchange.client is None:
            raise LookupError("the exchange has no client view")
        return self.exchange.client

    @property
    def status(self) -> int | None:
        """The HTTP status that the client got, None without an answer."""
        response = self.client.response
        return response.status if response else None

    @property
    def server_request(self) -> RequestView | None:
        """The request as the server saw it."""
        server = self.exchange.server
        return server.requests[0] if server and server.requests else None

    @property
    def balancer_request(self) -> RequestView | None:
        """The request as the balancer saw it."""
        balancer = self.exchange.balancer
        return balancer.requests[0] if balancer and balancer.requests else None

    @property
    def answered_by_balancer(self) -> bool:
        """Whether the answer is the balancer's own, not the server's."""
        request = self.balancer_request
        return request is not None and request.decision == "balancer"

    @property
    def balancer(self) -> BalancerView | None:
        """The balancer's view, None on the direct path or where it told nothing."""
        return None if self.case.path is Path.DIRECT else self.exchange.balancer

    @property
    def server_reason(self) -> str:
        """Why the server says it turned the client away; '' where it did not or was not heard."""
        server = self.exchange.server
        if server is None:
            return ""
        request = self.server_request
        return server.rejected or (request.reason if request and request.decision == "rejected" else "")


def violation(code: str, text: str) -> Finding:
    """The requirement is broken."""
    return Finding(FindingKind.VIOLATION, code, text)


def wrong_reason(code: str, text: str) -> Finding:
    """Rejected, but not for the reason under test."""
    return Finding(FindingKind.WRONG_REASON, code, text)


def unobserved(code: str, text: str) -> Finding:
    """The evidence that this verdict needs is not here."""
    return Finding(FindingKind.UNOBSERVED, code, text)


def note(code: str, text: str) -> Finding:
    """Worth telling, changes nothing."""
    return Finding(FindingKind.NOTE, code, text)
