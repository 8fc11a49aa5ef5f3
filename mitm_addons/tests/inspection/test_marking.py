"""What is said of an exchange: by the suites' own judge, from the token's real class and the server's real answer."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import pytest
from mitmproxy.connection import ConnectionState
from mitmproxy.flow import Error

from harness.errors import UsageError
from mitm_addons.inspection import payload, session, view
from mitm_addons.inspection.credentials import Examiner
from mitm_addons.inspection.marking import BARE, NO_CERTIFICATE, NOT_JUDGED, SATISFIES, VIOLATES, Marker
from mitm_addons.inspection.session import Session
from mitm_addons.tests.inspection.conftest import OTHER, Exchange, data, token


@pytest.mark.parametrize(
    ("values", "stimulus"),
    [
        ([], "str-no-token"),
        (["Basic abc"], "t-scheme-other"),
        (["Bearer x", "Bearer y"], "t-dup-auth"),
        (["Bearer opaque"], "str-opaque"),
        ([f"Bearer {token()}"], "good"),
        ([f"Bearer {token()}="], "str-opaque"),
        ([f"Bearer {token()}.x"], "str-opaque"),
        ([f"Bearer {token(OTHER)}"], "sig-wrong-key"),
        ([f"Bearer {token().rpartition('.')[0]}."], "sig-wrong-key"),
        ([f"Bearer {token(kid='k2')}"], "kid-unknown"),
        ([f"Bearer {token(kid=None)}"], "kid-unknown"),
        ([f"Bearer {token(algorithm='none')}"], "alg-none"),
        ([f"Bearer {token(algorithm='HS256')}"], "alg-hs-rsa-pem"),
        ([f"Bearer {token(exp=1)}"], "exp-past"),
        ([f"Bearer {token(exp=...)}"], "exp-missing"),
        ([f"Bearer {token(exp='never')}"], "exp-string-odd"),
        ([f"Bearer {token(nbf=time.time() + 1_800)}"], "nbf-future"),
        ([f"Bearer {token(iss='someone')}"], "iss-wrong"),
        ([f"Bearer {token(aud='another')}"], "aud-wrong"),
        ([f"Bearer {token(aud=['another', 'ours'])}"], "good"),
        ([f"Bearer {token(aud=7)}"], "aud-wrong"),
    ],
)
def test_the_class_of_what_is_presented(known: Session, values: list[str], stimulus: str) -> None:
    assert Examiner(known.token).examine(values).stimulus == stimulus


def test_what_a_lenient_library_would_take(known: Session) -> None:
    good = token()
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    unused_bit = good[:-1] + digits[digits.index(good[-1]) ^ 1]
    header = base64.urlsafe_b64encode(b'{"alg":"none","alg":"RS256","kid":"k1"}').rstrip(b"=").decode()
    twice = ".".join([header, *good.split(".")[1:]])
    assert [Examiner(known.token).examine([f"Bearer {item}"]).stimulus for item in (unused_bit, twice)] == [
        "str-opaque"
    ] * 2


def test_a_remembered_token_still_expires(known: Session) -> None:
    now = [time.time()]
    examiner = Examiner(known.token, lambda: now[0])
    value = [f"Bearer {token()}"]
    assert examiner.examine(value).stimulus == "good"
    now[0] += 3_601
    assert examiner.examine(value).stimulus == "exp-past"


@pytest.mark.parametrize(
    ("authorization", "status", "verdict", "requirement"),
    [
        (f"Bearer {token()}", 201, SATISFIES, "FLW-4"),
        (f"Bearer {token()}", 401, VIOLATES, "FLW-4"),
        (None, 401, SATISFIES, "JWT-3"),
        (None, 201, VIOLATES, "JWT-3"),
        (None, 500, VIOLATES, "JWT-3"),
        (f"Bearer {token(exp=1)}", 201, VIOLATES, "JWT-3"),
        (f"Bearer {token(OTHER)}", 403, VIOLATES, "JWT-3"),
        (f"Bearer {token(iss='someone')}", 201, NOT_JUDGED, ""),
    ],
)
def test_the_mark(
    known: Session, exchange: Exchange, authorization: str | None, status: int, verdict: str, requirement: str
) -> None:
    mark = Marker(known).mark(exchange(authorization, status))
    assert (mark.verdict, mark.requirement) == (verdict, requirement), mark.reason


def test_what_is_not_of_the_flow_is_not_judged(known: Session, exchange: Exchange) -> None:
    mark = Marker(known).mark(exchange(f"Bearer {token()}", 200, path="/health"))
    assert mark.verdict == NOT_JUDGED


def test_a_client_that_goes_away_violates_nothing(known: Session, exchange: Exchange) -> None:
    flow = exchange(f"Bearer {token()}")
    flow.response, flow.error = None, Error("Client disconnected.")
    assert Marker(known).mark(flow).verdict == NOT_JUDGED
    flow.error = Error("connection reset by the server")
    assert Marker(known).mark(flow).verdict == VIOLATES
    flow.client_conn.state = ConnectionState.CAN_WRITE  # what came of the server's side then is the client's doing
    assert Marker(known).mark(flow).verdict == NOT_JUDGED


def test_a_payload_rule_outweighs_a_good_token(known: Session, exchange: Exchange, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("request: {forbidden_fields: [password], max_bytes: 100}\nresponse: {required_headers: [X-Id]}\n")
    marker = Marker(known, payload.load(file))
    good = f"Bearer {token()}"
    flow = exchange(good, body=b'{"a": [{"password": "hunter2-canary"}]}')
    assert flow.response is not None
    flow.response.headers["X-Id"] = "1"
    mark = marker.mark(flow)
    assert (mark.verdict, mark.reason) == (VIOLATES, "the field password is forbidden")
    assert "canary" not in mark.comment
    flow.request.content = b'{"a": 1}'
    assert marker.mark(flow).verdict == SATISFIES
    flow.request.content = b'{"a": "' + b"x" * 100 + b'"}'
    assert "allowed are 100" in marker.mark(flow).reason
    flow.request.content = b"{}"
    del flow.response.headers["X-Id"]
    assert marker.mark(flow).reason == "the header X-Id is missing"


@pytest.mark.parametrize("text", ["request: {colour: red}", "both: {}", "request: {max_bytes: ten}", "request: ["])
def test_unknown_rules_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(text, "utf-8")
    with pytest.raises(UsageError):
        payload.load(file)


def test_a_schema(tmp_path: Path) -> None:
    pytest.importorskip("jsonschema")
    file = tmp_path / "rules.yaml"
    file.write_text("request: {schema: {type: object, required: [name]}}", "utf-8")
    rules = payload.load(file).request
    assert list(rules.broken({}, b'{"name": 1}')) == []
    assert list(rules.broken({}, b'{"other": 1}')) == ["against the schema at $: required"]
    file.write_text("request: {schema: {type: colour}}", "utf-8")
    with pytest.raises(UsageError, match="not a JSON Schema"):
        payload.load(file)


@pytest.mark.parametrize(
    ("status", "alert", "verdict"),
    [(201, "", VIOLATES), (403, "", SATISFIES), (None, "certificate required", SATISFIES), (503, "", NOT_JUDGED)],
)
def test_what_is_said_without_a_certificate(exchange: Exchange, status: int | None, alert: str, verdict: str) -> None:
    message = data()
    message["expected"][NO_CERTIFICATE] = {**message["expected"]["sig-wrong-key"], "check": "certificate-refused"}
    message["classes"][NO_CERTIFICATE] = ["certificate-missing"]
    known = session.from_json(message)
    flow = exchange(f"Bearer {token()}", status or 200)
    flow.client_conn.peername = BARE
    if status is None:
        flow.response, flow.error = None, Error("server closed connection")
    assert Marker(known).mark(flow, alert).verdict == verdict


def test_no_connection_is_no_refusal_of_a_certificate(exchange: Exchange) -> None:
    message = data()
    message["expected"][NO_CERTIFICATE] = {**message["expected"]["sig-wrong-key"], "check": "certificate-refused"}
    message["classes"][NO_CERTIFICATE] = ["certificate-missing"]
    known = session.from_json(message)
    flow = exchange(f"Bearer {token()}")
    flow.client_conn.peername, flow.response, flow.error = BARE, None, Error("connection refused")
    flow.server_conn.timestamp_tls_setup = None
    assert Marker(known).mark(flow).verdict == NOT_JUDGED


def test_other_keys_are_not_judged_at_a_third_party_server(exchange: Exchange) -> None:
    message = data()
    message["token"]["complete"] = False
    known = session.from_json(message)
    observed = [Examiner(known.token).examine([f"Bearer {item}"]).stimulus for item in (
        token(kid="k2"), token(kid=None), token(algorithm="HS256"), token(OTHER), token(algorithm="none"), token()
    )]  # fmt: skip
    assert observed == ["key-unlisted"] * 3 + ["sig-wrong-key", "alg-none", "good"]
    assert Marker(known).mark(exchange(f"Bearer {token(kid='k2')}", 201)).verdict == NOT_JUDGED
    del message["token"]["keys"]["keys"][0]["kid"]
    rules = session.from_json(message).token
    assert Examiner(rules).examine([f"Bearer {token(kid=None)}"]).stimulus == "good"


def test_the_view_judges_each_claim(known: Session, exchange: Exchange) -> None:
    compact = token(exp=1)
    flow = exchange(f"Bearer {compact}", body=b'{"id_token": "' + compact.encode() + b'"}')
    Marker(known).mark(flow).put(flow)
    text = view.described(flow, flow.request.content or b"")
    assert "BAD exp = 1" in text and 'ok  iss = "issuer"  (as agreed)' in text
    assert "why it matters: because\n  MUST: A document, 1" in text
    assert "verified with key k1" in text
    assert compact.rpartition(".")[2] not in text
