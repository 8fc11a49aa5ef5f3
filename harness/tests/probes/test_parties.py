"""Tokens of a script as they are made, requests to a token endpoint, and what is kept of the answers."""

from __future__ import annotations

import base64
import json
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from harness.model.exchange import ClientView, Response
from harness.model.token_script import ClientSecret, Exchange, ExchangeRefused, Flaw, Mint
from harness.pki.deployment import Pki
from harness.probes.minting import Minting
from harness.probes.taken_token import altered, signed_with_unknown_key, unsigned
from harness.probes.token_endpoint import Authentication, TokenEndpoint, facts, request
from harness.wire.send import Address

STEP = Exchange("new", "", "op", "own", "iv.test", ExchangeRefused(()))


def _endpoint(authentication: Authentication = Authentication.BASIC) -> TokenEndpoint:
    def context(_proven: bool) -> ssl.SSLContext:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    address = Address("127.0.0.1", 1, "sts.test")
    return TokenEndpoint(address, "sts.test", "/token", "op", "s:e cret", context, authentication, parameter="resource")


def _form(step: Exchange, authentication: Authentication = Authentication.BASIC) -> tuple[dict[str, str], bytes | None]:
    sent = request(_endpoint(authentication), step, "a.b.c", "nonce")
    return dict(parse_qsl(sent.body.decode())), sent.authorization


def test_a_request_is_as_rfc_8693_has_it() -> None:
    form, authorization = _form(STEP)
    assert form["grant_type"].endswith(":token-exchange")
    assert (form["subject_token"], form["resource"]) == ("a.b.c", "iv.test")
    assert "client_id" not in form
    assert authorization is not None
    # Both parts are form-encoded first (RFC 6749 section 2.3.1).
    assert base64.b64decode(authorization.removeprefix(b"Basic ")) == b"op:s%3Ae+cret"


@pytest.mark.parametrize(
    ("authentication", "secret", "sent"),
    [
        (Authentication.POST, ClientSecret.GOOD, {"client_id": "op", "client_secret": "s:e cret"}),
        (Authentication.POST, ClientSecret.WRONG, {"client_id": "op", "client_secret": "hopproof-wrong-secret"}),
        (Authentication.POST, ClientSecret.NONE, {"client_id": "op"}),
        (Authentication.TLS, ClientSecret.GOOD, {"client_id": "op"}),
        (Authentication.BASIC, ClientSecret.NONE, {"client_id": "op"}),
    ],
)
def test_a_client_proves_itself_in_its_way(
    authentication: Authentication, secret: ClientSecret, sent: dict[str, str]
) -> None:
    form, authorization = _form(Exchange("", "", "op", "own", "iv", ExchangeRefused(()), secret=secret), authentication)
    assert {name: value for name, value in form.items() if name.startswith("client_")} == sent
    assert authorization is None


def test_a_change_leaves_out_or_adds() -> None:
    form, _ = _form(
        Exchange("", "", "op", "own", "iv", ExchangeRefused(()), change=(("subject_token", ""), ("x", "y")))
    )
    assert "subject_token" not in form
    assert form["x"] == "y"


def _answer(body: Any, status: int = 200) -> ClientView:
    text = body if isinstance(body, str) else json.dumps(body)
    return ClientView(response=Response(status, (("cache-control", "No-Store"),), text))


def test_of_an_answer_facts_are_kept_and_the_token_is_not() -> None:
    now = int(time.time())
    claims = {"aud": ["iv.test"], "sub": "peter", "act": {"sub": "op"}, "iat": now, "exp": now + 60}
    token = jwt.encode(claims, "x" * 32, algorithm="HS256")
    found, issued = facts(_answer({"access_token": token, "token_type": "Bearer"}), "")
    assert issued == token
    assert (found.audience, found.subject, found.actor, found.lifetime) == ("iv.test", "peter", "op", 60)
    assert token not in json.dumps(found.to_json())


@pytest.mark.parametrize(
    ("issued", "expires", "lifetime"), [(30, 90, 60), (86_000, 86_060, 86_060), (None, 60, 60), (0, None, 0)]
)
def test_an_iat_in_the_future_does_not_shorten_a_lifetime(
    monkeypatch: pytest.MonkeyPatch, issued: int | None, expires: int | None, lifetime: int
) -> None:
    monkeypatch.setattr("time.time", lambda: 1000.0)
    stated = {"iat": issued, "exp": expires}
    claims = {name: 1000 + value for name, value in stated.items() if value is not None}
    token = jwt.encode(claims, "x" * 32, algorithm="HS256")
    assert facts(_answer({"access_token": token}), "")[0].lifetime == lifetime


@pytest.mark.parametrize("body", ["", "[]", '"x"', "{", {"access_token": ""}, {"access_token": 1}, "[" * 3000])
def test_what_is_no_token_is_none(body: Any) -> None:
    found, issued = facts(_answer(body), "")
    assert (found.issued, issued) == (False, "")


def test_an_opaque_token_is_issued_and_not_read() -> None:
    found, issued = facts(_answer({"access_token": "abc"}), "")
    assert (found.issued, found.opaque, issued) == (True, True, "abc")


def test_nothing_was_answered() -> None:
    assert facts(ClientView(fault="refused"), "")[0].ended == "refused"


@pytest.mark.parametrize("change", [altered, signed_with_unknown_key])
def test_a_bad_token_is_made_of_any_good_one(pki: Pki, change: Any) -> None:
    key: Any = pki.signing_key
    good = jwt.encode({"sub": "peter", "aud": "x"}, key, algorithm="RS256", headers={"kid": "1"})
    bad = change(good)
    assert bad != good
    assert jwt.get_unverified_header(bad)["kid"] == "1"
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(bad, key.public_key(), algorithms=["RS256"], audience="x")
    opaque = change("an-opaque-token")
    assert opaque != "an-opaque-token"
    assert len(opaque) == len("an-opaque-token")


@pytest.mark.parametrize("alg", ["RS256", "PS384", "ES256", "ES384", "ES512", "EdDSA"])
def test_an_unknown_key_signs_as_the_good_one_does(alg: str) -> None:
    made: Mapping[str, Callable[[], Any]] = {
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "ES512": lambda: ec.generate_private_key(ec.SECP521R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate,
    }
    key = made.get(alg, lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048))()
    good = jwt.encode({"sub": "peter"}, key, algorithm=alg, headers={"kid": "1"})
    bad, brought = signed_with_unknown_key(good), signed_with_unknown_key(good, shown=True)
    for one in (bad, brought):
        with pytest.raises(jwt.InvalidSignatureError):
            jwt.decode(one, key.public_key(), algorithms=[alg])
    carried = jwt.PyJWK(jwt.get_unverified_header(brought)["jwk"], alg)
    assert jwt.decode(brought, carried, algorithms=[alg]) == {"sub": "peter"}
    assert "jwk" not in jwt.get_unverified_header(bad)


def test_a_symmetric_token_is_forged_with_a_key_pair() -> None:
    good = jwt.encode({"sub": "peter"}, "x" * 32, algorithm="HS256")
    assert jwt.get_unverified_header(signed_with_unknown_key(good))["alg"] == "RS256"


def test_an_unsigned_token_says_what_the_good_one_says() -> None:
    good = jwt.encode({"sub": "peter"}, "x" * 32, algorithm="HS256", headers={"kid": "1"})
    bad = unsigned(good)
    assert bad.endswith(".") and jwt.get_unverified_header(bad) == {"alg": "none", "typ": "JWT", "kid": "1"}
    assert jwt.decode(bad, options={"verify_signature": False}) == {"sub": "peter"}
    assert len(unsigned("an-opaque-token")) == len("an-opaque-token")


def test_a_minted_token_says_what_its_step_says(pki: Pki) -> None:
    minting = Minting(lambda _issuer: pki.signing_key, pki.secrets.__getitem__)
    step = Mint("t", "i", "a", "s", may_act="m", act=("x", "y"), claims=(("order_id", "1"),), lifetime=60)
    key: Any = pki.signing_key
    said = jwt.decode(minting.minted(step, {}, 0.0), key.public_key(), algorithms=["RS256"], audience="a")
    assert said["act"] == {"sub": "x", "act": {"sub": "y"}}
    assert (said["may_act"], said["order_id"], said["exp"] - said["iat"]) == ({"sub": "m"}, "1", 60)
    expired = minting.minted(Mint("t", "i", "a", "s", flaw=Flaw.EXPIRED), {}, 0.0)
    with pytest.raises(jwt.ExpiredSignatureError):
        jwt.decode(expired, key.public_key(), algorithms=["RS256"], audience="a")
    assert len(minting.minted(Mint("t", "i", "a", "s", encrypted_for="inventory"), {}, 0.0).split(".")) == 5
