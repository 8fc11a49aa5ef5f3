"""Target files with anything anywhere: they are right, or refused in a sentence, and nothing else comes of them."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import paths
from harness.errors import UsageError
from harness.pki.deployment import Pki
from harness.products.registry import reference
from harness.targets.deployment import Deployment


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pki = Pki.create(reference().pki)
    identity = pki.secrets["portal-admin-client"]
    (tmp_path / "client.crt").write_bytes(identity.pem())
    (tmp_path / "client.key").write_bytes(identity.key_pem())
    (tmp_path / "ca.crt").write_bytes(pki.secrets["ingress-ca"].pem())
    (tmp_path / "directory").mkdir()
    (tmp_path / "garbage").write_bytes(bytes(range(256)) * 8)
    (tmp_path / "list.json").write_text("[1, 2]", "utf-8")
    (tmp_path / "half.pem").write_bytes(identity.pem()[:300])
    monkeypatch.chdir(tmp_path)
    return tmp_path


ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 2**70, 1.5, 1e300, "", " ", "x", "x" * 5000, "\x00", "a\x00b", "\u00e9", "\ud7ff\uffff"),
    *([], {}, [[]], {"": ""}, {"file": "\x00"}, {"file": "."}, {"env": "A=B"}, {"env": "\x00"}, {"env": "HOME"}),
    *("https://[::1", "https://a:b/", "https://a.test/\x00", "http://a.test", "https://xn--/", "https://\u3002/"),
    *("a:99999", "[::1]:1", "127.0.0.1:99999", "localhost:0", "-----BEGIN", "/", "..", "~", "directory", "garbage"),
    *("client.crt", "client.key", "list.json", "half.pem", "GET", "mtls", "both", "terminating", "production"),
)


def test_nothing_but_a_sentence_comes_of_any_target_file(folder: Path) -> None:
    whole = yaml.safe_load((paths.FIXTURES / "targets" / "service.yaml").read_text("utf-8"))
    server: dict[str, Any] = {
        "url": "https://a.test",
        "ca": "ca.crt",
        "posture": "mtls",
        "connect": "a:1",
        "path": "direct",
    }
    server |= {"subject": "CN=a", "flows": ["management-to-portal"], "request": {"method": "GET", "body": "a"}}
    server["request"]["effect"] = {"path": "/{nonce}", "success": 200}
    client = {"certificate": "client.crt", "key": "client.key", "ca": "ca.crt", "ca_key": {"file": "client.key"}}
    refusal = {"refusal": {"status": 200, "body": "a", "header": {"name": "a", "value": "b"}}}
    jwks = {"listen": "127.0.0.1:0", "signing_key": "client.key", "certificate": "client.crt", "key": "client.key"}
    sources: tuple[dict[str, Any], ...] = (
        {"jwks": jwks, "kid": "a", "lifetime": 300, "claims": {"iss": "a"}},
        {"signing_key": "client.key", "signing_key_password": {"env": "HOME"}},
        {"command": ["true"]},
        {"endpoint": {"url": "https://a.test", "form": {"a": {"env": "HOME"}}, "ca": "ca.crt", "field": "a"}},
        {"captured": "garbage", "keys": {"url": "https://a.test", "ca": "ca.crt"}},
        {"none": True, "keys": "list.json"},
    )
    chosen, message = random.Random(7), 0
    for _ in range(400):
        data = copy.deepcopy({**whole, "servers": {"a": server}, "client": client, "dialect": refusal})
        data["tokens"] = copy.deepcopy(chosen.choice(sources))
        for _ in range(chosen.randint(1, 2)):
            mutate(data, chosen)
        (folder / "target.yaml").write_text(yaml.safe_dump(data, allow_unicode=True), "utf-8")
        try:
            Deployment.load(folder / "target.yaml")
        except UsageError as error:
            message += bool(str(error).strip())
    assert message > 300


def mutate(data: Any, chosen: random.Random) -> None:
    """Change one thing, somewhere in *data*."""
    places: list[tuple[Any, Any]] = []
    waiting: list[Any] = [data]
    while waiting:
        at = waiting.pop()
        keys = list(at) if isinstance(at, dict) else range(len(at)) if isinstance(at, list) else ()
        places += [(at, key) for key in keys]
        waiting += [at[key] for key in keys]
    at, key = chosen.choice(places)
    if chosen.random() < 0.15 and isinstance(at, dict):
        del at[key]
    elif chosen.random() < 0.1 and isinstance(at, dict):
        at[chosen.choice(["x", "", "posture", "client"])] = at[key]
    else:
        at[key] = copy.deepcopy(chosen.choice(ODD))
