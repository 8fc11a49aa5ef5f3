"""Where good tokens come from: what a command, an endpoint or a capture gives is used, or told, and never printed."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HopproofError, LabError, UsageError
from harness.pki.deployment import Pki
from harness.products.registry import reference
from harness.stimuli.tokens import HeldTokenIssuer
from harness.targets import file as target_file
from harness.targets.token_sources import check_source, published_keys, token_source
from harness.tests.wire.servers import HOST, PATIENCE, Server, Stream, hold, request_of, server_context

SECONDS = 2.0


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create(reference().pki)


@pytest.fixture(scope="module")
def folder(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Path:
    location = tmp_path_factory.mktemp("deployment")
    pki.write(location)
    return location


@pytest.fixture(scope="module")
def token(pki: Pki) -> str:
    return HeldTokenIssuer.of(pki).token()


def target(folder: Path, tokens: Mapping[str, Any]) -> target_file.TargetFile:
    servers = {"a": {"url": "https://a.test", "ca": "ca.crt", "posture": "jwt"}}
    data = {"product": {"name": "a"}, "environment": "lab", "servers": servers, "tokens": tokens}
    return target_file.parse(data, folder / "t.yaml")


def ask(folder: Path, tokens: Mapping[str, Any]) -> str:
    source = token_source(target(folder, tokens), SECONDS)
    assert source is not None
    return source()


def script(folder: Path, text: str) -> list[str]:
    file = folder / "give"
    file.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    file.chmod(0o755)
    return ["./give"]


def refused(folder: Path, tokens: Mapping[str, Any], secret: str) -> HopproofError:
    """The error, which does not print *secret* nor a part of it."""
    with pytest.raises(LabError) as caught:
        ask(folder, tokens)
    assert secret[-40:] not in str(caught.value)
    assert secret[:40] not in str(caught.value)
    return caught.value


# A command


def test_a_command_is_run_beside_the_target_file(tmp_path: Path, token: str) -> None:
    (tmp_path / "kept").write_text(token, "utf-8")
    command = script(tmp_path, "cat kept; echo")
    check_source(target(tmp_path, {"command": command}))
    assert ask(tmp_path, {"command": command}) == token
    assert ask(tmp_path, {"command": ["cat", "kept"]}) == token


def test_a_command_goes_by_the_name_it_was_given(tmp_path: Path, token: str) -> None:
    script(tmp_path, f'test "${{0##*/}}" = link && echo {token}')
    (tmp_path / "link").symlink_to("give")
    assert ask(tmp_path, {"command": ["./link"]}) == token


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("exit 0", "gives is empty"),
        ("echo TOKEN; exit 3", "ended with status 3"),
        ("echo TOKEN; echo TOKEN", "not a bearer token ("),
        ("echo Bearer TOKEN", "not a bearer token ("),
        ("echo '<html>TOKEN</html>'", "an HTML page ("),
        ("printf '\\377\\376'", "not a bearer token ("),
        ("echo EXPIRED", "expired 6"),
        ("kill -9 $$", "ended with status -9"),
    ],
)
def test_what_a_command_gives_is_looked_at(tmp_path: Path, pki: Pki, token: str, text: str, message: str) -> None:
    expired = HeldTokenIssuer.of(pki).with_claims(exp=int(time.time()) - 60)
    command = script(tmp_path, text.replace("TOKEN", token).replace("EXPIRED", expired))
    error = refused(tmp_path, {"command": command}, expired if "EXPIRED" in text else token)
    assert message in str(error)
    assert error.exit_status == 3


def test_two_lines_are_reported_as_two(tmp_path: Path, token: str) -> None:
    assert "in 2 lines" in str(refused(tmp_path, {"command": script(tmp_path, f"echo {token}; echo {token}")}, token))


def test_a_command_that_hangs_is_ended_with_all_it_started(tmp_path: Path) -> None:
    command = script(tmp_path, "sleep 600 & echo $! > child; wait")
    assert "no token within 2 s" in str(refused(tmp_path, {"command": command}, "sleep"))
    child = Path("/proc", (tmp_path / "child").read_text("utf-8").strip(), "cmdline")
    pause, end = threading.Event(), time.monotonic() + PATIENCE
    while child.exists() and child.read_bytes():  # a process that ended and was not collected yet has no command line
        assert time.monotonic() < end
        pause.wait(0.02)


def test_a_command_that_leaves_something_running_gives_its_token_all_the_same(tmp_path: Path, token: str) -> None:
    assert ask(tmp_path, {"command": script(tmp_path, f"sleep 600 >/dev/null & echo {token}")}) == token


@pytest.mark.parametrize("name", ["./missing", "hopproof-no-such-program", "."])
def test_a_missing_program_is_reported_before_anything_runs(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="no such program"):
        check_source(target(tmp_path, {"command": [name]}))


# An endpoint


class Endpoint:
    """A token endpoint that answers as it is told and keeps what it was sent."""

    def __init__(self, folder: Path, status: int, body: bytes, more: bytes = b"") -> None:
        self.folder, self.seen = folder, b""
        self._answer = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n%s\r\n%s" % (status, len(body), more, body)

    def handle(self, stream: Stream) -> None:
        self.seen = request_of(stream)
        head, _, body = self.seen.partition(b"\r\n\r\n")
        if not body and b"content-length: 0" not in head.lower() and b"content-length" in head.lower():
            self.seen += stream.recv(65536)
        stream.sendall(self._answer)

    def tokens(self, port: int, **more: Any) -> dict[str, Any]:
        ca = self.folder / "secrets" / "portal-admin" / "ca.crt"
        return {"endpoint": {"url": f"https://localhost:{port}/token", "ca": str(ca), **more}}


@pytest.fixture
def localhost(tmp_path: Path) -> Path:
    """A deployment whose server is called localhost, since httpx asks the resolver."""
    Pki.create(reference().pki, {"portal-admin": ["localhost"]}).write(tmp_path)
    return tmp_path


def at(endpoint: Endpoint, handler: Callable[[Stream], None] | None = None) -> Server:
    return Server(handler or endpoint.handle, server_context(endpoint.folder / "secrets" / "portal-admin"))


def test_an_endpoint_gives_a_token(localhost: Path, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPPROOF_TEST_SECRET", "s3cret&more\n")
    form = {"grant_type": "client_credentials", "client_secret": {"env": "HOPPROOF_TEST_SECRET"}}
    endpoint = Endpoint(localhost, 200, json.dumps({"id_token": token, "access_token": "x"}).encode())
    with at(endpoint) as server:
        tokens = endpoint.tokens(server.port, form=form, field="id_token")
        check_source(target(localhost, tokens))
        assert ask(localhost, tokens) == token
    assert endpoint.seen.startswith(b"POST /token ")
    assert endpoint.seen.endswith(b"grant_type=client_credentials&client_secret=s3cret%26more")


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (500, b'{"access_token": "TOKEN"}', "answers 500"),
        (401, b'{"error": "invalid_client TOKEN"}', "answers 401"),
        (302, b"TOKEN", "answers 302"),
        (200, b"<html>TOKEN</html>", "not with JSON"),
        (200, b"", "not with JSON"),
        (200, b"\xff\xfe", "not with JSON"),
        (200, b'"TOKEN"', "no string under 'access_token'"),
        (200, b'{"token": "TOKEN"}', "no string under 'access_token'"),
        (200, b'{"access_token": null}', "no string under 'access_token'"),
        (200, b'{"access_token": ["TOKEN"]}', "no string under 'access_token'"),
        (200, b'{"access_token": ""}', "gives is empty"),
        (200, b'{"access_token": "TOKEN\\r\\nX-Admin: 1"}', "not a bearer token"),
        (200, b'{"access_token": "EXPIRED"}', "expired 6"),
    ],
)
def test_what_an_endpoint_gives_is_looked_at(
    localhost: Path, pki: Pki, token: str, status: int, body: bytes, message: str
) -> None:
    expired = HeldTokenIssuer.of(pki).with_claims(exp=int(time.time()) - 60)
    more = b"Location: https://localhost/login\r\n" if status == 302 else b""
    full = body.replace(b"TOKEN", token.encode()).replace(b"EXPIRED", expired.encode())
    endpoint = Endpoint(localhost, status, full, more)
    with at(endpoint) as server:
        error = refused(localhost, endpoint.tokens(server.port), expired if b"EXPIRED" in body else token)
    assert message in str(error)
    assert error.exit_status == 3


def slowly(stream: Stream) -> None:
    """A whole head at once, then a body that never ends."""
    request_of(stream)
    stream.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.05)):
        stream.sendall(b"K")
        pause.wait(0.05)


@pytest.mark.parametrize("handler", [hold, slowly], ids=["mute", "byte by byte"])
def test_an_endpoint_has_its_time(localhost: Path, handler: Callable[[Stream], None]) -> None:
    endpoint = Endpoint(localhost, 200, b"")
    started = time.monotonic()
    with at(endpoint, handler) as server:
        assert "does not answer" in str(refused(localhost, endpoint.tokens(server.port), "K" * 40))
    assert time.monotonic() - started < 3 * SECONDS


def test_an_endpoint_of_another_ca_or_none_at_all(localhost: Path, folder: Path) -> None:
    endpoint = Endpoint(localhost, 200, b"{}")
    with at(endpoint) as server:
        other = endpoint.tokens(server.port, ca=str(folder / "secrets" / "portal-ca" / "ca.crt"))
        assert "does not answer" in str(refused(localhost, other, "K" * 40))
        port = server.port
    assert "does not answer" in str(refused(localhost, endpoint.tokens(port), "K" * 40))


@pytest.mark.parametrize("status", [404, 302, 500])
def test_a_jwks_url_that_has_no_keys(localhost: Path, status: int) -> None:
    endpoint = Endpoint(localhost, status, b'{"keys": []}')
    with at(endpoint) as server:
        keys = endpoint.tokens(server.port)["endpoint"]
        with pytest.raises(LabError, match=f"the JWKS URL answers {status}"):
            published_keys(target(localhost, {"none": True, "keys": keys}), SECONDS)


@pytest.mark.parametrize("name", ["missing.crt", "jwt/signing.key", "jwt"])
def test_an_endpoint_s_ca_is_looked_at_first(folder: Path, name: str) -> None:
    tokens = {"endpoint": {"url": f"https://{HOST}/token", "ca": str(folder / name)}}
    with pytest.raises(UsageError, match="tokens.endpoint.ca"):
        check_source(target(folder, tokens))


def test_an_endpoint_s_secret_must_be_there(folder: Path) -> None:
    tokens = {"endpoint": {"url": f"https://{HOST}/token", "form": {"client_secret": {"file": "missing"}}}}
    with pytest.raises(UsageError, match="client_secret"):
        check_source(target(folder, tokens))


# A capture


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("  \n", "is empty"),
        ("Bearer TOKEN", "not a bearer token"),
        ("TOKEN\nTOKEN", "in 2 lines"),
        ("\u00e9", "not a bearer token"),
        ("EXPIRED", "expired 6"),
    ],
)
def test_what_was_captured_is_looked_at_first(tmp_path: Path, pki: Pki, token: str, text: str, message: str) -> None:
    expired = HeldTokenIssuer.of(pki).with_claims(exp=int(time.time()) - 60)
    (tmp_path / "token").write_text(text.replace("TOKEN", token).replace("EXPIRED", expired), "utf-8")
    with pytest.raises(UsageError) as caught:
        check_source(target(tmp_path, {"captured": "token"}))
    assert message in str(caught.value)
    assert token[-40:] not in str(caught.value)


def test_a_capture_may_be_opaque_and_end_in_a_line_break(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("opaque-token_1~+/==\n", "utf-8")
    assert ask(tmp_path, {"captured": "token"}) == "opaque-token_1~+/=="


def test_no_source(tmp_path: Path) -> None:
    assert token_source(target(tmp_path, {"none": True})) is None
    assert os.listdir(tmp_path) == []
