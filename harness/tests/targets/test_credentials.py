"""The credentials a target file names: who is asked for them, and what is wrong with them."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from harness.errors import UsageError
from harness.pki.deployment import Pki
from harness.products.registry import reference
from harness.targets import file as target_file
from harness.targets.credentials import by_name, open_clients
from harness.targets.token_issuer import check_sources, open_token_issuer
from harness.tests.wire.servers import HOST, REQUEST, client_context
from harness.wire.send import Address, prepare, send

NAME = "portal-admin-client"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    location = tmp_path_factory.mktemp("deployment")
    Pki.create(reference().pki).write(location)
    return location / "secrets"


def endpoints(client: dict[str, str] | None, **server: Any) -> Any:
    row = {"url": "https://a.test", "ca": "ca.crt", "posture": "mtls", **server}
    data = {"product": {"name": "a"}, "environment": "lab", "servers": {"a": row}}
    found = target_file.parse({**data, "client": client} if client else data, Path("/nowhere/t.yaml"))
    return found.endpoints.values()


def encrypted(folder: Path, name: str, password: bytes, *, legacy: bool = False) -> str:
    """The key of a secret, encrypted; where it is."""
    key = load_pem_private_key((folder / name).read_bytes(), None)
    form = PrivateFormat.TraditionalOpenSSL if legacy else PrivateFormat.PKCS8
    file = folder / f"{name.replace('/', '-')}.{password.hex()[:8]}{legacy}"
    file.write_bytes(key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(password)))
    return file.name


def files(folder: Path, **other: str) -> dict[str, str]:
    own = folder / NAME
    parts = {"certificate": own / "tls.crt", "key": own / "tls.key", "ca": own / "ca.crt"}
    return {
        **{name: str(path) for name, path in parts.items()},
        **{name: str(folder / path) for name, path in other.items()},
    }


@pytest.mark.parametrize(
    ("server", "asked"),
    [
        ({"posture": "mtls"}, True),
        ({"posture": "both"}, True),
        ({"posture": "jwt"}, False),
        ({"posture": "default", "flows": ["management-to-portal"]}, True),
        ({"posture": "default", "flows": ["management-to-api-gateway"]}, False),
    ],
)
def test_who_asks_for_a_certificate(server: dict[str, Any], asked: bool) -> None:
    assert open_clients(endpoints(None, **server))["a"][1].required is asked


def test_the_client_is_known_by_its_common_name(folder: Path) -> None:
    assert open_clients(endpoints(files(folder)))["a"][0] == NAME


@pytest.mark.parametrize(
    ("change", "subject", "message"),
    [
        ({"key": "gateway-client-client/tls.key"}, "", "not the key of client.certificate"),
        ({"ca": "portal-ca/tls.crt"}, "", "did not sign"),
        ({"ca_key": "portal-ca/tls.key"}, "", "not the key of client.ca"),
        ({"certificate": "missing"}, "", "cannot read client.certificate"),
        ({"key": "portal-ca/tls.crt"}, "", "no PEM private key"),
        ({"other_ca": "ingress-ca/tls.crt", "other_ca_key": "ingress-ca/tls.key"}, "", "it must be a different CA"),
        ({"other_ca": "portal-ca/tls.crt", "other_ca_key": "ingress-ca/tls.key"}, "", "not the key of client.other_ca"),
        ({}, "CN=another,O=cert-manager", "but subject is"),
        ({}, "nonsense", "not an RFC 4514 DN"),
    ],
)
def test_files_that_do_not_fit(folder: Path, change: dict[str, str], subject: str, message: str) -> None:
    server = {"subject": subject} if subject else {}
    with pytest.raises(UsageError) as caught:
        open_clients(endpoints(files(folder, **change), **server))
    assert message in str(caught.value)
    assert caught.value.exit_status == 2


def two(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """What two endpoints' clients come to."""
    common = {"url": "https://a.test", "ca": "ca.crt", "posture": "mtls"}
    servers = {"a": {**common, **first}, "b": {**common, **second}}
    data = {"product": {"name": "a"}, "environment": "lab", "servers": servers}
    return by_name(open_clients(target_file.parse(data, Path("/nowhere/t.yaml")).endpoints.values()))


def test_one_client_of_two_endpoints(folder: Path) -> None:
    mtls = {"client": files(folder, ca_key="ingress-ca/tls.key")}
    jwt = {**mtls, "posture": "jwt"}
    for found in (two(mtls, jwt), two(jwt, mtls)):
        assert list(found) == [NAME]
        # One endpoint asks for it: what its CA's key signs is still tried before it proves anything.
        assert found[NAME].required


def test_two_clients_of_one_name(folder: Path) -> None:
    mine = {"client": files(folder)}
    Pki.create(reference().pki).write(folder / "elsewhere")
    theirs = {"client": files(folder / "elsewhere" / "secrets")}
    for first, second in (
        (mine, theirs),
        (mine, {"client": files(folder, ca_key="ingress-ca/tls.key")}),
        (mine, {"subject": f"CN={NAME},O=cert-manager"}),
    ):
        with pytest.raises(UsageError, match=r"servers\.a and servers\.b have different clients"):
            two(first, second)


def test_endpoints_without_a_client_share_nothing() -> None:
    found = two({}, {"posture": "jwt"})
    assert sorted(client.required for client in found.values()) == [False, True]


PASSWORD = "corr\u00e9ct horse"


@pytest.mark.parametrize("legacy", [False, True], ids=["PKCS#8", "PEM of old"])
def test_encrypted_keys_open_with_their_passwords(folder: Path, monkeypatch: pytest.MonkeyPatch, legacy: bool) -> None:
    monkeypatch.setenv("HOPPROOF_TEST_PASSWORD", PASSWORD)
    (folder / "password").write_text(PASSWORD + "\r\n", "utf-8")
    names = {"key": f"{NAME}/tls.key", "ca_key": "ingress-ca/tls.key", "other_ca_key": "portal-ca/tls.key"}
    keys = {row: encrypted(folder, name, PASSWORD.encode(), legacy=legacy) for row, name in names.items()}
    passwords = {
        "key_password": {"env": "HOPPROOF_TEST_PASSWORD"},
        "ca_key_password": {"file": str(folder / "password")},
        "other_ca_key_password": {"file": str(folder / "password")},
    }
    client: Any = {**files(folder, **keys, other_ca="portal-ca/tls.crt"), **passwords}
    _, found = open_clients(endpoints(client))["a"]
    for identity in (found.identity, found.authority, found.other_authority):
        assert identity is not None
        assert identity.key.public_key() == identity.certificate.public_key()


@pytest.mark.parametrize(
    ("password", "message"),
    [
        ({"env": "HOPPROOF_TEST_WRONG"}, "cannot be opened with client.key_password"),
        ({"env": "HOPPROOF_TEST_UNSET"}, "HOPPROOF_TEST_UNSET (client.key_password) is not set"),
        ({"file": "missing"}, "cannot read client.key_password"),
        (None, "client.key is encrypted"),
    ],
)
def test_a_wrong_password_is_reported_with_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, password: Any, message: str
) -> None:
    monkeypatch.setenv("HOPPROOF_TEST_WRONG", "not the passw0rd")
    client: Any = files(folder, key=encrypted(folder, f"{NAME}/tls.key", PASSWORD.encode()))
    if password is not None:
        client["key_password"] = password
    with pytest.raises(UsageError) as caught:
        open_clients(endpoints(client))
    assert message in str(caught.value)
    assert caught.value.exit_status == 2
    assert "passw0rd" not in str(caught.value)
    if "missing" not in str(password) and "UNSET" not in str(password):
        assert client["key"] in str(caught.value)


def test_a_password_for_a_key_that_needs_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPPROOF_TEST_WRONG", "not the passw0rd")
    client: Any = {**files(folder), "key_password": {"env": "HOPPROOF_TEST_WRONG"}}
    with pytest.raises(UsageError, match="client.key is not encrypted, but a password is given"):
        open_clients(endpoints(client))


def with_tokens(folder: Path, tokens: dict[str, Any]) -> target_file.TargetFile:
    servers = {"a": {"url": "https://a.test", "ca": "ca.crt", "posture": "jwt"}}
    data = {"product": {"name": "a"}, "environment": "lab", "servers": servers, "tokens": tokens}
    return target_file.parse(data, folder / "t.yaml")


def test_signing_keys_may_be_encrypted_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPPROOF_TEST_PASSWORD", PASSWORD)
    password = {"env": "HOPPROOF_TEST_PASSWORD"}
    signing = {
        "signing_key": encrypted(folder, "../jwt/signing.key", PASSWORD.encode()),
        "signing_key_password": password,
    }
    plain = with_tokens(folder, {"signing_key": str(folder.parent / "jwt" / "signing.key")})
    locked = with_tokens(folder, signing)
    check_sources(locked)
    assert open_token_issuer(locked)[0].key.public_key() == open_token_issuer(plain)[0].key.public_key()
    tls = {
        "certificate": "portal-admin/tls.crt",
        "key": encrypted(folder, "portal-admin/tls.key", PASSWORD.encode()),
        "key_password": password,
    }
    served = with_tokens(folder, {"jwks": {"listen": "127.0.0.1:0", **signing, **tls}})
    check_sources(served)
    _, server = open_token_issuer(served)
    assert server is not None
    server.close()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"certificate": "missing"}, "cannot be used"),
        ({"certificate": "portal-ca/tls.key"}, "cannot be used"),
        ({"key": "portal-ca/tls.key"}, "cannot be used"),
        ({"key_password": {"env": "HOPPROOF_TEST_UNSET"}}, "HOPPROOF_TEST_UNSET"),
    ],
)
def test_a_jwks_server_that_cannot_speak_tls_is_reported_first(
    folder: Path, change: dict[str, Any], message: str
) -> None:
    tls = {"certificate": "portal-admin/tls.crt", "key": "portal-admin/tls.key", **change}
    jwks = {"listen": "127.0.0.1:0", "signing_key": str(folder.parent / "jwt" / "signing.key"), **tls}
    with pytest.raises(UsageError) as caught:
        check_sources(with_tokens(folder, {"jwks": jwks}))
    assert message in str(caught.value)


def test_a_jwks_server_s_encrypted_key_needs_its_password(folder: Path) -> None:
    key = encrypted(folder, "portal-admin/tls.key", PASSWORD.encode())
    jwks = {"listen": "127.0.0.1:0", "signing_key": str(folder.parent / "jwt" / "signing.key")}
    tokens = {"jwks": {**jwks, "certificate": "portal-admin/tls.crt", "key": key}}
    with pytest.raises(UsageError, match="cannot be used"):
        check_sources(with_tokens(folder, tokens))


@pytest.mark.parametrize("tls", [False, True], ids=["clear text", "TLS"])
def test_a_silent_client_does_not_block_key_requests(
    folder: Path, tls: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    files = {"certificate": "portal-admin/tls.crt", "key": "portal-admin/tls.key"} if tls else {}
    jwks = {"listen": "127.0.0.1:0", "signing_key": str(folder.parent / "jwt" / "signing.key"), **files}
    token_issuer, server = open_token_issuer(with_tokens(folder, {"jwks": jwks}))
    assert server is not None and not server.asked
    context = client_context(folder / "portal-admin" / "ca.crt") if tls else None
    try:
        with socket.create_connection(("127.0.0.1", server.port), 5):
            observed = send(
                Address("127.0.0.1", server.port, HOST), prepare("GET", "/any", (("Host", b"a"),), b""), context
            )
        if tls:
            stranger = client_context(folder / "portal-ca" / "ca.crt")
            assert send(Address("127.0.0.1", server.port, HOST), REQUEST, stranger).server_refused
    finally:
        server.close()
    assert observed.response is not None and server.asked
    assert json.loads(observed.response.body)["keys"][0]["kid"] == token_issuer.kid
    assert capfd.readouterr().err == ""
