"""The reference token service, asked directly: what it issues, what it refuses and how, what it says of tokens."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from cryptography import x509

from harness.pki.deployment import Pki, key_id
from harness.probes.taken_token import signed_with_unknown_key, unsigned
from harness.subsystems.microservices.oauth import ACCESS_TOKEN, GRANT, INTROSPECTION_PATH, JWT_TYPE, TOKEN_PATH
from harness.subsystems.microservices.sts import Client, Domain, TokenService
from harness.subsystems.server.application import HttpResponse
from harness.subsystems.server.clock import LabClock
from harness.subsystems.server.connection_record import HttpRequest
from harness.subsystems.server.kind import Making
from harness.subsystems.server.policy import ServerPolicy

ISSUER, NAME, SECRET = "https://sts.ecomm.test", "order-processing", "order-processing-client"
DOMAIN = Domain(
    ISSUER,
    "sts",
    {"https://login.example.test": "identity-provider"},
    {NAME: Client(SECRET, "op.ecomm.test", frozenset({"iv.ecomm.test"}))},
)


class Asked:
    """A token service on a deployment's folder, and its client."""

    def __init__(self, pki: Pki, folder: Path, *slips: str) -> None:
        rules = ServerPolicy(slips=frozenset(slips))
        self.clock = LabClock()
        self._pki, self._folder = pki, folder
        self.service = TokenService(Making(folder, Counter(), rules, folder, self.clock), DOMAIN)

    def token(self, by: str = "sts", **claims: Any) -> str:
        key: Any = self._pki.issuer_keys[by]
        now = int(time.time())
        said = {"iss": ISSUER, "aud": "op.ecomm.test", "sub": "peter", "iat": now, "exp": now + 300, **claims}
        return jwt.encode(said, key, algorithm="RS256", headers={"kid": key_id(key.public_key())})

    def _secret(self) -> str:
        return hashlib.sha256((self._folder / "secrets" / SECRET / "tls.key").read_bytes()).hexdigest()

    def post(
        self, path: str, form: dict[str, str], secret: str | None = "", certificate: x509.Certificate | None = None
    ) -> HttpResponse:
        pair = base64.b64encode(f"{NAME}:{secret or self._secret()}".encode())
        authorization = () if secret is None else (b"Basic " + pair,)
        body = urlencode({name: value for name, value in form.items() if value}).encode()
        return self.service.act(HttpRequest("POST", path, b"", authorization, "", body, certificate=certificate))

    def exchange(self, subject: str, **changes: Any) -> HttpResponse:
        credentials = {name: changes.pop(name) for name in ("secret", "certificate") if name in changes}
        form = {"grant_type": GRANT, "subject_token": subject, "subject_token_type": JWT_TYPE, **changes}
        return self.post(TOKEN_PATH, {"audience": "iv.ecomm.test", **form}, **credentials)


@pytest.fixture
def sts(pki: Pki, deployment: Path) -> Asked:
    return Asked(pki, deployment)


def _claims(answer: HttpResponse) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(answer.body["access_token"], options={"verify_signature": False})
    return found


def test_the_new_token_is_for_the_next_service_and_names_user_and_actor(sts: Asked) -> None:
    answer = sts.exchange(sts.token(act={"sub": "edge-gateway"}))
    claims = _claims(answer)
    assert answer.status == 200
    assert (claims["aud"], claims["sub"], claims["iss"]) == ("iv.ecomm.test", "peter", ISSUER)
    assert claims["act"] == {"sub": NAME, "act": {"sub": "edge-gateway"}}
    assert (answer.body["issued_token_type"], answer.body["token_type"]) == (JWT_TYPE, "Bearer")
    assert claims["exp"] - claims["iat"] == answer.body["expires_in"] == 300


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"subject_token": ""}, 400, "invalid_request"),
        ({"subject_token": "a.b.c"}, 400, "invalid_request"),
        ({"subject_token_type": ""}, 400, "invalid_request"),
        ({"subject_token_type": "urn:x"}, 400, "invalid_request"),
        ({"actor_token_type": JWT_TYPE}, 400, "invalid_request"),
        ({"actor_token": "x", "actor_token_type": JWT_TYPE}, 400, "invalid_request"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:saml2"}, 400, "invalid_request"),
        ({"audience": "fn.ecomm.test"}, 400, "invalid_target"),
        ({"audience": ""}, 400, "invalid_target"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"secret": "wrong"}, 401, "invalid_client"),
        ({"secret": None}, 401, "invalid_client"),
        ({"secret": None, "client_id": NAME}, 401, "invalid_client"),
    ],
)
def test_a_request_that_is_not_right_gets_its_error(
    sts: Asked, changes: dict[str, Any], status: int, error: str
) -> None:
    answer = sts.exchange(sts.token(), **changes)
    assert (answer.status, answer.body["error"]) == (status, error)
    assert "access_token" not in answer.body


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1},
        {"iss": "https://login.evil.test"},
        {"aud": "iv.ecomm.test"},
        {"may_act": {"sub": "edge-gateway"}},
        {"may_act": NAME},
        {"exp": "soon"},
        {"act": {"sub": "a", "act": {"sub": "b", "act": {"sub": "c", "act": {"sub": "d", "act": {"sub": "e"}}}}}},
    ],
)
def test_a_subject_token_that_is_not_acceptable_is_an_invalid_request(sts: Asked, claims: dict[str, Any]) -> None:
    answer = sts.exchange(sts.token(**claims))
    assert (answer.status, answer.body["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("slip", "made"),
    [
        ("sts-accepts-unsigned-subject", unsigned),
        ("sts-takes-key-from-subject", lambda good: signed_with_unknown_key(good, shown=True)),
    ],
)
def test_a_subject_token_signed_by_nobody_or_by_its_bearer_is_refused(
    pki: Pki, deployment: Path, slip: str, made: Callable[[str], str]
) -> None:
    bad = made(Asked(pki, deployment).token())
    assert Asked(pki, deployment).exchange(bad).status == 400
    assert Asked(pki, deployment, slip).exchange(bad).status == 200


def test_a_parameter_that_stands_twice_is_refused(sts: Asked) -> None:
    body = urlencode([("grant_type", GRANT), ("audience", "iv.ecomm.test"), ("audience", "fn.ecomm.test")]).encode()
    answer = sts.service.act(HttpRequest("POST", TOKEN_PATH, b"", (), "", body))
    assert (answer.status, answer.body["error"]) == (400, "invalid_request")


def test_a_client_proves_itself_with_the_certificate_that_is_registered_for_it(sts: Asked, pki: Pki) -> None:
    own, other = (pki.secrets[name].certificate for name in (SECRET, "edge-gateway-client"))
    assert sts.exchange(sts.token(), secret=None, client_id=NAME, certificate=own).status == 200
    refused = sts.exchange(sts.token(), secret=None, client_id=NAME, certificate=other)
    assert (refused.status, refused.body["error"]) == (401, "invalid_client")


def test_a_reference_token_says_nothing_but_to_whoever_may_ask(sts: Asked) -> None:
    reference = sts.exchange(sts.token(), requested_token_type=ACCESS_TOKEN).body["access_token"]
    assert "." not in reference
    message = sts.post(INTROSPECTION_PATH, {"token": reference}).body
    assert (message["active"], message["sub"], message["aud"]) == (True, "peter", "iv.ecomm.test")
    assert sts.post(INTROSPECTION_PATH, {"token": reference}, secret="wrong").status == 401
    sts.clock.offset = 3600.0
    assert sts.post(INTROSPECTION_PATH, {"token": reference}).body == {"active": False}


@pytest.mark.parametrize("claims", [{"exp": 1}, {"iss": "https://login.evil.test"}])
def test_of_a_token_that_is_not_good_nothing_is_told(sts: Asked, claims: dict[str, Any]) -> None:
    assert sts.post(INTROSPECTION_PATH, {"token": sts.token(**claims)}).body == {"active": False}
    assert sts.post(INTROSPECTION_PATH, {"token": "x"}).body == {"active": False}
    assert sts.post(INTROSPECTION_PATH, {}).status == 400


def test_a_fault_takes_one_decision_away(pki: Pki, deployment: Path) -> None:
    asked = Asked(pki, deployment, "sts-calls-any-token-active", "sts-keeps-audience")
    assert asked.post(INTROSPECTION_PATH, {"token": "x"}).body["active"] is True
    assert _claims(asked.exchange(asked.token()))["aud"] == "op.ecomm.test"


def test_keys_are_published(sts: Asked) -> None:
    answer = sts.service.act(HttpRequest("GET", "/oauth2/jwks", b"", (), "", b""))
    assert answer.status == 200
    assert json.loads(answer.body)["keys"]


@pytest.mark.parametrize(
    ("subject", "actor", "slip", "acts"),
    [
        ({"may_act": {"sub": "reporting"}}, {"sub": "reporting"}, "", "reporting"),
        ({}, {"sub": NAME}, "", NAME),
        ({}, {"sub": "reporting"}, "", ""),
        ({"may_act": {"sub": "reporting"}}, {"sub": NAME}, "", ""),
        ({"may_act": {"sub": "reporting"}}, {"sub": "other"}, "", ""),
        ({"may_act": {"sub": "reporting"}}, {"sub": "reporting", "exp": 1}, "", ""),
        ({"may_act": {"sub": "reporting"}}, {"sub": "reporting", "iss": "https://evil.test"}, "", ""),
        ({"may_act": {"sub": "reporting"}}, {"sub": "reporting", "by": "partner-sts"}, "", ""),
        ({}, {"sub": "other"}, "sts-lets-anybody-be-actor", "other"),
        ({"may_act": {"sub": NAME}}, {"sub": "other"}, "sts-ignores-actor-token", NAME),
        ({"may_act": {"sub": "reporting"}}, {"sub": "reporting", "exp": 1}, "sts-accepts-expired-actor", "reporting"),
        (
            {"may_act": {"sub": "reporting"}},
            {"sub": "reporting", "by": "partner-sts"},
            "sts-skips-actor-signature",
            "reporting",
        ),
    ],
)
def test_who_acts_is_whom_the_actor_token_names_and_the_user_allows(
    pki: Pki, deployment: Path, subject: dict[str, Any], actor: dict[str, Any], slip: str, acts: str
) -> None:
    sts = Asked(pki, deployment, *filter(None, [slip]))
    answer = sts.exchange(sts.token(**subject), actor_token=sts.token(**actor), actor_token_type=JWT_TYPE)
    if not acts:
        assert (answer.status, answer.body["error"]) == (400, "invalid_request")
        return
    assert answer.status == 200
    assert _claims(answer)["act"]["sub"] == acts


def test_an_actor_token_needs_its_type_and_comes_before_whoever_acted_earlier(pki: Pki, deployment: Path) -> None:
    untyped, dropping = (
        Asked(pki, deployment, "sts-takes-untyped-actor-token"),
        Asked(pki, deployment, "sts-drops-earlier-actors"),
    )
    sts = Asked(pki, deployment)
    user = sts.token(may_act={"sub": "reporting"}, act={"sub": "edge-gateway"})
    reporting = sts.token(sub="reporting")
    assert sts.exchange(user, actor_token=reporting).status == 400
    assert untyped.exchange(user, actor_token=reporting).status == 200
    typed = {"actor_token": reporting, "actor_token_type": JWT_TYPE}
    assert _claims(sts.exchange(user, **typed))["act"] == {"sub": "reporting", "act": {"sub": "edge-gateway"}}
    assert _claims(dropping.exchange(user, **typed))["act"] == {"sub": "reporting"}
