"""Verifiers of others that keep an accepted token beyond its expiry, or that hide whether they do."""

from __future__ import annotations

from typing import Any

from harness.tests.faulty.verifier import Members, Verifier, number


class NeverForgets(Verifier):
    """Caches what it has accepted, and never looks at its exp again."""

    def __init__(self, key: Any, alg: str) -> None:
        super().__init__(key, alg)
        self.accepted: set[str] = set()

    def verify(self, token: str) -> None:
        if token not in self.accepted:
            super().verify(token)
            self.accepted.add(token)


class MinuteLeeway(Verifier):
    """A leeway of one minute, which no cache can be told from for as long."""

    def times(self, claims: Members) -> None:
        super().times({**claims, "exp": number(claims["exp"]) + 60})
