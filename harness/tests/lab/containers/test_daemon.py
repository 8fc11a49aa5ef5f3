"""A machine without Docker is told so, and what to do; a machine with Docker is left as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli import main
from harness.errors import UsageError
from harness.lab.containers import daemon


@pytest.fixture
def _no_docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")


@pytest.mark.usefixtures("_no_docker")
def test_no_daemon_is_a_usage_error_that_names_the_way_out() -> None:
    with pytest.raises(UsageError, match="no Docker daemon answers") as caught:
        daemon.check()
    assert "embedded" in caught.value.attempt


@pytest.mark.usefixtures("_no_docker")
def test_no_daemon_is_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--target", "containers", "--report", str(tmp_path / "report")]) == 2
    assert "no Docker daemon answers" in capsys.readouterr().err
    assert not (tmp_path / "report").exists()
