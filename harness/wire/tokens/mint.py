"""Makes the tokens management would make.  Knows the shape of a good token; the bad ones are the classes' business.

The claims of API Connect's inter-subsystem JWT are not public (api-connect-facts 3.2): header and claims here have the
shape of its other tokens (issuer, algorithm, key id, "n/a" for subject and audience), which is an assumption.
"""

from __future__ import annotations

import copy
import time
import uuid
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from harness.wire.pki import Pki
from harness.wire.tokens.jose import Part, Signer, compact, rs256

ISSUER = "IBM API Connect"
LIFETIME = 900
"""Seconds from issue to expiry."""

ABSENT: Any = object()
"""As the value of a header parameter or a claim: leave it out."""


class Mint:
    """Management's signing key and clock.  ``clock`` gives seconds since 1970, ``ids`` a fresh jti at each call."""

    def __init__(
        self,
        key: rsa.RSAPrivateKey,
        kid: str,
        clock: Callable[[], float] = time.time,
        ids: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self.key = key
        self.kid = kid
        self.clock = clock
        self._ids = ids
        self._named: dict[str, Any] = {}
        self.sign: Signer = rs256(key)

    @classmethod
    def of(cls, pki: Pki, clock: Callable[[], float] = time.time) -> Mint:
        """The mint of *pki*'s management."""
        return cls(pki.signing_key, pki.kid, clock)

    def naming(self, issuer: str, audience: str) -> Mint:
        """A mint whose good tokens name *issuer* and *audience*; '' leaves what they name otherwise."""
        other = copy.copy(self)
        other._named = {name: value for name, value in (("iss", issuer), ("aud", audience)) if value}
        return other

    @property
    def now(self) -> int:
        """The clock's time in whole seconds."""
        return int(self.clock())

    def header(self, **changes: Any) -> dict[str, Any]:
        """A good token's header with *changes*."""
        return _changed({"alg": "RS256", "typ": "JWT", "kid": self.kid}, changes)

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
            sign or self.sign,
        )

    def with_header(self, **changes: Any) -> str:
        """A properly signed token whose header has *changes*."""
        return self.token(header=self.header(**changes))

    def with_claims(self, **changes: Any) -> str:
        """A properly signed token whose claims have *changes*."""
        return self.token(claims=self.claims(**changes))


def _changed(good: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**good, **changes}.items() if value is not ABSENT}
