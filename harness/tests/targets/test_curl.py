"""The line of curl: it sends what we sent, and nothing secret stands in it."""

from __future__ import annotations

import shlex
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.decode.redaction import redact
from harness.errors import ReportError
from harness.model.case import Stimulus
from harness.model.vocabulary import Path as FlowPath
from harness.model.vocabulary import Posture
from harness.pki.deployment import Pki
from harness.products.registry import reference
from harness.stimuli.factory import _request
from harness.stimuli.tokens import TOKEN_CLASSES, HeldTokenIssuer, TokenIssuer
from harness.targets import curl
from harness.targets.file import Client, Endpoint, Request
from harness.targets.places import PrivateKey, Secret
from harness.tests.builders import FLOW, case
from harness.wire.send import Prepared, prepare

OWN = Client(Secret(Path("/pki/my client.crt")), PrivateKey(Secret(Path("/pki/client.key"))))
ENDPOINT = Endpoint(
    name="service",
    host="svc.test",
    port=8443,
    connect=("127.0.0.1", 18443),
    url_path="/",
    ca=Path("/pki/ca.crt"),
    posture=Posture.MTLS,
    path=FlowPath.DIRECT,
    flows=(),
    subject="",
    client=OWN,
    request=Request(),
)
PLAIN = prepare("GET", "/health", (("Host", b"svc.test"), ("Connection", b"close")), b"")


def line(stimulus: Stimulus, request: Prepared = PLAIN, **endpoint: object) -> str:
    made = curl.recipe(case(stimulus=stimulus), replace(ENDPOINT, **endpoint), request, "here")  # type: ignore[arg-type]
    assert made is not None
    return made.line


def test_what_curl_needs_to_reach_the_server() -> None:
    message = line(Stimulus("tls-no-cert"))
    assert message == (
        "curl -sS -i --http1.1 --connect-to svc.test:8443:127.0.0.1:18443 --cacert /pki/ca.crt https://svc.test:8443/health"
    )
    assert "--connect-to" not in line(Stimulus(), connect=("svc.test", 8443))
    assert "[::1]:8443" in line(Stimulus(), host="::1", connect=("::1", 8443))
    assert line(Stimulus(transport="t-plaintext")).endswith(" http://svc.test:8443/health")


def test_the_users_own_certificate_is_named_where_it_lies() -> None:
    assert "--cert '/pki/my client.crt' --key /pki/client.key" in line(Stimulus())
    assert "--cert" not in line(Stimulus(), client=None)
    for secret in (
        replace(OWN, certificate=Secret(env="CERT")),
        replace(OWN, key=PrivateKey(Secret(Path("/k")), Secret(env="PASSWORD"))),
    ):
        assert "--cert here/client.pem" in line(Stimulus(), client=secret)


def test_a_made_certificate_is_read_from_the_folder() -> None:
    assert "--cert here/client.pem" in line(Stimulus("ta-unknown-ca"))
    assert "--ciphers DEFAULT:@SECLEVEL=0" in line(Stimulus("k-rsa-weak"))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"name": "a"}', """--data-raw '{"name": "a"}'"""),
        (b"@file", "--data-raw @file"),
        (b"x" * 300, "--data-binary @here/body"),
        (b"a\nb", "--data-binary @here/body"),
        (b"eyJhbGciOiJub25lIn0.eyJhIjoxfQ.c2ln", "--data-binary @here/body"),
    ],
)
def test_a_body(body: bytes, said: str) -> None:
    assert f" {said} " in line(Stimulus(), prepare("PUT", "/x", (("Host", b"x"),), body))


@pytest.mark.parametrize(
    ("transport", "request_", "said"),
    [
        ("tls-12", PLAIN, "--tls-max 1.2"),
        ("method-safe", prepare("HEAD", "/x", (("Host", b"x"),), b""), "--http1.1 --head "),
        ("method-unknown", prepare("get", "/x", (("Host", b"x"),), b""), "-X get"),
        ("path-dots", prepare("GET", "/./x", (("Host", b"x"),), b""), "--path-as-is"),
        ("path-absolute-form", prepare("GET", "https://x/y", (("Host", b"x"),), b""), "--request-target https://x/y"),
        ("identity-headers", prepare("GET", "/", (("X-Forwarded-User", b"admin"),), b""), "-H @here/headers"),
    ],
)
def test_another_way_of_asking(transport: str, request_: Prepared, said: str) -> None:
    assert said in line(Stimulus("tls-no-cert", transport=transport), request_)


def test_what_curl_cannot_do_has_no_line() -> None:
    assert curl.recipe(case(stimulus=Stimulus(transport="initiated")), ENDPOINT, PLAIN, "here") is None


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    made = curl.Recipe("curl", {curl.HEADERS: b"Authorization: Bearer x\n"}, identity=True)
    curl.write(made, tmp_path / "deep" / "here", b"key")
    files = {file.name: file for file in (tmp_path / "deep" / "here").iterdir()}
    assert set(files) == {curl.HEADERS, curl.CLIENT} and files[curl.CLIENT].read_bytes() == b"key"
    assert {file.stat().st_mode & 0o777 for file in files.values()} == {0o600}
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(ReportError, match="cannot write"):
        curl.write(made, tmp_path / "file", None)


# What curl sends is what we send


@pytest.fixture(scope="module")
def token_issuer() -> TokenIssuer:
    return HeldTokenIssuer.of(Pki.create(reference().pki))


class Listener:
    """Takes one request at a time and keeps its bytes."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.heads: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                taken, _ = self._socket.accept()
            except OSError:
                return
            with taken:
                data = b""
                while b"\r\n\r\n" not in data and (more := taken.recv(65536)):
                    data += more
                self.heads.append(data.partition(b"\r\n\r\n")[0])
                taken.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                taken.shutdown(socket.SHUT_WR)
                while taken.recv(65536):
                    continue

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


def _meant(head: bytes) -> tuple[bytes, list[bytes]]:
    """Method and target, and the headers that a request is about."""
    first, *lines = head.rstrip(b"\r\n").split(b"\r\n")
    left_out = (b"host:", b"accept:", b"user-agent:", b"connection:", b"content-length:", b"x-hopproof-case:")
    return first, sorted(line.rstrip() for line in lines if not line.lower().startswith(left_out))


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_curl_sends_what_we_send_of_every_token_class(
    token_issuer: TokenIssuer, listener: Listener, tmp_path: Path
) -> None:
    location = replace(ENDPOINT, host="127.0.0.1", port=listener.port, connect=("127.0.0.1", listener.port))
    for name, row in TOKEN_CLASSES.items():
        request = _request(FLOW, row.build(token_issuer), "svc.test", "fp-1")
        folder = tmp_path / name
        made = curl.recipe(case(stimulus=Stimulus(token=name, transport="t-plaintext")), location, request, str(folder))
        assert made is not None
        assert redact(made.line) == made.line and "eyJ" not in made.line
        curl.write(made, folder, None)
        done = subprocess.run(shlex.split(made.line), capture_output=True, check=False, timeout=20)
        assert done.returncode == 0, (name, done.stderr)
        assert _meant(listener.heads[-1]) == _meant(request.head), name
