"""Every call to Docker ends, and every failure of one is told."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests.exceptions
from docker import errors

from harness.errors import LabError
from harness.lab.containers import docker_api
from harness.lab.containers.docker_api import Docker


@pytest.fixture
def _silent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A daemon that takes connections and says nothing."""
    monkeypatch.setattr(docker_api, "PING_SECONDS", 0.2)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "docker.sock"))
        listener.listen(8)
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
        yield


@pytest.mark.usefixtures("_silent")
def test_a_silent_daemon_is_no_daemon() -> None:
    assert "timed out" in docker_api.answers()


@pytest.mark.usefixtures("_silent")
@pytest.mark.parametrize(
    "failure", [requests.exceptions.ReadTimeout("timed out"), requests.exceptions.ConnectionError("aborted")]
)
def test_a_call_that_is_not_answered_is_the_last_one(failure: Exception) -> None:
    message: list[str] = []
    docker = Docker(lambda: message.append("lost"))
    for _ in range(2):
        with (
            pytest.raises(LabError, match=r"the Docker daemon failed in the middle of the run \(no network;"),
            docker.asked("no network", "here"),
        ):
            raise failure
    with pytest.raises(LabError, match="failed in the middle of the run"), docker.asked("no container"):
        pytest.fail("asked although nobody answers")
    assert message == ["lost"]


@pytest.mark.parametrize(
    ("failure", "words"),
    [(errors.APIError("x", explanation="no space left"), "no network: no space left"), (OSError("reset"), "reset")],
)
def test_a_refusal_is_reported_and_the_next_call_is_made(failure: Exception, words: str) -> None:
    docker = Docker(lambda: pytest.fail("given up"))
    with pytest.raises(LabError, match=words), docker.asked("no network"):
        raise failure
    with docker.asked("no container"):
        assert not docker.lost


def test_what_goes_well_is_left_alone() -> None:
    with Docker().asked("no network"):
        done = True
    assert done
