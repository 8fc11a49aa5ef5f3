"""Small servers of which each is open one way only, judged by a target file; and the same with that way closed."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.config import Options
from harness.lab.reference import ReferenceLab
from harness.model.vocabulary import Depth, Posture
from harness.run.run import Run
from harness.stimuli.tokens import HeldTokenIssuer
from harness.tests.faulty import upgrades
from harness.tests.places import SUBJECT, Place, of

HOST = "api.portal.apic.test"
PAGE = b"the protected page, of which there is one only\n"
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
WAYS = {
    Posture.MTLS: ("bypass/*", "*+certificate-in-header", "*+resumed-session"),
    Posture.JWT: ("bypass/*", "*+kept-connection"),
}

Excuse = Callable[["Handler"], bool]
Switch = Callable[["Handler"], bool]


class Handler(BaseHTTPRequestHandler):
    """Serves who has the credential, and whom the server's fault excuses."""

    protocol_version = "HTTP/1.1"
    server: Small
    connection: ssl.SSLSocket
    served = False

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("do_"):
            raise AttributeError(name)
        return self.answer

    def answer(self) -> None:
        if self.server.switch(self):
            self.close_connection = True
            return
        open_ = self.server.excuse(self)
        status = 200 if open_ or self.server.credential(self) else 403 if self.server.demands else 401
        if status == 200 and self.command not in ("GET", "HEAD") and not open_:
            status = 405
        self.send_response(status)
        self.send_header("Content-Length", str(len(PAGE)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(PAGE if status == 200 else b"-" * len(PAGE))
        self.served = status == 200

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Small(ThreadingHTTPServer):
    """*excuse* is its fault, or *switch*, which takes clients to another protocol; with *demands* the credential is a
    certificate, else *token*."""

    daemon_threads = True

    def __init__(
        self,
        secrets: Path,
        excuse: Excuse,
        token: str,
        lowest: ssl.TLSVersion | None = None,
        switch: Switch = upgrades.never,
    ) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.excuse, self.token, self.demands, self.switch = excuse, token, not token, switch
        self.names: dict[ssl.SSLSocket, str] = {}
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(secrets / "portal-admin" / "tls.crt", secrets / "portal-admin" / "tls.key")
        context.load_verify_locations(secrets / "portal-admin" / "ca.crt")
        context.verify_mode = ssl.CERT_OPTIONAL if self.demands else ssl.CERT_NONE
        context.minimum_version = lowest or context.minimum_version
        context.sni_callback = self._named
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def _named(self, connection: Any, name: str | None, _context: ssl.SSLContext) -> None:
        self.names[connection] = name or ""

    def credential(self, handler: Handler) -> bool:
        if self.demands:
            return bool(handler.connection.getpeercert())
        return handler.headers["Authorization"] == f"Bearer {self.token}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A handshake that failed."""


Judge = Callable[..., Run]


@pytest.fixture
def judge(lab: ReferenceLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Judge]:
    """Judges a small server with an excuse, by a certificate or a token."""
    servers: list[Small] = []

    def run(excuse: Excuse, posture: Posture = Posture.MTLS, lowest: ssl.TLSVersion | None = None, **more: Any) -> Run:
        token = HeldTokenIssuer.of(lab.pki).token() if posture is Posture.JWT else ""
        monkeypatch.setenv("HOPPROOF_TEST_TOKEN", token)
        small = Small(lab.secrets, excuse, token, lowest, more.pop("switch", upgrades.never))
        servers.append(small)
        threading.Thread(target=small.serve_forever, daemon=True).start()
        client = lab.secrets / "portal-admin-client"
        location = {"url": f"https://{HOST}:{small.server_port}/things", "connect": f"127.0.0.1:{small.server_port}"}
        credentials: dict[str, Any] = {"tokens": {"captured": {"env": "HOPPROOF_TEST_TOKEN"}}}
        if posture is Posture.MTLS:
            files = {"certificate": "tls.crt", "key": "tls.key", "ca": "ca.crt"}
            credentials = {"client": {name: str(client / file) for name, file in files.items()}}
        server = {**location, "ca": str(lab.secrets / "portal-admin" / "ca.crt"), "posture": str(posture)}
        server |= {name: more.pop(name) for name in ("origin", "also_names") if name in more}
        data = {"product": {"name": "small"}, "environment": "lab", "rate": 1000, "servers": {"small": server}}
        file = tmp_path / "target.yaml"
        file.write_text(yaml.safe_dump({**data, **credentials, **more}), "utf-8")
        found = Run(Options(target=str(file), report=tmp_path / "report", seed=1, only=WAYS[posture], depth=Depth.FULL))
        found.start(found.cases)
        found.finish()
        return found

    yield run
    for small in servers:
        small.shutdown()
        small.server_close()


def misdirected(handler: Handler) -> bool:
    host = (handler.headers["Host"] or "").partition(":")[0]
    return handler.server.names.get(handler.connection, "").rstrip(".").lower() != host.rstrip(".").lower()


OPEN: dict[str, Excuse] = {
    "tls-12": lambda handler: handler.connection.version() == "TLSv1.2",
    "other-sni": misdirected,
    "identity-headers": lambda handler: "X-Remote-User" in handler.headers,
    "host-spelling": lambda handler: (handler.headers["Host"] or "").startswith(f"{HOST}."),
    "source-headers": lambda handler: handler.headers["X-Real-IP"] == "127.0.0.1",
    "path-in-header": lambda handler: handler.headers["X-Forwarded-Uri"] == "/healthz" and handler.path == "/things",
    "certificate-in-header": lambda handler: "BEGIN" in (handler.headers["ssl-client-cert"] or ""),
    "method-safe": lambda handler: handler.command == "HEAD",
    "method-post": lambda handler: handler.command == "POST",
    "method-write": lambda handler: handler.command == "DELETE",
    "method-unknown": lambda handler: handler.command not in METHODS,
    "method-override": lambda handler: "X-HTTP-Method-Override" in handler.headers,
    "upgrade-websocket": lambda handler: handler.headers["Upgrade"] == "websocket" and not handler.headers["Origin"],
    "upgrade-h2c": lambda handler: handler.headers["Upgrade"] == "h2c",
    "path-dots": lambda handler: handler.path != "/things" and handler.path.endswith("/%2e/things"),
    "path-spelling": lambda handler: handler.path == "/things;x=1",
    "path-absolute-form": lambda handler: handler.path.startswith("https://"),
}

ALSO = {"tls-12": {"resumed-session"}, "method-safe": {"method-override"}, "method-post": {"method-override"}}


def ways(run: Run, outcome: str) -> set[str]:
    return {name.rpartition("+")[2] for name in of(run, outcome)}


@pytest.mark.parametrize("way", OPEN)
def test_a_server_that_is_open_one_way_is_caught(judge: Judge, way: str) -> None:
    run = judge(OPEN[way])
    assert run.status == 1, run.trouble
    # A session of TLS 1.2 is one over TLS 1.2; an open method is open with an override as well.
    assert {way} <= ways(run, "FAIL") <= {way} | ALSO.get(way, set())


@pytest.mark.parametrize("way", sorted(set(OPEN) - {"certificate-in-header"}))
def test_the_same_where_a_token_is_asked_for(judge: Judge, way: str) -> None:
    run = judge(OPEN[way], Posture.JWT)
    assert run.status == 1, run.trouble
    assert {way} <= ways(run, "FAIL") <= {way} | ALSO.get(way, set())


FAULTY_SWITCHES: dict[str, tuple[Switch, str]] = {
    "websocket for anybody": (upgrades.websocket(), "upgrade-websocket"),
    "websocket that greets anybody": (upgrades.websocket(message="hello"), "upgrade-websocket"),
    "websocket that is over after its message": (upgrades.websocket(message="hello", close=1000), "upgrade-websocket"),
    "h2c for anybody": (upgrades.h2c(lambda handler, path: path == "/things"), "upgrade-h2c"),
    "h2c that looks at the first request": (
        upgrades.h2c(lambda handler, path: path == "/things", at=lambda handler: handler.path == "/health"),
        "upgrade-h2c",
    ),
}
RIGHT_SWITCHES: dict[str, Switch] = {
    "websocket with the credential": upgrades.websocket(lambda handler: handler.server.credential(handler)),
    "websocket that is closed at once": upgrades.websocket(close=1008),
    "websocket that is closed with a code of its own": upgrades.websocket(close=4401),
    "h2c that asks inside": upgrades.h2c(lambda handler, path: handler.server.credential(handler)),
    "h2c with a public page": upgrades.h2c(lambda handler, path: path == "/health"),
}


@pytest.mark.parametrize("posture", [Posture.MTLS, Posture.JWT])
@pytest.mark.parametrize("name", FAULTY_SWITCHES)
def test_a_server_that_switches_protocols_for_anybody_is_caught(judge: Judge, name: str, posture: Posture) -> None:
    switch, way = FAULTY_SWITCHES[name]
    run = judge(lambda handler: False, posture, switch=switch)
    assert (run.status, ways(run, "FAIL")) == (1, {way})


@pytest.mark.parametrize("posture", [Posture.MTLS, Posture.JWT])
@pytest.mark.parametrize("name", RIGHT_SWITCHES)
def test_a_server_that_switches_protocols_with_the_credential_passes(judge: Judge, name: str, posture: Posture) -> None:
    run = judge(lambda handler: False, posture, switch=RIGHT_SWITCHES[name])
    assert {row["outcome"] for row in run.rows} == {"PASS"}


def test_a_switch_to_another_protocol_than_was_asked_for_decides_nothing(judge: Judge) -> None:
    run = judge(lambda handler: False, Posture.JWT, switch=upgrades.other_protocol)
    assert ways(run, "UNOBSERVED") == {"upgrade-websocket", "upgrade-h2c"} and run.status == 0
    message = {row["reason"] for row in run.rows if row["outcome"] == "UNOBSERVED"}
    assert any("answered 101 for foo, but h2c was requested" in text for text in message)


def test_a_server_that_asks_once_a_connection_is_caught(judge: Judge) -> None:
    run = judge(lambda handler: handler.served, Posture.JWT)
    assert (run.status, ways(run, "FAIL")) == (1, {"kept-connection"})


@pytest.mark.parametrize("posture", [Posture.MTLS, Posture.JWT])
def test_a_server_that_asks_whichever_way_passes(judge: Judge, posture: Posture) -> None:
    run = judge(lambda handler: False, posture)
    assert {row["outcome"] for row in run.rows} == {"PASS"}
    assert len(run.rows) == (19 if posture is Posture.MTLS else 17)


def test_a_server_that_is_open_where_a_query_follows_is_caught(judge: Judge) -> None:
    run = judge(lambda handler: "?" in handler.path)
    assert (run.status, ways(run, "FAIL")) == (1, {"path-spelling"})


def test_what_everybody_may_know_of_methods_is_no_way_in(judge: Judge) -> None:
    run = judge(lambda handler: handler.command == "OPTIONS")
    assert ways(run, "FAIL") == {"method-safe"}  # it has the protected page in it


def test_a_way_that_is_open_in_the_usual_way_already_is_no_finding_of_its_own(judge: Judge) -> None:
    run = judge(lambda handler: not handler.connection.getpeercert())
    assert ways(run, "FAIL") == set()
    assert {row["reason_code"] for row in run.rows if row["outcome"] == "UNOBSERVED"} == {"let-in-anyway"}


def test_a_read_only_target_gets_safe_methods_alone(judge: Judge) -> None:
    run = judge(lambda handler: handler.command not in ("GET", "HEAD", "OPTIONS"), read_only=True)
    withheld = {item.case.stimulus.transport for item in run._withheld if "read-only" in item.reason}
    assert withheld == {"method-post", "method-write", "method-unknown", "method-override"}
    assert ways(run, "FAIL") == set()


def test_a_session_of_another_name_is_caught(lab: ReferenceLab, tmp_path: Path) -> None:
    location = Place(lab, tmp_path)
    client = {**location.client, **location.ca}
    for fault, expected in (("resumes-without-certificate", "FAIL"), ("", "PASS")):
        run = location.run(
            location.file(Posture.MTLS, fault, server={"subject": SUBJECT}, client=client), only=WAYS[Posture.MTLS]
        )
        assert "tls-no-cert+resumed-session" in of(run, expected)


def test_a_server_without_tls_12_accepts_no_client_over_it(judge: Judge) -> None:
    run = judge(lambda handler: False, lowest=ssl.TLSVersion.TLSv1_3)
    assert {row["outcome"] for row in run.rows} == {"PASS"}


def test_acceptances_are_reported_without_any_good_credential(judge: Judge) -> None:
    run = judge(OPEN["tls-12"], Posture.JWT, tokens={"none": True})
    assert ways(run, "FAIL") == {"tls-12"}
    assert {row["outcome"] for row in run.rows} == {"FAIL", "UNOBSERVED"}


def test_the_server_behind_its_balancer_is_asked_too(judge: Judge, lab: ReferenceLab) -> None:
    """The balancer takes the header out of what comes in; who reaches the server itself may send it."""
    behind = Small(lab.secrets, OPEN["certificate-in-header"], "")
    threading.Thread(target=behind.serve_forever, daemon=True).start()
    try:
        run = judge(lambda handler: False, origin=f"127.0.0.1:{behind.server_port}")
        assert ways(run, "FAIL") == {"certificate-in-header"}
        assert any("sent directly to the server" in row["reason"] for row in run.rows)
    finally:
        behind.shutdown()
        behind.server_close()
