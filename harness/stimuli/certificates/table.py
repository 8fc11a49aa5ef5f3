"""The table of certificate classes and the helpers its builders share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypedDict, Unpack

from cryptography import x509

from harness.pki.deployment import Pki
from harness.pki.issue import Extra, Identity, dns_names, issue
from harness.pki.keys import authority_key
from harness.stimuli.unavailable import NoRoom

Build = Callable[[Pki, str], Identity | None]


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


@dataclass(frozen=True)
class CertificateClass:
    """A class of client certificate.

    ``twin`` names the class that a server must accept and that differs in one thing; a positive class is its own twin,
    or has a simpler one without which its refusal says nothing of what it is about.
    ``build(pki, client_secret)`` makes the identity of that client, None where it presents no certificate.
    """

    name: str
    summary: str
    twin: str
    build: Build


class Classes(dict[str, CertificateClass]):
    """One file's classes, filled by its decorator."""

    def add(self, name: str, twin: str = "good") -> Callable[[Build], Build]:
        """Register a builder as class *name*; its docstring is the summary.  Raises ValueError for a second one."""

        def register(build: Build) -> Build:
            if name in self:
                raise ValueError(f"certificate class {name} is defined twice")
            self[name] = CertificateClass(name, " ".join((build.__doc__ or "").split()), twin, build)
            return build

        return register


def collect(*tables: Classes) -> Mapping[str, CertificateClass]:
    """One table of all.  Raises ValueError for a name in two of them or a twin that is in none."""
    merged = {name: row for table in tables for name, row in table.items()}
    if len(merged) != sum(map(len, tables)):
        raise ValueError("a certificate class is defined in two files")
    if unknown := {row.twin for row in merged.values()} - set(merged):
        raise ValueError(f"unknown twins of certificate classes: {sorted(unknown)}")
    return merged


def leaf(pki: Pki, secret: str, *, issuer: Identity | None = None, **changes: Unpack[Changes]) -> Identity:
    """The client's certificate with *changes* to its Profile, issued by *issuer* (else by whom it is issued rightly).

    It keeps the client's own key, and sends what the client sends along with its own, so that nothing else differs.
    """
    profile = replace(pki.profile(secret), **changes)
    made = issue(profile, issuer or pki.issuer(secret), key=pki.secrets[secret].key)
    return made if issuer else made.along(pki.along(secret))


def intermediate(pki: Pki, secret: str, name: str = "hopproof-intermediate-ca", **changes: Unpack[Changes]) -> Identity:
    """An intermediate CA under the client's right issuer, with *changes* to its Profile."""
    needs_room(pki, secret, 1)
    return _intermediate(pki, secret, name, **changes)


def below_nothing(pki: Pki, secret: str, **changes: Unpack[Changes]) -> Identity:
    """An intermediate CA, whether the client's right issuer may have one below it or not."""
    return _intermediate(pki, secret, "hopproof-intermediate-ca", **changes)


def needs_room(pki: Pki, secret: str, authorities: int) -> None:
    """Raise NoRoom where the client's CA may not have that many CAs below it."""
    room = pki.room(secret)
    if room is not None and room < authorities:
        raise NoRoom(f"the CA of the client's certificate may have {room or 'no'} further CA below it (path length)")


def _intermediate(pki: Pki, secret: str, name: str, **changes: Unpack[Changes]) -> Identity:
    profile = replace(pki.authority_profile(secret, name), **changes)
    above = pki.issuer(secret)
    return issue(profile, above, key=authority_key(above.certificate.public_key()))


def below(pki: Pki, secret: str, issuer: Identity, **changes: Unpack[Changes]) -> Identity:
    """The client's certificate issued by *issuer*, which is sent along, as is what leads from there to the root."""
    return leaf(pki, secret, issuer=issuer, **changes).sending(issuer).along(pki.along(secret))


def known_as(pki: Pki, secret: str, *hosts: str) -> tuple[x509.GeneralName, ...]:
    """The client's own subject alternative names with *hosts* in place of the DNS names among them."""
    others = (name for name in pki.profile(secret).names if not isinstance(name, x509.DNSName))
    return (*dns_names(hosts), *others)


def ca(path_length: int | None = None) -> x509.BasicConstraints:
    """Basic constraints of a CA."""
    return x509.BasicConstraints(ca=True, path_length=path_length)
