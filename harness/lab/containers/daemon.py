"""The Docker daemon: whether there is one, and what runs that are gone have left in it."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import time

import docker.errors
from docker.models.networks import Network
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import Reaper
from testcontainers.core.docker_client import DockerClient

from harness.errors import LabError, UsageError
from harness.lab.containers.link import remove
from harness.lab.folders import running

OWNER = "org.flowproof.owner"
LEAVING_SECONDS, LOOK_AGAIN = 10.0, 0.05


def labels() -> dict[str, str]:
    """What marks containers and networks as this process's."""
    return {OWNER: f"{socket.gethostname()}/{os.getpid()}"}


def check() -> None:
    """Raises :class:`UsageError`, with what to try, where no daemon answers."""
    try:
        client = DockerClient()
        client.client.ping()
        client.client.close()
    except (docker.errors.DockerException, OSError) as error:
        raise UsageError(
            f"no Docker daemon answers: {str(error)[:200]}",
            where=f"DOCKER_HOST={os.environ.get('DOCKER_HOST', '(unset: /var/run/docker.sock)')}",
            attempt="start Docker, or set DOCKER_HOST; without Docker, `flowproof run` judges the same suites on the "
            "embedded lab",
        ) from error


def sweep(client: DockerClient) -> int:
    """Remove what killed runs of this host left behind; how many containers and networks that were."""
    found = client.client.containers.list(all=True, filters={"label": OWNER}, ignore_removed=True)
    stale = [container for container in found if _orphan(container.labels)]
    for container in stale:
        remove(container)
    networks = client.client.networks.list(filters={"label": OWNER})
    loose = [network for network in networks if _orphan(network.attrs["Labels"])]
    for network in loose:
        # What Docker itself cannot let go of must not keep a new run from starting.
        with contextlib.suppress(LabError):
            remove_network(network, patience=0.0)
    return len(stale) + len(loose)


def remove_network(network: Network, patience: float = LEAVING_SECONDS) -> None:
    """Remove *network*; one that another run has swept at the same moment is fine.  Raises LabError.

    A container that was removed by force may still be on its way out of its networks, or never leave them: then it is
    taken out.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            network.remove()
        except docker.errors.NotFound:
            return
        except docker.errors.APIError as error:
            if time.monotonic() > deadline:
                text = f"a network cannot be removed: {error.explanation}"
                raise LabError(text, where=str(network.name)) from error
            _empty(network)
        else:
            return


def _empty(network: Network) -> None:
    try:
        network.reload()
        for container in network.attrs["Containers"] or {}:
            network.disconnect(container, force=True)
    except docker.errors.APIError:
        threading.Event().wait(LOOK_AGAIN)  # what was there has just gone, or is about to


def _orphan(found: dict[str, str]) -> bool:
    host, _, pid = found[OWNER].rpartition("/")
    return host == socket.gethostname() and pid.isdigit() and not running(int(pid))


def reap(client: DockerClient) -> None:
    """Have Ryuk clean up too, where its image is there; it is never fetched, which could take minutes to fail."""
    if testcontainers_config.ryuk_disabled or sys.platform == "win32":
        return
    try:
        client.client.images.get(testcontainers_config.ryuk_image)
    except docker.errors.ImageNotFound:
        return
    Reaper.get_instance()
