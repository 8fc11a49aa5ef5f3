"""A script of the catalogue: its steps, and what must happen at each (harness.model.script_facts has what did).

A script runs against a server of its own.  A step's text is what a report calls it by.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.model.expectation import Expectation
from harness.model.token_script import Call, Evidence, Exchange, Forward, Introspect, Mint, Obtain, Revoke, Take


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


Step = (
    Request
    | Mint
    | Take
    | Exchange
    | Evidence
    | Introspect
    | Obtain
    | Revoke
    | Forward
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
