"""A machine without Docker is told so, and what to do; a machine with Docker is left as it was."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from docker import errors

from harness.cli import main
from harness.errors import LabError, UsageError
from harness.lab.containers import daemon
from harness.lab.containers.docker_api import Docker


@pytest.fixture
def _no_docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")


@pytest.mark.usefixtures("_no_docker")
def test_no_daemon_is_a_usage_error_that_names_the_way_out() -> None:
    with pytest.raises(UsageError, match="no Docker daemon answers") as caught:
        daemon.check()
    assert "embedded" in caught.value.hint


@pytest.mark.usefixtures("_no_docker")
def test_no_daemon_is_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--target", "containers", "--report", str(tmp_path / "report")]) == 2
    assert "no Docker daemon answers" in capsys.readouterr().err
    assert not (tmp_path / "report").exists()


def _network(inside: dict[str, Any]) -> Mock:
    """A network that Docker does not let go of."""
    network = Mock(attrs={"Containers": inside})
    network.configure_mock(name="n")
    network.remove.side_effect = errors.APIError("x", explanation="has active endpoints")
    return network


def test_an_empty_network_that_docker_keeps_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        daemon.remove_network(_network({}), Docker(), patience=0.01)
    assert "the network n stays until Docker is restarted: has active endpoints" in caplog.text


def test_a_network_with_a_container_cannot_be_removed() -> None:
    network = _network({"a container": {}})
    with pytest.raises(LabError, match="n: a network cannot be removed: has active endpoints"):
        daemon.remove_network(network, Docker(), patience=0.01)
    assert network.disconnect.call_args.args == ("a container",)


def test_a_network_that_is_gone_already_is_fine() -> None:
    network = _network({})
    network.remove.side_effect = errors.NotFound("x")
    daemon.remove_network(network, Docker(), patience=0.0)
    assert not network.disconnect.called
