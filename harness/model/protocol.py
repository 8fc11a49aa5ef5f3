"""What the harness and its worker processes say to each other, declared once for both ends.  Standard library, no I/O.

A line is a JSON object.  To the worker: a command, ``{"id": n, "op": "start", ...}`` with the members of the command.
From the worker: ``{"kind": "ready"}`` once; ``{"kind": "reply", "id": n, "ok": true, "result": ...}`` or ``{"ok":
false, "error": "..."}`` for each command; ``{"kind": "connection", ...}`` for each connection that ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Generic, Literal, TypedDict, TypeVar

from harness.model.exchange import BalancerView, ServerView
from harness.model.observations import DrivenClient, Start

LOOPBACK = "127.0.0.1"  # macOS has no other loopback address
UPSTREAM_TIMEOUT = 10.0
"""Seconds from a complete request to the server's complete answer, unless the listener says otherwise."""

Result = TypeVar("Result")
Line = Mapping[str, object]
"""A line's content, before it is read or once it is written."""


class Command(Generic[Result]):
    """An order to a worker.  ``op`` is its name on the wire, ``form`` the form of its result."""

    op: ClassVar[str]
    form: ClassVar[Any]


class Nothing(TypedDict):
    """The result of a command that only does something."""


class State(TypedDict):
    """What an instance did: the names of its effects, and how often it did what."""

    effects: list[str]
    counters: dict[str, int]


class Reloaded(TypedDict):
    """Whether a server took its changed configuration over as it runs."""

    reloaded: bool


# To the process of the subsystems


@dataclass(frozen=True)
class InstanceOrder:
    """An instance to start: ``config`` is the file of its custom resource, ``folder`` its deployment folder, ``hosts``
    the addresses of the names that it may look up; it listens on ``address`` (port 0: any)."""

    id: str
    kind: str
    config: str
    folder: str
    hosts: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    port: int = 0
    address: str = LOOPBACK


@dataclass(frozen=True)
class StartInstances(Command[dict[str, Start]]):
    """Start instances; one that refuses its configuration does not keep the others from starting."""

    op: ClassVar[str] = "start"
    form: ClassVar[Any] = dict[str, Start]
    instances: tuple[InstanceOrder, ...]


@dataclass(frozen=True)
class StopInstances(Command[Nothing]):
    """Stop instances, and cut their connections."""

    op: ClassVar[str] = "stop"
    form: ClassVar[Any] = Nothing
    instances: tuple[str, ...]


@dataclass(frozen=True)
class ReadState(Command[dict[str, State]]):
    """What instances did, by id."""

    op: ClassVar[str] = "state"
    form: ClassVar[Any] = dict[str, State]
    instances: tuple[str, ...]


@dataclass(frozen=True)
class SetClock(Command[Nothing]):
    """Let the clocks of instances (None: of all) go *offset* seconds ahead."""

    op: ClassVar[str] = "clock"
    form: ClassVar[Any] = Nothing
    offset: float
    instances: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Destination:
    """What a client under test is to call: ``url`` by name, ``connect`` is the address behind the name.  ``with_jwt``:
    the registration of a gateway gives it a token to present."""

    url: str
    connect: str = LOOPBACK
    with_jwt: bool = False


@dataclass(frozen=True)
class Act(Command[DrivenClient]):
    """Have an instance make a request of its own; the result is its account."""

    op: ClassVar[str] = "act"
    form: ClassVar[Any] = DrivenClient
    instance: str
    action: str
    target: Destination
    nonce: str


@dataclass(frozen=True)
class Reload(Command[Reloaded]):
    """Give an instance a changed configuration."""

    op: ClassVar[str] = "reload"
    form: ClassVar[Any] = Reloaded
    instance: str
    config: str


# To the process of the balancers


@dataclass(frozen=True)
class Behaviours:
    """How a terminating balancer strays from forwarding unchanged, as balancers in the field do.

    ``authorization``: ``keep``, ``strip`` (header removed) or ``alter`` (a character of the token's last part
    changed).  ``rewrite_body``: a blank is appended, which JSON permits but a digest notices.  ``client_certificate``:
    a PEM file with key and chain which the balancer presents upstream as its own.  ``certificate_header``: clients are
    asked for a certificate, and this header hands it on in place of one that the client set itself; with
    ``keep_certificate_header`` a header of the client's stays.  ``upstream_tls`` False: the request goes on in clear
    text.
    """

    send_sni: bool = True
    authorization: Literal["keep", "strip", "alter"] = "keep"
    client_certificate: str | None = None
    rewrite_body: bool = False
    verify_upstream: bool = True
    certificate_header: str = ""
    keep_certificate_header: bool = False
    upstream_tls: bool = True


@dataclass(frozen=True)
class Listener:
    """One address of the balancer, on ``host``.

    ``certificate``: PEM file, key and chain for clients; ``upstream_ca``: PEM, a file or its text.
    """

    id: str
    mode: Literal["passthrough", "terminating"]
    upstream_host: str
    upstream_port: int
    server_name: str = ""
    certificate: str | None = None
    upstream_ca: str | None = None
    upstream_timeout: float = UPSTREAM_TIMEOUT
    host: str = LOOPBACK
    behaviours: Behaviours = field(default_factory=Behaviours)


class Opened(TypedDict):
    """The port of a listener."""

    port: int


@dataclass(frozen=True)
class Listen(Command[dict[str, Opened]]):
    """Open listeners: all or none."""

    op: ClassVar[str] = "listen"
    form: ClassVar[Any] = dict[str, Opened]
    listeners: tuple[Listener, ...]


@dataclass(frozen=True)
class CloseListeners(Command[Nothing]):
    """Close listeners, and cut their connections."""

    op: ClassVar[str] = "close"
    form: ClassVar[Any] = Nothing
    listeners: tuple[str, ...]


def line_of(command: Command[Any], number: int) -> Line:
    """*command* as it goes to the worker, which repeats *number* in its reply."""
    members: Any = command
    return {"id": number, "op": command.op, **asdict(members)}


# From the worker


@dataclass(frozen=True)
class Ready:
    """It takes commands."""

    def to_json(self) -> Line:
        """The line's content."""
        return {"kind": "ready"}


@dataclass(frozen=True)
class Reply:
    """What became of the command with that number; ``error`` says why it failed, '' if it did not."""

    id: object
    ok: bool = True
    result: object = None
    error: str = ""

    def to_json(self) -> Line:
        """The line's content."""
        outcome = {"result": self.result} if self.ok else {"error": self.error}
        return {"kind": "reply", "id": self.id, "ok": self.ok, **outcome}


@dataclass(frozen=True)
class Connection:
    """One connection that ended, as the worker saw it."""

    view: ServerView | BalancerView

    def to_json(self) -> Line:
        """The line's content."""
        return {"kind": "connection", **asdict(self.view)}


@dataclass(frozen=True)
class Ended:
    """The worker's process is gone; noted at the harness's end.  ``expected``: it was asked to."""

    expected: bool


@dataclass(frozen=True)
class Noise:
    """A line that is not the protocol's."""

    line: str


Event = Connection | Ended | Noise
"""What a worker says of its own accord, or what becomes of it."""


def message_of(data: object) -> Ready | Reply | Connection | None:
    """What a line of the worker says; None for one that is not the protocol's."""
    if not isinstance(data, dict):
        return None
    match data.get("kind"):
        case "ready":
            return Ready()
        case "reply" if "id" in data:
            error = data.get("error", "no reason given")
            return Reply(data["id"], data.get("ok") is True, data.get("result"), str(error))
        case "connection":
            return _connection(data)
    return None


def _connection(data: Line) -> Connection | None:
    kind = BalancerView if "mode" in data else ServerView
    try:
        return Connection(kind.from_json(data))
    except (KeyError, TypeError):  # a member is missing, or one that nobody knows
        return None
