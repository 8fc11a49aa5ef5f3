"""APK's rules on files: sound files have no finding, and each broken one has the one that it is broken for."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.catalogue.registry import catalogue
from harness.decode.exported_certificates import collect
from harness.decode.manifests import read
from harness.errors import UsageError
from harness.model.finding import Judgement, Severity
from harness.model.resource import Files
from harness.probes import manifests
from harness.products.apk.exports import FAULTS, REFERENCE
from harness.products.apk.rules import FILE_RULES, RULES, concerns, lint
from harness.products.registry import product_of_files
from harness.products.rules import Question

CONF = """
name: Employees
basePath: /employees
operations: [{target: /employee, verb: GET}]
authentication:
"""


def judged(files: Files, **how: str) -> Judgement:
    return lint(Question(files, collect(files), datetime.now(UTC), **how))


def of_text(text: str, **how: str) -> Judgement:
    resources, unread = read(text.encode(), "api.apk-conf")
    assert unread == []
    return judged(Files(resources), **how)


def found(judgement: Judgement, severity: Severity = Severity.ERROR) -> list[str]:
    return [each.requirement for each in judgement.sorted() if each.severity is severity]


def named_by(fault: str) -> list[str]:
    return [row.id for row in catalogue().requirements if fault in row.faults]


@pytest.mark.parametrize("export", REFERENCE, ids=lambda export: export.name)
def test_sound_files_have_no_finding(export: object) -> None:
    files = manifests.load([str(export.path)])  # type: ignore[attr-defined]
    assert concerns(files) and product_of_files(files) == "apk"
    assert judged(files).findings == []


def test_every_rule_has_something_to_look_at_in_sound_files() -> None:
    checked = {name for export in REFERENCE for name in judged(manifests.load([str(export.path)])).checked}
    assert checked == {rule.requirement for rule in RULES}


@pytest.mark.parametrize("name", FAULTS)
def test_a_mistake_is_found_where_it_is_and_nowhere_else(name: str) -> None:
    judgement = judged(manifests.load([str(FAULTS[name][1].path)]))
    serious = [each for each in judgement.findings if each.severity is not Severity.NOTE]
    assert [each.requirement for each in serious] == named_by(name)
    assert serious[0].fix and serious[0].line > 1


def test_rules_and_rows_are_the_same() -> None:
    rows = {row.id for row in catalogue().requirements for block in row.cells if block.exports == "apk"}
    assert rows == {rule.requirement for rule in RULES} == set(FILE_RULES.sources)


def test_the_documents_sample_is_right_in_the_profile_of_the_document() -> None:
    files = manifests.load([str(FAULTS["apk-document-place"][1].path)])
    assert found(judged(files, profile="document")) == []
    assert found(judged(files, profile="apk-1.2")) == ["APK-6-PLACE"]
    several = manifests.load([str(FAULTS["apk-several-sources"][1].path)])
    assert found(judged(several, profile="document"), Severity.WARNING) == []


def test_a_release_that_is_asked_for_counts_before_that_of_the_files() -> None:
    files = manifests.load([str(REFERENCE[0].path)])
    assert found(judged(files, release="1.3.0-alpha")) == ["APK-1-RELEASE"] * 3
    assert found(judged(manifests.load([str(FAULTS["apk-release-without-mtls"][1].path)]), release="1.2.0")) == []


def test_without_a_release_that_stays_open() -> None:
    text = f"{CONF}- {{authType: mTLS, required: mandatory, certificates: [{{name: elsewhere, key: tls.crt}}]}}"
    assert {"APK-1-RELEASE", "APK-1-REFERENCE"} <= of_text(text).undecided.keys()


@pytest.mark.parametrize(
    ("item", "requirement", "fix"),
    [
        ("{authType: mtls, certificates: [{name: a, key: b}]}", "APK-1-AUTHTYPE", "mTLS"),
        ("{authType: Oauth2}", "APK-1-AUTHTYPE", "OAuth2"),
        ("{required: mandatory}", "APK-1-AUTHTYPE", "one of"),
        ("{authType: OAuth2, required: Optional}", "APK-1-REQUIRED", "optional"),
        ("{authType: OAuth2, required: true}", "APK-1-REQUIRED", "one of"),
        ("{authType: OAuth2, Required: optional}", "APK-1-REQUIRED", "required"),
        ("{authType: mTLS, required: mandatory, certificates: []}", "APK-1-CERTIFICATES", "certificates:"),
        ("{authType: mTLS, required: mandatory, certificates: [{name: a}]}", "APK-1-REFERENCE", "key:"),
        ("{authType: mTLS, required: mandatory, certificatesInline: [x]}", "APK-1-SOURCE", "ConfigMap"),
    ],
)
def test_words_that_are_nearly_right(item: str, requirement: str, fix: str) -> None:
    judgement = of_text(f"{CONF}- {item}")
    assert found(judgement) == [requirement]
    assert fix in judgement.sorted()[0].fix


def test_what_is_off_needs_no_certificate() -> None:
    assert found(of_text(f"{CONF}- {{authType: mTLS, enabled: false}}")) == []


def test_a_placeholder_is_not_judged() -> None:
    config_map = "kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\ndata: {tls.crt: '{{ .Values.client }}'}\n---"
    item = "{authType: mTLS, required: mandatory, certificates: [{name: a, key: tls.crt}]}"
    judgement = of_text(f"{config_map}{CONF}- {item}")
    assert found(judgement) == [] and "APK-1-PEM" in judgement.undecided


@pytest.mark.parametrize("how", [{"release": "newest"}, {"profile": "apk-1.1"}])
def test_bad_options_are_refused(how: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        of_text(CONF, **how)


def test_apk_conf_files_are_found_in_folders(tmp_path: Path) -> None:
    (tmp_path / "employees.apk-conf").write_text(f"{CONF}- {{authType: ApiKeys}}", "utf-8")
    assert found(judged(manifests.load([str(tmp_path)]))) == ["APK-1-AUTHTYPE"]


def test_files_of_another_product_are_not_apks() -> None:
    resources, _ = read(
        b"kind: PortalCluster\napiVersion: portal.apiconnect.ibm.com/v1beta1\nspec: {}\n", "portal.yaml"
    )
    assert not concerns(Files(resources)) and product_of_files(Files(resources)) == "apic"
