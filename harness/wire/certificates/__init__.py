"""Client certificates by class: what chain-classes.md calls them, each differing from its twin in exactly one thing.

``CERTIFICATE_CLASSES[name].build(pki, client_secret)`` gives the Identity to present, or None for no certificate.
Knows how to make them, not how a server ought to judge them: that is in the catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.wire.certificates import constraints, subjects, trust, usage
from harness.wire.certificates.table import CertificateClass, collect
from harness.wire.files import private_file
from harness.wire.issue import Identity

CERTIFICATE_CLASSES: Mapping[str, CertificateClass] = collect(
    trust.CLASSES, usage.CLASSES, constraints.CLASSES, subjects.CLASSES
)

__all__ = ["CERTIFICATE_CLASSES", "CertificateClass", "Identity", "write_identity"]


def write_identity(identity: Identity, folder: Path, name: str) -> Path:
    """Write key and chain to *folder*/*name*``.pem`` (0600), one file for ``ssl.SSLContext.load_cert_chain``.

    *folder* must exist.  OpenSSL at its usual security level refuses to *load* the weak key of ``k-rsa-weak``: the
    context needs ``set_ciphers("DEFAULT:@SECLEVEL=0")``.  Raises OSError.
    """
    return private_file(folder / f"{name}.pem", identity.key_pem() + identity.pem())
