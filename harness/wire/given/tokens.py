"""Mints over what a target's owner gave us: a signing key and claims, or only tokens that somebody else has signed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from harness.wire.pki import key_id
from harness.wire.refusal import CannotMake
from harness.wire.tokens.jose import Part, Signer, compact
from harness.wire.tokens.mint import ABSENT, Mint

_FRESH = 30.0
"""Seconds of life below which another token is asked for."""
_ENOUGH = 5.0
"""Seconds of life that a token needs to arrive alive; some issuers give less than half a minute."""


class ServiceMint(Mint):
    """Signs tokens for one service: *claims* besides iat, exp and jti are what its owner says a good token has."""

    def __init__(self, key: rsa.RSAPrivateKey, claims: Mapping[str, Any], kid: str | None, lifetime: int) -> None:
        super().__init__(key, key_id(key.public_key()) if kid is None else kid)
        self._claims, self._lifetime = dict(claims), lifetime

    def header(self, **changes: Any) -> dict[str, Any]:
        """A good token's header with *changes*; without a key id where the service knows none."""
        return super().header(**({} if self.kid else {"kid": ABSENT}) | changes)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """A good token's claims with *changes*."""
        now = self.now
        good = {**self._claims, "jti": self._ids(), "iat": now, "exp": now + self._lifetime, **changes}
        return {name: value for name, value in good.items() if value is not ABSENT}


class PublicKey:
    """The half of a signing key that everybody may know; None where nobody told us."""

    def __init__(self, key: rsa.RSAPublicKey | None) -> None:
        self._key = key

    def public_key(self) -> rsa.RSAPublicKey:
        """The public key; raises CannotMake without one."""
        if self._key is None:
            raise CannotMake("needs the public key that the service verifies with (tokens.keys, or --jwks FILE)")
        return self._key

    def sign(self, *_message: object) -> bytes:
        """Not here."""
        return _no_key(b"")


class BorrowedMint(Mint):
    """Tokens somebody else signs: good ones are had from *fetch*; what would need their key cannot be made.

    With *fetch* None there is no good token either; forged ones then carry *claims*.  *keys* are the service's public
    keys by key id, as far as they are known.
    """

    def __init__(
        self, fetch: Callable[[], str] | None, claims: Mapping[str, Any], keys: Mapping[str, rsa.RSAPublicKey]
    ) -> None:
        # Not the base class's __init__: that wants the key which nobody gave us.
        self.clock, self._ids, self.sign = time.time, (lambda: "hopproof"), _no_key
        self._fetch, self._forged_claims, self._keys = fetch, dict(claims), keys
        self._lock = threading.Lock()
        self._good = ""

    @property
    def has_source(self) -> bool:
        """Whether good tokens can be had at all."""
        return self._fetch is not None

    @property
    def kid(self) -> str:  # type: ignore[override]
        """The key id in the good token's header, '' if it has none."""
        return str(self.header().get("kid", ""))

    @property
    def key(self) -> rsa.RSAPrivateKey:  # type: ignore[override]
        """Only its public half, where that is known."""
        only = next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return PublicKey(self._keys.get(self.kid, only))  # type: ignore[return-value]

    def header(self, **changes: Any) -> dict[str, Any]:
        """The good token's header with *changes*."""
        return self._changed({"alg": "RS256", "typ": "JWT"} if self._fetch is None else self._read()[0], changes)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """The good token's claims with *changes*."""
        if self._fetch is not None:
            return self._changed(self._read()[1], changes)
        now = self.now
        return self._changed({**self._forged_claims, "iat": now, "exp": now + 300}, changes)

    def token(self, header: Part | None = None, claims: Part | None = None, sign: Signer | None = None) -> str:
        """The good token, or one that needs no key of the issuer's; raises CannotMake for any other."""
        if sign is None and header is None and claims is None:
            return self._current()
        if sign is None and header in (None, self._own_header()) and claims in (None, self._own_claims()):
            return self._current()
        if sign is None:
            raise CannotMake("needs the key that signs the service's tokens")
        head = self.header() if header is None else header
        own = self.header().get("alg")
        if own != "RS256" and isinstance(head, dict) and head.get("alg") == own:
            raise CannotMake(f"forged tokens are made for RS256; this service's are {own}")
        return compact(head, self.claims() if claims is None else claims, sign)

    def _own_header(self) -> dict[str, Any] | None:
        return None if self._fetch is None else self._read()[0]

    def _own_claims(self) -> dict[str, Any] | None:
        return None if self._fetch is None else self._read()[1]

    def _read(self) -> tuple[dict[str, Any], dict[str, Any]]:
        token = self._current()
        try:
            parts = jwt.api_jwt.decode_complete(token, options={"verify_signature": False})
        except jwt.PyJWTError as error:
            raise CannotMake("the good token is not a JWT, so nothing can be derived from it") from error
        return dict(parts["header"]), dict(parts["payload"])

    def _current(self) -> str:
        if self._fetch is None:
            raise CannotMake("needs a good token, and the target file gives no way to get one")
        with self._lock:
            if not self._good or not self._lives(self._good, _FRESH):
                self._good = self._fetch().strip()
                if not self._lives(self._good, _ENOUGH):
                    raise CannotMake("the token that was given as good has expired, or is about to")
            return self._good

    def _lives(self, token: str, seconds: float) -> bool:
        try:
            payload = jwt.decode(token, options={"verify_signature": False})
        except jwt.PyJWTError:
            return True  # opaque to us; the service will say
        expiry = payload.get("exp")
        return not isinstance(expiry, int | float) or expiry > self.clock() + seconds

    @staticmethod
    def _changed(good: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in {**good, **changes}.items() if value is not ABSENT}


def _no_key(message: bytes) -> bytes:
    raise CannotMake("needs the key that signs the service's tokens")
