"""What a probe observes beside the views of client, balancer and server: the members of ``evidence.extra`` in a record.

The keys are those of the record, which readers of ``run.jsonl`` rely on: a member is added here, never renamed.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict


class Start(TypedDict, total=False):
    """A server that was started: the port it listens on, or its words when it refused."""

    port: int
    refused: str


class DrivenClient(TypedDict, total=False):
    """The account of a client under test: what it was answered, or why it was not."""

    status: int | None
    error: str
    local_port: int | None


class Answer(TypedDict):
    """What one request of a bypass was answered.  ``told`` is the alert or the fault that ended it, ``aside`` what
    something unprotected is answered in the same way."""

    how: str
    status: int | None
    served: bool
    told: str
    allow: bool
    body_sha256: str
    body_characters: int
    aside: NotRequired[Answer]
    judged_elsewhere: NotRequired[bool]


class Ways(TypedDict):
    """The tries of a bypass.  Where one was served: what the usual way and the good request are answered (``no_good``:
    why there is none); elsewhere ``closed`` says why that way is closed to every client."""

    tries: list[Answer]
    usual: NotRequired[Answer]
    good: NotRequired[Answer]
    no_good: NotRequired[str]
    closed: NotRequired[str]


class Met(TypedDict):
    """A handshake without a request: the certificate met, and whether the client was asked for one."""

    leaf: str
    asked: bool
    fault: str


class Compared(TypedDict):
    """What answers in front of a server, and the server itself where it can be reached or its certificate is known."""

    own: str
    front: Met
    direct: NotRequired[Met]


class Found(TypedDict):
    """One finding in files."""

    severity: str
    file: str
    line: int
    object: str
    path: str
    message: str
    fix: str


class Configured(TypedDict):
    """How files configure the server of *flow*, and how it is said to be; ``object`` is what configures it.

    ``let_in`` is a live case in which a client was served without what the files ask for, ``turned_away`` says who was
    not, with all of it.
    """

    flow: str
    certificate: bool
    token: bool
    object: str
    file: str
    line: int
    said_certificate: bool
    said_token: bool
    let_in: NotRequired[str]
    turned_away: NotRequired[str]


class Files(TypedDict):
    """What one rule found in exported files: how many objects it looked at, why at none, and what it left open."""

    judged_as: list[str]
    checked: int
    not_checked: str
    undecided: NotRequired[list[str]]
    findings: list[Found]
    configured: NotRequired[list[Configured]]


class OnTheWire(TypedDict):
    """One connection as captured: what it carries, and of TLS who asked for and sent a client certificate (``sure``
    where that was read, or follows from sizes without doubt).  ``data``: whether application data went both ways,
    ``doubt`` why that cannot be denied; ``tokens`` how many bearer tokens are in clear text.
    """

    ends: str
    content: str
    version: str
    server_name: str
    asked: str
    sent: str
    sure: bool
    why: str
    data: str
    doubt: NotRequired[str]
    tokens: int
    statuses: list[int]


class Packets(TypedDict):
    """What the packets show of one case: the client's connection, and those that the balancer opened.  ``missing`` says
    why nothing is known, '' where something is."""

    missing: str
    passage: str
    why: str
    client: NotRequired[OnTheWire]
    onward: NotRequired[list[OnTheWire]]


class LoadedArm(TypedDict):
    """One combination of a load: how many events were served in all and a second, and the 95th percentile."""

    posture: str
    path: str
    connections: str
    served: int
    per_second: float
    p95: float | None


class Loaded(TypedDict):
    """What the record of a load says: ``rate`` 0 is full load; ``sentences`` are its comparisons."""

    flow: str
    target: str
    rate: float
    users: int
    stopped: str
    arms: list[LoadedArm]
    sentences: list[str]
    remarks: list[str]


class Observations(TypedDict, total=False):
    """What only some cases have.

    ``unmade`` says why the stimulus could not be made, ``twin_refused`` that its own twin was refused, too,
    ``everybody_let_in`` that the endpoint serves any client, ``effect_unseen`` why the effect could not be looked up.
    ``form`` and ``forms`` name the form of a token and how many were sent; ``fetchable`` and ``fetched`` are about the
    URL in a token; ``past`` are the tries past a balancer; ``sockets`` are the connections of a case that has several,
    each by its two ports, the client's first; ``curl`` and ``reads`` repeat the request.  ``dropped_before``:
    this is the second try of a case whose first connection ended with neither an alert nor a response.
    """

    server_leaf_sha256: str
    start: Start
    unmade: str
    twin_refused: str
    everybody_let_in: str
    dropped_before: bool
    effect_unseen: str
    form: str
    forms: str
    misnamed: str
    fetchable: bool
    fetched: int
    act: DrivenClient
    past: list[DrivenClient]
    now: float
    ways: Ways
    compared: Compared
    files: Files
    packets: Packets
    sockets: list[list[int]]
    load: Loaded
    curl: str
    reads: str
