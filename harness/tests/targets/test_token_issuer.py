"""The keys that a service verifies with: from a file, or from where they are published."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HopproofError
from harness.pki.deployment import Pki, public_jwk
from harness.products.registry import reference
from harness.stimuli.key_server import KeyServer
from harness.targets import file as target_file
from harness.targets.token_issuer import check_sources, open_token_issuer
from harness.tests.wire.servers import server_context

HERE = "secrets/portal-admin"


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    """A deployment whose server is called localhost, since httpx asks the resolver."""
    found = Pki.create(reference().pki, {"portal-admin": ["localhost"]})
    found.write(tmp_path)
    return found


@pytest.fixture
def server(pki: Pki, tmp_path: Path) -> Iterator[KeyServer]:
    found = KeyServer("127.0.0.1:0", pki.jwks()["keys"][0], server_context(tmp_path / HERE))
    yield found
    found.close()


def target(folder: Path, keys: Any) -> target_file.TargetFile:
    servers = {"a": {"url": "https://a.test", "ca": "ca.crt", "posture": "jwt"}}
    tokens: Mapping[str, Any] = {"none": True, "keys": keys}
    data = {"product": {"name": "a"}, "environment": "lab", "servers": servers, "tokens": tokens}
    return target_file.parse(data, folder / "t.yaml")


def test_keys_are_had_from_where_they_are_published(pki: Pki, server: KeyServer, tmp_path: Path) -> None:
    found = target(tmp_path, {"url": f"https://localhost:{server.port}/certs", "ca": f"{HERE}/ca.crt"})
    check_sources(found)
    token_issuer, _ = open_token_issuer(found)
    assert token_issuer.published[0].key == pki.signing_key.public_key()


def test_our_own_name_is_not_looked_up(monkeypatch: pytest.MonkeyPatch, pki: Pki) -> None:
    monkeypatch.setattr("socket.getfqdn", lambda name: pytest.fail(f"the resolver is asked for {name}"))
    KeyServer("127.0.0.1:0", pki.jwks()["keys"][0], None).close()


def test_keys_of_a_file(pki: Pki, tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [public_jwk(pki.signing_key.public_key())]}), "utf-8")
    token_issuer, _ = open_token_issuer(target(tmp_path, "keys.json"))
    assert token_issuer.published[0].key == pki.signing_key.public_key()


def test_a_check_sends_nothing(pki: Pki, tmp_path: Path) -> None:
    check_sources(target(tmp_path, {"url": "https://localhost:1/certs", "ca": f"{HERE}/ca.crt"}))


@pytest.mark.parametrize("keys", ["http://localhost/certs", {"url": "http://localhost/certs"}, {"ca": "x"}, 7])
def test_keys_that_cannot_be_meant(tmp_path: Path, keys: Any) -> None:
    with pytest.raises(HopproofError) as error:
        check_sources(target(tmp_path, keys))
    assert error.value.exit_status == 2


@pytest.mark.parametrize("text", ["", "[]", '{"keys": []}', '{"keys": 1}', "{}", "\x00\xff", '{"keys": [null]}'])
def test_a_file_that_holds_no_keys(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys.json").write_text(text, "utf-8")
    with pytest.raises(HopproofError, match="has no usable JWK set") as error:
        check_sources(target(tmp_path, "keys.json"))
    assert error.value.exit_status == 2


def test_a_server_of_another_ca_is_not_asked_for_keys(server: KeyServer, tmp_path: Path) -> None:
    with pytest.raises(HopproofError, match="does not answer") as error:
        open_token_issuer(
            target(tmp_path, {"url": f"https://localhost:{server.port}/", "ca": "secrets/portal-ca/ca.crt"})
        )
    assert error.value.exit_status == 3
