"""The patch of a finding, applied by another's library, takes the finding away and brings no other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import jsonpatch
import pytest
import yaml

from harness import paths
from harness.decode.exported_certificates import collect
from harness.decode.manifests import read
from harness.model.finding import Finding
from harness.model.resource import Files
from harness.products.registry import file_rules
from harness.products.rules import Export, Question
from harness.tests.edited import edited
from harness.writers.file_edits import file_edits

DECIDE = {
    "export-override-incomplete": "which image it is",
    "export-setting-below": "which of the two values is meant",
    "export-services-between-sites": "the platform API's host is not in the files",
    "export-keys-in-part": "the section is copied into the top-level resource first",
    "export-long-names": "a name does not change; the object is made anew",
    "export-switch-no-truth-value": "'false' alone would leave nobody verified",
    "PKI-8": "which of the two subjects is meant",
    "export-ca-not-copied": "the object is to be deleted",
    "export-other-ca": "a secret is to be copied",
    "export-former-key": "a certificate is to be signed",
    "export-expired": "a certificate is to be signed",
    "export-not-what-runs": "files and server differ, and neither is wrong",
    "apk-conf-without-certificates": "which ConfigMap",
    "apk-resource-without-certificates": "which ConfigMap",
    "apk-secret-in-place-of-config-map": "a ConfigMap is to be made",
    "apk-cut-certificate": "the whole certificate is not in the files",
    "apk-inline-in-conf": "a ConfigMap is to be made",
    "apk-secret-refs-in-conf": "a ConfigMap is to be made",
    "apk-release-without-mtls": "which release, or who verifies instead",
    "apk-required-left-out": "mandatory or optional",
    "apk-no-target": "which API",
    "apk-mtls-on-resource": "which API",
    "apk-former-version": "apiVersion cannot be patched",
    "apk-several-sources": "which source",
}
FAULTS = {
    name: (product, export) for product, rules in file_rules().items() for name, (_, export) in rules.faults.items()
}
WITHOUT_FAULT = (Export(name, paths.FIXTURES / "exports" / "broken" / f"{name}.yaml") for name in ("PKI-7", "PKI-8"))
FAULTS |= {export.name: ("apic", export) for export in WITHOUT_FAULT}
NOW = datetime.now(UTC)


def text_of(export: Export) -> bytes:
    if export.make is not None:
        return export.make(NOW)
    assert export.path is not None
    return export.path.read_bytes()


def question(text: bytes) -> Question:
    resources, unread = read(text, "export.yaml")
    assert unread == []
    files = Files(resources, [], unread, 1)
    return Question(files, collect(files), NOW)


def objects(text: bytes) -> Iterator[object]:
    for document in yaml.safe_load_all(text):
        if isinstance(document, dict) and str(document.get("kind", "")).endswith("List") and "items" in document:
            yield from document["items"]
        elif document is not None:
            yield document


def seen(finding: Finding) -> tuple[str, str, str]:
    return finding.requirement, finding.object, finding.message


def patched(text: bytes, asked: Question, finding: Finding) -> bytes:
    assert finding.patch is not None
    found = list(objects(text))
    place = next(number for number, each in enumerate(asked.files.resources) if each is finding.patch.resource)
    found[place] = jsonpatch.apply_patch(found[place], finding.patch.document())
    return yaml.safe_dump_all(found, sort_keys=False).encode()


@pytest.mark.parametrize("fault", [name for name in FAULTS if name not in DECIDE])
def test_an_applied_patch_takes_its_finding_away(fault: str) -> None:
    product, export = FAULTS[fault]
    lint = file_rules()[product].lint
    text = text_of(export)
    asked = question(text)
    before = lint(asked).findings
    with_patch = [finding for finding in before if finding.patch is not None]
    assert with_patch
    for finding in with_patch:
        after = {seen(each) for each in lint(question(patched(text, asked, finding))).findings}
        assert seen(finding) not in after
        assert after - set(map(seen, before)) == set()


@pytest.mark.parametrize("fault", [name for name in FAULTS if name not in DECIDE])
def test_the_edit_of_the_file_is_what_the_patch_says(fault: str) -> None:
    product, export = FAULTS[fault]
    lint = file_rules()[product].lint
    text = text_of(export)
    asked = question(text)
    for finding in lint(asked).findings:
        if finding.patch is not None:
            changes = file_edits(finding.patch, text.decode())
            assert changes
            changed = edited(text.decode(), changes).encode()
            assert list(objects(changed)) == list(objects(patched(text, asked, finding)))


@pytest.mark.parametrize("fault", DECIDE)
def test_where_somebody_has_to_decide_there_is_no_patch_but_a_word_on_it(fault: str) -> None:
    product, export = FAULTS[fault]
    findings = file_rules()[product].lint(question(text_of(export))).findings
    assert [finding.patch for finding in findings if finding.patch is not None] == []
    assert all(finding.fix for finding in findings)


@pytest.mark.parametrize(
    ("written", "beside", "meant"),
    [
        ('"true"', "", True),
        ("' False '", "jwksUrl: https://api.acme.com/api/cloud/oauth2/certs", False),
        ("'false'", "", None),
        ("perhaps", "", None),
    ],
)
def test_a_quoted_truth_value_is_taken_for_what_it_says(written: str, beside: str, meant: bool | None) -> None:
    spec = [f"  mtlsValidateClient: {written}", *([f"  {beside}"] if beside else [])]
    head = ["apiVersion: portal.apiconnect.ibm.com/v1beta1", "kind: PortalCluster", "metadata: {name: portal}", "spec:"]
    findings = file_rules()["apic"].lint(question("\n".join([*head, *spec]).encode())).findings
    (found,) = [each for each in findings if each.requirement == "CFG-2"]
    assert (None if found.patch is None else found.patch.operations[0].value) is meant


def test_with_a_top_level_resource_its_section_is_patched() -> None:
    text = yaml.safe_dump_all(
        [
            {
                "apiVersion": "apiconnect.ibm.com/v1beta1",
                "kind": "APIConnectCluster",
                "metadata": {"name": "apic"},
                "spec": {"portal": {"mtlsValidateClient": False}},
            },
            {
                "apiVersion": "portal.apiconnect.ibm.com/v1beta1",
                "kind": "PortalCluster",
                "metadata": {"name": "apic-ptl"},
                "spec": {"mtlsValidateClient": False},
            },
        ]
    ).encode()
    (found,) = [each for each in file_rules()["apic"].lint(question(text)).findings if each.requirement == "CFG-1"]
    assert found.patch is not None and found.object == "PortalCluster apic-ptl"
    assert found.patch.resource.kind == "APIConnectCluster"
    assert found.patch.document() == [{"op": "add", "path": "/spec/portal/mtlsValidateClient", "value": True}]


def test_no_patch_holds_a_key() -> None:
    for product, export in FAULTS.values():
        for finding in file_rules()[product].lint(question(text_of(export))).findings:
            assert finding.patch is None or "PRIVATE" not in json.dumps(finding.patch.document())
