"""A target file with modes against our own APK gateway, which plays somebody else's: straight and through a proxy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.config import Options
from harness.errors import UsageError
from harness.lab.protocol import Entrypoint
from harness.lab.reference import ReferenceLab
from harness.model.case import Setup
from harness.model.vocabulary import Path as FlowPath
from harness.model.vocabulary import Posture
from harness.products.apk.header import HEADER
from harness.run.run import Run
from harness.targets import file as target_file
from harness.targets.deployment import Deployment
from harness.targets.named import target_of
from harness.tests.places import of, run_of

_BODY = '{"name": "{nonce}"}'


class Gateways:
    """Writes target files for the lab's gateway."""

    def __init__(self, lab: ReferenceLab, folder: Path) -> None:
        self.lab, self.folder = lab, folder
        first, second = (lab.secrets / name for name in ("apk-employee-client", "apk-employee-client-2"))
        self.client: dict[str, Any] = {
            "certificate": str(first / "tls.crt"),
            "key": str(first / "tls.key"),
            "ca": str(first / "ca.crt"),
            "ca_key": str(lab.secrets / "ingress-ca" / "tls.key"),
            "second": {"certificate": str(second / "tls.crt"), "key": str(second / "tls.key")},
        }

    def server(self, mtls: str, oauth2: str, path: str, fault: str = "", variant: str = "") -> dict[str, Any]:
        setup = Setup("apk-gateway", Posture.JWT, FlowPath(path), fault, variant)
        door = self.lab.open([setup])[setup]
        assert isinstance(door, Entrypoint)
        api = f"/mtls-{mtls}-oauth2-{oauth2}/3.14/employee"
        return {
            "url": f"https://{door.address.server_name}:{door.address.port}{api}",
            "connect": f"127.0.0.1:{door.address.port}",
            "ca": str(door.ca),
            "path": path,
            "modes": {"mtls": mtls, "oauth2": oauth2},
            "request": {"method": "POST", "body": _BODY, "success": 200},
        }

    def file(self, servers: Mapping[str, Any], **product: str) -> Path:
        data = {
            "product": {"name": "gateway", "kind": "apk", **product},
            "environment": "lab",
            "rate": 1000,
            "servers": servers,
            "client": self.client,
            "tokens": {
                "signing_key": str(self.lab.secrets.parent / "jwt" / "signing.key"),
                "claims": {"iss": "https://idp.am.wso2.test/token", "aud": "employees", "sub": "client"},
            },
        }
        file = self.folder / "target.yaml"
        file.write_text(yaml.safe_dump(data), "utf-8")
        return file


@pytest.fixture
def gateways(lab: ReferenceLab, tmp_path: Path) -> Gateways:
    return Gateways(lab, tmp_path)


_APK = ("apk/*",)


@pytest.mark.parametrize("oauth2", ["mandatory", "optional", "disabled"])
@pytest.mark.parametrize("mtls", ["mandatory", "optional", "disabled"])
def test_each_combination_conforms_straight_at_the_gateway(gateways: Gateways, mtls: str, oauth2: str) -> None:
    server = {**gateways.server(mtls, oauth2, "direct"), "certificate_header": HEADER}
    run = run_of(gateways.file({"straight": server}), only=_APK)
    assert (run.status, of(run, "FAIL"), of(run, "WRONG_REASON"), of(run, "UNOBSERVED")) == (0, set(), set(), set())
    assert {"tls-no-cert", "ta-unknown-ca"} <= of(run, "PASS") and "header-malformed" in of(run, "PASS")


@pytest.mark.parametrize(("mtls", "oauth2"), [("mandatory", "mandatory"), ("optional", "optional")])
def test_a_gateway_conforms_through_its_proxy(gateways: Gateways, mtls: str, oauth2: str) -> None:
    run = run_of(gateways.file({"proxied": gateways.server(mtls, oauth2, "terminating")}), only=_APK)
    assert (run.status, of(run, "FAIL"), of(run, "WRONG_REASON")) == (0, set(), set())
    assert any(row["requirement"] == "APK-8" and row["outcome"] == "PASS" for row in run.rows)
    assert not any("header-cut" in row["stimulus"] for row in run.rows), "the proxy sets the header"


@pytest.mark.parametrize(
    ("fault", "mtls", "oauth2", "path", "broken"),
    [
        ("gateway-trusts-any-certificate", "mandatory", "disabled", "direct", "APK-2"),
        ("gateway-trusts-same-key", "mandatory", "mandatory", "direct", "APK-4-EXACT"),
        ("gateway-trusts-same-serial", "mandatory", "mandatory", "direct", "APK-4-EXACT"),
        ("gateway-mandatory-certificate-optional", "mandatory", "mandatory", "direct", "APK-2"),
        ("gateway-certificate-replaces-token", "mandatory", "mandatory", "direct", "APK-7"),
        ("gateway-optional-wrong-certificate-ignored", "optional", "mandatory", "direct", "APK-3"),
        ("gateway-optional-means-nothing", "optional", "optional", "direct", "APK-3-NONE"),
        ("gateway-unreadable-certificate-passes", "mandatory", "optional", "direct", "APK-5-FORMS"),
        ("gateway-other-error-code", "mandatory", "mandatory", "direct", "APK-10"),
        ("gateway-answers-forbidden", "mandatory", "mandatory", "direct", "APK-10"),
        ("balancer-keeps-certificate-header", "mandatory", "optional", "terminating", "APK-8"),
        ("balancer-keeps-certificate-header", "optional", "optional", "terminating", "APK-8"),
    ],
)
def test_a_bad_gateway_is_caught(
    gateways: Gateways, fault: str, mtls: str, oauth2: str, path: str, broken: str
) -> None:
    server = gateways.server(mtls, oauth2, path, fault)
    header = {} if path == "terminating" else {"certificate_header": HEADER}
    run = run_of(gateways.file({"gateway": {**server, **header}}), only=_APK)
    bad = {row["requirement"] for row in run.rows if row["outcome"] in ("FAIL", "WRONG_REASON")}
    assert run.status == 1 and broken in bad


def test_another_code_is_a_matter_of_one_row(gateways: Gateways) -> None:
    server = gateways.server("mandatory", "mandatory", "direct", "gateway-other-error-code")
    run = run_of(gateways.file({"gateway": {**server, "certificate_header": HEADER}}), only=_APK)
    assert {row["requirement"] for row in run.rows if row["outcome"] != "PASS"} == {"APK-10"}


def test_tokens_are_judged_of_a_client_that_needs_no_certificate(gateways: Gateways) -> None:
    server = gateways.server("optional", "optional", "direct", "gateway-skips-token-signature")
    run = run_of(gateways.file({"gateway": {**server, "certificate_header": HEADER}}))
    bad = {row["flow"] for row in run.rows if row["requirement"] == "JWT-13-SIGNATURE" and row["outcome"] == "FAIL"}
    assert bad == {"client-by-token-to-gateway"}


_URL_ENCODED = {"certificate_header": HEADER, "certificate_encoding": "url-encoded-pem"}


@pytest.mark.parametrize(
    ("mtls", "oauth2"), [("mandatory", "mandatory"), ("mandatory", "disabled"), ("optional", "optional")]
)
def test_a_gateway_that_reads_a_url_encoded_header_conforms_straight(
    gateways: Gateways, mtls: str, oauth2: str
) -> None:
    server = gateways.server(mtls, oauth2, "direct", variant="url-encoded-certificates")
    run = run_of(gateways.file({"straight": {**server, **_URL_ENCODED}}), only=_APK)
    assert (run.status, of(run, "FAIL"), of(run, "WRONG_REASON"), of(run, "UNOBSERVED")) == (0, set(), set(), set())
    assert {"ta-unknown-ca", "header-malformed", "header-cut", "header-no-markers"} <= of(run, "PASS")
    assert ("header-url-encoded" in of(run, "PASS")) is (mtls == "mandatory")


@pytest.mark.parametrize(
    ("fault", "broken"),
    [
        ("gateway-trusts-any-certificate", "APK-2"),
        ("gateway-trusts-same-key", "APK-4-EXACT"),
        ("gateway-unreadable-certificate-passes", "APK-5-FORMS"),
        ("gateway-needs-no-markers", "APK-5-FORMS"),
    ],
)
def test_a_bad_one_that_reads_a_url_encoded_header_is_caught(gateways: Gateways, fault: str, broken: str) -> None:
    server = gateways.server("mandatory", "disabled", "direct", fault, "url-encoded-certificates")
    run = run_of(gateways.file({"straight": {**server, **_URL_ENCODED}}), only=_APK)
    bad = {row["requirement"] for row in run.rows if row["outcome"] in ("FAIL", "WRONG_REASON")}
    assert run.status == 1 and broken in bad


def test_one_that_decodes_what_it_should_not_is_caught(gateways: Gateways) -> None:
    server = gateways.server("mandatory", "mandatory", "direct", "gateway-always-url-decodes")
    run = run_of(gateways.file({"straight": {**server, "certificate_header": HEADER}}), only=_APK)
    assert {row["case"] for row in run.rows if row["outcome"] == "FAIL"} == {
        "apk/APK-5-ENCODED/client-to-straight/jwt/direct/header-url-encoded"
    }


@pytest.mark.parametrize(
    ("variant", "stated", "expected"),
    [("url-encoded-certificates", "pem", "url-encoded-pem"), ("", "xfcc", "pem")],
)
def test_the_encoding_that_would_be_served_is_named(
    gateways: Gateways, variant: str, stated: str, expected: str
) -> None:
    server = gateways.server("mandatory", "mandatory", "direct", variant=variant)
    file = gateways.file({"straight": {**server, "certificate_header": HEADER, "certificate_encoding": stated}})
    run = run_of(file, only=_APK)
    assert run.status == 3
    assert f"as {stated}, and served with it as {expected}" in str(run.trouble)
    assert f"say certificate_encoding: {expected} in the target file" in str(run.trouble)


@pytest.mark.parametrize(("profile", "mode"), [("document", "mandatory"), ("apk-1.2", "optional"), ("", "optional")])
def test_the_profile_says_what_default_means(gateways: Gateways, profile: str, mode: str) -> None:
    server = {**gateways.server("mandatory", "mandatory", "direct"), "certificate_header": HEADER}
    server["modes"] = {"mtls": "default", "oauth2": "default"}
    file = gateways.file({"gateway": server}, **({"profile": profile} if profile else {}))
    target = target_of(Options(target=str(file)))
    claim = target.claims[0]
    assert (target.profile, claim.optional, claim.token) == (profile or "apk-1.2", mode == "optional", True)
    assert target_of(Options(target=str(file), profile="document")).profile == "document"


@pytest.mark.parametrize(
    ("product", "server", "text"),
    [
        ({"kind": "service"}, {}, "must name the gateway's product"),
        ({"profile": "apk-1.1"}, {}, "unknown profile 'apk-1.1'; one of apk-1.2, document"),
        ({}, {"posture": "jwt"}, "modes and posture exclude each other"),
        ({}, {"flows": ["management-to-portal"]}, "modes and flows exclude each other"),
        ({}, {"path": "terminating", "certificate_header": HEADER}, "is for the gateway itself"),
        ({}, {"certificate_header": HEADER, "certificate_encoding": "der"}, "'der' is not one of ['pem', "),
        ({}, {"certificate_encoding": "pem"}, "'certificate_header' is a dependency of 'certificate_encoding'"),
        ({}, {"modes": {"mtls": "mandatory"}}, "'oauth2' is a required property"),
        ({}, {"modes": {"mtls": "required", "oauth2": "optional"}}, "'required' is not one of"),
    ],
)
def test_mistakes_are_refused(gateways: Gateways, product: dict[str, str], server: dict[str, Any], text: str) -> None:
    whole = {**gateways.server("mandatory", "mandatory", "direct"), **server}
    with pytest.raises(UsageError) as raised:
        Deployment.load(gateways.file({"gateway": whole}, **product))
    assert text in str(raised.value)


def test_a_header_without_modes_is_refused(gateways: Gateways) -> None:
    server = {**gateways.server("mandatory", "mandatory", "direct"), "certificate_header": HEADER, "posture": "jwt"}
    del server["modes"]
    with pytest.raises(UsageError, match="is only for an endpoint with modes"):
        Deployment.load(gateways.file({"gateway": server}, kind="service"))


def test_the_second_certificate_must_be_another_one(gateways: Gateways) -> None:
    gateways.client["second"] = {name: gateways.client[name] for name in ("certificate", "key")}
    with pytest.raises(UsageError, match="is client.certificate itself"):
        Deployment.load(gateways.file({"gateway": gateways.server("mandatory", "mandatory", "direct")}))


def test_without_one_what_needs_it_is_left_out(gateways: Gateways) -> None:
    del gateways.client["second"]
    server = {**gateways.server("mandatory", "mandatory", "direct"), "certificate_header": HEADER}
    run = Run(Options(target=str(gateways.file({"gateway": server})), report=gateways.folder / "report"))
    assert not any("id-second-registered" in case.id for case in run.cases)
    assert "client.second" in str(run.header()["withheld"])


def test_an_endpoint_without_modes_has_none(gateways: Gateways) -> None:
    endpoint = target_file.read(gateways.file({"gateway": gateways.server("optional", "disabled", "direct")}))
    assert dict(endpoint.endpoints["gateway"].modes) == {"mtls": "optional", "oauth2": "disabled"}
