"""``hopproof run`` on exported files: alone, and beside live servers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from harness import paths
from harness.config import validated
from harness.errors import UsageError
from harness.model.vocabulary import Level, Outcome
from harness.products.registry import file_rules
from harness.run.engine import Result
from harness.run.files import FileJudge, of_servers
from harness.run.run import Run
from harness.targets.reference_exports import reference_exports
from harness.tests.exports import Deployment, resource
from harness.writers.answer import headline
from harness.writers.coverage import reach

EXPORTS = paths.FIXTURES / "exports"


def run(report: Path, *targets: str, only: tuple[str, ...] = ()) -> Run:
    found = Run(validated({"target": list(targets), "report": str(report), "only": list(only)}))
    found.start(found.cases)
    found.finish()
    return found


def outcomes(found: Run) -> dict[str, str]:
    return {row["requirement"]: row["outcome"] for row in found.rows}


def test_what_the_files_do_not_have_is_not_asked_and_said(tmp_path: Path) -> None:
    found = run(tmp_path, f"exports:{EXPORTS / 'sound' / 'kubernetes'}")
    assert outcomes(found)["CFG-1"] == Outcome.PASS and found.status == 0
    assert {row["grade"] for row in found.rows} == {"config"}
    left_out = {item["case"].split("/")[1]: item for item in found.header()["withheld"]}
    assert not set(left_out) & set(outcomes(found))
    assert left_out["CFG-8"]["reason"] == "no subsystem in the files has jwksUrl set"
    said = headline(found.header(), found.rows, found.footer()).words
    checked = sum(row["level"] == Level.MUST for row in found.rows)
    nothing = sum(item.get("level") == Level.MUST for item in left_out.values())
    assert checked and nothing
    assert (
        said == f"what is in the files conforms: {checked} MUSTs on files were checked, {nothing} had nothing to check"
    )
    lines = reach(found.rows, found.header())
    assert any(line.startswith("  not checked: ") and "CFG-8" in line for line in lines)


@pytest.mark.parametrize(
    ("requirement", "change", "words"),
    [
        ("CFG-2", {"mtlsValidateClient": "$VALIDATE"}, "mtlsValidateClient is a placeholder"),
        ("CFG-1", {"mtlsValidateClient": "<true or false>"}, "mtlsValidateClient is a placeholder"),
        ("CFG-10", {"jwksUrl": "$JWKS"}, "jwksUrl is a placeholder"),
        ("CFG-8", {"version": "", "jwksUrl": "https://api.acme.com/api/cloud/oauth2/certs"}, "which release"),
        ("PKI-6", {"adminClientSubjectDN": "$DN"}, "adminClientSubjectDN is a placeholder"),
        ("PKI-6", {"adminClientSubjectDN": "portal-admin-client"}, "no distinguished name"),
    ],
)
def test_what_is_there_and_cannot_be_decided_is_not_shown(
    requirement: str, change: dict[str, str], words: str, tmp_path: Path
) -> None:
    deployment = Deployment()
    spec: dict[str, object] = {"adminClientSubjectDN": "CN=portal-admin-client,O=cert-manager", **change}
    portal = resource("PortalCluster", "portal", "apic", **spec)
    deployment.objects = {"portal": portal, "client": deployment.objects["portal-admin-client"]}
    (tmp_path / "export.yaml").write_text(deployment.text())
    found = run(tmp_path / "report", f"exports:{tmp_path / 'export.yaml'}")
    assert outcomes(found)[requirement] == Outcome.UNOBSERVED and found.status == 3
    assert words in next(row["reason"] for row in found.rows if row["requirement"] == requirement)
    assert requirement in found.not_shown[0].missing


def _data(secret: dict[str, object]) -> dict[str, str]:
    data = secret["data"]
    assert isinstance(data, dict)
    return data


@pytest.mark.parametrize("gone", ["ca.crt", "tls.crt"])
def test_a_certificate_that_cannot_be_verified_is_not_shown(gone: str, tmp_path: Path) -> None:
    deployment = Deployment()
    client = deployment.objects["portal-admin-client"]
    client["data"] = {name: value for name, value in _data(client).items() if name != gone}
    (tmp_path / "export.yaml").write_text(yaml.safe_dump(client))
    found = run(tmp_path / "report", f"exports:{tmp_path / 'export.yaml'}")
    row = next(row for row in found.rows if row["requirement"] == "PKI-16-FILES")
    assert (row["outcome"], found.status) == (Outcome.UNOBSERVED, 3)
    assert {"ca.crt": "no certificate in the files has signed it", "tls.crt": "it holds no certificate"}[gone] in row[
        "reason"
    ]


def test_a_mode_that_cannot_be_read_is_not_taken_for_an_api_gateway(tmp_path: Path) -> None:
    analytics = resource("AnalyticsCluster", "analytics", mtlsValidateClient=False, jwksUrl="https://api/x")
    gateway = resource("GatewayCluster", "gw", apicGatewayServiceV5CompatibilityMode="$V5C")
    (tmp_path / "export.yaml").write_text(yaml.safe_dump_all([analytics, gateway]))
    found = run(tmp_path / "report", f"exports:{tmp_path / 'export.yaml'}", only=("CFG-6",))
    assert outcomes(found) == {"CFG-6": Outcome.UNOBSERVED} and found.status == 3


def test_nothing_that_anything_is_about(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    with pytest.raises(UsageError, match=r"no rule is about what is in .*a.yaml: 1 ConfigMap") as caught:
        run(tmp_path / "report", f"exports:{tmp_path / 'a.yaml'}")
    assert "for IBM API Connect: ManagementCluster" in caught.value.hint and "WSO2 APK: apk-conf" in caught.value.hint


def test_what_is_not_yaml_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: [1,\nb: {")
    with pytest.raises(UsageError, match=r"nothing usable in .*a.yaml: .*a.yaml:\d+: not valid YAML"):
        run(tmp_path / "report", f"exports:{tmp_path / 'a.yaml'}")


def test_a_selection_of_what_the_files_do_not_have(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'CFG-8' does not apply here: no subsystem in the files has jwksUrl set"):
        run(tmp_path, f"exports:{EXPORTS / 'sound' / 'kubernetes'}", only=("CFG-1", "CFG-8"))
    found = Run(
        validated(
            {"target": [f"exports:{EXPORTS / 'sound' / 'kubernetes'}"], "report": str(tmp_path), "skip": ["CFG-8=none"]}
        )
    )
    assert found.cases  # what does not apply may be skipped as well


def test_what_was_checked_conforms(tmp_path: Path) -> None:
    found = run(tmp_path, f"exports:{EXPORTS / 'sound' / 'kubernetes'}", only=("CFG-1", "CFG-2", "CFG-6"))
    assert found.status == 0


def test_a_broken_export(tmp_path: Path) -> None:
    found = run(tmp_path, f"exports:{EXPORTS / 'broken' / 'CFG-1.yaml'}")
    assert found.status == 1 and outcomes(found)["CFG-1"] == Outcome.FAIL
    row = next(json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines() if '"CFG-1"' in line)
    assert row["evidence"]["extra"]["files"]["findings"][0]["line"] == 7


def test_beside_servers_of_ours_nothing_is_compared(tmp_path: Path) -> None:
    found = run(tmp_path, "embedded", f"exports:{EXPORTS / 'sound' / 'jwt'}", only=("CFG-10",))
    assert "CFG-19" not in outcomes(found)
    assert {row["grade"] for row in found.rows} == {"config", "both-sides"}


@pytest.mark.parametrize("target", ["exports:", "exports:/no/such/folder", ["embedded", "containers"]])
def test_wrong_usage(target: object, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        Run(validated({"target": target, "report": str(tmp_path)}))


def test_an_unreadable_manifest_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: PortalCluster\nspec: [\n")
    (tmp_path / "b.yaml").write_bytes((EXPORTS / "sound" / "jwt" / "others.yaml").read_bytes())
    with pytest.raises(UsageError, match="cannot be read"):
        Run(validated({"target": f"exports:{tmp_path}", "report": str(tmp_path / "report")}))


def test_what_cannot_be_judged_is_no_pass(tmp_path: Path) -> None:
    found = Run(validated({"target": "embedded", "report": str(tmp_path), "only": ["CFG-8"]}))
    results: list[Result] = []

    def source(_product: str) -> object:
        raise UsageError("gone")

    FileJudge(source, found.catalogue.classes).run(found.cases, results.append)  # type: ignore[arg-type]
    assert {result.verdict.outcome for result in results} == {Outcome.HARNESS_ERROR}


@pytest.mark.parametrize("fault", sorted(file_rules()["apic"].faults))
def test_a_fault_of_files_breaks_what_it_names(fault: str, tmp_path: Path) -> None:
    found = Run(validated({"target": "embedded", "fault": fault, "report": str(tmp_path), "only": ["exports"]}))
    results: list[Result] = []
    FileJudge(reference_exports, found.catalogue.classes).run(found.cases, results.append, fault)
    broken = {result.case.requirement.id for result in results if result.verdict.outcome is Outcome.FAIL}
    assert set(found.catalogue.breaks(fault)) <= broken
    assert of_servers(fault) == ""
