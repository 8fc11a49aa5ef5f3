"""Steps of a script in which services exchange tokens and call each other, and what must come of each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.model.expectation import Expectation


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
class Take:
    """The token that the client of a target file holds, under ``name``: as its source gives it, or with a flaw.

    One that has expired cannot be made of it, and is given in the file beside it.
    """

    name: str
    flaw: Flaw = Flaw.NONE

    def __str__(self) -> str:
        return f"take {self.name}" + (f", {self.flaw}" if self.flaw is not Flaw.NONE else "")


class Aspect(StrEnum):
    """What of an answer to a token exchange can be judged; ``answer`` is its form, ``lifetime`` the token's."""

    AUDIENCE = "audience"
    SUBJECT = "subject"
    ACTOR = "actor"
    LIFETIME = "lifetime"
    ANSWER = "answer"


@dataclass(frozen=True)
class Issued:
    """A token is issued for the audience asked for, keeping ``subject``, and naming ``actor`` as its actor.

    ``subject`` '' is whoever the exchanged token names; an ``actor`` '' is not compared.  Only ``about`` is judged.
    """

    subject: str
    actor: str
    about: frozenset[Aspect] = frozenset(Aspect)

    def __str__(self) -> str:
        through = f" through {self.actor}" if self.actor else ""
        return f"then issued for {self.subject or 'the same user'}{through}"


@dataclass(frozen=True)
class ExchangeRefused:
    """No token is issued; the error is one of ``errors`` (RFC 6749 section 5.2, RFC 8693 section 2.2.2), where any is
    named."""

    errors: tuple[str, ...]

    def __str__(self) -> str:
        return "then refused" + (f": {' or '.join(self.errors)}" if self.errors else "")


class ClientSecret(StrEnum):
    """How the client proves who it is: rightly, wrongly, or not at all."""

    GOOD = "good"
    WRONG = "wrong"
    NONE = "none"


@dataclass(frozen=True)
class Exchange:
    """*client* asks the token service ``at`` for a token for ``audience`` in exchange for ``subject`` (RFC 8693).

    ``name`` is what the new token is called, ``lifetime`` the longest it may live in seconds.  ``change`` are
    parameters of the request that differ, '' leaves one out.
    """

    name: str
    at: str
    client: str
    subject: str
    audience: str
    then: Issued | ExchangeRefused
    lifetime: int = 600
    secret: ClientSecret = ClientSecret.GOOD
    change: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        proof = {ClientSecret.GOOD: "", ClientSecret.WRONG: " with a wrong secret", ClientSecret.NONE: " without proof"}
        changed = "".join(f", {name} {value or 'left out'}" for name, value in self.change)
        return f"exchange {self.subject} for {self.audience} as {self.client}{proof[self.secret]}{changed}, {self.then}"


@dataclass(frozen=True)
class Call:
    """A request of the flow with the token ``token`` ('' for none) to ``server``; '' is the one under test."""

    token: str
    then: Expectation
    server: str = ""

    def __str__(self) -> str:
        return f"call {self.server or 'the server'} with {self.token or 'no token'}, {self.then}"
