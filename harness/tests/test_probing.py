"""What can be seen of an endpoint, told and written down; and what is no endpoint gets a sentence."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.cli import main
from harness.pki.deployment import Pki
from harness.products.registry import reference
from harness.tests.targets.test_http2 import http2
from harness.tests.wire.servers import HOST, Handler, Server, Stream, hold, request_of, server_context

NAME = "portal-admin-client"
REQUIRED, OPTIONAL, NONE = ssl.CERT_REQUIRED, ssl.CERT_OPTIONAL, ssl.CERT_NONE
BEARER = 'WWW-Authenticate: Bearer realm="orders", error="invalid_token", resource_metadata="https://a.test/m"'


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    location = tmp_path_factory.mktemp("deployment")
    Pki.create(reference().pki).write(location)
    return location / "secrets"


def says(status: int, *headers: str, seen: list[bytes] | None = None) -> Handler:
    def handle(stream: Stream) -> None:
        head = request_of(stream)
        if head:
            if seen is not None:
                seen.append(head)
            stream.sendall("\r\n".join([f"HTTP/1.1 {status} X", "Content-Length: 0", *headers, "", ""]).encode())

    return handle


Probed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def probed(secrets: Path, capsys: pytest.CaptureFixture[str]) -> Probed:
    def run(handler: Handler, asks: ssl.VerifyMode | None, *flags: str, alpn: tuple[str, ...] = ()) -> Any:
        context = None
        if asks is not None:
            context = server_context(secrets / "portal-admin", secrets / NAME / "ca.crt")
            context.verify_mode = asks
            if alpn:
                context.set_alpn_protocols(list(alpn))
        with Server(handler, context) as server:
            url = f"https://{HOST}:{server.port}/orders"
            status = main(["target", "probe", url, "--connect", f"127.0.0.1:{server.port}", *flags])
        message = capsys.readouterr()
        return status, message.out, message.err

    return run


def flags(secrets: Path, *, client: bool) -> list[str]:
    given = ["--ca", str(secrets / "portal-admin" / "ca.crt")]
    own = secrets / NAME
    return given + (["--cert", str(own / "tls.crt"), "--key", str(own / "tls.key")] if client else [])


def test_everything_that_can_be_seen(probed: Probed, secrets: Path) -> None:
    handler = says(401, BEARER, "Server: \x1b[31mred", "Date: Thu, 01 Jan 2026 00:00:00 GMT")
    status, out, _ = probed(handler, OPTIONAL, *flags(secrets, client=False), alpn=("h2", "http/1.1"))
    assert status == 0
    requested = ["TLS versions: TLSv1.2, TLSv1.3", "client certificate: requested", "accepted CAs: none named"]
    requested += ["issuer CN=ingress-ca", "expires ", "key ", "under the CA given: yes", "ALPN: h2, http/1.1"]
    requested += ["GET /orders: answered 401", "scheme Bearer, realm orders, error invalid_token"]
    requested += ["resource_metadata https://a.test/m", "s from this machine's", "posture (guessed): jwt"]
    assert [part for part in requested if part not in out] == []
    assert "\x1b" not in out


@pytest.mark.parametrize(
    ("asks", "answer", "client", "certificate", "posture"),
    [
        (NONE, says(401), False, "not requested", "jwt"),
        (NONE, says(403), False, "not requested", "jwt"),
        (NONE, says(200), False, "not requested", "tls-only"),
        (OPTIONAL, says(401), False, "requested", "jwt"),
        (OPTIONAL, says(200), False, "requested", "mtls"),
        (OPTIONAL, says(496), False, "required", "mtls"),
        (REQUIRED, says(200), False, "required", "mtls"),
        (REQUIRED, says(200), True, "required", "mtls"),
        (REQUIRED, says(401, BEARER), True, "required", "both"),
    ],
)
def test_the_posture_is_guessed_and_the_file_written_passes_the_check(
    probed: Probed,
    secrets: Path,
    tmp_path: Path,
    asks: ssl.VerifyMode,
    answer: Handler,
    client: bool,
    certificate: str,
    posture: str,
) -> None:
    file = tmp_path / "target.yaml"
    given = flags(secrets, client=client) if client else []
    status, out, _ = probed(answer, asks, "--json", "--write", str(file), *given)
    found = json.loads(out)
    assert (status, found["client_certificate"], found["posture_guessed"]) == (0, certificate, posture)
    text = file.read_text("utf-8")
    assert yaml.safe_load(text)["servers"]["service"]["posture"] == posture
    assert f"posture: {posture}   # guessed: " in text
    # The files that it names, where none were given.
    for name, source in {"client.crt": "tls.crt", "client.key": "tls.key"}.items():
        shutil.copy(secrets / NAME / source, tmp_path / name)
    shutil.copy(secrets / "portal-admin" / "ca.crt", tmp_path / "ca.crt")
    assert main(["target", "check", str(file)]) == 0


def test_no_file_is_overwritten(probed: Probed, tmp_path: Path) -> None:
    file = tmp_path / "target.yaml"
    file.write_text("mine", "utf-8")
    status, _, message = probed(says(200), NONE, "--write", str(file))
    assert (status, file.read_text("utf-8")) == (2, "mine")
    assert "File exists" in message


def test_a_certificate_of_another_ca_is_reported(probed: Probed, secrets: Path) -> None:
    status, out, _ = probed(says(200), NONE, "--ca", str(secrets / "portal-ca" / "ca.crt"))
    assert status == 0
    assert "under the CA given: no: " in out


def test_a_client_s_certificate_is_shown_only_to_a_trusted_server(probed: Probed, secrets: Path) -> None:
    given = flags(secrets, client=True)
    given[1] = str(secrets / "portal-ca" / "ca.crt")
    _, out, _ = probed(says(200), REQUIRED, "--json", *given)
    assert json.loads(out)["with_client_certificate"]["status"] is None


def test_nothing_is_sent_but_get_requests_without_credentials(probed: Probed, secrets: Path) -> None:
    observed: list[bytes] = []
    probed(says(302, "Location: https://b.test/login", seen=observed), OPTIONAL, *flags(secrets, client=True))
    assert len(observed) == 2
    for head in observed:
        assert head.startswith(b"GET /orders HTTP/1.1\r\n")
        assert b"authorization" not in head.lower() and b"cookie" not in head.lower()


def test_a_redirect_is_reported_and_not_followed(probed: Probed) -> None:
    _, out, _ = probed(says(302, "Location: https://b.test/login"), NONE)
    assert "redirects to: https://b.test/login" in out


@pytest.mark.parametrize(
    ("handler", "asks", "said"),
    [
        (lambda stream: stream.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), None, "the port does not speak TLS"),
        (http2, NONE, "speaks HTTP/2 only"),
    ],
)
def test_what_is_no_https_server_gets_a_sentence(
    probed: Probed, handler: Handler, asks: ssl.VerifyMode | None, said: str
) -> None:
    status, out, error = probed(handler, asks, alpn=("h2",))
    assert (status, out) == (3, "")
    assert said in error and "Traceback" not in error


def test_one_that_wants_a_certificate_is_not_taken_for_http2_only(probed: Probed, secrets: Path) -> None:
    for client in (False, True):
        status, out, _ = probed(says(200), REQUIRED, *flags(secrets, client=client), alpn=("h2",))
        assert status == 0 and "client certificate: required" in out


@pytest.mark.parametrize("tls", [False, True], ids=["before TLS", "after TLS"])
def test_one_that_hangs_gets_a_sentence(probed: Probed, monkeypatch: pytest.MonkeyPatch, tls: bool) -> None:
    monkeypatch.setattr("harness.wire.send.ANSWER_SECONDS", 0.3)
    monkeypatch.setattr("harness.targets.endpoint_probe.SECONDS", 0.3)
    status, _, error = probed(hold, NONE if tls else None)
    assert status == 3
    assert ("the request times out" if tls else "no TLS handshake within") in error


def test_no_server_there(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as location:
        port = location.getsockname()[1]
    assert main(["target", "probe", f"https://127.0.0.1:{port}/"]) == 3
    assert "cannot connect" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["probe"],
        ["probe", "nonsense"],
        ["probe", "http://a.test/"],
        ["probe", "https://a.test:99999/"],
        ["probe", "https://127.0.0.1:1/", "--connect", "nowhere"],
        ["probe", "https://127.0.0.1:1/", "--cert", "a"],
        ["check", "a.yaml", "--json"],
        ["init", "a.yaml", "--ca", "a"],
    ],
)
def test_bad_input_is_exit_2(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["target", *arguments]) == 2
    assert capsys.readouterr().err.startswith("hopproof: ")
    assert list(tmp_path.iterdir()) == []


def test_files_that_cannot_be_used_are_reported(probed: Probed, secrets: Path, tmp_path: Path) -> None:
    (tmp_path / "garbage").write_bytes(b"\x00garbage")
    garbage = str(tmp_path / "garbage")
    assert probed(says(200), NONE, "--ca", garbage)[0] == 2
    status, _, message = probed(says(200), NONE, "--cert", garbage, "--key", garbage)
    assert status == 2 and "--cert and --key cannot be used" in message
