"""What client certificates, good and bad, are made from.

Two things can play this part: the PKI of a deployment whose every key we hold (:class:`harness.pki.deployment.Pki`),
and the credentials that a target's owner handed over, of which parts may be missing
(:class:`harness.stimuli.partial.PartialPki`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from cryptography import x509

from harness.pki.issue import Identity, Issuer, Profile
from harness.pki.keys import Key


class Credentials(Protocol):
    """Client credentials by the client's secret, and the CAs around them.

    Methods raise :class:`harness.stimuli.unavailable.StimulusUnavailable` where what they return is not at hand.
    """

    now: datetime

    def identity(self, secret: str) -> Identity:
        """The client's own certificate and key."""

    def key(self, secret: str) -> Key:
        """The key for a certificate that says what the client's says: the client's, or one in its place."""

    def second(self, secret: str) -> Identity | None:
        """The second certificate that servers know the client by; None where there is none."""

    def other_client(self, secret: str) -> Identity:
        """Another client under the same authority."""

    def revoked(self, secret: str) -> Identity:
        """A certificate of the client that its issuer has revoked."""

    def issuer(self, secret: str) -> Issuer:
        """The authority that issues the client's certificate."""

    def other_authority(self, secret: str) -> Issuer:
        """Another authority of the deployment, whose certificates a server that trusts :meth:`issuer` alone refuses."""

    def along(self, secret: str) -> tuple[x509.Certificate, ...]:
        """What the client sends behind a certificate that its issuer has signed."""

    def room(self, secret: str) -> int | None:
        """How many CAs may stand between the client's issuer and a leaf; None: any number."""

    def profile(self, secret: str) -> Profile:
        """What the client's certificate says: the starting point for one that says something else."""

    def authority_profile(self, secret: str, name: str) -> Profile:
        """What an intermediate CA called *name* says that is to issue certificates like the client's."""

    def ca_profile(self, name: str) -> Profile:
        """What a certificate authority called *name* says."""
