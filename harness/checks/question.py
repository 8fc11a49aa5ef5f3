"""What a check is asked, and the few words it answers with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.checks.dialect import CERTIFICATE_STATUSES, TOKEN_STATUSES, Dialect
from harness.model.case import GOOD, Case
from harness.model.catalogue import CataloguedClass
from harness.model.exchange import BalancerView, ClientView, Exchange, RequestView, ServerView
from harness.model.verdict import Finding, FindingKind
from harness.model.vocabulary import Grade, Path, Reason

# Classes whose request, or whose credential, is not of the form that RFC 6750 has for it.
_MALFORMED = ("str-", "t-")


@dataclass(frozen=True)
class Question:
    """One case, its exchange, and what else is needed to read them."""

    case: Case
    exchange: Exchange
    classes: Mapping[str, CataloguedClass]
    grade: Grade = Grade.BOTH_SIDES
    dialect: Dialect = field(default_factory=Dialect)

    def acceptable_reasons(self, *kinds: str) -> frozenset[Reason]:
        """The reasons for which a server may rightly reject this case's stimulus, of the given kinds."""
        stimulus = self.case.stimulus
        parts = {"certificate": stimulus.certificate, "token": stimulus.token, "transport": stimulus.transport}
        named = [self.classes[parts[kind]].acceptable_reasons for kind in kinds if parts[kind] != GOOD]
        return frozenset().union(*named) if named else frozenset()

    @property
    def certificate_statuses(self) -> frozenset[int]:
        """The statuses that turn this case's certificate away."""
        return self._statuses(self.dialect.certificate_statuses, CERTIFICATE_STATUSES)

    @property
    def token_statuses(self) -> frozenset[int]:
        """The statuses that turn this case's token away.

        RFC 6750 section 3.1 has 400 for a request that is malformed; where only the status is seen, it is an honest
        answer to what is no token, or is sent as none should be.
        """
        found = self._statuses(self.dialect.token_statuses, TOKEN_STATUSES)
        malformed = not self.both_sides and self.case.stimulus.token.startswith(_MALFORMED)
        return found | {400} if malformed else found

    def _statuses(self, dialects: frozenset[int], usual: frozenset[int]) -> frozenset[int]:
        """The dialect's, or those that the catalogue names for this case and what the target adds to the usual ones."""
        named = self.case.params.statuses
        return named | (dialects - usual) if named else dialects

    @property
    def accepted(self) -> bool:
        """Whether the answer says that the request was served."""
        return self.status is not None and self.status < 400 and not self.marked

    @property
    def marked(self) -> bool:
        """Whether the answer is a refusal by what the target's dialect says, whatever its status."""
        return self.dialect.refuses(self.client.response)

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
        return self._own(self.exchange.server)

    @property
    def balancer_request(self) -> RequestView | None:
        """The request as the balancer saw it."""
        return self._own(self.exchange.balancer)

    def _own(self, view: ServerView | BalancerView | None) -> RequestView | None:
        """Of the requests on a connection, the one with this exchange's nonce, else the first."""
        requests = view.requests if view else ()
        own = (request for request in requests if request.nonce == self.exchange.nonce)
        return next(own, requests[0] if requests else None)

    @property
    def answered_by_balancer(self) -> bool:
        """Whether the answer is the balancer's own, not the server's."""
        request = self.balancer_request
        return request is not None and request.decision == "balancer"

    @property
    def balancer(self) -> BalancerView | None:
        """The balancer's view, None on the direct path or where it logged nothing."""
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
    """Worth reporting; changes nothing."""
    return Finding(FindingKind.NOTE, code, text)
