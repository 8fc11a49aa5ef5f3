"""The table of certificate classes and the helpers its builders share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TypedDict, Unpack

from cryptography import x509

from harness.model.case import GOOD
from harness.pki.issue import Extra, Identity, Issuer, dns_names, issue
from harness.pki.keys import authority_key
from harness.stimuli.credentials import Credentials
from harness.stimuli.registry import Family, StimulusClass, StimulusClasses, Traits
from harness.stimuli.unavailable import NoRoom

Build = Callable[[Credentials, str], Identity | None]


class Changes(TypedDict, total=False):
    """Fields of a Profile to replace."""

    subject: x509.Name
    not_before: datetime
    not_after: datetime
    key_usage: frozenset[str] | None
    extended: tuple[x509.ObjectIdentifier, ...] | None
    constraints: x509.BasicConstraints | None
    names: tuple[x509.GeneralName, ...]
    extra: tuple[Extra, ...]


class CertificateClass(StimulusClass[Build]):
    """A class of client certificate.  Its builder makes a client's identity, None where it presents no certificate.

    A positive class has a simpler one for a twin where its refusal would otherwise say nothing of what it is about.
    """

    def build(self, pki: Credentials, secret: str) -> Identity | None:
        """The identity of the client *secret*."""
        return self.builder(pki, secret)


class Classes(list[CertificateClass]):
    """One file's classes, filled by its decorator.  *usual* are the traits that its classes have unless they say
    otherwise."""

    def __init__(self, **usual: Unpack[Traits]) -> None:
        super().__init__()
        self._usual = usual

    def add(self, name: str, twin: str = GOOD, **traits: Unpack[Traits]) -> Callable[[Build], Build]:
        """Register a builder as class *name*; its docstring is the summary."""

        def register(build: Build) -> Build:
            summary, all_traits = " ".join((build.__doc__ or "").split()), Traits(**{**self._usual, **traits})
            self.append(CertificateClass(name, build, summary, Family.CERTIFICATE, twin, **all_traits))
            return build

        return register


def collect(*files: Classes) -> StimulusClasses[CertificateClass]:
    """One table of all; raises CatalogueError for a name that stands twice or a twin that is in none."""
    return StimulusClasses(*(row for rows in files for row in rows))


def leaf(pki: Credentials, secret: str, *, issuer: Issuer | None = None, **changes: Unpack[Changes]) -> Identity:
    """The client's certificate with *changes* to its Profile, issued by *issuer* (else by whom it is issued rightly).

    It keeps the client's own key, and sends what the client sends along with its own, so that nothing else differs.
    """
    profile = replace(pki.profile(secret), **changes)
    made = issue(profile, issuer or pki.issuer(secret), key=pki.key(secret))
    return made if issuer else made.along(pki.along(secret))


def intermediate(
    pki: Credentials, secret: str, name: str = "hopproof-intermediate-ca", **changes: Unpack[Changes]
) -> Identity:
    """An intermediate CA under the client's right issuer, with *changes* to its Profile."""
    needs_room(pki, secret, 1)
    return _intermediate(pki, secret, name, **changes)


def below_nothing(pki: Credentials, secret: str, **changes: Unpack[Changes]) -> Identity:
    """An intermediate CA, whether the client's right issuer may have one below it or not."""
    return _intermediate(pki, secret, "hopproof-intermediate-ca", **changes)


def needs_room(pki: Credentials, secret: str, authorities: int) -> None:
    """Raise NoRoom where the client's CA may not have that many CAs below it."""
    room = pki.room(secret)
    if room is not None and room < authorities:
        raise NoRoom(f"the CA of the client's certificate may have {room or 'no'} further CA below it (path length)")


def _intermediate(pki: Credentials, secret: str, name: str, **changes: Unpack[Changes]) -> Identity:
    profile = replace(pki.authority_profile(secret, name), **changes)
    above = pki.issuer(secret)
    return issue(profile, above, key=authority_key(above.certificate.public_key()))


def below(pki: Credentials, secret: str, issuer: Identity, **changes: Unpack[Changes]) -> Identity:
    """The client's certificate issued by *issuer*, which is sent along, as is what leads from there to the root."""
    return leaf(pki, secret, issuer=issuer, **changes).sending(issuer).along(pki.along(secret))


def known_as(pki: Credentials, secret: str, *hosts: str) -> tuple[x509.GeneralName, ...]:
    """The client's own subject alternative names with *hosts* in place of the DNS names among them."""
    others = (name for name in pki.profile(secret).names if not isinstance(name, x509.DNSName))
    return (*dns_names(hosts), *others)


def ca(path_length: int | None = None) -> x509.BasicConstraints:
    """Basic constraints of a CA."""
    return x509.BasicConstraints(ca=True, path_length=path_length)
