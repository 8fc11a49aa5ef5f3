"""The form of an inspection session's file, and what the inspector's process says.  Standard library only, no I/O.

``hopproof inspect`` writes the file and reads the lines; :mod:`mitm_addons.inspection` reads the file and writes them.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from harness.model.record import Members


class Upstream(TypedDict):
    """Where the inspected server is; ``ca`` is PEM text."""

    host: str
    port: int
    server_name: str
    ca: str


class RequirementForm(TypedDict):
    """A requirement, as far as an inspection quotes it; ``source`` is title and section."""

    id: str
    area: str
    text: str
    why: str
    level: str
    source: list[str]
    basis: str


class ExpectedForm(TypedDict):
    """What must happen with one class of token, and the requirement and case that say so."""

    check: str
    requirement: RequirementForm
    case: str
    statuses: NotRequired[list[int]]


class TokenForm(TypedDict):
    """What a token of the flow must be; ``keys`` is a JWK set."""

    keys: Members
    algorithms: NotRequired[list[str]]
    issuer: NotRequired[str]
    audience: NotRequired[list[str]]
    leeway: NotRequired[float]
    required: NotRequired[list[str]]
    complete: NotRequired[bool]


class RefusalForm(TypedDict, total=False):
    """What else marks a refusal."""

    status: int
    header: str
    value: str
    body: str


class DialectForm(TypedDict):
    """How the product turns a certificate or a token away."""

    name: str
    certificate_statuses: list[int]
    token_statuses: list[int]
    refusal: NotRequired[RefusalForm | None]


class PrivateFiles(TypedDict, total=False):
    """Names of files with secrets, '' where there is none."""

    certificate: str
    client_certificate: str
    variants: str


class SessionForm(PrivateFiles):
    """One flow under inspection; ``flow`` holds the members of a Flow of the catalogue.

    ``certificates`` says by digest (SHA-256) of which class a certificate in the server's certificate header is.
    """

    flow: Members
    posture: str
    upstream: Upstream
    token: TokenForm
    dialect: DialectForm
    as_client: bool
    target: str
    expected: dict[str, ExpectedForm]
    classes: dict[str, list[str]]
    certificates: NotRequired[dict[str, str]]


class Ready(TypedDict):
    """The first line: where it listens."""

    kind: Literal["ready"]
    host: str
    port: int


class Violation(TypedDict):
    """A request that breaks a requirement."""

    kind: Literal["violation"]
    requirement: str
    request: str
    reason: str


class Ended(TypedDict):
    """The last line: how many requests there were of each verdict."""

    kind: Literal["ended"]
    counts: dict[str, int]


Line = Ready | Violation | Ended
