"""The table of who verifies whom: only what a passed case showed is said."""

from __future__ import annotations

from typing import Any

import pytest

from harness.model.record import Row, Shield
from harness.tests.builders import row
from harness.writers.protection import in_words, protection


def cell(*rows: Row) -> Shield:
    table = protection(rows)
    assert list(table) == ["a"] and list(table["a"]) == ["mtls"]
    return table["a"]["mtls"]


def one(expected: str, outcome: str = "PASS", path: str = "direct", **changes: Any) -> Row:
    return row(f"flows/REQ-1/a/mtls/{path}/x", outcome, expected=expected, **changes)


SERVED = one("served")
CERTIFICATE, TOKEN = one("certificate-refused"), one("token-refused")
LET_IN = {"outcome": "FAIL", "reason_code": "accepted"}
REVOKED = "certificate (even a revoked one)"
ANY = "any certificate of the CA"
FORGED = one("token-refused", stimulus="sig-wrong-key", **LET_IN)


@pytest.mark.parametrize(
    ("rows", "verified"),
    [
        ([SERVED, CERTIFICATE], ["certificate"]),
        ([SERVED, TOKEN], ["JWT"]),
        ([TOKEN, CERTIFICATE, SERVED], ["certificate", "JWT"]),
        ([SERVED, CERTIFICATE, one("token-refused", **LET_IN)], ["certificate"]),
        ([SERVED, CERTIFICATE, one("certificate-refused", **LET_IN), TOKEN], ["JWT"]),
        # Somebody else's credential of the right issuer: not nobody, but not this client either.
        ([SERVED, CERTIFICATE, one("certificate-refused", stimulus="id-unregistered-dn", **LET_IN)], [ANY]),
        ([SERVED, CERTIFICATE, one("certificate-refused", stimulus="id-cn-only-match", **LET_IN)], ["certificate"]),
        ([SERVED, TOKEN, one("token-refused", stimulus="aud-wrong", **LET_IN)], ["JWT for any audience"]),
        ([SERVED, CERTIFICATE, one("certificate-refused", stimulus="tls-crl-revoked", **LET_IN)], [REVOKED]),
        # What is only recommended: Go's TLS, for one, ignores key usage.
        (
            [SERVED, CERTIFICATE, one("certificate-refused", level="SHOULD", stimulus="ku-no-digsig", **LET_IN)],
            ["certificate"],
        ),
        ([SERVED, TOKEN, one("token-refused", stimulus="aud-wrong", **LET_IN), FORGED], ["nobody"]),
        # Only who holds the signing key can send this one, so no stranger was let in.
        ([SERVED, TOKEN, one("token-refused", stimulus="alg-rs-to-ps", **LET_IN)], ["JWT"]),
    ],
)
def test_the_client_is_verified_by(rows: list[Row], verified: list[str]) -> None:
    assert cell(*rows)["client_verified_by"] == verified
    assert in_words(cell(*rows)) == " + ".join(verified)


BARE = one("served", stimulus="tls-no-cert+str-no-token")


def test_a_client_let_in_with_nothing_is_verified_by_nothing() -> None:
    assert in_words(cell(BARE)) == in_words(cell(SERVED, BARE)) == "nobody"


def test_a_client_let_in_against_the_rules_is_verified_by_nothing() -> None:
    wrong = one("certificate-refused", stimulus="tls-no-cert", **LET_IN)
    assert cell(SERVED, wrong)["client_verified_by"] == ["nobody"]


def test_a_way_past_the_credential_is_named_beside_it() -> None:
    past = one("not-let-in", stimulus="tls-no-cert+upgrade-websocket", requirement="BYP-6-UPGRADE", **LET_IN)
    assert in_words(cell(SERVED, CERTIFICATE, past)) == "certificate, but can be bypassed: BYP-6-UPGRADE"
    assert in_words(cell(SERVED, past)) == "nobody"
    closed = one("not-let-in", stimulus="tls-no-cert+upgrade-websocket", requirement="BYP-6-UPGRADE")
    assert in_words(cell(SERVED, CERTIFICATE, closed)) == "certificate"


def test_who_was_refused_was_not_let_in() -> None:
    refused = one("certificate-refused", stimulus="tls-no-cert")
    named = one("certificate-refused", stimulus="id-unregistered-dn", **LET_IN)
    assert cell(SERVED, refused, named)["client_verified_by"] == [ANY]
    assert cell(SERVED, refused)["client_verified_by"] == ["certificate"]
    assert cell(one("flow-broken", stimulus="tls-no-cert"))["client_verified_by"] == []


def test_what_no_case_looked_at_is_not_shown() -> None:
    assert in_words(cell(SERVED)) == "not shown"


def test_nothing_is_shown_by_a_case_that_did_not_pass() -> None:
    for outcome in ("FAIL", "WRONG_REASON", "UNOBSERVED", "HARNESS_ERROR"):
        found = cell(one("served", outcome, path="terminating"), one("token-refused", outcome))
        assert found["state"] == "not shown"
        assert found["server_verified_by"] == "not shown"
        assert found["clear_text_at"] == found["works_over"] == []
        assert in_words(found) == "not shown"


def test_where_the_payload_lies_open() -> None:
    assert cell(SERVED)["clear_text_at"] == []
    found = cell(SERVED, one("served", path="terminating"), one("served", path="passthrough"))
    assert found["clear_text_at"] == ["terminating balancer"]
    assert found["works_over"] == ["direct", "passthrough", "terminating"]


def test_a_posture_that_must_not_start() -> None:
    found = cell(one("start-refused"))
    assert found == {"state": "refused at start"}
    assert in_words(found) == "refused at start"
    assert cell(one("start-refused", "FAIL"))["state"] == "not shown"


def test_flows_and_postures_are_distinguished() -> None:
    rows = [row(f"flows/REQ-1/{flow}/{posture}/direct/x") for flow in ("a", "b") for posture in ("mtls", "jwt")]
    assert {flow: set(cells) for flow, cells in protection(rows).items()} == {
        "a": {"mtls", "jwt"},
        "b": {"mtls", "jwt"},
    }
    assert protection([]) == {}


def _exchange(path: str, *calls: Any) -> Row:
    return one("as-scripted", path=path, stimulus="x-exchange", evidence={"extra": {"steps": list(calls)}})


def test_a_script_shows_who_is_served_and_over_which_path() -> None:
    served, refused = {"status": 201, "effect": True}, {"status": 401, "effect": False}
    found = cell(_exchange("terminating", {"status": 200}, served, refused))
    assert (found["client_verified_by"], found["clear_text_at"]) == (["JWT"], ["terminating balancer"])
    assert found["works_over"] == ["terminating"]
    # What another server did says nothing of this one.
    elsewhere = cell(_exchange("direct", {**served, "server": "b"}, {**refused, "server": "b"}))
    assert (elsewhere["client_verified_by"], elsewhere["works_over"]) == ([], [])


def test_a_setup_of_one_cases_own_names_no_posture() -> None:
    assert cell(one("start-refused", stimulus="x-shared-key"), SERVED)["state"] == "shown"
