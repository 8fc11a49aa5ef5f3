"""The reference gateway over the wire: forms of the header, forged ones, what the backend gets, how it refuses."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from harness.lab.protocol import Entrypoint
from harness.lab.reference import ReferenceLab
from harness.model.case import Setup
from harness.model.vocabulary import Path as FlowPath
from harness.model.vocabulary import Posture
from harness.products.apk.header import HEADER
from harness.stimuli.contexts import trusting
from harness.wire.send import prepare, send

API = "/mtls-mandatory-oauth2-disabled/3.14/employee"
BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


@dataclass(frozen=True)
class Answer:
    status: int
    body: Mapping[str, object]
    challenge: str


@dataclass
class Caller:
    """Asks a gateway with whatever headers, with the client's certificate in the handshake or none."""

    lab: ReferenceLab

    @property
    def pem(self) -> str:
        return (self.lab.secrets / "apk-employee-client" / "tls.crt").read_text("ascii").partition(END)[0] + END

    @property
    def line(self) -> str:
        return f"{BEGIN}{''.join(self.pem.removeprefix(BEGIN).removesuffix(END).split())}{END}"

    def ask(
        self,
        headers: Mapping[str, str],
        server: str = "apk-gateway",
        path: FlowPath = FlowPath.DIRECT,
        *,
        fault: str = "",
        variant: str = "",
        shows: Path | None = None,
        api: str = API,
    ) -> Answer:
        setup = Setup(server, Posture.JWT, path, fault, variant)
        door = self.lab.open([setup])[setup]
        assert isinstance(door, Entrypoint)
        context = trusting(door.ca)
        if shows is not None:
            context.load_cert_chain(shows / "tls.crt", shows / "tls.key")
        body = json.dumps({"name": "somebody"}).encode()
        fields = {"Host": door.host_header, **headers, "Content-Length": str(len(body)), "Connection": "close"}
        request = prepare("POST", api, tuple((name, value.encode()) for name, value in fields.items()), body)
        response = send(door.address, request, context).response
        assert response is not None
        challenge = next((value for name, value in response.headers if name.lower() == "www-authenticate"), "")
        return Answer(response.status, json.loads(response.body or "{}"), challenge)


@pytest.fixture
def caller(lab: ReferenceLab) -> Caller:
    return Caller(lab)


def test_forms_of_pem(caller: Caller) -> None:
    folded = " ".join(caller.pem.split("\n"))
    for value in (caller.line, folded):
        assert caller.ask({HEADER: value}).status == 200
    assert caller.ask({HEADER.lower(): caller.line}).status == 200


def test_what_is_no_certificate_is_refused_with_the_documented_code_and_challenge(caller: Caller) -> None:
    bare = caller.line.removeprefix(BEGIN).removesuffix(END)
    for value in ("not a certificate", bare, f"{BEGIN}bm8={END}", caller.line[: len(caller.line) // 2], " ", ""):
        answer = caller.ask({HEADER: value} if value else {})
        assert (answer.status, answer.body["code"]) == (401, "900901")
        assert answer.body["error_message"] == "Invalid Credentials"
        assert answer.challenge.startswith('Mutual SSL realm="APK"')


def test_url_encoded_counts_where_that_is_configured(caller: Caller) -> None:
    escaped = {HEADER: quote(caller.pem, safe="")}
    assert caller.ask(escaped).status == 401
    assert caller.ask(escaped, variant="url-encoded-certificates").status == 200


def test_another_name_counts_for_nothing(caller: Caller) -> None:
    assert caller.ask({"X-Client-Cert": caller.line}).status == 401
    assert caller.ask({"X-Client-Cert": caller.line}, "apk-configured-gateway").status == 200
    assert caller.ask({HEADER: caller.line}, "apk-configured-gateway").status == 401


def test_whoever_reaches_the_gateway_can_forge_the_header(caller: Caller) -> None:
    assert caller.ask({HEADER: caller.line}).status == 200


def test_a_balancer_drops_a_forged_header_and_sets_its_own(caller: Caller) -> None:
    forged, own = {HEADER: caller.line}, caller.lab.secrets / "apk-employee-client"
    assert caller.ask(forged, path=FlowPath.TERMINATING).status == 401
    assert caller.ask({}, path=FlowPath.TERMINATING, shows=own).status == 200


def test_one_that_does_not_strip_lets_anybody_act_as_the_client(caller: Caller) -> None:
    fault = "balancer-keeps-certificate-header"
    assert caller.ask({HEADER: caller.line}, path=FlowPath.TERMINATING, fault=fault).status == 200


def test_the_backend_gets_the_header_only_where_that_is_configured(caller: Caller) -> None:
    assert HEADER.lower() not in str(caller.ask({HEADER: caller.line}).body["headers"]).lower()
    outbound = caller.ask({"X-Client-Cert": caller.line}, "apk-configured-gateway")
    assert "x-client-cert" in str(outbound.body["headers"]).lower()
    leaks = caller.ask({HEADER: caller.line}, fault="gateway-hands-certificate-header-on")
    assert HEADER.lower() in str(leaks.body["headers"]).lower()


def test_a_stranger_with_the_clients_name_is_refused(caller: Caller) -> None:
    second = (caller.lab.secrets / "apk-gateway-listener" / "tls.crt").read_bytes()
    der = ssl.PEM_cert_to_DER_cert(second.decode().partition(END)[0] + END)
    value = f"{BEGIN}{base64.b64encode(der).decode()}{END}"
    assert caller.ask({HEADER: value}).status == 401
    assert caller.ask({HEADER: value}, fault="gateway-trusts-any-certificate").status == 200
    assert caller.ask({HEADER: value}, fault="gateway-trusts-same-issuer").status == 200


def test_no_api_is_not_found(caller: Caller) -> None:
    assert caller.ask({HEADER: caller.line}, api="/elsewhere/1").status == 404
