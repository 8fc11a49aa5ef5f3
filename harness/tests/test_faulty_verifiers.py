"""Services of others that get one thing wrong: each class of token bites where exactly its fault is."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from harness.catalogue.registry import catalogue
from harness.config import Options
from harness.judge import judge as judge_one
from harness.model.case import Stimulus
from harness.model.vocabulary import Depth, Grade, Posture
from harness.pki.deployment import Pki
from harness.pki.keys import key_pem
from harness.products.registry import reference
from harness.run.run import Run
from harness.stimuli.attacker_listener import on_loopback
from harness.stimuli.partial import ServiceTokenIssuer
from harness.tests import builders
from harness.tests.faulty.caught import CAUGHT
from harness.tests.faulty.expiry import MinuteLeeway, NeverForgets
from harness.tests.faulty.faults import (
    AnyAudience,
    AnyRsa,
    FetchesAndRefuses,
    Fetching,
    FromHeaderJwk,
    Unsigned,
    WithPkcs1Stripped,
    Zero,
)
from harness.tests.faulty.verifier import AUDIENCE, ISSUER, KID, Verifier, serving

NEW: Mapping[str, Callable[[], Any]] = {
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ES512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}
# What a key of this kind cannot make, of all that --depth full sends.
UNMADE = {
    "ES256": {"alg-rs-to-ps"},
    "ES384": {"alg-rs-to-ps", "enc-pad-canonical", "enc-unused-bits"},
    "ES512": {"alg-rs-to-ps", "enc-pad-canonical", "enc-unused-bits"},
    "EdDSA": {"alg-rs-to-ps", "alg-hash-swap", "str-jwe-five"},
}
Judge = Callable[..., Run]


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create(reference().pki, {"portal-admin": ["svc.test"]})


@pytest.fixture(scope="module")
def keys() -> Callable[[str], Any]:
    made: dict[str, Any] = {}

    def key(alg: str) -> Any:
        kind = alg if alg in NEW else "RSA"
        if kind not in made:
            made[kind] = NEW[kind]() if kind in NEW else rsa.generate_private_key(65537, 2048)
        return made[kind]

    return key


@pytest.fixture
def judge(pki: Pki, keys: Callable[[str], Any], tmp_path: Path) -> Judge:
    """Runs a verifier as a service and judges it by a target file; *tokens* replaces how its tokens are had."""
    pki.write(tmp_path)

    @contextmanager
    def service(kind: type[Verifier], alg: str) -> Iterator[dict[str, Any]]:
        with serving(kind(keys(alg).public_key(), alg), tmp_path / "secrets/portal-admin/tls-combined.pem") as port:
            yield {"url": f"https://svc.test:{port}/", "connect": f"127.0.0.1:{port}", "posture": "jwt",
                   "ca": "secrets/portal-admin/ca.crt"}  # fmt: skip

    def run(kind: type[Verifier], alg: str, only: tuple[str, ...] = ("tokens",), **tokens: Any) -> Run:
        (tmp_path / "signing.key").write_bytes(key_pem(keys(alg)))
        given = tokens or {"signing_key": "signing.key", "kid": KID, "algorithms": [alg]}
        with service(kind, alg) as server:
            data = {
                "product": {"name": "orders"},
                "environment": "lab",
                "rate": 2000,
                "servers": {"orders": server},
                "tokens": {"claims": {"iss": ISSUER, "aud": AUDIENCE, "sub": "client"}, **given},
            }
            file = tmp_path / "target.yaml"
            file.write_text(yaml.safe_dump(data), "utf-8")
            found = Run(Options(target=str(file), report=tmp_path / "report", seed=1, only=only, depth=Depth.FULL))
            found.start(found.cases)
            found.finish()
        return found

    return run


def of(run: Run, outcome: str) -> set[str]:
    return {row["stimulus"] for row in run.rows if row["outcome"] == outcome}


@pytest.mark.parametrize("alg", ["RS256", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA"])
def test_a_right_service_passes_whatever_it_verifies_with(judge: Judge, alg: str) -> None:
    run = judge(Verifier, alg)
    assert {row["outcome"] for row in run.rows} <= {"PASS", "UNOBSERVED"}, of(run, "FAIL") | of(run, "WRONG_REASON")
    assert of(run, "UNOBSERVED") == UNMADE.get(alg, set())


@pytest.mark.parametrize(
    ("alg", "kind", "classes"),
    CAUGHT,
    ids=[f"{alg}-{kind.__name__}" for alg, kind, _ in CAUGHT],
)
def test_a_fault_is_caught(judge: Judge, alg: str, kind: type[Verifier], classes: frozenset[str]) -> None:
    run = judge(kind, alg, tuple(f"*/{name}" for name in classes))
    assert of(run, "FAIL") == classes, {row["stimulus"]: row["reason"] for row in run.rows}


@pytest.mark.parametrize(
    ("alg", "kind", "name"),
    [("ES256", Zero, "sig-zero"), ("PS256", Unsigned, "sig-wrong-key"), ("EdDSA", FromHeaderJwk, "jwk-embedded")],
)
def test_a_fault_is_caught_with_a_borrowed_token(
    judge: Judge, keys: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, alg: str, kind: type[Verifier], name: str
) -> None:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "client"}
    monkeypatch.setenv("HOPPROOF_TEST_TOKEN", ServiceTokenIssuer(keys(alg), claims, KID, 300, (alg,)).token())
    captured = {"captured": {"env": "HOPPROOF_TEST_TOKEN"}}
    assert name in of(judge(kind, alg, (f"*/{name}",), **captured), "FAIL")
    right = judge(Verifier, alg, (f"*/{name}",), **captured)
    assert of(right, "PASS") == {name}


def test_a_right_service_refuses_an_accepted_token_that_has_expired(judge: Judge) -> None:
    assert of(judge(Verifier, "RS256", ("*/exp-past-after-good",)), "PASS") == {"exp-past-after-good"}


def test_a_leeway_hides_whether_an_accepted_token_is_cached(judge: Judge) -> None:
    run = judge(MinuteLeeway, "RS256", ("*/exp-past-after-good",))
    assert of(run, "UNOBSERVED") == {"exp-past-after-good"}
    assert "hidden by the server's leeway" in run.rows[0]["reason"]


def test_a_borrowed_token_cannot_be_made_to_expire(
    judge: Judge, keys: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "client"}
    monkeypatch.setenv("HOPPROOF_TEST_TOKEN", ServiceTokenIssuer(keys("RS256"), claims, KID, 300).token())
    run = judge(NeverForgets, "RS256", ("*/exp-past-after-good",), captured={"env": "HOPPROOF_TEST_TOKEN"})
    assert of(run, "UNOBSERVED") == {"exp-past-after-good"}
    assert "needs the key" in run.rows[0]["reason"]


def test_the_accepted_form_is_named(judge: Judge) -> None:
    run = judge(WithPkcs1Stripped, "RS256", ("*/alg-hs-rsa-pem",))
    assert "HS256, secret: PKCS#1 PEM without its last line break of the key Key-1" in run.rows[0]["reason"]


def test_a_fetch_is_reported_though_the_token_is_refused(judge: Judge) -> None:
    run = judge(FetchesAndRefuses, "RS256", ("*/jku-attacker",))
    assert "fetched the URL that the token names, 1 times" in run.rows[0]["reason"]


def test_what_the_target_file_does_not_agree_to_is_advice(judge: Judge) -> None:
    """PS256 and RS512 break a MUST only where the file says what the service takes; what it takes is not tried."""
    for tokens, level in (({}, "SHOULD"), ({"algorithms": ["RS256"]}, "MUST")):
        run = judge(AnyRsa, "RS256", ("*/alg-rs-to-ps",), signing_key="signing.key", kid=KID, **tokens)
        assert [(row["level"], row["outcome"]) for row in run.rows] == [(level, "FAIL")]
        assert run.status == (1 if level == "MUST" else 3)  # of one class alone, nothing is shown
    taken = {"algorithms": ["RS256", "PS256", "PS384", "PS512"]}
    run = judge(AnyRsa, "RS256", ("*/alg-rs-to-ps",), signing_key="signing.key", kid=KID, **taken)
    assert of(run, "UNOBSERVED") == {"alg-rs-to-ps"}


def test_a_token_endpoint_that_names_another_audience(
    judge: Judge, keys: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that takes such a token fails for it; one that refuses it cannot be judged, and the cause is named."""
    token = ServiceTokenIssuer(keys("RS256"), {"iss": ISSUER, "aud": ["client-a"], "sub": "client"}, KID, 300).token()
    monkeypatch.setattr("harness.targets.token_issuer.token_source", lambda _target: lambda: token)
    endpoint = {"endpoint": {"url": "https://sts.test/token"}}
    lax = judge(AnyAudience, "RS256", ("tokens/STS-5",), **endpoint)
    assert of(lax, "FAIL") == {"good", "aud-wrong"}
    assert lax.status == 1
    strict = judge(Verifier, "RS256", ("tokens/STS-5",), **endpoint)
    assert {row["outcome"] for row in strict.rows} == {"UNOBSERVED"}
    assert strict.status == 3
    assert "['client-a'], but tokens.claims.aud says 'orders'" in strict.trouble[0]


def test_a_token_that_is_not_what_the_file_says_is_the_users_mistake(
    judge: Judge, keys: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    token = ServiceTokenIssuer(keys("RS256"), {"iss": "another", "aud": AUDIENCE, "sub": "client"}, KID, 300).token()
    monkeypatch.setattr("harness.targets.token_issuer.token_source", lambda _target: lambda: token)
    run = judge(Verifier, "RS256", ("tokens/STS-5",), command=["true"])
    assert run.status == 2
    assert f"the iss 'another', but tokens.claims.iss says '{ISSUER}'" in run.trouble[0]


@pytest.mark.parametrize(("drops", "outcome"), [(True, "FAIL"), (False, "PASS")])
def test_a_key_set_with_keys_of_other_kinds(judge: Judge, drops: bool, outcome: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    kind: type[Verifier] = type("FetchesKeys", (Fetching,), {"drops": drops, "url": f"http://127.0.0.1:{port}/"})
    jwks = {"jwks": {"listen": f"127.0.0.1:{port}", "signing_key": "signing.key"}, "kid": KID}
    run = judge(kind, "RS256", ("tokens/JWT-13-OTHER-KEYS", "*/sig-wrong-key"), **jwks)
    assert {row["stimulus"]: row["outcome"] for row in run.rows} == {"j-other-kinds": outcome, "sig-wrong-key": "PASS"}


def test_a_remote_server_is_not_judged_by_a_fetch() -> None:
    """That it refuses the token says nothing of whether it would have fetched what it cannot reach."""
    about = builders.case("token-refused", posture=Posture.JWT, stimulus=Stimulus(token="bad-token"))
    for fetchable, outcome in ((True, "PASS"), (False, "UNOBSERVED")):
        observed = builders.exchange(builders.client(401), effect=None, extra={"fetchable": fetchable, "fetched": 0})
        assert judge_one(builders.ask(about, observed, Grade.CLIENT_ONLY)).outcome == outcome
    assert [on_loopback(host) for host in ("127.0.0.2", "::1", "localhost", "10.0.0.1", "svc.test")] == [
        True, True, True, False, False,
    ]  # fmt: skip


def test_every_class_that_is_to_be_refused_gets_in_somewhere() -> None:
    """A stimulus that no fault lets in proves nothing by being refused."""
    refused = {row.name for row in catalogue().classes.values() if row.kind == "token" and row.acceptable_reasons}
    assert refused - frozenset().union(*(classes for _, _, classes in CAUGHT)) == set()
