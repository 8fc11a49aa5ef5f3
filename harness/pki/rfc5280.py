"""Where a certificate departs from the profile of RFC 5280, as pkilint sees it.  The one module that imports pkilint.

pkilint reports what the RFC says, whoever minds it.  What is carried from it, and how seriously, stands in the tables
below: a warning is what verifiers in use refuse (OpenSSL with X509_STRICT, which Python 3.13 sets by default, or Go), a
note what none of them minds; what certificates have by design is left out.
"""

from __future__ import annotations

import importlib.util
import logging
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from harness.model.finding import Severity
from harness.pki.signatures import self_signed

_STRICT = "OpenSSL with X509_STRICT, which is Python 3.13's default, refuses it"
_UNTIL_3 = f"{_STRICT}, before OpenSSL 4.0"
_SIGNED = "OpenSSL with X509_STRICT, which is Python 3.13's default, refuses what it signed"
_GO = "Go refuses it"
_LENGTH = re.compile(r"rdnSequence.*ValueSizeConstraint", re.DOTALL)
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*:[\x21-\x7e]+", re.IGNORECASE)  # RFC 3986, section 4.3
_HOST = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?", re.IGNORECASE)

_VERSION, _SYNTAX = "pkix.certificate_version_is_not_v3", "itu.invalid_asn1_syntax"
_NO_ISSUER_KEY, _URI = "pkix.authority_key_identifier_extension_absent", "pkix.invalid_uri_syntax"

WARNINGS = {
    "pkix.basic_constraints_extension_not_critical": (
        "basicConstraints is not critical",
        f"{_SIGNED}, before OpenSSL 4.0",
    ),
    "pkix.basic_constraints_has_pathlen_for_non_ca": (
        "it has a pathLenConstraint but is not a CA certificate",
        _STRICT,
    ),
    "pkix.ca_certificate_no_ku_extension": ("it is a CA certificate without key usage", _SIGNED),
    "pkix.ca_certificate_keycertsign_keyusage_not_set": (
        "it is a CA certificate whose key usage lacks keyCertSign",
        _SIGNED,
    ),
    "pkix.ee_certificate_keycertsign_keyusage_set": (
        "its key usage has keyCertSign but it is not a CA certificate",
        _STRICT,
    ),
    "pkix.certificate_skid_ca_missing": ("it is a CA certificate without a subject key identifier", _SIGNED),
    "pkix.certificate_skid_extension_critical": ("its subject key identifier is critical", _STRICT),
    _NO_ISSUER_KEY: ("it has no authority key identifier", _STRICT),
    "pkix.authority_key_identifier_keyid_missing": ("its authority key identifier has no keyIdentifier", _STRICT),
    "pkix.authority_key_identifier_critical": ("its authority key identifier is critical", _STRICT),
    "pkix.san_extension_not_critical_empty_subject": (
        "it has no subject, and its subjectAltName is not critical",
        _UNTIL_3,
    ),
    "pkix.name_empty": ("its issuer name is empty", _STRICT),
    "pkix.certificate_signature_algorithm_mismatch": (
        "it has two different signature algorithms",
        f"{_STRICT}, and {_GO}",
    ),
    "pkix.certificate_serial_number_out_of_range": ("its serial number is negative, 0 or too long", _GO),
    "pkix.duplicate_extension": ("it has a duplicate extension", _GO),
    "pkix.certificate_negative_validity_period": ("its notAfter is before its notBefore", "every verifier refuses it"),
    "pkix.invalid_domain_name_syntax": (
        "one of its DNS names is not a host name",
        "no client can match its host against it",
    ),
    "pkix.ip_address_wrong_length": ("one of its IP addresses has the wrong length", _GO),
    "pkix.no_ku_bits_set": ("its key usage is empty", "verifiers that check it refuse it"),
    _VERSION: ("it is of version 1, which cannot say that it is a CA's", _SIGNED),
    _SYNTAX: ("a part of it does not have the RFC's syntax", "verifiers that check that part refuse it"),
}
"""What a verifier in use refuses: what is wrong, and who refuses it."""

NOTES = {
    "pkix.key_usage_value_prohibited_for_ec": "its key usage has keyEncipherment, which an EC key cannot be used for",
    "pkix.key_usage_value_prohibited_for_edwards_curve": (
        "its key usage has bits that an Edwards-curve key cannot be used for"
    ),
    "pkix.key_usage_value_prohibited_for_rsa": "its key usage has keyAgreement, which an RSA key cannot be used for",
    "pkix.key_usage_extension_not_critical": "its key usage is not critical",
    "pkix.san_extension_is_critical_non_empty_subject": "its subjectAltName is critical although it has a subject",
}
"""What every verifier accepts, in words; other codes keep pkilint's text."""

LEFT_OUT = {
    "pkix.certificate_skid_end_entity_missing": "cert-manager writes none, and nothing requires it",
    "pkix.subject_email_address_not_in_san": "old corporate CAs; nothing here reads an address",
    "pkix.certificate_policies_policy_has_qualifier": "public CAs; a remark",
    "pkix.public_key_algorithm_unsupported": "a remark on pkilint",
    "base.unhandled_exception": "a fault of pkilint's",
}
"""What is not carried, and why; nor are pkilint's NOTICE and INFO."""

_NOT_CARRIED = frozenset({"NOTICE", "INFO", "DEBUG"})


@dataclass(frozen=True)
class Departure:
    """One departure: pkilint's code, how serious it is here, and what is wrong in words."""

    code: str
    severity: Severity
    message: str


def available() -> bool:
    """Whether pkilint is installed."""
    return importlib.util.find_spec("pkilint") is not None


class Profile:
    """RFC 5280's profile; pkilint is imported with its first use."""

    def departures(self, certificate: x509.Certificate) -> list[Departure]:
        """Where *certificate* departs from it, each code once; [] where pkilint cannot read it, either."""
        from pkilint import loader

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it is reported as a departure
                document = loader.load_der_certificate(certificate.public_bytes(Encoding.DER), "certificate")
                results = self._validator.validate(document.root)
        except Exception:  # a linter that stumbles over a certificate has nothing to say of it
            return []
        found = dict.fromkeys(found for result in results for found in _carried(result))
        return [each for each in found if not _means_nothing(each.code, certificate)]

    @cached_property
    def _validator(self) -> Any:
        logging.getLogger("pkilint").setLevel(logging.CRITICAL)  # it logs what it stumbles over, with a traceback
        from pkilint.pkix import certificate, extension, name

        return certificate.create_pkix_certificate_validator_container(
            certificate.create_decoding_validators(name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS),
            [
                certificate.create_issuer_validator_container([]),
                certificate.create_validity_validator_container(),
                certificate.create_subject_validator_container([]),
                certificate.create_extensions_validator_container([]),
                certificate.create_spki_validator_container([]),
            ],
        )


def _carried(result: Any) -> Iterator[Departure]:
    for described in result.finding_descriptions:
        code = described.finding.code
        if code in LEFT_OUT or described.finding.severity.name in _NOT_CARRIED or _is_good(code, str(result.node.pdu)):
            continue
        if code == _SYNTAX and _LENGTH.search(described.message or ""):
            yield Departure(code, Severity.NOTE, "a part of a name is shorter or longer than the RFC allows")
        elif code in WARNINGS:
            what, who = WARNINGS[code]
            yield Departure(code, Severity.WARNING, f"{what}; {who}")
        else:
            yield Departure(code, Severity.NOTE, NOTES.get(code) or _in_words(code, described.message))


def _is_good(code: str, value: str) -> bool:
    """Whether pkilint minds only what is right: a wildcard or a name of one label, which the documents themselves ask
    for, or a URI of a scheme that it does not know (``spiffe://``)."""
    if code == "pkix.invalid_domain_name_syntax":
        return _HOST.fullmatch(value) is not None
    return code == _URI and _ABSOLUTE.fullmatch(value) is not None


def _means_nothing(code: str, certificate: x509.Certificate) -> bool:
    """Whether what pkilint says can do no harm in *certificate*: who signed itself names no other key, and version 1
    has no extensions; a leaf needs none."""
    if code == _NO_ISSUER_KEY:
        return certificate.version is x509.Version.v1 or self_signed(certificate)
    return code == _VERSION and not self_signed(certificate)


def _in_words(code: str, message: str | None) -> str:
    return f"{code.partition('.')[2].replace('_', ' ')}{f': {message}' if message else ''}"
