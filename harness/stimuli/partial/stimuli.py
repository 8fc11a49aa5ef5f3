"""Stimuli from given credentials: as for our own deployment, except for what cannot be made honestly."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path as FilePath

from harness.model.case import GOOD, Stimulus
from harness.model.catalogue import Flow
from harness.model.vocabulary import Posture
from harness.pki.issue import Identity
from harness.stimuli.certificates import CERTIFICATE_CLASSES
from harness.stimuli.certificates.table import leaf
from harness.stimuli.factory import Stimuli
from harness.stimuli.partial.certificates import PartialPki
from harness.stimuli.registry import Need
from harness.stimuli.tokens import TOKEN_CLASSES, Presented, TokenIssuer
from harness.stimuli.tokens.names import audience, issuer
from harness.stimuli.unavailable import StimulusUnavailable
from harness.wire.send import Prepared

# Classes that say whom a token names are made from what a good one names.
_NAMES = {Need.ISSUER: issuer, Need.AUDIENCE: audience}

REISSUED = "reissued"
"""As a certificate class: the client's own certificate, signed once more with the CA's key; nothing is wrong."""


class PartialStimuli(Stimuli):
    """Raises :class:`StimulusUnavailable` where the credentials at hand do not reach."""

    def __init__(self, pki: PartialPki, token_issuer: TokenIssuer, folder: FilePath) -> None:
        super().__init__(pki, token_issuer, folder)
        self._given = pki
        self._tokens = token_issuer.has_source

    def _identity(self, client_secret: str, certificate: str) -> Identity | None:
        client = self._given.clients[client_secret]
        if certificate == GOOD and client.identity is None and not client.required:
            return None
        if certificate == REISSUED:
            return leaf(self._given, client_secret)
        return CERTIFICATE_CLASSES[certificate].build(self._given, client_secret)

    def _make_context(self, ca: FilePath, client_secret: str, certificate: str) -> ssl.SSLContext:
        try:
            return super()._make_context(ca, client_secret, certificate)
        except ssl.SSLError as error:
            raise StimulusUnavailable(f"our TLS library cannot present it: {error.reason or error}") from error

    def lookup(self, flow: Flow, path: str, host: str, nonce: str) -> Prepared:
        """A GET of *path* with good credentials, to see what an earlier request of *flow* did."""
        flow = replace(flow, method="GET", path=path, body="")
        return self.request(flow, Stimulus(), host, nonce)

    def _forms(self, flow: Flow, stimulus: Stimulus, nonce: str) -> Sequence[Presented]:
        """See :class:`Stimuli`; refuses a class that would be the good token by another name."""
        if stimulus.token == GOOD and not self._tokens and flow.server.default not in (Posture.JWT, Posture.BOTH):
            # Tokens are not verified there, so that there is none to send changes nothing.
            stimulus = replace(stimulus, token="str-no-token")  # noqa: S106 - a class
        presented = super()._forms(flow, stimulus, nonce)
        needs = TOKEN_CLASSES[stimulus.token].needs
        if Need.CASED_KEY_ID in needs and self._token_issuer.kid.upper() == self._token_issuer.kid:
            raise StimulusUnavailable(
                "the key id has no lower-case letters, so writing it in upper case changes nothing"
            )
        for need, name in _NAMES.items():
            if need in needs and not name(self._token_issuer):
                raise StimulusUnavailable(f"a good token names no {name.__name__} (tokens.claims in the target file)")
        return presented
