"""``hopproof renew`` from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import paths
from harness.cli import main
from harness.tests.exports import Deployment

SOUND = paths.FIXTURES / "exports" / "sound"


@pytest.mark.parametrize("form", ["text", "markdown", "shell"])
@pytest.mark.parametrize("example", sorted(each.name for each in SOUND.iterdir()))
def test_sound_files(capsys: pytest.CaptureFixture[str], form: str, example: str) -> None:
    assert main(["renew", "ingress-ca", str(SOUND / example), "--format", form]) == 0
    out = capsys.readouterr().out
    assert "secret/" in out and "--namespace=\n" not in out


def test_it_prints_no_key(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    deployment = Deployment()
    (tmp_path / "export.yaml").write_text(deployment.text())
    for form in ("text", "markdown", "shell"):
        assert main(["renew", "ingress-ca", str(tmp_path), "--format", form]) == 0
        out = capsys.readouterr().out
        assert "PRIVATE KEY" not in out and "LS0tLS1" not in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense", str(SOUND / "kubernetes")], "is not a CA"),
        (["ingress-ca", "/nonexistent"], "nonexistent"),
        (["analytics-ca", "--rehearse"], "whether they trust the CA in analytics-ca or the ca.crt beside"),
        (["ptl-ca", "--rehearse"], "portal-ca cannot be rehearsed"),
        (["nonsense", "--rehearse"], "is not a CA of API Connect"),
        (["root-ca", "--rehearse"], "is the root above ingress-ca on virtual appliances"),
        (["portal-admin-client", "--rehearse"], "is not a CA; cert-manager renews it"),
    ],
)
def test_bad_input(capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    assert main(["renew", *arguments]) == 2
    message = capsys.readouterr().err
    assert words in message and "Traceback" not in message


def test_a_file_that_cannot_be_read_stops_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(Deployment().text())
    (tmp_path / "b.yaml").write_text("apiVersion: v1\nkind: Secret\nmetadata: [\n")
    assert main(["renew", "ingress-ca", str(tmp_path)]) == 2
    assert "incomplete without it" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n", "a: b\n"])
def test_files_that_have_nothing_to_do_with_the_ca(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.yaml").write_text(text)
    assert main(["renew", "ingress-ca", str(tmp_path)]) == 2
    found = capsys.readouterr()
    assert found.out == "" and "nothing in the files has to do with ingress-ca" in found.err
