"""Canaries: every secret planted in an exchange is looked for in the recordings, in all forms, and found in none."""

from __future__ import annotations

import base64
import gzip
import json
import stat
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from mitmproxy import io
from mitmproxy.http import Headers
from mitmproxy.test import tflow

from mitm_addons.inspection.marking import Mark
from mitm_addons.inspection.recording import Recorder
from mitm_addons.tests.inspection.conftest import token

CANARIES = {
    "cookie": "canary-cookie-9f1", "set-cookie": "canary-setcookie-7c2", "basic": "Y2FuYXJ5LWJhc2lj",
    "api-key": "canary-apikey-33d",
    "password": "canary pass/word+1", "nested": "canary-nested-5e5",
    "query": "canary-query-81a",
    "form": "canary-form-c0d", "proxy": "canary-proxy-0aa", "trailer": "canary-trailer-1bb",
    "pin": 90817263,
}  # fmt: skip


def _planted(recorder: Recorder) -> str:
    compact = token()
    flow = tflow.tflow(resp=True)
    request, response = flow.request, flow.response
    assert response is not None
    request.method = "POST"
    request.path = f"/login?access_token={CANARIES['query']}&page=2&again={quote(str(CANARIES['password']), safe='')}"
    request.headers = Headers([
        (b"Authorization", f"Bearer {compact}".encode()),
        (b"Proxy-Authorization", f"Basic {CANARIES['proxy']}".encode()),
        (b"Cookie", f"a={CANARIES['cookie']}; theme=dark".encode()), (b"X-API-Key", str(CANARIES["api-key"]).encode()),
        (b"X-Echo", f"{CANARIES['cookie']} {compact}".encode()), (b"Host", b"b.test"),
    ])  # fmt: skip
    body = {"password": CANARIES["password"], "list": [{"client_secret": CANARIES["nested"], "kept": "plain-value"}],
            "secret_pin": CANARIES["pin"], "id_token": compact}  # fmt: skip
    request.content = json.dumps(body).encode()
    response.headers = Headers([(b"Set-Cookie", f"sid={CANARIES['set-cookie']}; HttpOnly".encode()),
                                (b"Content-Encoding", b"gzip"), (b"X-Request-Id", b"visible-id")])  # fmt: skip
    echo = " ".join(map(str, CANARIES.values())) + f" echoed {compact} visible-body"
    response.raw_content = gzip.compress(echo.encode())
    response.trailers = Headers([(b"X-Auth-Token", str(CANARIES["trailer"]).encode())])
    flow.comment = f"about {compact}"
    Mark("satisfies", "FLW-4", "text").put(flow)
    # Secrets of later exchanges that the first one's echo cannot be cleaned of stand in an exchange before it.
    first = tflow.tflow(resp=True)
    first.request.headers["content-type"] = "application/x-www-form-urlencoded"
    first.request.content = f"grant=x&refresh_token={CANARIES['form']}".encode()
    first.request.headers["authorization"] = f"Basic {CANARIES['basic']}"
    later = tflow.tflow(resp=True)
    later.request.content = b"echo " + str(CANARIES["cookie"]).encode() + b" " + compact.rpartition(".")[2].encode()
    later.request.path = f"/{compact}"
    for item in (first, flow, later):
        recorder.add(item)
    recorder.close()
    return compact


def _unpacked(har: Any) -> list[bytes]:
    """Bodies that the HAR keeps in base64, where no search would find them."""
    contents = [entry["response"]["content"] for entry in har["log"]["entries"]]
    return [base64.b64decode(content["text"]) for content in contents if content.get("encoding") == "base64"]


def test_no_canary_is_in_any_recording(tmp_path: Path) -> None:
    compact = _planted(Recorder(tmp_path))
    texts = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert set(texts) == {"inspection.mitm", "inspection.har"}
    texts["inspection.har"] += b" ".join(_unpacked(json.loads(texts["inspection.har"])))
    values = [*map(str, CANARIES.values()), compact.rpartition(".")[2], compact]
    forms = {form for value in values for form in (value, quote(value, safe=""), json.dumps(value)[1:-1])}
    found = [(name, form) for name, text in texts.items() for form in forms if form.encode() in text]
    assert found == []
    for text in texts.values():
        assert b"visible-body" in text and b"visible-id" in text and b"plain-value" in text and b"theme" in text
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in tmp_path.iterdir())


def test_the_recordings_can_be_read_again(tmp_path: Path) -> None:
    _planted(Recorder(tmp_path))
    with (tmp_path / "inspection.mitm").open("rb") as file:
        flows = list(io.FlowReader(file).stream())
    assert len(flows) == 3
    assert flows[1].metadata["hopproof"]["requirement"] == "FLW-4"
    har = json.loads((tmp_path / "inspection.har").read_text("utf-8"))
    assert len(har["log"]["entries"]) == 3
    request = flows[1].request  # type: ignore[attr-defined]
    assert request.headers["authorization"].startswith("Bearer <jwt sha256:")
    assert request.headers["cookie"] == "a=<redacted>; theme=<redacted>"


def test_the_original_is_left_as_it_was(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    flow = tflow.tflow(resp=True)
    flow.request.headers["authorization"] = "Bearer secret-value"
    recorder.redacted(flow)
    assert flow.request.headers["authorization"] == "Bearer secret-value"


def test_what_is_remembered_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mitm_addons.inspection.recording._REMEMBERED", 5)
    recorder = Recorder(tmp_path)
    for number in range(20):
        flow = tflow.tflow()
        flow.request.headers["cookie"] = f"a=value-{number}"
        recorder.add(flow)
    assert len(recorder._secrets) == 5
