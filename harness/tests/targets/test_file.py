"""Target files: the schema is valid, the examples fit it, mistakes are told by place and rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from harness import paths
from harness.catalogue.registry import catalogue
from harness.errors import UsageError
from harness.pki.deployment import Pki
from harness.products.registry import reference
from harness.targets import file as target_file
from harness.targets import rules
from harness.targets.schema import schema
from harness.targets.single_service import Service

KNOWN = catalogue().flows
EXAMPLES = sorted((paths.FIXTURES / "targets").glob("*.yaml"))


def document(**changes: Any) -> dict[str, Any]:
    server = {"url": "https://a.test:8443/x", "ca": "ca.crt", "posture": "jwt", **changes.pop("server", {})}
    return {"product": {"name": "a"}, "environment": "test", "servers": {"a": server}, **changes}


def parse(data: Any) -> target_file.TargetFile:
    return target_file.parse(data, Path("/folder/target.yaml"))


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_examples_fit(file: Path) -> None:
    found = target_file.read(file)
    assert list(rules.contradictions(found, KNOWN)) == []


def test_there_are_examples() -> None:
    assert {file.name for file in EXAMPLES} >= {"service.yaml", "api-connect.yaml"}


def test_paths_start_at_the_file_and_defaults_are_filled() -> None:
    found = parse(document())
    endpoint = found.endpoints["a"]
    assert endpoint.ca == Path("/folder/ca.crt")
    assert (endpoint.host, endpoint.port, endpoint.connect, endpoint.url_path) == (
        "a.test",
        8443,
        ("a.test", 8443),
        "/x",
    )
    assert (found.read_only, found.rate) == (False, 20.0)


def test_production_is_read_only_and_slow() -> None:
    found = parse(document(environment="production"))
    assert (found.read_only, found.rate) == (True, 5.0)


def test_a_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = parse(document()).secret({"env": "HOPPROOF_TEST_SECRET"})
    with pytest.raises(UsageError, match="HOPPROOF_TEST_SECRET"):
        secret.read("it")
    monkeypatch.setenv("HOPPROOF_TEST_SECRET", "text")
    assert secret.read("it") == b"text"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"server": {"url": "http://a.test"}}, "servers.a.url"),
        ({"server": {"url": "https://user@a.test/"}}, "servers.a.url"),
        ({"server": {"posture": "open"}}, "servers.a.posture"),
        ({"server": {"colour": "red"}}, "servers.a"),
        ({"environment": "staging"}, "environment"),
        ({"tokens": {"none": True, "captured": "x"}}, "exactly one of"),
        ({"tokens": {"jwks": {"listen": "0.0.0.0:1", "signing_key": "k"}}}, "tokens"),
        ({"client": {"certificate": "c", "key": "k", "ca_key": "k"}}, "client"),
        ({"servers": {}}, "servers"),
        ({"rate": 0}, "rate"),
        ({"dialect": {"refusal": {"status": 200}}}, "dialect.refusal"),
        ({"dialect": {"refusal": {"body": ""}}}, "dialect.refusal.body"),
        ({"dialect": {"refusal": {"header": {"name": "X-A: b", "value": "c"}}}}, "dialect.refusal.header"),
    ],
)
def test_a_mistake_is_reported_with_its_place(change: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(document(**change))
    assert said in str(caught.value)
    assert caught.value.exit_status == 2


def test_what_a_passthrough_is_compared_with() -> None:
    server = {"path": "passthrough", "origin": "[::1]:8443", "certificate_sha256": ":".join(["AB"] * 32)}
    (endpoint,) = parse(document(server=server)).endpoints.values()
    assert (endpoint.origin, endpoint.certificate_sha256) == (("::1", 8443), "ab" * 32)
    for wrong in ("ab" * 31, "xy" * 32):
        with pytest.raises(UsageError, match="certificate_sha256"):
            parse(document(server={**server, "certificate_sha256": wrong}))


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(yaml.safe_dump(document()) + "environment: lab\n", "utf-8")
    with pytest.raises(UsageError, match="duplicate key"):
        target_file.read(file)


@pytest.mark.parametrize(
    ("server", "rule"),
    [
        ({"posture": "jwt", "flows": ["v5c-gateway-to-analytics"]}, "CFG-6"),
        ({"posture": "jwt", "flows": ["event-gateway-to-analytics"]}, "CFG-7"),
        ({"posture": "tls-only", "flows": ["management-to-portal"]}, "CFG-1"),
        ({"posture": "jwt", "flows": ["management-to-event-gateway"]}, "no JWT alternative"),
        ({"posture": "default"}, "posture default"),
        ({"flows": ["management-to-nowhere"]}, "unknown flow"),
        ({"flows": ["management-to-portal", "management-to-analytics"]}, "different endpoints"),
        ({"path": "terminating", "posture": "jwt", "certificate_sha256": "ab" * 32}, "path is terminating"),
    ],
)
def test_a_contradiction_names_its_rule(server: dict[str, Any], rule: str) -> None:
    found = list(rules.contradictions(parse(document(server=server)), KNOWN))
    assert len(found) == 1
    assert rule in found[0]


@pytest.mark.parametrize("posture", ["mtls", "both"])
def test_a_v5c_gateway_and_mtls_agree(posture: str) -> None:
    data = document(server={"posture": posture, "flows": ["v5c-gateway-to-analytics", "management-to-analytics"]})
    assert list(rules.contradictions(parse(data), KNOWN)) == []


def test_an_endpoint_stands_once() -> None:
    one = {"url": "https://a.test", "ca": "ca.crt", "posture": "mtls", "flows": ["management-to-analytics"]}
    data = document(servers={"a": one, "b": {**one, "posture": "jwt", "flows": ["api-gateway-to-analytics"]}})
    assert "both the analytics endpoint" in next(rules.contradictions(parse(data), KNOWN))


@pytest.mark.parametrize(("version", "refused"), [("10.0.5.2", True), ("10.0.5.3", False), ("10.0.8.0", False)])
def test_jwt_needs_its_version(version: str, refused: bool) -> None:
    data = document(product={"name": "API Connect", "version": version}, server={"flows": ["management-to-portal"]})
    assert any("CFG-8" in text for text in rules.contradictions(parse(data), KNOWN)) is refused


def test_our_keys_do_not_sign_for_production() -> None:
    tokens = {"jwks": {"listen": "127.0.0.1:1", "signing_key": "k"}}
    found = list(rules.contradictions(parse(document(environment="production", tokens=tokens)), KNOWN))
    assert len(found) == 1
    assert "production" in found[0]


def test_the_one_liner_writes_a_target_file(tmp_path: Path) -> None:
    folder, key = tmp_path / "report", tmp_path / "hopproof-signing.key"
    file = Service("https://a.test/x", ca="ca.crt", audience="orders", jwks="ours").write(folder)
    found = target_file.read(file)
    assert found.endpoints["service"].posture == "jwt"
    assert found.tokens["claims"] == {"aud": "orders", "sub": "hopproof"}
    assert found.secret(found.tokens["jwks"]["signing_key"]).file == key
    assert [item.name for item in folder.iterdir()] == ["target.yaml"]
    assert key.stat().st_mode & 0o077 == 0
    before = key.read_bytes()
    Service("https://a.test/x", ca="ca.crt", jwks="ours").write(folder)
    assert key.read_bytes() == before


def test_the_one_liner_says_nothing_of_a_given_token_that_was_not_said(tmp_path: Path) -> None:
    service = Service("https://a.test/x", ca="ca.crt", audience="orders", token_env="TOKEN")
    found = target_file.read(service.write(tmp_path / "report"))
    assert (found.tokens["claims"], found.tokens["captured"]) == ({"aud": "orders"}, {"env": "TOKEN"})


@pytest.mark.parametrize(
    ("ca", "given"), [("ingress-ca/tls.crt", True), ("portal-ca/tls.crt", False), ("missing", False)]
)
def test_the_one_liner_knows_who_signed_the_client(tmp_path: Path, ca: str, given: bool) -> None:
    Pki.create(reference().pki).write(tmp_path / "d")
    secrets = tmp_path / "d" / "secrets"
    client = secrets / "portal-admin-client"
    service = Service(
        "https://a.test/x", ca=str(secrets / ca), cert=str(client / "tls.crt"), key=str(client / "tls.key")
    )
    found = target_file.read(service.write(tmp_path / "report")).endpoints["service"].client
    assert found is not None
    assert (found.ca.file if found.ca else None) == (secrets / ca if given else None)


def test_the_one_liner_takes_a_client_ca_apart_and_a_subject(tmp_path: Path) -> None:
    Pki.create(reference().pki).write(tmp_path / "d")
    secrets = tmp_path / "d" / "secrets"
    client, ca = secrets / "portal-admin-client", secrets / "ingress-ca"
    service = Service(
        "https://a.test/x",
        ca=str(secrets / "portal-ca" / "tls.crt"),
        cert=str(client / "tls.crt"),
        key=str(client / "tls.key"),
        client_ca=str(ca / "tls.crt"),
        client_ca_key=str(ca / "tls.key"),
        subject="CN=portal-admin-client,O=cert-manager",
    )
    found = target_file.read(service.write(tmp_path / "report")).endpoints["service"]
    assert found.subject == service.subject and found.client is not None
    assert found.client.ca and found.client.ca.file == ca / "tls.crt"
    assert found.client.ca_key and found.client.ca_key.secret.file == ca / "tls.key"


@pytest.mark.parametrize(
    "service",
    [
        Service("https://a.test/", ca="ca.crt", subject="CN=a"),
        Service("https://a.test/", ca="ca.crt", client_ca="b.crt"),
        Service("https://a.test/", ca="ca.crt", cert="c", key="k", client_ca_key="b.key"),
        Service("https://a.test/", ca=""),
        Service("http://a.test/", ca="ca.crt"),
        Service("https://a.test/", ca="ca.crt", cert="c"),
        Service("https://a.test/", ca="ca.crt", jwks="http://sts.test/certs"),
    ],
)
def test_a_one_liner_that_does_not_fit(tmp_path: Path, service: Service) -> None:
    with pytest.raises(UsageError):
        service.write(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"url": "nonsense"}, "--url: 'nonsense' is not an https URL"),
        ({"url": "https://a.test/?q=1"}, "--url: 'https://a.test/?q=1' is not an https URL"),
        ({"url": "https://a.test:99999/"}, "--url: Port out of range"),
        ({"connect": "x"}, "--connect: 'x' does not match"),
        ({"jwks": "http://sts.test/certs"}, "--jwks: plain HTTP cannot be judged"),
    ],
)
def test_a_flag_is_called_by_its_name(tmp_path: Path, flags: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        Service(**{"url": "https://a.test/", "ca": "ca.crt", **flags}).write(tmp_path / "report")
    assert str(refused.value).startswith(message) and "target.yaml" not in str(refused.value)


def test_the_kind_of_product_decides_which_documents_apply() -> None:
    data = document(
        product={"name": "Ours", "version": "10.0.5.2", "kind": "apic"}, server={"flows": ["management-to-portal"]}
    )
    assert any("CFG-8" in text for text in rules.contradictions(parse(data), KNOWN))
    data["product"]["kind"] = "service"
    found = list(rules.contradictions(parse(data), KNOWN))
    assert any("management-to-portal is a flow of apic, but product.kind is service" in text for text in found)


def test_an_unknown_product() -> None:
    data = document(product={"name": "Ours", "kind": "nonsense"})
    with pytest.raises(UsageError, match="unknown product 'nonsense'"):
        list(rules.contradictions(parse(data), KNOWN))
