"""What was shown of a target's claims: the core of each protection, judged; a word in place of it, never."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.checks.claims import gaps
from harness.model.claims import Claim, Gap, Protection
from harness.model.record import LeftOut, Row
from harness.tests.builders import row

FLOW = "client-to-service"
MTLS = Claim(FLOW, "mtls", "direct", certificate=True)
JWT = Claim(FLOW, "jwt", "direct", token=True, audience=True, issuer=True)
BOTH = Claim(FLOW, "both", "direct", certificate=True, token=True)
CERTIFICATES = ("tls-no-cert", "ta-unknown-ca")
TOKENS = ("str-no-token", "sig-payload-tamper", "alg-none", "exp-past")
NAMED = ("aud-wrong", "iss-wrong")
NO_KEY = "cannot be made here: needs the key that signs the service's tokens"


def case(posture: str, stimulus: str, path: str = "direct") -> str:
    return f"tokens/REQ-1/{FLOW}/{posture}/{path}/{stimulus}"


def rows(posture: str, *stimuli: str, outcome: str = "PASS", **more: str) -> list[Row]:
    kinds = dict.fromkeys(CERTIFICATES, "certificate-refused") | {"good": "served"}
    return [
        row(case(posture, name), outcome, **{"expected": kinds.get(name, "token-refused"), **more}) for name in stimuli
    ]


def missing(claim: Claim, found: list[Row], left_out: tuple[LeftOut, ...] = ()) -> dict[str, tuple[str, ...]]:
    return {str(gap.protection): gap.missing for gap in gaps([claim], found, left_out, selection=False)}


@pytest.mark.parametrize(
    ("claim", "core"), [(MTLS, CERTIFICATES), (JWT, (*TOKENS, *NAMED)), (BOTH, (*CERTIFICATES, *TOKENS))]
)
@pytest.mark.parametrize("outcome", ["PASS", "FAIL", "WRONG_REASON"])
def test_a_core_that_was_judged_is_shown(claim: Claim, core: tuple[str, ...], outcome: str) -> None:
    served = rows(claim.posture, "good")
    assert missing(claim, [*served, *rows(claim.posture, *core, outcome=outcome)]) == {}
    for name in core:
        rest = rows(claim.posture, *(other for other in core if other != name), outcome=outcome)
        assert list(missing(claim, [*served, *rest]).values()) == [(name,)]
        for unseen in ("UNOBSERVED", "UNSUPPORTED", "HARNESS_ERROR"):
            odd = rows(claim.posture, name, outcome=unseen)
            assert list(missing(claim, [*served, *rest, *odd]).values()) == [(name,)]


def test_one_altered_signature_is_as_good_as_another() -> None:
    core = ("str-no-token", "sig-bitflip", "alg-none", "exp-past", *NAMED)
    assert missing(JWT, rows("jwt", *core)) == {}


def test_audience_and_issuer_count_where_the_file_names_them() -> None:
    assert missing(replace(JWT, audience=False, issuer=False), rows("jwt", *TOKENS)) == {}
    assert missing(replace(JWT, issuer=False), rows("jwt", *TOKENS)) == {"token": ("aud-wrong",)}


def test_with_both_bad_neither_is_shown() -> None:
    pairs = [f"{one}+{other}" for one in CERTIFICATES for other in TOKENS]
    found = missing(BOTH, [*rows("both", "good"), *rows("both", *pairs, expected="refused")])
    assert found == {"certificate": CERTIFICATES, "token": TOKENS}


def test_the_same_case_of_another_posture_or_flow_shows_nothing() -> None:
    elsewhere: list[Row] = [{**item, "flow": "client-to-other"} for item in rows("mtls", *CERTIFICATES)]
    assert missing(MTLS, [*rows("mtls", "good"), *rows("both", *CERTIFICATES), *elsewhere]) == {
        "certificate": CERTIFICATES
    }


def test_a_class_that_is_to_be_served_is_no_refusal() -> None:
    # What a server must not mind shows nothing of what it verifies.
    served = rows("jwt", "good", "tls-no-cert", expected="served")
    assert missing(JWT, [*served, *rows("jwt", *TOKENS, *NAMED)]) == {}
    served = rows("mtls", "good", "ta-unknown-ca", expected="served")
    assert missing(MTLS, [*served, *rows("mtls", "tls-no-cert")]) == {"certificate": ("ta-unknown-ca",)}


def test_a_server_that_takes_no_token_there_claims_none() -> None:
    """Analytics verifies the certificate alone where both are configured, as its documents say."""
    exception = rows("both", "str-no-token", expected="served")
    assert missing(BOTH, [*rows("both", *CERTIFICATES), *exception]) == {}


def test_an_open_endpoint_claims_nothing_and_serves() -> None:
    claim = Claim(FLOW, "tls-only", "direct")
    assert missing(claim, rows("tls-only", "good")) == {}
    assert missing(claim, rows("tls-only", "good", outcome="UNOBSERVED")) == {"service": ("good",)}
    # Of a service of somebody's nothing is asked in that posture.
    assert missing(claim, []) == {}


def server_view(reason: str, **more: str) -> Gap:
    odd = rows("jwt", "exp-past", outcome="UNOBSERVED", reason=reason, **more)
    (gap,) = gaps([JWT], [*rows("jwt", "good", *TOKENS[:3], *NAMED), *odd], (), selection=False)
    return gap


@pytest.mark.parametrize(
    ("reason", "give"),
    [
        (NO_KEY, "tokens.signing_key"),
        (
            "answered 401, but no good credential was available (cannot be made here: needs a good token, and)",
            "jwks",
        ),
        ("answered 302: redirected, neither served nor refused", "request.path"),
        ("answered 429 (too many requests), which says nothing about the request", "a lower rate"),
        ("answered 502 (bad gateway), which says nothing about the request", "the server itself"),
        ("its twin is odd", "what the reason names"),
    ],
)
def test_a_gap_says_why_and_what_to_give(reason: str, give: str) -> None:
    gap = server_view(reason)
    assert (gap.flow, gap.posture, gap.protection) == (FLOW, "jwt", Protection.TOKEN)
    assert gap.why == reason and give in gap.give


def test_what_was_left_out_is_a_gap_with_its_reason() -> None:
    left_out: tuple[LeftOut, ...] = (
        {"case": case("jwt", "tls-no-cert"), "reason": "servers.service is in posture mtls"},
        {"case": case("mtls", "tls-no-cert", "terminating"), "reason": "is reached over the path direct"},
        {"case": case("mtls", "tls-no-cert"), "reason": "read-only: this case would write to the server"},
    )
    (gap,) = gaps([MTLS], rows("mtls", "good"), left_out, selection=False)
    assert gap.why == "read-only: this case would write to the server; no case of this flow asks for it"
    assert "harmless request" in gap.give


def test_a_claim_without_any_row_is_not_shown() -> None:
    assert missing(MTLS, []) == {"certificate": CERTIFICATES}


def test_a_selection_is_asked_for_no_more_than_it_holds() -> None:
    def found(*judged: Row) -> list[tuple[str, ...]]:
        return [gap.missing for gap in gaps([JWT, replace(MTLS, flow="other")], judged, (), selection=True)]

    assert found(*rows("jwt", "str-no-token")) == []
    assert found(*rows("jwt", "t-plaintext", expected="no-clear-text")) == []
    assert found(*rows("jwt", "good"), *rows("jwt", "exp-past", outcome="UNOBSERVED", reason=NO_KEY)) == [("exp-past",)]
    assert found(*rows("jwt", "iat-string", outcome="UNOBSERVED", reason=NO_KEY)) == [("good",)]
    # What a failure shows needs no other word of why there is no pass.
    assert found(*rows("jwt", "iat-string", outcome="FAIL")) == []
    assert list(missing(JWT, rows("jwt", *TOKENS, *NAMED, outcome="FAIL"))) == ["service"]
