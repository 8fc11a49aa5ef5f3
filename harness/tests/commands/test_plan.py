"""``hopproof plan`` from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import paths
from harness.cli import main

TWICE = """apiVersion: portal.apiconnect.ibm.com/v1beta1
kind: {kind}
metadata: {{name: x}}
spec: {{a: {number}}}
"""
SOUND = str(paths.FIXTURES / "exports" / "sound" / "kubernetes")


@pytest.mark.parametrize("form", ["text", "markdown", "shell"])
def test_the_plan(capsys: pytest.CaptureFixture[str], form: str) -> None:
    assert main(["plan", SOUND, "--terminate", "management-to-portal", "--format", form]) == 0
    out = capsys.readouterr().out
    assert "kubectl patch portalclusters.portal.apiconnect.ibm.com/portal" in out
    assert "jwksUrl" in out


@pytest.mark.parametrize(("kind", "status"), [("Configuration", 0), ("PortalCluster", 2)])
def test_two_versions_of_one_object_matter_where_the_plan_reads_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, kind: str, status: int
) -> None:
    for file in Path(SOUND).iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    for number in (1, 2):
        text = TWICE.format(kind=kind, number=number)
        (tmp_path / f"x{number}.yaml").write_text(text, "utf-8")
    assert main(["plan", str(tmp_path), "--terminate", "management-to-portal"]) == status
    assert ("once more" in capsys.readouterr().err) is bool(status)


@pytest.mark.parametrize("columns", ["80", "160"])
def test_the_sheet_is_one_page(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert main(["plan", SOUND, "--terminate", "management-to-portal", "--sheet"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) < 60 and all(len(line) <= int(columns) for line in lines)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--terminate", "management-to-portal", "--sheet", "--format", "shell"], "is for the plan only"),
        (["--terminate", "v5c-gateway-to-analytics"], "CFG-6"),
        (["--terminate", "management-to-analytics"], "CFG-6"),
        (["--terminate", "x"], "no flow is called"),
        (["--terminate", "management-to-portal", "--sheet", "--apply-to-twin"], "one of them"),
    ],
)
def test_refused(capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    assert main(["plan", SOUND, *arguments]) == 2
    message = capsys.readouterr().err
    assert words in message and "Traceback" not in message


def test_the_twin(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["plan", SOUND, "--terminate", "management-to-portal", "--apply-to-twin"]) == 0
    out = capsys.readouterr().out
    assert "Each state is as the plan says." in out and "should be" not in out
    assert all(len(line) <= 80 for line in out.splitlines())
