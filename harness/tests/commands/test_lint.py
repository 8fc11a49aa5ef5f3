"""``hopproof lint`` and ``hopproof certs`` from the command line: exit statuses, formats, and what they never print."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from harness import paths
from harness.cli import main
from harness.tests.exports import Deployment

EXPORTS = paths.FIXTURES / "exports"
SOUND, BROKEN = EXPORTS / "sound" / "kubernetes", EXPORTS / "broken"

Run = tuple[int, str, str]


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Run:
    try:
        status = main([str(each) for each in arguments])
    except SystemExit as end:
        status = int(str(end.code))
    message = capsys.readouterr()
    assert "Traceback" not in message.err
    return status, message.out, message.err


def test_sound_files(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "lint", SOUND)
    assert status == 0
    assert out.splitlines()[0].startswith("API Connect 10.0.8.1 (from the files) on Kubernetes; 15 objects")
    assert out.splitlines()[-1] == "0 errors, 0 warnings, 0 notes."


def test_the_json_of_the_contract(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "lint", BROKEN / "CFG-1.yaml", "--format", "json")
    content = json.loads(out)
    assert status == 1
    (finding,) = content["findings"]
    assert list(finding) == ["requirement", "severity", "file", "line", "object", "path", "message", "fix", "patch"]
    assert finding["patch"]["operations"] == [{"op": "add", "path": "/spec/mtlsValidateClient", "value": True}]
    assert (finding["patch"]["kind"], finding["patch"]["namespace"]) == ("PortalCluster", "apic")
    assert finding["patch"]["command"] == (
        "kubectl patch portalcluster.portal.apiconnect.ibm.com portal -n apic --type=json"
        """ -p '[{"op": "add", "path": "/spec/mtlsValidateClient", "value": true}]'"""
    )
    assert (finding["requirement"], finding["severity"], finding["line"]) == ("CFG-1", "error", 7)
    assert finding["object"] == "PortalCluster apic/portal" and finding["path"] == "spec.mtlsValidateClient"
    assert content["checked"]["CFG-1"] == 1 and content["not_checked"]["PKI-16"]
    assert (content["release"], content["platform"]) == ("10.0.8.1", "kubernetes")


def test_warnings_fail_where_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "lint", BROKEN / "CFG-12.yaml")[0] == 0
    assert run(capsys, "lint", BROKEN / "CFG-12.yaml", "--fail-on", "warning")[0] == 1
    assert run(capsys, "lint", SOUND, "--fail-on", "warning")[0] == 0


def test_sarif(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "lint", BROKEN / "CFG-10.yaml", "--format", "sarif")
    content = json.loads(out)
    (result,) = content["runs"][0]["results"]
    assert (status, content["version"], result["ruleId"], result["level"]) == (1, "2.1.0", "CFG-10", "error")
    location = result["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"].endswith("broken/CFG-10.yaml") and location["region"] == {"startLine": 8}
    assert result["ruleId"] in {rule["id"] for rule in content["runs"][0]["tool"]["driver"]["rules"]}


def test_junit(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "lint", BROKEN / "CFG-16.yaml", "--format", "junit")
    suite = ET.fromstring(out).find("testsuite")
    assert suite is not None and status == 1
    assert (suite.get("failures"), suite.get("errors")) == ("2", "0")
    failed = {case.get("name", "").split()[0] for case in suite if case.find("failure") is not None}
    assert failed == {"CFG-1", "CFG-16"}
    skipped = sum(case.find("skipped") is not None for case in suite)
    assert suite.get("skipped") == str(skipped) and suite.get("tests") == str(len(list(suite)))
    _, out, _ = run(capsys, "lint", BROKEN / "CFG-12.yaml", "--format", "junit")
    assert 'failures="0"' in out


def test_patches_as_a_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "patches"
    files = [BROKEN / f"{name}.yaml" for name in ("CFG-12", "CFG-16", "CFG-17", "PKI-14")]
    status, out, err = run(capsys, "lint", *files, "--platform", "openshift", "--patches", folder, "--format", "json")
    written = [finding["patch"]["operations"] for finding in json.loads(out)["findings"] if finding["patch"]]
    names = sorted(path.name for path in folder.glob("*.json"))
    assert status == 1 and err.startswith(
        f"Patches in {folder}: {len(names)}, applied by apply.sh; findings without one: 1"
    )
    assert [name.partition("-")[2] for name in names] == [
        "CFG-1-analyticscluster-apic-analytics.json",  # CFG-16 asks for the same
        "CFG-17-CFG-17.json",
        "CFG-12-gatewaycluster-apic-gwv6.json",
    ]
    assert all(json.loads((folder / name).read_text("utf-8")) in written for name in names)
    script = (folder / "apply.sh").read_text("utf-8")
    lines = [line for line in script.splitlines() if line.startswith("oc ")]
    target = "oc patch analyticscluster.analytics.apiconnect.ibm.com analytics -n apic --type=json"
    assert lines[0] == f"{target} --patch-file={names[0]}" and len(lines) == 2
    assert "# CFG-1 error" in script and "# CFG-16 error" in script
    assert subprocess.run(["/bin/sh", "-n", folder / "apply.sh"], check=False).returncode == 0


def test_without_a_patch_no_folder_is_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, _, err = run(capsys, "lint", SOUND, "--patches", tmp_path / "patches", "--format", "json")
    assert status == 0 and err.startswith(f"No patches, nothing written to {tmp_path / 'patches'}")
    assert not (tmp_path / "patches").exists()


def test_of_two_patches_of_one_field_one_is_to_be_chosen(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = (BROKEN / "CFG-8.yaml").read_text("utf-8").replace("10.0.5.3", "10.0.5.2").replace("/api/cloud", "/cloud")
    (tmp_path / "export.yaml").write_text(text, "utf-8")
    run(capsys, "lint", tmp_path, "--patches", tmp_path.parent / "chosen")
    script = (tmp_path.parent / "chosen" / "apply.sh").read_text("utf-8").splitlines()
    (other,) = [number for number, line in enumerate(script) if "apply one of the two" in line]
    assert script[other + 1].startswith("# kubectl patch ") and "001-CFG-10" in script[other]


def test_names_from_files_reach_no_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = (BROKEN / "CFG-1.yaml").read_text("utf-8").replace("name: portal", 'name: "p; touch x\\n touch y"')
    (tmp_path / "in.yaml").write_text(text, "utf-8")
    _, out, _ = run(capsys, "lint", tmp_path / "in.yaml", "--patches", tmp_path / "out")
    assert "kubectl patch" not in out
    script = (tmp_path / "out" / "apply.sh").read_text("utf-8").splitlines()
    assert [line for line in script if line and not line.startswith("#")] == ["set -eu", 'cd "$(dirname "$0")"']


def test_where_patches_are_not_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "export.yaml").write_bytes((BROKEN / "CFG-1.yaml").read_bytes())
    (tmp_path.parent / "used").mkdir()
    (tmp_path.parent / "used" / "apply.sh").write_text("", "utf-8")
    places = (tmp_path, tmp_path / "patches", tmp_path.parent / "used", tmp_path / "export.yaml" / "below")
    for folder in places:
        status, out, err = run(capsys, "lint", tmp_path, "--patches", folder)
        assert (status, out) == (2, "") and str(folder) in err
    assert sorted(tmp_path.iterdir()) == [tmp_path / "export.yaml"]
    status, out, err = run(capsys, "lint", BROKEN / "CFG-1.yaml", "--patches", tmp_path / "export.yaml")
    assert (status, out) == (2, "") and "export.yaml" in err


def test_standard_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    data = (BROKEN / "CFG-1.yaml").read_bytes()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(data)))
    status, out, _ = run(capsys, "lint", "-")
    assert status == 1 and "\n-:7: ✗ error CFG-1\n" in out


def test_what_no_rule_is_about_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    kinds = ["ConfigMap", "ConfigMap", "A", "B", "C", "D", "E"]
    text = "---\n".join(f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: x{n}}}\n" for n, kind in enumerate(kinds))
    (tmp_path / "others.yaml").write_text(text, "utf-8")
    for form in ("text", "json"):
        status, out, err = run(capsys, "lint", tmp_path, "--format", form)
        assert (status, out) == (2, "") and "2 ConfigMap, 1 A, 1 B, 1 C, 1 D, 1 more kinds" in err
        assert "for IBM API Connect: ManagementCluster" in err and "for WSO2 APK: apk-conf files" in err
    _, _, err = run(capsys, "lint", tmp_path, "--product", "apk")
    assert "WSO2 APK" in err and "IBM API Connect" not in err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "nothing usable"),
        (b"just: text\n", None),
        (b"\x00\x01\x02", "nothing usable"),
        (b"a: [1\n", "nothing usable"),
        (b"apiVersion: v1\nkind: X\na: " + b"[" * 2000, "not valid YAML"),
    ],
)
def test_nothing_usable(content: bytes, words: str | None, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    file.write_bytes(content)
    status, out, err = run(capsys, "lint", file)
    assert status == 2
    assert words is None or (words in err and out == "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["lint", "missing"],
        ["lint"],
        ["lint", str(SOUND), "--release", "newest"],
        ["lint", str(SOUND), "--product", "microservices"],
        ["lint", str(SOUND), "--product", "unknown"],
        ["lint", str(SOUND), "--platform", "vms"],
        ["certs", str(SOUND)],
    ],
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "") and err


def test_a_file_that_cannot_be_read_is_not_passed_over(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_bytes((SOUND / "subsystems.yaml").read_bytes())
    (tmp_path / "chart.yaml").write_text("{{ if .x }}\napiVersion: v1\n", "utf-8")
    assert run(capsys, "lint", tmp_path)[0] == 0
    (tmp_path / "cut.yaml").write_text("apiVersion: v1\nkind: {\n", "utf-8")
    status, out, _ = run(capsys, "lint", tmp_path)
    assert status == 2 and "cut.yaml:3: not valid YAML" in out
    status, out, _ = run(capsys, "lint", tmp_path, "--format", "junit")
    assert status == 2 and 'errors="1"' in out


def test_a_kustomize_patch_is_not_judged_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_bytes((SOUND / "subsystems.yaml").read_bytes())
    (tmp_path / "patch.yaml").write_bytes((BROKEN / "CFG-1.yaml").read_bytes())
    assert run(capsys, "lint", tmp_path)[0] == 1
    (tmp_path / "kustomization.yaml").write_text("resources: [base.yaml]\npatches: [{path: patch.yaml}]\n", "utf-8")
    status, out, _ = run(capsys, "lint", tmp_path)
    assert status == 0 and "a Kustomize patch, not a complete object" in out


def test_keys_and_control_characters_are_never_printed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    deployment = Deployment()
    text = deployment.text().replace(
        "CN=portal-admin-client,O=cert-manager", '"CN=\\e[31m-----BEGIN PRIVATE KEY-----"', 1
    )
    (tmp_path / "export.yaml").write_text(text, "utf-8")
    (tmp_path / "key.pem").write_bytes(deployment.ca.key_pem())
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    for arguments in (["lint"], ["lint", "--format", "json"], ["lint", "--format", "sarif"], ["certs"]):
        _, out, err = run(capsys, *arguments, tmp_path)
        assert "PKI-6" in out and "\x1b" not in out + err
        assert "BEGIN PRIVATE KEY" not in out + err
        for made in deployment.objects.values():
            key = made.get("data", {}).get("tls.key", "none there")  # type: ignore[attr-defined]
            assert key not in out
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_pem_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    deployment = Deployment()
    (tmp_path / "ingress-ca.pem").write_bytes(deployment.ca.pem())
    (tmp_path / "broken.crt").write_text("nothing", "utf-8")
    status, out, _ = run(capsys, "certs", tmp_path / "ingress-ca.pem")
    assert status == 0 and "ingress-ca: until 2036-04-29, key" in out
    assert run(capsys, "certs", tmp_path)[0] == 2


def test_der_and_pem_without_a_certificate(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    deployment = Deployment()
    (tmp_path / "ingress-ca.cer").write_bytes(deployment.ca.certificate.public_bytes(Encoding.DER))
    (tmp_path / "old.crt").write_bytes(deployment.ca.pem().replace(b" CERTIFICATE", b" X509 CERTIFICATE"))
    for kind in ("X509 CRL", "PUBLIC KEY", "EC PARAMETERS", "CERTIFICATE REQUEST"):
        (tmp_path / f"{kind}.pem").write_text(f"-----BEGIN {kind}-----\nAAAA\n-----END {kind}-----\n", "utf-8")
    status, out, _ = run(capsys, "certs", tmp_path)
    assert status == 0 and "1 certificate in 2 places" in out
    (tmp_path / "cut.der").write_bytes(deployment.ca.certificate.public_bytes(Encoding.DER)[:90])
    status, out, _ = run(capsys, "certs", tmp_path)
    assert status == 2 and "cut.der:1: a certificate that cannot be read: its DER is damaged or cut off" in out


@pytest.mark.parametrize("whole_first", [True, False])
def test_pem_that_is_cut_off(capsys: pytest.CaptureFixture[str], tmp_path: Path, whole_first: bool) -> None:
    pem = Deployment().ca.pem()
    cut = pem[: pem.index(b"-----END")]
    (tmp_path / "ingress-ca.pem").write_bytes(pem + cut if whole_first else cut + pem)
    status, out, _ = run(capsys, "certs", tmp_path)
    assert status == 2 and "1 certificate in 1 place" in out
    assert "ingress-ca.pem:1: a certificate that is cut off: BEGIN CERTIFICATE without its END" in out


def test_an_object_that_a_folder_has_several_times(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sound = "\n---\n".join(file.read_text() for file in sorted(SOUND.glob("*.yaml")))
    folder, other = tmp_path / "one", tmp_path / "other"
    folder.mkdir()
    for name in ("a.yaml", "b.yaml", "c.yaml"):
        (folder / name).write_text(sound)
    assert main(["lint", str(folder)]) == 0
    out = capsys.readouterr().out
    again = out.partition("Duplicates in the same folder:\n")[2]
    assert again.count("PortalCluster apic/portal, with the same content") == 2
    plan = ["--terminate", "management-to-portal"]
    assert main(["plan", str(folder), *plan]) == 0
    many = capsys.readouterr().out
    assert main(["plan", str(folder / "a.yaml"), *plan]) == 0
    assert many == capsys.readouterr().out
    # Where they differ, the files do not say which is meant.
    (folder / "b.yaml").write_text(sound.replace("mtlsValidateClient: true", "mtlsValidateClient: false"))
    main(["lint", str(folder), "--format", "json"])
    assert any(item["differs"] for item in json.loads(capsys.readouterr().out)["again"])
    for command in (["plan", str(folder), *plan], ["renew", "ingress-ca", str(folder)]):
        assert main(command) == 2
        assert "b.yaml:" in (error := capsys.readouterr().err) and "otherwise than in" in error and "a.yaml" in error
    # Another folder may be another cluster.
    (folder / "b.yaml").unlink()
    (folder / "c.yaml").unlink()
    other.mkdir()
    (other / "a.yaml").write_text(sound)
    main(["lint", str(tmp_path)])
    assert "Duplicates in" not in capsys.readouterr().out
