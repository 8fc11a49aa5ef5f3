"""What is said of an exchange: by the suites' own judge, from the token's real class and the server's real answer."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

import pytest
from mitmproxy import io
from mitmproxy.exceptions import OptionsError
from mitmproxy.flow import Error
from mitmproxy.test import taddons

from harness.errors import UsageError
from mitm_addons import inspector
from mitm_addons.inspection import payload, session, view
from mitm_addons.inspection.credentials import Examiner
from mitm_addons.inspection.marking import KEY as MARK
from mitm_addons.inspection.marking import MARKERS, NOT_JUDGED, SATISFIES, VIOLATES, Marker
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
        ([f"Bearer {token(iss='someone')}"], "claim-iss"),
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
def test_rules_that_nobody_knows_are_refused(tmp_path: Path, text: str) -> None:
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


# The addon


def _addon(context: taddons.context, folder: Path, **options: object) -> inspector.Inspector:
    file = folder / "session.json"
    file.write_text(json.dumps(data(folder)), "utf-8")
    addon = inspector.Inspector()
    context.master.addons.add(addon)
    context.configure(addon, flowproof_session=str(file), **options)
    return addon


def test_a_saved_file_is_never_judged_anew(tmp_path: Path, exchange: Exchange) -> None:
    with taddons.context() as context:
        addon = _addon(context, tmp_path, flowproof_record=str(tmp_path / "rec"))
        flow = exchange(f"Bearer {token()}", 401)
        addon.response(flow)
        assert flow.marked == MARKERS[VIOLATES] and flow.comment.startswith("violates FLW-4: ")
        addon.done()
        with (tmp_path / "rec" / "inspection.mitm").open("rb") as file:
            loaded = next(iter(io.FlowReader(file).stream()))
        before = (loaded.marked, loaded.comment, dict(loaded.metadata[MARK]))
        addon.response(loaded)  # type: ignore[arg-type]
        assert (loaded.marked, loaded.comment, dict(loaded.metadata[MARK])) == before
        loaded.metadata.clear()
        addon.response(loaded)  # type: ignore[arg-type]
        assert MARK not in loaded.metadata, "not live: it has no answer to be judged by now"


def test_an_exchange_is_marked_once(tmp_path: Path, exchange: Exchange) -> None:
    with taddons.context() as context:
        addon = _addon(context, tmp_path)
        flow = exchange(f"Bearer {token()}")
        addon.response(flow)
        addon.error(flow)
        assert addon.counts == {SATISFIES: 1}


def test_what_cannot_be_judged_is_not_satisfied(
    tmp_path: Path, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    with taddons.context() as context:
        addon = _addon(context, tmp_path)
        assert addon.marker is not None
        monkeypatch.setattr(addon.marker.examiner, "examine", lambda _values: 1 / 0)
        flow = exchange(f"Bearer {token()}")
        addon.response(flow)
        assert flow.metadata[MARK]["verdict"] == NOT_JUDGED and "ZeroDivisionError" in flow.comment


def test_without_a_session_nothing_is_judged(exchange: Exchange) -> None:
    with taddons.context(inspector.Inspector()) as context:
        addon = context.master.addons.get("inspector")
        flow = exchange()
        addon.response(flow)
        assert flow.marked == MARKERS[NOT_JUDGED]


def test_a_session_that_is_none_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "none.json").write_text("{}", "utf-8")
    with (
        taddons.context(inspector.Inspector()) as context,
        pytest.raises(OptionsError, match="not an inspection session"),
    ):
        context.options.update(flowproof_session=str(tmp_path / "none.json"))


def test_the_view_keeps_a_bounded_number(tmp_path: Path, exchange: Exchange) -> None:
    class Shown:
        name = "view"

        def __init__(self) -> None:
            self.flows: list[object] = []

        def remove(self, flows: list[object]) -> None:
            self.flows = [flow for flow in self.flows if flow not in flows]

    with taddons.context() as context:
        shown = Shown()
        context.master.addons.add(shown)
        addon = _addon(context, tmp_path, flowproof_keep=3)
        flows = [exchange(f"Bearer {token()}") for _ in range(5)]
        for flow in flows:
            shown.flows.append(flow)
            addon.response(flow)
        assert shown.flows == flows[2:]


def test_export_and_explain(tmp_path: Path, exchange: Exchange) -> None:
    with taddons.context() as context:
        addon = _addon(context, tmp_path)
        flow = exchange(None, 201, path=f"/things/{token()}")
        addon.response(flow)
        assert "why it matters: because" in addon.explain([flow])
        addon.export([flow], str(tmp_path / "cases.json"))
        case = json.loads((tmp_path / "cases.json").read_text("utf-8"))[0]
        assert case["replay"] == f"flowproof run --only '{flow.metadata[MARK]['case']}'"
        assert case["verdict"] == VIOLATES and "<jwt sha256:" in case["request"]


def test_sending_again_with_one_thing_changed(tmp_path: Path, exchange: Exchange) -> None:
    variants = tmp_path / "variants.json"
    variants.write_text(json.dumps({"exp-past": "an-expired-one"}), "utf-8")
    with taddons.context() as context:
        sent = []
        addon = _addon(context, tmp_path)
        addon.marker = Marker(session.from_json({**data(tmp_path), "variants": str(variants)}))
        context.master.commands.call = lambda name, flows: sent.append((name, flows))
        flow = exchange(f"Bearer {token()}")
        addon.response(flow)
        addon.resend([flow], "expired")
        addon.resend([flow], "no-token")
    (name, (expired,)), (_, (bare,)) = sent
    assert name == "replay.client" and expired.request.headers["authorization"] == "Bearer an-expired-one"
    assert "authorization" not in bare.request.headers
    assert flow.request.headers["authorization"] != "Bearer an-expired-one" and MARK not in expired.metadata


def test_the_view_judges_each_claim(known: Session, exchange: Exchange) -> None:
    compact = token(exp=1)
    flow = exchange(f"Bearer {compact}", body=b'{"id_token": "' + compact.encode() + b'"}')
    marker = Marker(known)
    marker.mark(flow).put(flow)
    text = view.told(marker, flow, flow.request.content or b"")
    assert "BAD exp = 1" in text and 'ok  iss = "issuer"  (as agreed)' in text
    assert "verified with key k1" in text
    assert compact.rpartition(".")[2] not in text
