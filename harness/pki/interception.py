"""The certificate of a place between: a fresh authority, and one certificate of it for a name that is not ours."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta

from cryptography import x509

from harness.pki.deployment import CA_USAGE, LEAF_USAGE, SERVER
from harness.pki.issue import Identity, Profile, issue

_BACK, _LIFE = timedelta(hours=1), timedelta(days=30)


def front(host: str) -> tuple[Identity, Identity]:
    """A CA that is not trusted yet, and its certificate for *host*, a DNS name or an IP address."""
    start = datetime.now(UTC).replace(microsecond=0) - _BACK
    authority = issue(
        Profile(
            x509.Name.from_rfc4514_string("CN=Hopproof inspection"), start, start + _LIFE, CA_USAGE,
            constraints=x509.BasicConstraints(ca=True, path_length=0),
        )
    )  # fmt: skip
    leaf = Profile(
        x509.Name.from_rfc4514_string("CN=inspected"), start, start + _LIFE, LEAF_USAGE, (SERVER,),
        x509.BasicConstraints(ca=False, path_length=None), extra=((_names(host), False),),
    )  # fmt: skip
    return authority, issue(leaf, authority)


def _names(host: str) -> x509.SubjectAlternativeName:
    try:
        return x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
    except ValueError:
        return x509.SubjectAlternativeName([x509.DNSName(host)])
