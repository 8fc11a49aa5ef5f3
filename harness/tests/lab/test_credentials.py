"""The credentials a target file names: who is asked for them, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.errors import UsageError
from harness.lab import targetfile
from harness.lab.credentials import open_clients
from harness.wire.pki import Pki

NAME = "portal-admin-client"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("deployment")
    Pki.create().write(place)
    return place / "secrets"


def endpoints(client: dict[str, str] | None, **server: Any) -> Any:
    row = {"url": "https://a.test", "ca": "ca.crt", "posture": "mtls", **server}
    data = {"product": {"name": "a"}, "environment": "lab", "servers": {"a": row}}
    found = targetfile.parse({**data, "client": client} if client else data, Path("/nowhere/t.yaml"))
    return found.endpoints.values()


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
    ("change", "subject", "told"),
    [
        ({"key": "gateway-client-client/tls.key"}, "", "not the key of client.certificate"),
        ({"ca": "portal-ca/tls.crt"}, "", "did not sign"),
        ({"ca_key": "portal-ca/tls.key"}, "", "not the key of client.ca"),
        ({"certificate": "missing"}, "", "cannot read client.certificate"),
        ({"key": "portal-ca/tls.crt"}, "", "no PEM private key"),
        ({}, "CN=another,O=cert-manager", "but subject is"),
        ({}, "nonsense", "not an RFC 4514 name"),
    ],
)
def test_files_that_do_not_fit(folder: Path, change: dict[str, str], subject: str, told: str) -> None:
    server = {"subject": subject} if subject else {}
    with pytest.raises(UsageError) as caught:
        open_clients(endpoints(files(folder, **change), **server))
    assert told in str(caught.value)
    assert caught.value.exit_status == 2
