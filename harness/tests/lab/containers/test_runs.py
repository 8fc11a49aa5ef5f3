"""A run in containers that is broken off: what it says, and that nothing is left.  Needs Docker."""

from __future__ import annotations

import contextlib
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker.errors
import pytest

from harness.lab.containers import daemon, docker_api
from harness.lab.containers.image import ready_image
from harness.pki.temporary import sweep
from harness.tests.command import Running
from harness.writers import record

pytestmark = pytest.mark.usefixtures("_docker")
SOME = ("run", "--target", "containers", "--only", "JWT-3", "--report", "report")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    ready_image()
    started = Running(SOME, tmp_path)
    yield started
    started.give_up()


def left(pid: int) -> list[Any]:
    """The containers and networks of process *pid*."""
    client = docker_api.client().client
    owner = {"label": f"{daemon.OWNER}={socket.gethostname()}/{pid}"}
    return [*client.containers.list(all=True, filters=owner, sparse=True), *client.networks.list(filters=owner)]


def _volumes() -> set[str]:
    return {volume.name for volume in docker_api.client().client.volumes.list()}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(running: Running, number: signal.Signals) -> None:
    volumes = _volumes()
    running.until_rows()
    assert len(left(running.process.pid)) > 6 and len(running.folders()) == 1
    running.process.send_signal(number)
    status, output, errors = running.end()
    assert (status, errors) == (3, "")
    assert "the run was interrupted" in output and "the run is not trustworthy (exit status 3)" in output
    assert record.read(running.report)[2]["trouble"][0] == "the run was interrupted"
    assert (left(running.process.pid), running.folders(), _volumes()) == ([], [], volumes)


def test_killed(running: Running) -> None:
    volumes = _volumes()
    running.until_rows()
    containers = [item for item in left(running.process.pid) if "Image" in item.attrs]
    running.process.kill()
    assert running.end()[0] == -signal.SIGKILL
    assert not (running.report / "run.jsonl").exists()
    for container in containers:
        with contextlib.suppress(docker.errors.NotFound):
            container.wait(condition="removed", timeout=60)  # by themselves: their stdin has ended
    # What every run does first:
    sweep(Path(tempfile.gettempdir()))
    daemon.sweep()
    assert (left(running.process.pid), running.folders(), _volumes()) == ([], [], volumes)
