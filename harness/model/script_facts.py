"""What happened at each step of a script.

``to_json`` is the form in which the facts stand in a record (``evidence.extra.steps``).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

FactsJson = dict[str, bool | int | float | str | None]


@dataclass(frozen=True)
class Answered:
    """How a request ended.  ``effect`` says whether it was acted upon, None where that cannot be seen; ``certificate``
    is which one the client under test presented (None: the harness asked), ``marked`` that the target's dialect marks
    the answer as a refusal; ``server`` names the server, where it is not the one under test,
    ``read_on_the_way`` what of the token a balancer could read (``claims``, ``header``; '' for nothing)."""

    status: int | None
    ended: str
    reason: str
    effect: bool | None
    certificate: str | None = None
    marked: bool = False
    server: str = ""
    read_on_the_way: str = ""

    def to_json(self) -> FactsJson:
        """As it is written in a record."""
        left_out = {"certificate": None, "marked": False, "server": "", "read_on_the_way": ""}
        written = asdict(self)
        return {name: value for name, value in written.items() if name not in left_out or value != left_out[name]}


@dataclass(frozen=True)
class AnsweredLate:
    """How a request ended for which the server had to fetch keys.  ``in_time``: it was still being held when the
    operator acted; ``early``: it was acted upon before the keys arrived (None where that was not observed)."""

    status: int | None
    ended: str
    effect: bool
    in_time: bool
    early: bool | None = None

    def to_json(self) -> FactsJson:
        """As it is written in a record."""
        written = {**asdict(self), "reason": ""}
        return {name: value for name, value in written.items() if name != "early" or value is not None}


@dataclass(frozen=True)
class Fetched:
    """How often the server has fetched keys."""

    fetches: int

    def to_json(self) -> FactsJson:
        """As it is written in a record."""
        return asdict(self)


@dataclass(frozen=True)
class Change:
    """What a changed configuration did to the server: ``forgotten`` counts the effects that it no longer knows."""

    restarted: bool
    forgotten: int
    change_s: float

    def to_json(self) -> FactsJson:
        """As it is written in a record."""
        return asdict(self)


@dataclass(frozen=True)
class LoadResult:
    """What became of the requests under load; ``outage_s`` is the longest time between two that were served, None
    where none was served after the event."""

    served: int
    lost: int
    outage_s: float | None
    change: Change | None = None

    def to_json(self) -> FactsJson:
        """As it is written in a record."""
        load: FactsJson = {"served": self.served, "lost": self.lost, "outage_s": self.outage_s}
        return {**(self.change.to_json() if self.change else {}), **load}


@dataclass(frozen=True)
class Done:
    """A step that observes nothing; ``kid`` and ``sha256`` name the key or the certificate that it made."""

    kid: str = ""
    sha256: str = ""

    def to_json(self) -> FactsJson:
        """As it is written in a record."""
        return {name: value for name, value in asdict(self).items() if value}


@dataclass(frozen=True)
class Exchanged:
    """What a token service answered.  The claims are those of the token that it issued, which itself is not kept;
    ``opaque`` says that it is no JWT, so nothing of it can be read.  ``presented_subject`` is whom the token names that
    was exchanged."""

    status: int | None
    ended: str
    error: str = ""
    issued_token_type: str = ""
    token_type: str = ""
    cache_control: str = ""
    issued: bool = False
    audience: str = ""
    subject: str = ""
    actor: str = ""
    lifetime: int = 0
    opaque: bool = False
    presented_subject: str = ""

    def to_json(self) -> FactsJson:
        """As it is written in a record."""
        return {name: value for name, value in asdict(self).items() if name == "status" or value}


@dataclass(frozen=True)
class EvidenceSeen:
    """What a service has kept or says of evidence.  ``same`` is whether it has kept what was sent, ``signed`` whether
    the signature of that verifies, or the service says that it does; None where that was not looked at."""

    status: int | None
    ended: str
    same: bool | None = None
    signed: bool | None = None

    def to_json(self) -> FactsJson:
        """As it is written in a record."""
        return {name: value for name, value in asdict(self).items() if name == "status" or value not in (None, "")}


@dataclass(frozen=True)
class Introspected:
    """What a token service said of a token; ``active`` None where it did not say."""

    status: int | None
    ended: str
    active: bool | None = None
    subject: str = ""
    error: str = ""

    def to_json(self) -> FactsJson:
        """As it is written in a record."""
        return {name: value for name, value in asdict(self).items() if name == "status" or value not in (None, "")}


@dataclass(frozen=True)
class Obtained:
    """What an identity provider answered to a request for a token, or for its end; the token itself is not kept."""

    status: int | None
    ended: str
    issued: bool = False
    error: str = ""

    def to_json(self) -> FactsJson:
        """As it is written in a record."""
        return {name: value for name, value in asdict(self).items() if name == "status" or value}


@dataclass(frozen=True)
class Forwarded:
    """How a request ended that a server was to pass on.  ``effect`` says whether it was acted upon where it was to
    arrive, ``reached`` names the servers behind that heard of it, ``same_token`` says that the client's own token
    arrived; the rest is what the token says that did."""

    status: int | None
    ended: str
    reason: str
    effect: bool
    reached: str = ""
    arrived: bool = False
    same_token: bool = False
    issuer: str = ""
    audience: str = ""
    subject: str = ""
    actor: str = ""

    def to_json(self) -> FactsJson:
        """As it is written in a record."""
        return {name: value for name, value in asdict(self).items() if name in ("status", "effect") or value}


Facts = (
    Obtained
    | Forwarded
    | EvidenceSeen
    | Introspected
    | Exchanged
    | Answered
    | AnsweredLate
    | Fetched
    | Change
    | LoadResult
    | Done
)
