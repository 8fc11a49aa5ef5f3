"""Lets a request in or not: first the client certificate's subject, then the token.  The body is not looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cryptography import x509

from harness.model.vocabulary import Reason
from harness.subsystems.server.connection_record import HttpRequest
from harness.subsystems.server.policy import Protection, ServerPolicy
from harness.subsystems.server.rejection import Rejected
from harness.subsystems.server.token_verification import KeysFor, find_token, verify


@dataclass(frozen=True)
class Gate:
    """The protection of one server; ``subject`` is what clients must be called (None: not compared)."""

    protection: Protection
    subject: x509.Name | None
    rules: ServerPolicy
    keys_for: KeysFor
    now: Callable[[], float]

    async def admit(self, ask: HttpRequest, certificate: x509.Certificate | None) -> None:
        """Raises Rejected, and nothing else, unless *ask* may be acted upon."""
        if not self.rules.protects(ask.path) or self.rules.excuses(ask):
            return
        if self.rules.asks_each_request and self.protection.validate and certificate is None:
            raise Rejected(Reason.CERTIFICATE_MISSING, "the client gave no certificate")
        self._check_subject(certificate)
        if self.rules.verifies_token(self.protection):
            await self._check_token(ask)

    def _check_subject(self, certificate: x509.Certificate | None) -> None:
        if self.subject is None or certificate is None:  # the handshake has seen to a required certificate
            return
        try:
            same = self.rules.same_subject(certificate.subject, self.subject)
        except Exception as error:  # a name that cannot be read is not the configured one
            raise Rejected(Reason.SUBJECT_MISMATCH, f"the subject cannot be compared: {error}") from error
        if not same:
            raise Rejected(
                Reason.SUBJECT_MISMATCH,
                f"the client is {certificate.subject.rfc4514_string()}, configured is {self.subject.rfc4514_string()}",
            )

    async def _check_token(self, ask: HttpRequest) -> None:
        compact = find_token(ask.authorization, ask.query, self.rules)
        if compact is not None:
            await verify(compact, self.keys_for, self.rules, self.protection, self.now)
        elif self.rules.token_required:
            raise Rejected(Reason.TOKEN_MISSING, "no bearer token in the Authorization field")
