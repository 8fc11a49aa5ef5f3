"""What can be made from given credentials, and that the rest is refused with its reason."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import jwt
import pytest
from cryptography import x509

from harness.model.case import Stimulus
from harness.pki.deployment import Pki
from harness.pki.issue import Identity, Issuer
from harness.pki.jwk import Published
from harness.products.registry import reference
from harness.stimuli.certificates import CERTIFICATE_CLASSES
from harness.stimuli.partial import (
    ClientCredential,
    ExternallySignedTokens,
    PartialPki,
    PartialStimuli,
    ServiceTokenIssuer,
    StimulusUnavailable,
)
from harness.stimuli.partial.certificates import PublicOnlyIdentity
from harness.stimuli.tokens import TOKEN_CLASSES, HeldTokenIssuer, TokenIssuer
from harness.stimuli.tokens.jose import encode
from harness.tests.builders import FLOW, SECOND

NAME = "portal-admin-client"
WITHOUT_CA_KEY = {
    "good",
    "tls-no-cert",
    "ta-unknown-ca",
    "ta-selfsigned-leaf",
    "ta-same-name-other-key",
    "ta-shipped-root",
    "ta-leaf-not-first",
    "ta-alg-chain-broken",
}


def given(identity: Identity | None, authority: Issuer | None, other: Identity | None = None) -> PartialPki:
    return PartialPki({NAME: ClientCredential(NAME, identity, authority, other_authority=other)})


def makeable(pki: PartialPki) -> set[str]:
    found = set()
    for name, row in CERTIFICATE_CLASSES.items():
        try:
            identity = row.build(pki, NAME)
            if identity is not None:
                identity.key_pem()
                identity.pem()
        except StimulusUnavailable:
            continue
        found.add(name)
    return found


def test_with_the_ca_key_all_but_another_ca(pki: Pki) -> None:
    found = makeable(given(pki.secrets[NAME], pki.issuer(NAME)))
    assert set(CERTIFICATE_CLASSES) - found == {"ta-other-ca", "tls-crl-revoked", SECOND}


def test_with_another_ca_all(pki: Pki) -> None:
    client = ClientCredential(NAME, pki.secrets[NAME], pki.issuer(NAME), True, pki.secrets["portal-ca"])
    whole = PartialPki({NAME: replace(client, revoked=pki.revoked(NAME))})
    assert makeable(whole) == set(CERTIFICATE_CLASSES) - {SECOND}  # there is one certificate
    made = CERTIFICATE_CLASSES["ta-other-ca"].build(whole, NAME)
    assert made is not None and made.certificate.issuer == pki.secrets["portal-ca"].certificate.subject


def test_a_constrained_leaf_has_a_name_of_a_kind_that_is_not_constrained(pki: Pki) -> None:
    # A client's own host names stay; one without any gets a mail address, or BoringSSL would refuse the good twin too.
    for secret, kind in ((NAME, x509.RFC822Name), ("management-server", x509.DNSName)):
        made = CERTIFICATE_CLASSES["nc-dn-inside"].build(pki, secret)
        assert made is not None
        names = made.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert {type(name) for name in names} == {kind}


def test_another_client_has_the_same_ca_with_any_other_given(pki: Pki) -> None:
    # The second client comes from elsewhere: a leaf below one of its CA would be refused for the CA alone.
    elsewhere = Pki.create(reference().pki, signing_key=pki.signing_key)
    second = "analytics-ingestion-client"
    both = PartialPki(
        {
            second: ClientCredential(second, elsewhere.secrets[second], elsewhere.issuer(second)),
            NAME: ClientCredential(NAME, pki.secrets[NAME], pki.issuer(NAME)),
        }
    )
    for name, issuer in ((NAME, pki.issuer(NAME)), (second, elsewhere.issuer(second))):
        made = CERTIFICATE_CLASSES["ca-leaf-issues-leaf"].build(both, name)
        assert made is not None
        made.chain[1].verify_directly_issued_by(issuer.certificate)
        assert made.chain[1].subject != made.certificate.subject


def test_with_the_client_key_only(pki: Pki) -> None:
    sealed = PublicOnlyIdentity(pki.issuer(NAME).chain, "no key")
    assert makeable(given(pki.secrets[NAME], sealed)) == WITHOUT_CA_KEY


def test_with_nothing(pki: Pki) -> None:
    assert makeable(given(None, None)) == {
        "tls-no-cert",
        "ta-unknown-ca",
        "ta-selfsigned-leaf",
        "ta-shipped-root",
    }


def test_a_sealed_authority_signs_no_more(pki: Pki) -> None:
    whole = given(pki.secrets[NAME], pki.issuer(NAME))
    whole.seal(NAME, "not served either")
    with pytest.raises(StimulusUnavailable, match="not served either"):
        CERTIFICATE_CLASSES["v-expired-leaf"].build(whole, NAME)


def test_what_is_made_differs_in_one_thing(pki: Pki) -> None:
    whole = given(pki.secrets[NAME], pki.issuer(NAME))
    own = whole.profile(NAME)
    assert own == pki.profile(NAME)
    expired = CERTIFICATE_CLASSES["v-expired-leaf"].build(whole, NAME)
    assert expired is not None
    assert expired.certificate.subject == pki.secrets[NAME].certificate.subject
    assert expired.certificate.not_valid_after_utc < whole.now


def borrowed(token_issuer: TokenIssuer, *keys: Published) -> ExternallySignedTokens:
    token = token_issuer.token()
    return ExternallySignedTokens(lambda: token, {}, keys)


def tokens(token_issuer: TokenIssuer) -> set[str]:
    found = set()
    for name, row in TOKEN_CLASSES.items():
        try:
            row.build(token_issuer)
        except StimulusUnavailable:
            continue
        found.add(name)
    return found


def test_a_borrowed_token_is_not_signed_again(pki: Pki) -> None:
    found = tokens(borrowed(HeldTokenIssuer.of(pki)))
    assert {"good", "str-no-token", "sig-wrong-key", "sig-payload-tamper", "alg-none", "t-query-only"} <= found
    assert not found & {"exp-past", "kid-unknown", "crit-unknown", "sig-splice", "claim-unknown", "alg-hs-rsa-pem"}


def test_public_keys_open_their_classes(pki: Pki) -> None:
    found = tokens(borrowed(HeldTokenIssuer.of(pki), *HeldTokenIssuer.of(pki).published))
    assert {"alg-hs-rsa-pem", "alg-hs-der", "str-jwe-five"} <= found


def test_without_a_good_token_only_forgeries(pki: Pki) -> None:
    found = tokens(ExternallySignedTokens(None, {"iss": "x"}))
    assert {"str-no-token", "sig-wrong-key", "alg-none"} <= found
    assert not found & {"good", "exp-past", "sig-bitflip", "t-query-only"}


def test_names_are_changed_only_where_a_good_token_has_one(pki: Pki, tmp_path: Path) -> None:
    for claims, made, absent in (
        ({"iss": "https://sts.example"}, "iss-slash", "aud-case"),
        ({"aud": ["orders"]}, "aud-case", "iss-slash"),
    ):
        stimuli = PartialStimuli(PartialPki({}), ServiceTokenIssuer(pki.signing_key, claims, None, 300), tmp_path)
        assert stimuli.request(FLOW, Stimulus(token=made), "host", "n")
        with pytest.raises(StimulusUnavailable, match="names no"):
            stimuli.request(FLOW, Stimulus(token=absent), "host", "n")


def test_an_expired_token_is_not_good(pki: Pki) -> None:
    token_issuer = HeldTokenIssuer.of(pki)
    old = token_issuer.with_claims(exp=int(time.time()) - 1)
    with pytest.raises(StimulusUnavailable, match="expired"):
        ExternallySignedTokens(lambda: old, {}, ()).token()


def test_a_source_is_asked_again_when_its_token_has_run_out(pki: Pki) -> None:
    token_issuer = HeldTokenIssuer.of(pki)
    given_out = iter([token_issuer.with_claims(exp=int(time.time()) + 40), token_issuer.token()])
    source = ExternallySignedTokens(lambda: next(given_out), {})
    first = source.token()
    assert source.token() == first
    source.clock = lambda: time.time() + 100
    assert source.token() != first


def test_a_token_that_is_about_to_expire_is_used_if_no_better_is_had(pki: Pki) -> None:
    token_issuer = HeldTokenIssuer.of(pki)
    asked: list[str] = []

    def short() -> str:
        asked.append(token_issuer.with_claims(exp=int(time.time()) + 20))
        return asked[-1]

    source = ExternallySignedTokens(short, {})
    assert [source.token(), source.token()] == asked
    with pytest.raises(StimulusUnavailable, match="about to"):
        ExternallySignedTokens(lambda: token_issuer.with_claims(exp=int(time.time()) + 3), {}).token()


def test_forgeries_are_made_for_the_algorithm_of_the_good_token() -> None:
    token = jwt.encode({"sub": "x"}, "s" * 64, algorithm="HS512")
    presented = TOKEN_CLASSES["sig-wrong-key"].build(ExternallySignedTokens(lambda: token, {}))
    assert jwt.get_unverified_header(presented.headers[0][1].decode()[7:])["alg"] == "HS512"
    strange = token.replace(token.partition(".")[0], encode(b'{"alg":"ML-DSA-44"}'))
    with pytest.raises(StimulusUnavailable, match="ML-DSA-44"):
        TOKEN_CLASSES["sig-wrong-key"].build(ExternallySignedTokens(lambda: strange, {}))


def test_a_service_mint_says_what_its_owner_says(pki: Pki) -> None:
    token_issuer = ServiceTokenIssuer(pki.signing_key, {"iss": "i", "aud": "a"}, "k1", 120)
    claims = jwt.decode(token_issuer.token(), pki.signing_key.public_key(), ["RS256"], audience="a", issuer="i")
    assert claims["exp"] - claims["iat"] == 120
    assert jwt.get_unverified_header(token_issuer.token())["kid"] == "k1"
    assert "kid" not in jwt.get_unverified_header(ServiceTokenIssuer(pki.signing_key, {}, "", 120).token())


def test_an_endpoint_that_asks_for_no_certificate_gets_none(tmp_path: Path, pki: Pki) -> None:
    nobody = PartialPki({NAME: ClientCredential(NAME, None, None, required=False)})
    assert PartialStimuli(nobody, ExternallySignedTokens(None, {}), tmp_path)._identity(NAME, "good") is None
