"""Makes the tokens management would make.  Knows the shape of a good token; the bad ones are the classes' business.

The claims of API Connect's inter-subsystem JWT are not public: header and claims here have the
shape of its other tokens (issuer, algorithm, key id, "n/a" for subject and audience), which is an assumption.
"""

from __future__ import annotations

import copy
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from harness.pki.deployment import Pki
from harness.pki.jwk import Private, Published, key_id, public_jwk
from harness.stimuli.tokens.jose import Part, Signer, as_json, compact
from harness.stimuli.tokens.jwa import signer, stranger, usual

ISSUER = "IBM API Connect"
LIFETIME = 900
"""Seconds from issue to expiry."""

ABSENT: Any = object()
"""As the value of a header parameter or a claim: leave it out."""

# Nothing listens on the discard port here: a server that fetches gets nothing.
NOWHERE = "http://127.0.0.1:9"


class TokenIssuer(ABC):
    """What tokens, good and bad, are made with.  ``clock`` gives seconds since 1970.

    What needs a key or a token that is not at hand raises :class:`harness.stimuli.unavailable.StimulusUnavailable`.
    """

    misnamed = ""
    """What is wrong with the audience that good tokens have, '' where nothing is."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self._named: dict[str, Any] = {}
        self._lure = NOWHERE

    @property
    @abstractmethod
    def alg(self) -> str:
        """What good tokens are signed with."""

    @property
    @abstractmethod
    def agreed(self) -> tuple[str, ...]:
        """All algorithms that the service may take."""

    @property
    @abstractmethod
    def kid(self) -> str:
        """The key id in a good token's header, '' if it has none."""

    @property
    @abstractmethod
    def key(self) -> Private:
        """The key that signs good tokens."""

    @property
    @abstractmethod
    def published(self) -> Sequence[Published]:
        """The keys that verify good tokens, as they are published."""

    @property
    def misdirected(self) -> str:
        """A token for another audience that was given as good, '' where there is none."""
        return ""

    @property
    def has_source(self) -> bool:
        """Whether good tokens can be had at all."""
        return True

    @abstractmethod
    def header(self, **changes: Any) -> dict[str, Any]:
        """A good token's header with *changes*."""

    @abstractmethod
    def claims(self, **changes: Any) -> dict[str, Any]:
        """A good token's claims with *changes*."""

    @abstractmethod
    def token(self, header: Part | None = None, claims: Part | None = None, sign: Signer | None = None) -> str:
        """A compact JWS: good unless something else is given."""

    def naming(self, issuer: str, audience: str) -> Self:
        """A token issuer whose good tokens name *issuer* and *audience*; '' leaves what they name otherwise."""
        other = copy.copy(self)
        other._named = {name: value for name, value in (("iss", issuer), ("aud", audience)) if value}
        return other

    def with_attacker_url(self, url: str) -> Self:
        """The same token issuer, whose tokens that name a URL name one below *url*."""
        other = copy.copy(self)
        other._lure = url
        return other

    def url(self, name: str) -> str:
        """Where the attacker's keys for this issuer's algorithm are said to be, as a file called *name*."""
        return f"{self._lure}/{self.alg}/{name}"

    @property
    def stranger(self) -> Any:
        """A key that could sign such tokens and is not trusted.  Raises StimulusUnavailable."""
        return stranger(self.alg)

    def forged(self, **header: Any) -> str:
        """A token whose header has changes, signed by a stranger."""
        return self.token(header=self.header(**header), sign=signer(self.alg, self.stranger))

    @property
    def now(self) -> int:
        """The clock's time in whole seconds."""
        return int(self.clock())

    def with_header(self, **changes: Any) -> str:
        """A properly signed token whose header has *changes*."""
        return self.token(header=self.header(**changes))

    def with_claims(self, **changes: Any) -> str:
        """A properly signed token whose claims have *changes*."""
        return self.token(claims=self.claims(**changes))


class HeldTokenIssuer(TokenIssuer):
    """The reference key server's signing key and clock; ``ids`` gives a fresh jti at each call."""

    def __init__(
        self,
        key: Private,
        kid: str,
        clock: Callable[[], float] = time.time,
        ids: Callable[[], str] = lambda: str(uuid.uuid4()),
        agreed: Sequence[str] = (),
    ) -> None:
        super().__init__(clock)
        self._key, self._kid, self._ids = key, kid, ids
        self._agreed = tuple(agreed) or (usual(key.public_key()),)
        self._sign = signer(self.alg, key)

    @classmethod
    def of(cls, pki: Pki, clock: Callable[[], float] = time.time) -> HeldTokenIssuer:
        """The token issuer of *pki*'s key server."""
        return HeldTokenIssuer(pki.signing_key, pki.kid, clock)

    @classmethod
    def others(cls, pki: Pki, clock: Callable[[], float] = time.time) -> Mapping[str, HeldTokenIssuer]:
        """The token issuers of *pki* besides its key server, by name."""
        keys = pki.issuer_keys.items()
        return {name: HeldTokenIssuer(key, key_id(key.public_key()), clock) for name, key in keys}

    @property
    def alg(self) -> str:
        """See :class:`TokenIssuer`."""
        return self._agreed[0]

    @property
    def agreed(self) -> tuple[str, ...]:
        """See :class:`TokenIssuer`."""
        return self._agreed

    @property
    def kid(self) -> str:
        """See :class:`TokenIssuer`."""
        return self._kid

    @property
    def key(self) -> Private:
        """See :class:`TokenIssuer`."""
        return self._key

    @property
    def published(self) -> Sequence[Published]:
        """See :class:`TokenIssuer`."""
        key = self.key.public_key()
        jwk = {**public_jwk(key), "kid": self.kid, "use": "sig", "alg": self.alg}
        return (Published(key, self.kid, jwk, as_json({"keys": [jwk]})),)

    def header(self, **changes: Any) -> dict[str, Any]:
        """A good token's header with *changes*."""
        return _changed({"alg": self.alg, "typ": "JWT", "kid": self.kid}, changes)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """A good token's claims with *changes*."""
        now = self.now
        good = {
            "jti": self._ids(),
            "namespace": "cloud",
            "aud": "n/a",
            "sub": "n/a",
            "iss": ISSUER,
            "token_type": "temporary",
            "iat": now,
            "exp": now + LIFETIME,
            **self._named,
        }
        return _changed(good, changes)

    def token(self, header: Part | None = None, claims: Part | None = None, sign: Signer | None = None) -> str:
        """A compact JWS: good unless something else is given."""
        return compact(
            self.header() if header is None else header,
            self.claims() if claims is None else claims,
            sign or self._sign,
        )


def _changed(good: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**good, **changes}.items() if value is not ABSENT}
