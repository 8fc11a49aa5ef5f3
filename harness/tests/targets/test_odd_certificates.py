"""Certificates and keys as people have them, old and odd: each is read, or refused in one sentence."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from harness.errors import UsageError
from harness.stimuli.certificates import CERTIFICATE_CLASSES
from harness.stimuli.partial import PartialPki, PartialStimuli, StimulusUnavailable
from harness.stimuli.partial.tokens import ExternallySignedTokens
from harness.targets import file as target_file
from harness.targets.credentials import by_name, open_clients
from harness.tests.builders import SECOND

EC = ("ecparam", "-genkey", "-noout", "-name", "prime256v1")
CA = "basicConstraints=critical,CA:TRUE\nsubjectKeyIdentifier=hash"
NOT_GIVEN = {"ta-other-ca", "tls-crl-revoked", SECOND}


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def made(folder: Path, leaf: str | None = "extendedKeyUsage=clientAuth", ca: str = CA, key: tuple[str, ...] = EC,
         options: tuple[str, ...] = (), serial: str = "7", subject: str = "/O=Example/CN=odd") -> None:  # fmt: skip
    """client.crt and ca.crt with their keys, by the openssl command."""
    (folder / "x.cnf").write_text(f"[req]\ndistinguished_name=dn\n[dn]\n[ca]\n{ca}\n[leaf]\n{leaf or ''}\n")
    for name in ("ca", "client"):
        openssl(folder, key[0], "-out", f"{name}.key", *key[1:])
    common = ("-days", "30", *options)
    openssl(folder, "req", "-x509", "-new", "-key", "ca.key", "-subj", "/CN=odd ca", "-out", "ca.crt",
            "-config", "x.cnf", "-extensions", "ca", *common)  # fmt: skip
    openssl(folder, "req", "-new", "-key", "client.key", "-subj", subject, "-out", "csr", "-config", "x.cnf", *options)
    extensions = () if leaf is None else ("-extfile", "x.cnf", "-extensions", "leaf")
    openssl(folder, "x509", "-req", "-in", "csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-set_serial", serial,
            "-out", "client.crt", *common, *extensions)  # fmt: skip


def opened(folder: Path) -> PartialPki:
    client = {"certificate": "client.crt", "key": "client.key", "ca": "ca.crt", "ca_key": "ca.key"}
    row: dict[str, Any] = {"url": "https://a.test", "ca": "ca.crt", "posture": "mtls"}
    data = {"product": {"name": "a"}, "environment": "lab", "servers": {"a": row}, "client": client}
    return PartialPki(by_name(open_clients(target_file.parse(data, folder / "t.yaml").endpoints.values())))


def unmade(folder: Path) -> set[str]:
    """The classes that cannot be presented, by our TLS library, with what is in *folder*."""
    pki, missing = opened(folder), set()
    stimuli = PartialStimuli(pki, ExternallySignedTokens(None, {}), folder / "clients")
    for name in CERTIFICATE_CLASSES:
        try:
            stimuli.context(folder / "ca.crt", next(iter(pki.clients)), name)
        except StimulusUnavailable:
            missing.add(name)
    return missing


@pytest.mark.parametrize(
    "how",
    [
        {"leaf": None},
        {"serial": "0"},
        {"ca": "basicConstraints=CA:TRUE"},
        {"key": ("genpkey", "-algorithm", "ed25519")},
        {"key": ("ecparam", "-genkey", "-noout", "-name", "secp384r1"), "options": ("-sha1",)},
        {"key": ("genrsa", "2048"), "options": ("-sigopt", "rsa_padding_mode:pss")},
        {"key": ("genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048")},
        {"leaf": "subjectAltName=URI:spiffe://a/b,RID:1.2.3.4,otherName:1.2.3.4;UTF8:x\nnsComment=x\ncertificatePolicies=1.2"},
        {"ca": f"{CA}\nnameConstraints=critical,permitted;dirName:dd\n[dd]\nO=Example"},
        {"subject": "/O=Example/CN=team\\/app"},
        {"subject": "/O=Example/CN=..\\/..\\/odd"},
    ],
    ids=["no extensions", "serial 0", "CA without usage and identifier", "Ed25519", "SHA-1", "PSS", "PSS key",
         "many extensions", "constrained CA", "slash", "path"],
)  # fmt: skip
def test_what_is_odd_is_read(tmp_path: Path, how: dict[str, Any]) -> None:
    made(tmp_path, **how)
    assert unmade(tmp_path) == NOT_GIVEN
    assert {path.parent for path in tmp_path.rglob("*.pem")} == {tmp_path / "clients"}


@pytest.mark.filterwarnings("ignore:Parsed a serial number|Parsed a negative serial number")
def test_a_negative_serial_number_is_read(tmp_path: Path) -> None:
    made(tmp_path, serial="-7")
    assert unmade(tmp_path) == NOT_GIVEN


@pytest.mark.parametrize(
    ("leaf", "message"),
    [
        ("2.5.29.17=DER:0400", "cannot be read"),
        ("2.5.29.37=DER:3000", "cannot be read"),
        ("2.5.29.19=DER:0101", "cannot be read"),
        ("2.5.29.17=DER:3009a507a1050c0378797a", "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_reported(tmp_path: Path, leaf: str, message: str) -> None:
    made(tmp_path, leaf)
    with pytest.raises(UsageError, match=message) as caught:
        opened(tmp_path)
    assert "\n" not in caught.value.what
    assert str(tmp_path / "client.crt") in str(caught.value)


def test_a_key_that_signs_nothing(tmp_path: Path) -> None:
    made(tmp_path)
    key = x25519.X25519PrivateKey.generate()
    (tmp_path / "client.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(UsageError, match="not an RSA, EC or Edwards-curve key"):
        opened(tmp_path)


def test_an_expired_ca_is_read(tmp_path: Path) -> None:
    now, key = datetime.now(UTC), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string("CN=old")
    start = (
        x509.CertificateBuilder().issuer_name(name).public_key(key.public_key()).not_valid_before(now - timedelta(9))
    )
    start = start.serial_number(7)
    ca = start.subject_name(name).not_valid_after(now - timedelta(1)).sign(key, hashes.SHA256())
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    leaf = start.subject_name(x509.Name.from_rfc4514_string("CN=odd,O=Example")).not_valid_after(now + timedelta(9))
    signed = leaf.add_extension(usage, critical=True).sign(key, hashes.SHA256())
    for file, certificate in (("ca", ca), ("client", signed)):
        (tmp_path / f"{file}.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
        (tmp_path / f"{file}.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert unmade(tmp_path) == NOT_GIVEN
    copy = CERTIFICATE_CLASSES["v-notyet-leaf"].build(opened(tmp_path), "odd")
    assert copy is not None
    assert copy.certificate.extensions.get_extension_for_oid(ExtensionOID.EXTENDED_KEY_USAGE).critical
