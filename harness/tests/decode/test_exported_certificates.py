"""Certificates in exports that no library reads: each is reported with its line, none raises or writes anywhere."""

from __future__ import annotations

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from harness.decode.exported_certificates import collect
from harness.model.resource import Files
from harness.tests.exports import SERVER, authority, leaf


def pem(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"


def other(der: bytes, before: bytes, after: bytes) -> bytes:
    assert der.count(before) >= 1 and len(before) == len(after)
    return der.replace(before, after, 1)


_SUBJECT_KEY, _AUTHORITY_KEY = bytes.fromhex("0603551d0e"), bytes.fromhex("0603551d23")
_VERSION_3 = bytes.fromhex("a003020102")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (_VERSION_3, bytes.fromhex("a003020101")),
        (_VERSION_3, bytes.fromhex("a00302015a")),
        (_AUTHORITY_KEY, _SUBJECT_KEY),
    ],
    ids=["version 2", "no version", "a duplicate extension"],
)
def test_what_cannot_be_read_is_reported_and_the_rest_is_read(before: bytes, after: bytes) -> None:
    sound = leaf("portal-admin", authority(), SERVER, hosts=["a.acme.com"]).certificate.public_bytes(Encoding.DER)
    found = collect(Files([], [("a.pem", 3, pem(other(sound, before, after)) + pem(sound))], [], 1))
    assert [held.certificate for held in found.held] == [x509.load_der_x509_certificate(sound)]
    (unread,) = found.unread
    assert (unread.file, unread.line) == ("a.pem", 3) and "cannot be read" in unread.message


def test_a_negative_serial_number_warns_nobody(recwarn: pytest.WarningsRecorder) -> None:
    certificate = authority().certificate
    serial = certificate.serial_number.to_bytes((certificate.serial_number.bit_length() + 8) // 8, "big")
    negative = bytes([serial[0] | 0x80]) + serial[1:]
    der = other(certificate.public_bytes(Encoding.DER), serial, negative)
    assert len(collect(Files([], [("a.pem", 1, pem(der))], [], 1)).held) == 1
    assert [each for each in recwarn if "serial" in str(each.message)] == []
