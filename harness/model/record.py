"""The form of ``run.jsonl``, in one place: a header, a row a case, a footer.

``reports/schema/run.schema.json`` says the same to other programs.  A member that records of earlier releases lack is
NotRequired here; today's writer gives every member that the schema requires.  Standard library only, no I/O.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple, NotRequired, TypedDict

from harness.model.observations import Observations
from harness.model.script_facts import FactsJson
from harness.model.vocabulary import Outcome

# What a token's issuer wrote: any JSON object.
Members = dict[str, Any]


class Token(TypedDict):
    """A token as a report may show it: never its signature."""

    sha256: str
    header: NotRequired[Members]
    claims: NotRequired[Members]


class Certificate(TypedDict):
    """One certificate of a chain; an empty name is left out."""

    sha256: str
    subject: NotRequired[str]
    issuer: NotRequired[str]


class Request(TypedDict, total=False):
    """A request as the balancer or the server saw it."""

    method: str
    path: str
    nonce: str
    status: int
    decision: str
    reason: str
    detail: str
    token: Token
    authorization_sha256: str
    body_sha256: str
    body_bytes: int
    digested: bool


class Response(TypedDict):
    """An HTTP response as the client received it."""

    status: int
    headers: NotRequired[list[list[str]]]
    body: NotRequired[str]


class Side(TypedDict, total=False):
    """What every side of a connection records of it."""

    local_port: int
    peer_port: int
    established: bool
    tls_version: str


class Client(Side, total=False):
    """What the client saw."""

    client_chain: list[Certificate]
    server_chain: list[Certificate]
    server_refused: str
    alert: str
    closed: bool
    timed_out: bool
    response: Response
    sent_sha256: str
    body_sha256: str
    authorization_sha256: str
    token: Token
    handshake_sha256: str
    fault: str
    ms: float
    switched: str


class Server(Side, total=False):
    """What the server recorded."""

    client_chain: list[Certificate]
    listener: str
    sni: str
    rejected: str
    detail: str
    requests: list[Request]
    handshake_sha256: str


class Balancer(Side, total=False):
    """What the balancer recorded."""

    listener: str
    mode: str
    sni: str
    upstream_port: int
    upstream_established: bool
    upstream_error: str
    detail: str
    requests: list[Request]


class Extra(Observations, total=False):
    """What only some cases have; ``steps`` are the facts of a script."""

    steps: list[FactsJson]


class Twin(TypedDict):
    """What the positive twin did before and after; '' = served."""

    opening: str
    closing: str


class Evidence(TypedDict, total=False):
    """The facts of a case, no opinion; a member is absent where that side was not observed."""

    nonce: str
    client: Client
    balancer: Balancer
    server: Server
    effect: bool
    extra: Extra
    lab_fault: str
    twin: Twin
    notes: list[str]


class Excuse(TypedDict):
    """Why a failure is accepted, by whom, and through which day."""

    reason: str
    owner: str | None
    expires: str | None


class Judged(TypedDict):
    """A case, why its verdict is what it is, and the evidence."""

    case: str
    requirement: str
    level: str
    basis: str
    source: str
    flow: str
    posture: str
    path: str
    stimulus: str
    expected: str
    reason: str
    reason_code: str
    grade: str
    evidence: Evidence
    ms: float


class Modes(TypedDict):
    """How the server authenticates its clients, in words, where its posture does not say it."""

    modes: NotRequired[str]


class Row(Judged, Modes):
    """The verdict on one case, with its evidence."""

    kind: Literal["row"]
    outcome: Annotated[str, Outcome]
    as_expected: NotRequired[bool]
    known: NotRequired[Excuse | None]
    finding: NotRequired[str]


class LeftOut(TypedDict):
    """A case that was withheld or skipped, and why; of one on files that have nothing of it, how binding it is."""

    case: str
    reason: str
    level: NotRequired[str]


class Counts(TypedDict):
    """``catalogue`` = ``apply`` + ``withheld``; ``apply`` = ``run`` + ``deeper`` + ``unselected`` + ``skipped``."""

    catalogue: int
    withheld: int
    apply: int
    run: int
    deeper: int
    unselected: int
    skipped: int


class Claim(TypedDict):
    """How the target file says that one flow is protected."""

    flow: str
    posture: str
    path: str
    certificate: bool
    token: bool
    audience: bool
    issuer: bool
    exchange: NotRequired[bool]
    policy: NotRequired[bool]


class Header(TypedDict):
    """The first line."""

    kind: Literal["header"]
    tool: str
    python: str
    target: str
    product: str
    profile: NotRequired[str]
    depth: str
    seed: int
    fault: str | None
    only: NotRequired[list[str]]
    expected: NotRequired[str | None]
    catalogue_sha256: str
    started: str
    planned: list[str]
    counts: NotRequired[Counts]
    withheld: list[LeftOut]
    skipped: list[LeftOut]
    scope: str
    claims: NotRequired[list[Claim]]


class Shield(TypedDict, total=False):
    """Who verifies whom in one flow and posture, as the rows showed it; only ``state`` where it did not start."""

    state: str
    server_verified_by: str
    modes: str
    client_verified_by: list[str]
    open_ways: list[str]
    clear_text_at: list[str]
    path_as_declared: bool
    works_over: list[str]


Protection = dict[str, dict[str, Shield]]
"""Flow -> posture -> who verifies whom there."""


class Likeness(TypedDict):
    """The known faults that an external server behaves like."""

    flow: str
    posture: str
    faults: list[str]
    seen: int
    of: int
    summary: str
    change: str


class Gap(TypedDict):
    """A claimed protection whose core classes were not judged."""

    flow: str
    posture: str
    protection: str
    missing: list[str]
    why: str
    give: str


class Footer(TypedDict):
    """The last line; without it the record is incomplete."""

    kind: Literal["footer"]
    cases: int
    outcomes: NotRequired[dict[str, int]]
    protection: NotRequired[Protection]
    idle_exceptions: NotRequired[list[str]]
    diagnosis: NotRequired[list[Likeness]]
    answer: NotRequired[str]
    not_shown: NotRequired[list[Gap]]
    trustworthy: bool
    trouble: NotRequired[list[str]]
    cannot_judge: NotRequired[bool]
    notes: NotRequired[list[str]]
    exit_status: int
    seconds: float


class Record(NamedTuple):
    """A whole run."""

    header: Header
    rows: list[Row]
    footer: Footer
