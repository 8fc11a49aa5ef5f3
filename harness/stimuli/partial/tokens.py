"""Token issuers over what a target's owner gave us: a signing key and claims, or only tokens signed elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jwt

from harness.pki.jwk import Private, Public, Published, key_id
from harness.stimuli.tokens.issuer import ABSENT, HeldTokenIssuer, TokenIssuer
from harness.stimuli.tokens.jose import Part, Signer, compact, decode
from harness.stimuli.tokens.jwa import MAC, fits, usual, verifies
from harness.stimuli.unavailable import StimulusUnavailable

_FRESH = 30.0
"""Seconds of life below which another token is asked for."""
_ENOUGH = 5.0
"""Seconds of life that a token needs to arrive alive; some issuers give less than half a minute."""
_DEFAULT = "RS256"
_NO_KEY = "needs the key that signs the service's tokens"


class ServiceTokenIssuer(HeldTokenIssuer):
    """Signs tokens for one service: *claims* besides iat, exp and jti are what its owner says a good token has."""

    def __init__(
        self, key: Private, claims: Mapping[str, Any], kid: str | None, lifetime: int, agreed: Sequence[str] = ()
    ) -> None:
        super().__init__(key, key_id(key.public_key()) if kid is None else kid, agreed=agreed)
        self._claims, self._lifetime = dict(claims), lifetime

    def header(self, **changes: Any) -> dict[str, Any]:
        """A good token's header with *changes*; without a key id where the service knows none."""
        return super().header(**({} if self.kid else {"kid": ABSENT}) | changes)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """A good token's claims with *changes*."""
        now = self.now
        good = {**self._claims, "jti": self._ids(), "iat": now, "exp": now + self._lifetime, **changes}
        return {name: value for name, value in good.items() if value is not ABSENT}


class GoodToken:
    """The good token, as *fetch* gives it; asked for again before it runs out.  Safe for several threads."""

    def __init__(self, fetch: Callable[[], str]) -> None:
        self._fetch, self._lock, self._token = fetch, threading.Lock(), ""

    def current(self, now: Callable[[], float]) -> str:
        """A token that lives; raises StimulusUnavailable for one that does not."""
        with self._lock:
            if not self._token or not _lives(self._token, now() + _FRESH):
                self._token = self._fetch().strip()
                if not _lives(self._token, now() + _ENOUGH):
                    raise StimulusUnavailable("the token that was given as good has expired, or is about to")
            return self._token


class ExternallySignedTokens(TokenIssuer):
    """Tokens signed elsewhere: good ones come from *fetch*; what would need their key cannot be made.

    With *fetch* None there is no good token either; forged ones then carry *claims*.  *keys* are the service's public
    keys, as far as they are known, *agreed* the algorithms that it takes.
    """

    def __init__(
        self,
        fetch: Callable[[], str] | None,
        claims: Mapping[str, Any],
        keys: Sequence[Published] = (),
        agreed: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self._forged_claims, self._keys, self._agreed = dict(claims), tuple(keys), tuple(agreed)
        self._good = None if fetch is None else GoodToken(fetch)

    @property
    def misdirected(self) -> str:
        """The good token, where it names another audience; else ''."""
        return self._current() if self.misnamed else ""

    @property
    def has_source(self) -> bool:
        """Whether good tokens can be had at all."""
        return self._good is not None

    @property
    def alg(self) -> str:
        """What the good token is signed with; without one what the service has agreed to, or its keys are for."""
        if self._good is not None:
            return str(self._read()[0].get("alg", ""))
        return self._agreed[0] if self._agreed else usual(self._keys[0].key) if self._keys else _DEFAULT

    @property
    def agreed(self) -> tuple[str, ...]:
        """The algorithms that the service takes, as far as that is known."""
        return self._agreed or (self.alg,)

    @property
    def kid(self) -> str:
        """The key id in the good token's header, '' if it has none."""
        return str(self.header().get("kid", ""))

    @property
    def key(self) -> Private:
        """Raises StimulusUnavailable."""
        raise StimulusUnavailable(_NO_KEY)

    @property
    def published(self) -> Sequence[Published]:
        """The keys that verify the good token, else each that may; raises StimulusUnavailable where none is known."""
        if not self._keys:
            raise StimulusUnavailable(
                "needs the public key that the service verifies with (tokens.keys, or --jwks FILE)"
            )
        found = self._fitting()
        if not found:
            raise StimulusUnavailable(f"none of the published keys is for {self.alg}")
        return found

    def _fitting(self) -> Sequence[Published]:
        """The order of a file and the names in it decide nothing: a kid may stand twice in it, or not at all."""
        found = [item for item in self._keys if fits(self.alg, item.key)]
        if self._good is None or self.alg in MAC:
            return found
        return [item for item in found if verified(self._current(), item.key)] or found

    def header(self, **changes: Any) -> dict[str, Any]:
        """The good token's header with *changes*."""
        return self._changed({"alg": self.alg, "typ": "JWT"} if self._good is None else self._read()[0], changes)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """The good token's claims with *changes*."""
        if self._good is not None:
            return self._changed(self._read()[1], changes)
        now = self.now
        return self._changed({**self._forged_claims, "iat": now, "exp": now + 300}, changes)

    def token(self, header: Part | None = None, claims: Part | None = None, sign: Signer | None = None) -> str:
        """The good token, or one that needs no key of the issuer's; raises StimulusUnavailable for any other."""
        if sign is None and header is None and claims is None:
            return self._current()
        own = (None, None) if self._good is None else self._read()
        if sign is None and header in (None, own[0]) and claims in (None, own[1]):
            return self._current()
        if sign is None:
            raise StimulusUnavailable(_NO_KEY)
        return compact(self.header() if header is None else header, self.claims() if claims is None else claims, sign)

    def _read(self) -> tuple[dict[str, Any], dict[str, Any]]:
        parts = parts_of(self._current())
        if parts is None:
            raise StimulusUnavailable("the good token is not a JWT, so nothing can be derived from it")
        return parts

    def _current(self) -> str:
        if self._good is None:
            raise StimulusUnavailable("needs a good token, and the target file gives no way to get one")
        return self._good.current(self.clock)

    @staticmethod
    def _changed(good: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in {**good, **changes}.items() if value is not ABSENT}


def parts_of(token: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Header and claims of *token*, unverified; None where it is not a JWT."""
    try:
        parts = jwt.api_jwt.decode_complete(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        return None
    return dict(parts["header"]), dict(parts["payload"])


def verified(token: str, key: Public) -> bool:
    """Whether *key* verifies *token*, by the algorithm that its header names."""
    parts = parts_of(token)
    signed, _, signature = token.rpartition(".")
    return parts is not None and verifies(str(parts[0].get("alg")), key, signed.encode(), decode(signature))


def _lives(token: str, until: float) -> bool:
    parts = parts_of(token)  # what is opaque to us the service will tell
    expiry = parts[1].get("exp") if parts else None
    return not isinstance(expiry, int | float) or expiry > until
