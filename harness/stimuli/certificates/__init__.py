"""Client certificates by class, each with exactly one difference from its twin.  suites/chains names them.

``CERTIFICATE_CLASSES[name].build(pki, client_secret)`` gives the Identity to present, or None for no certificate.
Knows how to make them, not how a server ought to judge them: that is in the catalogue.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from harness.pki.issue import Identity
from harness.pki.private_files import private_file
from harness.stimuli.certificates import constraints, subjects, trust, usage
from harness.stimuli.certificates.table import CertificateClass, collect
from harness.stimuli.registry import StimulusClasses

CERTIFICATE_CLASSES: StimulusClasses[CertificateClass] = collect(
    trust.CLASSES, usage.CLASSES, constraints.CLASSES, subjects.CLASSES
)


SECOND = "id-second-registered"
"""The class of the certificate that a server accepts besides the client's own."""


def authorities_below(name: str) -> int:
    """How many CAs of our own, below the client's, the class *name* needs to mean what it says."""
    row = CERTIFICATE_CLASSES[name]
    if row.authorities is not None:
        return row.authorities
    return 0 if row.twin == name else authorities_below(row.twin)


__all__ = ["CERTIFICATE_CLASSES", "SECOND", "CertificateClass", "Identity", "authorities_below", "write_identity"]


def write_identity(identity: Identity, folder: Path, name: str) -> Path:
    """Write key and chain to *folder*/*name*``.pem`` (0600), one file for ``ssl.SSLContext.load_cert_chain``.

    A *name* that is no plain file name is replaced by its digest.

    *folder* must exist.  OpenSSL at its usual security level refuses to *load* the weak key of ``k-rsa-weak``: the
    context needs ``set_ciphers("DEFAULT:@SECLEVEL=0")``.  Raises OSError.
    """
    # A client's common name may hold whatever a file name may not.
    plain = re.fullmatch(r"[A-Za-z0-9][\w.+-]{0,150}", name, re.ASCII)
    file = name if plain else hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return private_file(folder / f"{file}.pem", identity.key_pem() + identity.pem())
