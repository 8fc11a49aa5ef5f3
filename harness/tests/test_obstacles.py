"""Why a target cannot be judged: each cause on a server that has it, and none of them called the harness's own."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from harness.config import Options
from harness.model.exchange import ClientView, Response
from harness.pki.deployment import Pki
from harness.pki.keys import key_pem
from harness.products.registry import reference
from harness.run.run import Run
from harness.targets import obstacles
from harness.tests.wire.servers import HOST, Handler, Server, Stream, request_of, server_context

NAME = "portal-admin-client"
CLAIMS = {"iss": "i", "aud": "a"}


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    location = tmp_path_factory.mktemp("deployment")
    pki = Pki.create(reference().pki)
    pki.write(location)
    (location / "secrets" / "signing.key").write_bytes(key_pem(pki.signing_key))
    return location / "secrets"


def says(status: int, *headers: str, body: str = "") -> Handler:
    def handle(stream: Stream) -> None:
        if request_of(stream):
            lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", *headers, "", body]
            stream.sendall("\r\n".join(lines).encode())

    return handle


@pytest.fixture
def judged(secrets: Path, tmp_path: Path) -> Callable[..., Run]:
    def run(handler: Handler, asks: ssl.VerifyMode, posture: str, **more: Any) -> Run:
        context = server_context(secrets / "portal-admin", secrets / NAME / "ca.crt")
        context.verify_mode = asks
        with Server(handler, context) as server:
            service = {
                "url": f"https://{HOST}:{server.port}/orders",
                "connect": f"127.0.0.1:{server.port}",
                "ca": str(secrets / "portal-admin" / "ca.crt"),
                "posture": posture,
                **more.pop("server", {}),
            }
            data = {"product": {"name": "a"}, "environment": "lab", "rate": 1000, "servers": {"service": service}}
            if more.pop("client", posture != "jwt"):
                files = {"certificate": secrets / NAME / "tls.crt", "key": secrets / NAME / "tls.key"}
                data["client"] = {name: str(file) for name, file in files.items()}
            if posture in ("jwt", "both"):
                data["tokens"] = {"signing_key": str(secrets / "signing.key"), "claims": CLAIMS}
            file = tmp_path / "target.yaml"
            file.write_text(json.dumps({**data, **more}), "utf-8")
            found = Run(Options(target=str(file), report=tmp_path / "report", seed=1))
            found.start(found.cases)
            found.finish()
        return found

    return run


def message(run: Run) -> str:
    """What the run says; every row says so too, and that nothing of it is the harness's doing."""
    assert run.status == 3
    assert {(row["outcome"], row["reason_code"]) for row in run.rows} == {("UNOBSERVED", "not-judged")}
    footer = run.footer()
    assert footer["cannot_judge"] and footer["diagnosis"] == []
    assert len(run.trouble) == 1
    return str(run.trouble[0])


REQUIRED, OPTIONAL, NONE = ssl.CERT_REQUIRED, ssl.CERT_OPTIONAL, ssl.CERT_NONE


@pytest.mark.parametrize("client", [False, True], ids=["no certificate at hand", "a certificate at hand"])
@pytest.mark.parametrize("tokens", [{}, {"tokens": {"none": True}}], ids=["a good token", "no token"])
def test_a_jwt_endpoint_that_still_requires_a_certificate(
    judged: Callable[..., Run], client: bool, tokens: dict[str, Any]
) -> None:
    text = message(judged(says(200), REQUIRED, "jwt", client=client, **tokens))
    assert "this endpoint still requires a client certificate, though the file says posture jwt" in text
    assert "posture: both" in text


def test_one_that_says_so_in_http(judged: Callable[..., Run]) -> None:
    handler = says(400, body="No required SSL certificate was sent")
    assert "still requires a client certificate" in message(judged(handler, OPTIONAL, "jwt"))


def test_one_that_only_asks_gets_a_note(judged: Callable[..., Run]) -> None:
    run = judged(says(200), OPTIONAL, "jwt")
    assert run.notes == [
        "servers.service requests a client certificate but does not require one: how it treats certificates is not "
        "judged in posture jwt"
    ]
    assert run.footer()["notes"] == run.notes


def test_one_that_refuses_the_token_is_not_said_to_want_a_certificate(judged: Callable[..., Run]) -> None:
    text = message(judged(says(401), OPTIONAL, "jwt"))
    assert "certificate" not in text and "answered 401, not 200" in text


@pytest.mark.parametrize("status", [502, 400, 403])
@pytest.mark.parametrize("path", ["direct", "passthrough"])
def test_mtls_before_which_a_balancer_terminates(judged: Callable[..., Run], status: int, path: str) -> None:
    text = message(judged(says(status), NONE, "mtls", server={"path": path}))
    assert "requests no client certificate" in text and "terminates TLS" in text
    assert f"answered {status}" in text and "needs passthrough" in text


def test_a_front_with_a_certificate_of_its_own(judged: Callable[..., Run], secrets: Path) -> None:
    run = judged(says(200), NONE, "mtls", server={"ca": str(secrets / "portal-ca" / "ca.crt")})
    text = message(run)
    assert "issued by CN=ingress-ca" in text and "requests no client certificate" in text
    assert "needs a balancer that passes TLS through (FLW-3)" in text


def test_an_mtls_server_that_refuses_its_client_is_no_balancer(judged: Callable[..., Run]) -> None:
    text = message(judged(says(403, body="not you"), REQUIRED, "mtls"))
    assert "balancer" not in text
    assert 'the certificate of CN=portal-admin-client,O=cert-manager) is answered 403 ("not you"), not 200' in text


def test_a_clock_that_is_off_by_seconds(judged: Callable[..., Run]) -> None:
    def late(stream: Stream) -> None:
        says(401, f"Date: {formatdate(time.time() - 3, usegmt=True)}")(stream)

    text = message(judged(late, NONE, "jwt"))
    assert "the clock is the likely cause" in text and "behind ours" in text


def test_a_clock_that_is_right_is_not_blamed(judged: Callable[..., Run]) -> None:
    def now(stream: Stream) -> None:
        says(401, f"Date: {formatdate(usegmt=True)}")(stream)

    assert "clock" not in message(judged(now, NONE, "jwt"))


def test_a_token_that_does_not_arrive(judged: Callable[..., Run], secrets: Path) -> None:
    jwks = {"jwks": {"listen": "127.0.0.1:0", "signing_key": str(secrets / "signing.key")}, "claims": CLAIMS}
    text = message(judged(says(401, "WWW-Authenticate: Bearer"), NONE, "jwt", tokens=jwks))
    assert "the token did not arrive" in text and "nothing fetched keys from Hopproof's JWKS server" in text
    text = message(judged(says(401), NONE, "jwt", server={"path": "terminating"}))
    assert "the token did not arrive" in text


def test_a_token_that_is_refused_has_arrived(judged: Callable[..., Run]) -> None:
    def challenge(stream: Stream) -> None:
        head = request_of(stream)
        why = ', error="invalid_token"' if b"authorization:" in head.lower() else ""
        if head:
            stream.sendall(
                f"HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer realm=x{why}\r\nContent-Length: 0\r\n\r\n".encode()
            )

    text = message(judged(challenge, NONE, "jwt", server={"path": "terminating"}))
    assert "did not arrive" not in text
    assert 'error="invalid_token"' in text


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (429, "lower rate"),
        (302, "does not redirect"),
        (204, "success: 204"),
        (404, "request.path"),
        (405, "request.method"),
        (503, "fails on a good request"),
    ],
)
def test_what_came_back_says_what_to_look_at(judged: Callable[..., Run], status: int, hint: str) -> None:
    assert hint in message(judged(says(status), NONE, "jwt"))


def test_a_refused_certificate_is_what_the_server_says(judged: Callable[..., Run]) -> None:
    page = "<html><head><title>400 The SSL\r\ncertificate error</title></head></html>"
    text = message(judged(says(400, body=page), OPTIONAL, "mtls"))
    assert 'answered 400 ("400 The SSL certificate error")' in text
    assert "the certificate may be expired, revoked" in text
    assert "the certificate may be expired, revoked" not in message(judged(says(400, body="no"), OPTIONAL, "mtls"))


def test_a_refusal_that_the_good_request_fits_is_refused(judged: Callable[..., Run]) -> None:
    run = judged(says(200, body='{"error": null}'), NONE, "jwt", dialect={"refusal": {"body": '"error"'}})
    assert "an acceptance would count as a refusal" in message(run)


def test_what_a_server_says_is_shown_harmless() -> None:
    view = ClientView(response=Response(400, (("www-authenticate", "x\x1b[31m" + "y" * 200),), "a\x07\nb"))
    text = obstacles.answer(view)
    assert "\x1b" not in text and "\x07" not in text and len(text) < 200


@pytest.mark.parametrize(
    ("date", "ms", "skew"),
    [(1000, 0.0, None), (999, 500.0, None), (998, 0.0, -2.0), (1001, 0.0, 1.0), (990, 0.0, -10.0), (998, 5000.0, None)],
)
def test_a_date_has_whole_seconds(date: int, ms: float, skew: float | None) -> None:
    view = ClientView(response=Response(200, (("date", formatdate(date, usegmt=True)),)), ms=ms)
    assert obstacles.clock(view, 1000.5) == skew


@pytest.mark.parametrize("date", ["", "yesterday", "Thu, 99 Nov 2026 00:00:00 GMT"])
def test_no_date_tells_nothing(date: str) -> None:
    assert obstacles.clock(ClientView(response=Response(200, (("date", date),))), 0.0) is None
