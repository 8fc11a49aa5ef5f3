"""How conforming products differ in refusing: statuses, and marks of a refusal that a status alone does not show."""

from __future__ import annotations

from dataclasses import dataclass

from harness.model.exchange import Response
from harness.model.inspection import DialectForm, RefusalForm

CERTIFICATE_STATUSES = frozenset({400, 401, 403, 495, 496})
TOKEN_STATUSES = frozenset({401})
LET_IN = 4
MOST_CHARACTERS = 2000
"""So much of a body is looked at, which is also what the evidence keeps."""


@dataclass(frozen=True)
class Refusal:
    """Marks a response as a refusal whatever its status: all that is given must fit.

    ``header`` is the name of a field and ``value`` a pattern for all of it, ``body`` a pattern for a part of the body.
    In a pattern ``*`` stands for any text and everything else for itself: nothing in it can take long.
    """

    status: int = 0
    header: str = ""
    value: str = ""
    body: str = ""

    def to_json(self) -> RefusalForm:
        """As an inspection session carries it."""
        return {"status": self.status, "header": self.header, "value": self.value, "body": self.body}

    def marks(self, response: Response) -> bool:
        """Whether *response* is such a refusal."""
        if self.status and response.status != self.status:
            return False
        if self.body and not _within(self.body, response.body[:MOST_CHARACTERS]):
            return False
        return not self.header or any(
            name.lower() == self.header.lower() and _whole(self.value, value) for name, value in response.headers
        )


@dataclass(frozen=True)
class Dialect:
    """How a product turns a certificate or a token away, and what else marks a refusal."""

    name: str = "apic"
    certificate_statuses: frozenset[int] = CERTIFICATE_STATUSES
    token_statuses: frozenset[int] = TOKEN_STATUSES
    refusal: Refusal | None = None

    def refuses(self, response: Response | None) -> bool:
        """Whether *response* is marked as a refusal, whatever its status says."""
        return self.refusal is not None and response is not None and self.refusal.marks(response)

    def worst_answer(self, response: Response | None) -> int:
        """Ranks answers by how much they count against a server: accepted, its own error, none, another status."""
        status = response.status if response else None
        if response is None or status is None:
            return 2
        if self.refuses(response) or status in self.token_statuses:
            return 0
        if status < 300:
            return LET_IN
        return {3: 2, 5: 3}.get(status // 100, 1)

    def to_json(self) -> DialectForm:
        """As an inspection session carries it."""
        return {
            "name": self.name,
            "certificate_statuses": sorted(self.certificate_statuses),
            "token_statuses": sorted(self.token_statuses),
            "refusal": self.refusal.to_json() if self.refusal else None,
        }

    @classmethod
    def from_json(cls, data: DialectForm) -> Dialect:
        """From :meth:`to_json`'s form."""
        refusal = data.get("refusal")
        certificate, token = frozenset(data["certificate_statuses"]), frozenset(data["token_statuses"])
        return cls(data["name"], certificate, token, Refusal(**refusal) if refusal else None)


def _within(pattern: str, text: str) -> bool:
    """Whether the parts of *pattern* between its stars stand in *text*, one after the other."""
    at = 0
    for part in pattern.split("*"):
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _whole(pattern: str, text: str) -> bool:
    """Like :func:`_within`, for all of *text*."""
    first, star, rest = pattern.partition("*")
    if not star:
        return text == pattern
    last = rest.rpartition("*")[2]
    if not text.startswith(first) or not text.endswith(last) or len(text) < len(first) + len(last):
        return False
    return _within(rest[: len(rest) - len(last)], text[len(first) : len(text) - len(last)])
