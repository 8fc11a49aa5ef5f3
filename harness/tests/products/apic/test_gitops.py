"""GitOps folders of published installations, in our own words: a top-level resource, and gateways in namespaces of
their own, each with a copy of ingress-ca that only its kustomization puts into a namespace."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from harness.decode.exported_certificates import collect
from harness.pki.issue import Identity
from harness.probes.manifests import load
from harness.products.apic.operations.files import renew
from harness.products.apic.rules import certificates, lint
from harness.products.rules import Question
from harness.tests.exports import NOW, authority, resource, secret
from harness.writers import runbook as writer

TOP = {
    "apiVersion": "apiconnect.ibm.com/v1beta1",
    "kind": "APIConnectCluster",
    "metadata": {"name": "apic", "namespace": "apic"},
    "spec": {"version": "10.0.5.2", "disabledServices": ["gateway", "portal"]},
}


def gateway(namespace: str, ca: Identity) -> list[dict[str, object]]:
    copy = secret("apic-ingress-ca", ca, ca, namespace="", issuer="apic-self-signed")
    endpoint = {
        "annotations": {"cert-manager.io/issuer": "ingress-issuer"},
        "hosts": [{"name": f"gwd.{namespace}.acme.com", "secretName": "apigw-manager-endpoint"}],
    }
    return [copy, resource("GatewayCluster", "apigw", namespace, gatewayManagerEndpoint=endpoint)]


def write(folder: Path, namespace: str, objects: list[dict[str, object]]) -> None:
    (folder / namespace).mkdir()
    (folder / namespace / "objects.yaml").write_text(yaml.safe_dump_all(objects))
    kustomization = {"kind": "Kustomization", "namespace": namespace, "resources": ["objects.yaml"]}
    (folder / namespace / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))


@pytest.fixture
def asked(tmp_path: Path) -> Question:
    ca = authority()
    (tmp_path / "apic.yaml").write_text(yaml.safe_dump(TOP))
    for namespace in ("gw-dev", "gw-test"):
        write(tmp_path, namespace, gateway(namespace, ca))
    files = load([str(tmp_path)])
    return Question(files, collect(files), NOW, "", "")


def test_release_and_platform_of_a_top_level_resource_without_sections(asked: Question) -> None:
    asked.files.resources[:] = [each for each in asked.files.resources if each.kind == TOP["kind"]]
    heading = lint(asked).heading
    assert heading.startswith("API Connect 10.0.5.2 (from the files) on OpenShift")


def test_what_a_kustomization_puts_into_a_namespace_is_there(asked: Question) -> None:
    book = renew(asked, "ingress-ca")
    commands = [writer.line(command) for step in book.steps for command in step.commands]
    assert not any("current namespace" in row[0] for row in book.before[0].rows)
    for namespace in ("gw-dev", "gw-test"):
        assert any(f"--namespace={namespace}" in line and "apply --server-side" in line for line in commands)
    assert all(line.startswith("oc ") for line in commands)


def test_a_secret_of_any_name_is_for_what_its_endpoint_is(asked: Question) -> None:
    rows = {row[0]: row[1] for row in renew(asked, "ingress-ca").before[0].rows}
    assert rows["apigw-manager-endpoint (namespace gw-dev)"] == "the gateway's manager endpoint"


def test_one_line_for_many_copies(asked: Question) -> None:
    page = certificates(asked)
    assert page.count(": signs every certificate between subsystems") == 1
    assert "apic-ingress-ca (2 of them): signs" in page and "a copy: cert-manager does not renew it here" in page


def test_a_copy_that_differs_is_found_in_another_namespace(asked: Question, tmp_path: Path) -> None:
    assert "PKI-14" in lint(asked).checked
    stale = authority(start=NOW - timedelta(days=900))
    write(tmp_path, "gw-old", gateway("gw-old", stale))
    files = load([str(tmp_path)])
    found = [
        each for each in lint(Question(files, collect(files), NOW, "", "")).findings if each.requirement == "PKI-14"
    ]
    assert [each.object for each in found] == ["Secret gw-old/apic-ingress-ca"]


@pytest.mark.parametrize(("ca", "words"), [("mgmt-ca", "(management-ca|mgmt-ca)$"), ("ingress-ca", "ingress-issuer$")])
def test_issuers_have_short_names_too(asked: Question, ca: str, words: str) -> None:
    assert any(words in writer.line(command) for command in renew(asked, ca).steps[0].commands)
