"""The PKI: what it issues, what it writes, and that curl's and OpenSSL's eyes agree."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from harness.errors import LabError, UsageError
from harness.pki.deployment import Pki, public_jwk
from harness.pki.issue import Identity
from harness.pki.private_files import private_file, private_folder
from harness.products.registry import reference

SERVER_SECRETS = [name for name, row in reference().pki.secrets.items() if row.hosts]


def test_the_subject_is_the_string_of_the_custom_resource(pki: Pki) -> None:
    name = pki.secrets["portal-admin-client"].certificate.subject
    assert name == x509.Name.from_rfc4514_string("CN=portal-admin-client,O=cert-manager")
    assert [attribute.rfc4514_attribute_name for attribute in name] == ["O", "CN"]


@pytest.mark.parametrize("secret", reference().pki.clients)
def test_client_certificates_are_what_cert_manager_issues(pki: Pki, secret: str) -> None:
    cert = pki.secrets[secret].certificate
    usage = cert.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical and usage.value.digital_signature and usage.value.key_encipherment
    assert not usage.value.key_cert_sign
    extended = cert.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(extended) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert cert.not_valid_after_utc - cert.not_valid_before_utc == timedelta(hours=17520)
    with pytest.raises(x509.ExtensionNotFound):
        cert.extensions.get_extension_for_class(x509.SubjectAlternativeName)


@pytest.mark.parametrize("secret", SERVER_SECRETS)
def test_server_certificates_name_their_hosts(pki: Pki, secret: str) -> None:
    cert = pki.secrets[secret].certificate
    names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert tuple(names.get_values_for_type(x509.DNSName)) == reference().pki.secrets[secret].hosts
    assert cert.subject.rfc4514_string() == f"CN={reference().pki.secrets[secret].hosts[0]},O=cert-manager"
    extended = cert.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(extended) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert cert.issuer.rfc4514_string() == f"CN={reference().pki.secrets[secret].issuer}"


def test_a_front_certificate_is_another_one_for_the_same_host(pki: Pki) -> None:
    front, real = pki.secrets["front-portal-admin"], pki.secrets["portal-admin"]
    assert front.certificate.subject == real.certificate.subject
    assert front.certificate.public_key() != real.certificate.public_key()


def test_hosts_can_be_replaced_and_the_front_follows(pki: Pki) -> None:
    name = x509.DNSName("p.example.test")
    long = "a" * 60 + ".example.test"
    made = Pki.create(
        reference().pki,
        {"portal-admin": ["p.example.test"], "api-endpoint": [long]},
        signing_key=pki.signing_key,
    )
    assert made.profile("portal-admin").names == made.profile("front-portal-admin").names == (name,)
    assert made.secrets["api-endpoint"].certificate.subject.rfc4514_string() == "CN=api-endpoint,O=cert-manager"


@pytest.mark.parametrize("hosts", [{"nonsense": ["a.test"]}, {"portal-admin-client": ["a.test"]}, {"api-endpoint": []}])
def test_hosts_of_no_server_secret_are_refused(hosts: dict[str, list[str]]) -> None:
    with pytest.raises(UsageError):
        Pki.create(reference().pki, hosts)


def test_now_moves_the_validity(pki: Pki) -> None:
    then = datetime(2040, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    cert = Pki.create(reference().pki, now=then, signing_key=pki.signing_key).secrets["portal-admin"].certificate
    assert cert.not_valid_before_utc < then < cert.not_valid_after_utc


def test_openssl_verifies_every_leaf_strictly(deployment: Path) -> None:
    for name, row in reference().pki.secrets.items():
        folder = deployment / "secrets" / name
        purpose = "sslserver" if row.hosts else "sslclient"
        host = ["-verify_hostname", row.hosts[0]] if row.hosts else []
        command = ["openssl", "verify", "-x509_strict", "-no-CApath", "-no-CAstore", "-purpose", purpose, *host]
        subprocess.run(
            [*command, "-CAfile", str(folder / "ca.crt"), str(folder / "tls.crt")], check=True, capture_output=True
        )


def test_the_folder_is_private_and_complete(deployment: Path) -> None:
    for path in (deployment, *deployment.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    secrets = {path.name: {file.name for file in path.iterdir()} for path in (deployment / "secrets").iterdir()}
    assert set(secrets) == {*reference().pki.secrets, *reference().pki.authorities}
    assert all(files >= {"tls.crt", "tls.key", "ca.crt"} for files in secrets.values())
    pair = {"signing.key", "jwks.json"}
    assert {path.name for path in (deployment / "jwt").iterdir()} == pair | set(reference().pki.issuers)
    for issuer in reference().pki.issuers:
        assert {path.name for path in (deployment / "jwt" / issuer).iterdir()} == pair


def test_no_two_issuers_have_one_key(pki: Pki) -> None:
    keys = [pki.signing_key, *pki.issuer_keys.values()]
    assert len({key.public_key().public_numbers() for key in keys}) == len(keys) == 1 + len(reference().pki.issuers)


def test_keys_and_certificates_belong_together(deployment: Path) -> None:
    for folder in (deployment / "secrets").iterdir():
        key = load_pem_private_key((folder / "tls.key").read_bytes(), None)
        cert = x509.load_pem_x509_certificate((folder / "tls.crt").read_bytes())
        assert cert.public_key() == key.public_key()
        cert.verify_directly_issued_by(x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes()))


def test_the_key_set_is_public_and_the_signing_keys(pki: Pki, deployment: Path) -> None:
    (key,) = json.loads((deployment / "jwt/jwks.json").read_text())["keys"]
    signing = load_pem_private_key((deployment / "jwt/signing.key").read_bytes(), None)
    assert key == {**public_jwk(signing.public_key()), "kid": pki.kid, "use": "sig", "alg": "RS256"}  # type: ignore[arg-type]
    assert not {"d", "p", "q"} & set(key)


def test_writing_again_replaces(pki: Pki, tmp_path: Path) -> None:
    pki.write(tmp_path / "apic")
    Pki.create(reference().pki, signing_key=pki.signing_key).write(tmp_path / "apic")
    again = (tmp_path / "apic/secrets/ingress-ca/tls.crt").read_bytes()
    assert again != pki.secrets["ingress-ca"].pem()
    assert not [path for path in (tmp_path / "apic").rglob(".*")]


def test_a_folder_that_cannot_be_written_is_the_labs_fault(pki: Pki, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LabError, match="cannot be written"):
        pki.write(tmp_path / "file")


def test_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = private_folder(tmp_path / "a" / "b")
        file = private_file(folder / "key", b"1")
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_everything_but_the_rsa_key_is_fast(pki: Pki, tmp_path: Path) -> None:
    start = time.process_time()
    Pki.create(reference().pki, signing_key=pki.signing_key).write(tmp_path / "apic")
    assert time.process_time() - start < 0.2  # measured: 0.01


def test_a_clients_certificate_shows_whether_it_was_decoded_as_a_url(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    clients = pki.blueprint.clients
    assert all(b"+" in pki.secrets[name].pem() for name in clients)
    texts = [b"+", b"none", b"neither"]
    monkeypatch.setattr(Identity, "pem", lambda _: texts.pop())
    pki._issued(clients[0])
    assert texts == []
