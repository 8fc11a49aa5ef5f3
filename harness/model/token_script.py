"""Steps of a script in which services exchange tokens and call each other, and what must come of each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.model.expectation import Expectation, MustBeRefused


class Flaw(StrEnum):
    """What is wrong with a token that the harness makes: nothing; it is signed with an unknown key; its claims were
    altered; it has expired; it is signed with the key in its own header (``jwk``); it is not signed (``alg: none``)."""

    NONE = "none"
    STRANGER = "stranger"
    ALTERED = "altered"
    EXPIRED = "expired"
    OWN_KEY = "own-key"
    UNSIGNED = "unsigned"


_FLAWS = {
    Flaw.STRANGER: "signed with an unknown key",
    Flaw.ALTERED: "altered",
    Flaw.EXPIRED: "expired",
    Flaw.OWN_KEY: "signed with the key in its own header (jwk)",
    Flaw.UNSIGNED: "not signed (alg none)",
}
_SIGNED_OTHERWISE = frozenset({Flaw.STRANGER, Flaw.OWN_KEY, Flaw.UNSIGNED})


class Nesting(StrEnum):
    """Where one token stands in another: in a claim, or as its payload (``cty: JWT``, RFC 7519 section 5.2)."""

    CLAIM = "claim"
    JWT = "jwt"


@dataclass(frozen=True)
class Mint:
    """The harness makes a token under ``name``, which names ``issuer``, ``audience`` and ``subject``.

    ``signed_by`` is the secret whose key signs it, '' for the key of the issuer; ``key`` and ``kid`` are other issuers,
    whose key signs it and whose key it names ('' for none: the issuer's own; that the signing key's).  ``lifetime`` is
    in seconds.
    ``may_act`` is the only party that may act for the subject (RFC 8693 section 4.4), '' where the token names none;
    ``act`` are the parties that act for it, the current one first (section 4.1).  ``claims`` are further ones.
    ``embeds`` names the token that stands in this one, as ``nesting`` says; ``encrypted_for`` is the secret whose key
    decrypts it, ``bound_to`` the one whose certificate it is bound to (RFC 8705); '' for none.
    """

    name: str
    issuer: str = ""
    audience: str = ""
    subject: str = ""
    flaw: Flaw = Flaw.NONE
    may_act: str = ""
    signed_by: str = ""
    lifetime: int = 300
    act: tuple[str, ...] = ()
    claims: tuple[tuple[str, str], ...] = ()
    embeds: str = ""
    nesting: Nesting = Nesting.CLAIM
    encrypted_for: str = ""
    bound_to: str = ""
    key: str = ""
    kid: str = ""

    def __str__(self) -> str:
        parts = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": self.subject,
            "signed by": "" if self.flaw in _SIGNED_OTHERWISE else self.signed_by or self.key,
            "with the key id of": self.kid,
            "embeds": self.embeds,
            "encrypted for": self.encrypted_for,
            "bound to": self.bound_to,
            "may_act": self.may_act,
            "act": " < ".join(self.act[:3]) + (" ..." if len(self.act) > 3 else ""),
        }
        words = [f"{word} {value}" for word, value in parts.items() if value]
        flaw = [_FLAWS[self.flaw]] if self.flaw is not Flaw.NONE else []
        return f"make token {self.name}: {', '.join([*words, *flaw])}"


@dataclass(frozen=True)
class Take:
    """The token that the client of a target file holds, under ``name``: as its source gives it, or with a flaw.

    One that has expired cannot be made of it, and is given in the file beside it.  ``actor`` says that it is the token
    of who is to act.
    """

    name: str
    flaw: Flaw = Flaw.NONE
    actor: bool = False

    def __str__(self) -> str:
        held = "the actor's token" if self.actor else "the client's own token"
        return f"take token {self.name}: {held}" + (f", {_FLAWS[self.flaw]}" if self.flaw is not Flaw.NONE else "")


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

    ``subject`` '' is whoever the exchanged token names; an ``actor`` '' is not compared, nor is ``earlier``, who acted
    before.  Only ``about`` is judged.
    """

    subject: str
    actor: str
    about: frozenset[Aspect] = frozenset(Aspect)
    earlier: str = ""

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


@dataclass(frozen=True)
class NotAnswered:
    """The request is sent in clear text, and gets no response from the application."""

    def __str__(self) -> str:
        return "in clear text, then not answered"


class ClientSecret(StrEnum):
    """How the client proves who it is: rightly, wrongly, or not at all."""

    GOOD = "good"
    WRONG = "wrong"
    NONE = "none"


@dataclass(frozen=True)
class Exchange:
    """*client* asks the token service ``at`` for a token for ``audience`` in exchange for ``subject`` (RFC 8693).

    ``name`` is what the new token is called, ``lifetime`` the longest it may live in seconds.  ``change`` are
    parameters of the request that differ, '' leaves one out.  ``certificate`` is the secret whose certificate proves
    who the client is (RFC 8705 section 2), '' where its own secret does.  ``actor_token`` is the token of who is to act
    ('' for none: the client acts).
    """

    name: str
    at: str
    client: str
    subject: str
    audience: str
    then: Issued | ExchangeRefused | NotAnswered
    lifetime: int = 600
    secret: ClientSecret = ClientSecret.GOOD
    certificate: str = ""
    change: tuple[tuple[str, str], ...] = ()
    actor_token: str = ""

    def __str__(self) -> str:
        certificate = f" with the certificate {self.certificate}" if self.certificate else ""
        proof = {ClientSecret.GOOD: "", ClientSecret.WRONG: " with a wrong secret", ClientSecret.NONE: " without proof"}
        changed = "".join(f", {name} {value or 'left out'}" for name, value in self.change)
        actor = f" with the actor token {self.actor_token}" if self.actor_token else ""
        client = f"{self.client}{certificate}{proof[self.secret]}{actor}"
        return f"exchange {self.subject} for {self.audience} as {client}{changed}, {self.then}"


@dataclass(frozen=True)
class Call:
    """A request of the flow with the token ``token`` ('' for none) to ``server``; '' is the one under test.

    ``sealed`` says that whoever reads the request on its way cannot read what the token says.
    """

    token: str
    then: Expectation
    server: str = ""
    sealed: bool = False

    def __str__(self) -> str:
        return f"call {self.server or 'the server'} with {self.token or 'no token'}, {self.then}"


class Kept(StrEnum):
    """What a service must say of evidence: that a caller has signed it, or that nobody has."""

    SIGNED = "signed"
    NOT_SIGNED = "not-signed"


@dataclass(frozen=True)
class Evidence:
    """Evidence is looked at later: what the service has kept of the call with the token ``call``, or the token ``of``
    that is shown to it.  ``token`` is what the auditor calls with, ``then`` what must come of it."""

    token: str
    then: Kept
    call: str = ""
    of: str = ""

    def __str__(self) -> str:
        what = f"the token {self.of}" if self.of else f"what was kept of {self.call}"
        return f"evidence: {what}, then {self.then}"


@dataclass(frozen=True)
class Introspect:
    """*client* asks the token service ``at`` about ``token`` (RFC 7662), which must be active or not; ``then`` None is
    a refusal of the client.  Of an active token the service must name ``subject``."""

    token: str
    at: str
    client: str
    then: bool | None
    subject: str = ""
    secret: ClientSecret = ClientSecret.GOOD

    def __str__(self) -> str:
        outcome = {True: "active", False: "not active", None: "refused"}[self.then]
        return f"introspect {self.token} as {self.client}, then {outcome}"


@dataclass(frozen=True)
class Obtain:
    """*client* gets a token for ``user`` from the identity provider ``at``, under ``name``.

    ``resource`` is for whom it is ('': the provider's usual audience); ``altered`` says that it is changed afterwards.
    """

    name: str
    at: str
    client: str
    user: str
    resource: str = ""
    altered: bool = False

    def __str__(self) -> str:
        resource = f" for {self.resource}" if self.resource else ""
        made = f"obtain {self.name} of {self.user}{resource} from {self.at} as {self.client}"
        return made + (", altered" if self.altered else "")


@dataclass(frozen=True)
class Revoke:
    """*client* revokes ``token`` at the identity provider ``at`` (RFC 7009)."""

    token: str
    at: str
    client: str

    def __str__(self) -> str:
        return f"revoke {self.token} as {self.client}"


@dataclass(frozen=True)
class Arrives:
    """What the token says that arrives with a request that was passed on; it is not the one that the client sent."""

    issuer: str
    audience: str
    subject: str
    actor: str

    def __str__(self) -> str:
        return f"with a token of {self.issuer} for {self.subject} through {self.actor}"


@dataclass(frozen=True)
class Forward:
    """A request of the flow with ``token`` ('' for none) to the server under test, which passes it on to ``at``.

    What must be refused must reach neither ``at`` nor any of ``unasked``, which the server calls before.
    """

    token: str
    at: str
    then: Arrives | MustBeRefused
    unasked: tuple[str, ...] = ()

    def __str__(self) -> str:
        outcome = f"then at {self.at} {self.then}" if isinstance(self.then, Arrives) else str(self.then)
        return f"call with {self.token or 'no token'}, {outcome}"
