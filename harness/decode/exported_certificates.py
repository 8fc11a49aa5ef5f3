"""The certificates that Secrets, ConfigMaps and PEM files hold.  Looks at no private key and verifies nothing."""

from __future__ import annotations

import base64
import binascii
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import PurePath

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.utils import CryptographyDeprecationWarning

from harness.model.resource import Files, Located, Resource, Unread

_BEGIN = re.compile(rb"-----BEGIN (X509 )?CERTIFICATE-----")
_END = re.compile(rb"-----END (X509 )?CERTIFICATE-----")
_CERTIFICATE_FIELDS = (".crt", ".pem", ".cer", ".cert")
_MOST_IN_ONE = 500
_UNREADABLE = (
    *(ValueError, TypeError, KeyError),
    *(x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType),
)
"""What cryptography raises for certificates that are none, or of a kind that it does not read."""


@dataclass(frozen=True, eq=False)
class Held:
    """A certificate and where it was found.

    ``name`` is that of the Secret, the ConfigMap or the file (without its ending), ``entry`` the field of the Secret,
    ``place`` the certificate's number in it: 0 is the one that is presented, or the CA in ``ca.crt``.
    """

    certificate: x509.Certificate
    file: str
    line: int
    name: str
    namespace: str = ""
    entry: str = ""
    place: int = 0
    resource: Resource | None = None

    @property
    def label(self) -> str:
        """What a person calls it."""
        if self.resource is None:
            return self.file
        return f"{self.resource.label} {self.entry}"

    @property
    def fingerprint(self) -> str:
        """SHA-256 of its DER."""
        return self.certificate.fingerprint(SHA256()).hex()


@dataclass
class Collection:
    """The certificates of a set of files, and what could not be read as one."""

    held: list[Held] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)

    def presented(self) -> Iterator[Held]:
        """What subsystems present: the first certificate of each ``tls.crt``, and of each PEM file."""
        return (held for held in self.held if held.place == 0 and held.entry in ("tls.crt", ""))


def collect(files: Files) -> Collection:
    """Every certificate of *files*."""
    found = Collection()
    with warnings.catch_warnings():  # what is odd of a certificate is for the rules to say
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        for resource in files.of("Secret", "ConfigMap"):
            _from_resource(resource, found)
        for file, line, text in files.pem:
            for place, certificate in enumerate(_load(text, file, line, found)):
                found.held.append(Held(certificate, file, line, PurePath(file).stem, place=place))
    return found


def public_key(certificate: x509.Certificate) -> bytes:
    """The certificate's public key as DER, b'' where it is of a kind that cannot be read."""
    try:
        return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return b""


def _from_resource(resource: Resource, found: Collection) -> None:
    encoded = resource.kind == "Secret"
    for section, is_encoded in (("data", encoded), ("stringData", False)):
        for entry, value in resource.root.fields(section).items():
            if not entry.endswith(_CERTIFICATE_FIELDS):
                continue  # tls.key and everything else is not read
            text = _decoded(value, is_encoded)
            if text is None:
                found.unread.append(Unread(resource.file, value.line, f"{resource.label} {entry}: not valid base64"))
                continue
            for place, certificate in enumerate(_load(text, resource.file, value.line, found)):
                held = Held(
                    certificate, resource.file, value.line, resource.name, resource.namespace, entry, place, resource
                )
                found.held.append(held)


def _decoded(value: Located, encoded: bool) -> bytes | None:
    text = value.text()
    if not encoded:
        return text.encode("utf-8", "replace")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def _load(text: bytes, file: str, line: int, found: Collection) -> Iterator[x509.Certificate]:
    begins = [match.start() for match in _BEGIN.finditer(text)]
    for number, (begin, following) in enumerate(pairwise((*begins, len(text)))):
        if number >= _MOST_IN_ONE:
            found.unread.append(Unread(file, line, f"more than {_MOST_IN_ONE} certificates in one place"))
            return
        end = _END.search(text, begin, following)
        if end is None:
            found.unread.append(Unread(file, line, "a certificate that is cut off: BEGIN CERTIFICATE without its END"))
            continue
        try:
            certificate = x509.load_pem_x509_certificate(text[begin : end.end()])
            # A hostile certificate can parse and fail only when a part of it is first looked at.
            certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string(), certificate.extensions
        except _UNREADABLE as problem:
            found.unread.append(Unread(file, line, f"a certificate that cannot be read: {in_words(problem)}"))
            continue
        yield certificate


def in_words(problem: Exception) -> str:
    """Why a certificate cannot be read, from what cryptography raised."""
    if isinstance(problem, KeyError):
        return "a name of an unknown type"
    text = str(problem).partition("\n")[0]
    if "Unable to load PEM file" in text:
        return "what stands between BEGIN and END is not Base64"
    if "error parsing asn1 value" in text:
        return "its DER is damaged or cut off, or it is no certificate"
    return text
