"""The addon in mitmproxy: options, commands, what it does with a file that is loaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mitmproxy import io
from mitmproxy.exceptions import CommandError, OptionsError
from mitmproxy.test import taddons

from mitm_addons import inspector
from mitm_addons.inspection import view
from mitm_addons.inspection.marking import BARE, MARKERS, NOT_JUDGED, SATISFIES, VIOLATES
from mitm_addons.inspection.marking import KEY as MARK
from mitm_addons.tests.inspection.conftest import Exchange, data, token


def _addon(
    context: taddons.context, folder: Path, changes: dict[str, object] | None = None, **options: object
) -> inspector.Inspector:
    file = folder / "session.json"
    file.write_text(json.dumps({**data(), **(changes or {})}), "utf-8")
    addon = inspector.Inspector()
    context.master.addons.add(addon)
    context.configure(addon, hopproof_session=str(file), **options)
    return addon


def test_a_saved_file_is_never_judged_again(tmp_path: Path, exchange: Exchange) -> None:
    with taddons.context() as context:
        addon = _addon(context, tmp_path, hopproof_record=str(tmp_path / "rec"))
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
        context.options.update(hopproof_session=str(tmp_path / "none.json"))


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
        addon = _addon(context, tmp_path, hopproof_keep=3)
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
        assert case["replay"] == f"hopproof run --only '{flow.metadata[MARK]['case']}'"
        assert case["verdict"] == VIOLATES and "<jwt sha256:" in case["request"]


def test_the_certificate_can_only_be_left_out_where_it_is_shown(tmp_path: Path, exchange: Exchange) -> None:
    with taddons.context() as context:
        sent = []
        context.master.commands.call = lambda name, flows: sent.append(flows)
        flow = exchange(f"Bearer {token()}")
        with pytest.raises(CommandError, match="--as-client"):
            _addon(context, tmp_path).resend([flow], "no-certificate")
    with taddons.context() as context:
        context.master.commands.call = lambda name, flows: sent.append(flows)
        _addon(context, tmp_path, {"as_client": True}).resend([flow], "no-certificate")
    ((bare,),) = sent
    assert bare.client_conn.peername == BARE != flow.client_conn.peername
    assert bare.copy().client_conn.copy().peername == BARE, "mitmproxy copies it again before it is sent"


def test_a_recording_says_what_it_said_without_any_session(tmp_path: Path, exchange: Exchange) -> None:
    with taddons.context() as context:
        addon = _addon(context, tmp_path, hopproof_record=str(tmp_path / "rec"))
        addon.response(exchange(f"Bearer {token(exp=1)}", 201))
        addon.done()
        with (tmp_path / "rec" / "inspection.mitm").open("rb") as file:
            loaded = next(iter(io.FlowReader(file).stream()))
        without = inspector.Inspector()
        assert without.marker is None and "why it matters: because" in without.explain([loaded])
    text = view.described(loaded, b"")  # type: ignore[arg-type]
    assert text.startswith("Verdict: violates JWT-3") and "BAD exp = 1" in text and "verified with key k1" in text


def test_sending_again_with_one_thing_changed(tmp_path: Path, exchange: Exchange) -> None:
    variants = tmp_path / "variants.json"
    variants.write_text(json.dumps({"exp-past": "an-expired-one"}), "utf-8")
    with taddons.context() as context:
        sent = []
        addon = _addon(context, tmp_path, {"variants": str(variants)})
        context.master.commands.call = lambda name, flows: sent.append((name, flows))
        flow = exchange(f"Bearer {token()}")
        addon.response(flow)
        addon.resend([flow], "expired")
        addon.resend([flow], "no-token")
    (name, (expired,)), (_, (bare,)) = sent
    assert name == "replay.client" and expired.request.headers["authorization"] == "Bearer an-expired-one"
    assert "authorization" not in bare.request.headers
    assert flow.request.headers["authorization"] != "Bearer an-expired-one" and MARK not in expired.metadata
