"""A script of the catalogue: its steps, and what must happen at each (harness.model.script_facts has what did).

A script runs against a server of its own.  A step's text is what a report calls it by.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.model.vocabulary import Reason


class Signed(StrEnum):
    """The token of a request: under the current key, one for the whole script, under the previous key, a stranger's."""

    GOOD = "good"
    KEPT = "kept"
    FORMER = "former"
    STRANGER = "stranger"


class Rotation(StrEnum):
    """Management publishes a new key alone, or beside the old one, or withdraws the old one."""

    REPLACE = "replace"
    OVERLAP = "overlap"
    RETIRE = "retire"


class Presented(StrEnum):
    """The certificate that the client under test presents: the one before, or the one after it was renewed."""

    OLD = "old"
    RENEWED = "renewed"


class Verb(StrEnum):
    """What an operator, or an accident, does to a part of a deployment (harness.lab.disruptions explains each)."""

    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    START = "start"
    KILL = "kill"
    CUT = "cut"
    MEND = "mend"
    MOVE = "move"


class Part(StrEnum):
    """The part of a deployment that it is done to: the publisher of the keys, or the server under test."""

    KEY_SERVER = "key-server"
    SERVER = "server"


@dataclass(frozen=True)
class Action:
    """One act of an operator."""

    verb: Verb
    part: Part

    def __str__(self) -> str:
        return f"{self.verb} {self.part}"


# What must happen


@dataclass(frozen=True)
class MustBeServed:
    """The request succeeds and has its effect; ``presents`` is the certificate that the client must have shown."""

    presents: Presented | None = None

    def __str__(self) -> str:
        return "then served" + (f", presents {self.presents}" if self.presents else "")


@dataclass(frozen=True)
class MustBeRefused:
    """The request is turned away, for one of ``acceptable_reasons``."""

    acceptable_reasons: tuple[Reason, ...]

    def __str__(self) -> str:
        return f"then refused: {' or '.join(self.acceptable_reasons)}"


Expectation = MustBeServed | MustBeRefused


# Steps


@dataclass(frozen=True)
class Request:
    """A request of the harness."""

    token: Signed
    then: Expectation

    def __str__(self) -> str:
        return f"request {self.token}, {self.then}"


@dataclass(frozen=True)
class Act:
    """The client under test makes its own request."""

    client: str
    then: Expectation

    def __str__(self) -> str:
        return f"act {self.client}, {self.then}"


@dataclass(frozen=True)
class Advance:
    """The clocks of the server, its management and the client move on."""

    hours: float

    def __str__(self) -> str:
        return f"advance {self.hours:g}"


@dataclass(frozen=True)
class SwitchKeyServer:
    """The publisher of the keys goes away or comes back."""

    up: bool

    def __str__(self) -> str:
        return f"key-server {'up' if self.up else 'down'}"


@dataclass(frozen=True)
class Rotate:
    """Management changes the keys that it signs with and publishes."""

    how: Rotation

    def __str__(self) -> str:
        return f"rotate {self.how}"


@dataclass(frozen=True)
class Renew:
    """A TLS secret is issued again: another key, the same subject."""

    secret: str

    def __str__(self) -> str:
        return f"renew {self.secret}"


@dataclass(frozen=True)
class Register:
    """Management registers the client again, which gives it what it presents."""

    client: str

    def __str__(self) -> str:
        return f"register {self.client}"


@dataclass(frozen=True)
class Fetches:
    """How often the server must have fetched keys by now."""

    number: int

    def __str__(self) -> str:
        return f"fetches {self.number}"


@dataclass(frozen=True)
class Operate:
    """An operator acts on the deployment."""

    action: Action

    def __str__(self) -> str:
        return f"operate {self.action}"


@dataclass(frozen=True)
class UnderLoad:
    """An operator acts while good requests keep coming.  The outage must stay below so many seconds; ``undisturbed``
    asks for no restart, no request lost and no effect forgotten."""

    action: Action
    outage_below: float
    undisturbed: bool = False

    def __str__(self) -> str:
        text = f"under_load {self.action}, outage_below {self.outage_below:g}"
        return text + (", restarts False" if self.undisturbed else "")


@dataclass(frozen=True)
class CutOff:
    """An operator acts while the server fetches the keys for a good request, which must then not be served."""

    action: Action

    def __str__(self) -> str:
        return f"cut_off {self.action}, then cut-off"


@dataclass(frozen=True)
class Slow:
    """A good request whose keys come so many seconds later: management is held, as a slow network would hold what it
    sends.  It must be served, and not before."""

    seconds: float

    def __str__(self) -> str:
        return f"slow {self.seconds:g}"


class Flaw(StrEnum):
    """What is wrong with a token that the harness makes: nothing, a stranger's key, its content, its time."""

    NONE = "none"
    STRANGER = "stranger"
    ALTERED = "altered"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Mint:
    """The harness makes a token under ``name``, which names ``issuer``, ``audience`` and ``subject``.

    ``may_act`` is the only party that may act for the subject (RFC 8693 section 4.4), '' where the token names none.
    """

    name: str
    issuer: str
    audience: str
    subject: str
    flaw: Flaw = Flaw.NONE
    may_act: str = ""

    def __str__(self) -> str:
        flaw = f", {self.flaw}" if self.flaw is not Flaw.NONE else ""
        may_act = f", may_act {self.may_act}" if self.may_act else ""
        return f"mint {self.name} for {self.audience}{flaw}{may_act}"


@dataclass(frozen=True)
class Issued:
    """A token is issued for the audience asked for, keeping ``subject``, and naming ``actor`` as its actor."""

    subject: str
    actor: str

    def __str__(self) -> str:
        return f"then issued for {self.subject} through {self.actor}"


@dataclass(frozen=True)
class ExchangeRefused:
    """No token is issued; the error is one of ``errors`` (RFC 6749 section 5.2, RFC 8693 section 2.2.2)."""

    errors: tuple[str, ...]

    def __str__(self) -> str:
        return f"then refused: {' or '.join(self.errors)}"


@dataclass(frozen=True)
class Exchange:
    """*client* asks the token service ``at`` for a token for ``audience`` in exchange for ``subject`` (RFC 8693).

    ``name`` is what the new token is called, ``lifetime`` the longest it may live in seconds.  ``change`` are
    parameters of the request that differ, '' leaves one out; ``secret`` False authenticates with a wrong secret.
    """

    name: str
    at: str
    client: str
    subject: str
    audience: str
    then: Issued | ExchangeRefused
    lifetime: int = 600
    secret: bool = True
    change: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"exchange {self.subject} for {self.audience} as {self.client}, {self.then}"


@dataclass(frozen=True)
class Call:
    """A request of the flow with the token ``token`` ('' for none) to ``server``; '' is the one under test."""

    token: str
    then: Expectation
    server: str = ""

    def __str__(self) -> str:
        return f"call {self.server or 'the server'} with {self.token or 'no token'}, {self.then}"


Step = (
    Request
    | Mint
    | Exchange
    | Call
    | Act
    | Advance
    | SwitchKeyServer
    | Rotate
    | Renew
    | Register
    | Fetches
    | Operate
    | UnderLoad
    | CutOff
    | Slow
)
