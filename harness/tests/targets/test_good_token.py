"""What the good token says against what the target file says that it should, before it is used for anything."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UsageError
from harness.pki.deployment import Pki
from harness.pki.jwk import Published
from harness.products.registry import reference
from harness.stimuli.partial import ServiceTokenIssuer
from harness.stimuli.tokens import jwa
from harness.targets import file as target_file
from harness.targets.good_token import contradictions
from harness.targets.token_issuer import check_sources, open_token_issuer

SAYS: dict[str, Any] = {"iss": "https://sts.test", "aud": ["orders", "stock"], "sub": "client"}


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create(reference().pki)


@pytest.fixture
def token(pki: Pki) -> str:
    return ServiceTokenIssuer(pki.signing_key, SAYS, "k1", 300).token()


@pytest.fixture
def keys(pki: Pki) -> tuple[Published, ...]:
    return (Published(pki.signing_key.public_key(), "k1"),)


@pytest.mark.parametrize(
    "tokens",
    [
        {},
        {"claims": SAYS, "kid": "k1", "algorithms": ["RS256", "ES256"]},
        {"claims": {"aud": "orders"}},
        {"claims": {"aud": ["another", "stock"]}},
    ],
)
def test_a_token_that_is_as_it_should(token: str, keys: tuple[Published, ...], tokens: Mapping[str, Any]) -> None:
    assert list(contradictions(tokens, keys, token)) == []


@pytest.mark.parametrize(
    ("tokens", "member", "message"),
    [
        (
            {"claims": {"aud": "another"}},
            "aud",
            "['orders', 'stock'], but tokens.claims.aud says 'another'",
        ),
        ({"claims": {"iss": "https://sts.test/"}}, "iss", "tokens.claims.iss says 'https://sts.test/'"),
        ({"claims": {"sub": "another"}}, "sub", "has the sub 'client'"),
        ({"claims": {"azp": "x"}}, "azp", "has no azp"),
        ({"kid": "k2"}, "kid", "tokens.kid says 'k2'"),
        ({"algorithms": ["ES256"]}, "alg", "tokens.algorithms says ['ES256']"),
    ],
)
def test_a_contradiction_tells_both(token: str, tokens: Mapping[str, Any], member: str, message: str) -> None:
    found = list(contradictions(tokens, (), token))
    assert [item.member for item in found] == [member]
    assert message in found[0].text


def test_keys_that_do_not_verify_it(token: str, keys: tuple[Published, ...]) -> None:
    other = Published(jwa.stranger("RS256").public_key(), "k1")
    curve = Published(jwa.stranger("ES256").public_key(), "k1")
    assert [item.member for item in contradictions({}, (other,), token)] == ["signature"]
    assert not list(contradictions({}, (other, *keys), token))
    assert not list(contradictions({}, (curve,), token))  # of no use, but no contradiction


def target(folder: Path, tokens: Mapping[str, Any]) -> target_file.TargetFile:
    servers = {"a": {"url": "https://a.test", "ca": "ca.crt", "posture": "jwt"}}
    data = {"product": {"name": "a"}, "environment": "lab", "servers": servers, "tokens": dict(tokens)}
    return target_file.parse(data, folder / "t.yaml")


def test_a_captured_token_is_compared_when_the_file_is_checked(token: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(token, "utf-8")
    check_sources(target(tmp_path, {"captured": "token", "claims": {"aud": "orders"}}))
    with pytest.raises(UsageError, match=r"tokens\.claims\.aud says 'another'") as error:
        check_sources(target(tmp_path, {"captured": "token", "claims": {"aud": "another"}}))
    assert token not in str(error.value)


def test_a_commands_token_is_compared_before_it_is_used(token: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", f"print({json.dumps(token)})"]
    token_issuer, _ = open_token_issuer(target(tmp_path, {"command": command, "claims": {"aud": "orders"}}))
    assert token_issuer.token() == token
    with pytest.raises(UsageError, match=r"tokens\.claims\.aud says 'another'"):
        open_token_issuer(target(tmp_path, {"command": command, "claims": {"aud": "another"}}))


def test_a_token_endpoint_that_gives_another_audience_is_for_the_service_to_notice(
    monkeypatch: pytest.MonkeyPatch, token: str, tmp_path: Path
) -> None:
    monkeypatch.setattr("harness.targets.token_issuer.token_source", lambda _target: lambda: token)
    endpoint = {"endpoint": {"url": "https://sts.test/token"}}
    token_issuer, _ = open_token_issuer(target(tmp_path, {**endpoint, "claims": {"aud": "another"}}))
    assert "answers 200 with another audience" in token_issuer.misnamed
    assert token_issuer.misdirected == token
    with pytest.raises(UsageError, match=r"tokens\.claims\.iss"):
        open_token_issuer(target(tmp_path, {**endpoint, "claims": {"iss": "another"}}))
