"""The Docker daemon: whether there is one, and what runs that are gone have left in it."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Collection
from functools import partial

from docker import errors
from docker.models.networks import Network
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import Reaper
from testcontainers.core.docker_client import DockerClient

from harness.errors import LabError, UsageError
from harness.lab.containers import docker_api
from harness.lab.containers.container import remove
from harness.lab.containers.docker_api import Docker, answers
from harness.pki.temporary import running

OWNER = "org.hopproof.owner"
_log = logging.getLogger(__name__)
LEAVING_SECONDS, LOOK_AGAIN, SWEEP_SECONDS = 10.0, 0.1, 10


def labels() -> dict[str, str]:
    """What marks containers and networks as this process's."""
    return {OWNER: f"{socket.gethostname()}/{os.getpid()}"}


def check() -> None:
    """Raises :class:`UsageError`, with what to try, where no daemon answers."""
    why = answers()
    if why:
        raise UsageError(
            f"no Docker daemon answers: {why}",
            where=f"DOCKER_HOST={os.environ.get('DOCKER_HOST', '(unset: /var/run/docker.sock)')}",
            hint="start Docker, or set DOCKER_HOST; without Docker, `hopproof run` judges the same suites on the "
            "embedded lab",
        )


def sweep() -> int:
    """Remove what killed runs of this host left behind; how many containers and networks that were.

    What Docker itself cannot let go of must not keep a new run from starting.
    """
    docker = Docker()
    removals: list[Callable[[], None]] = []
    with contextlib.suppress(LabError), docker.asked("leftovers of earlier runs cannot be listed"):
        client = docker_api.client(SWEEP_SECONDS).client
        # Sparse: only a list.  Docker may hang over one container for ever, when asked about that one.
        containers = client.containers.list(all=True, filters={"label": OWNER}, sparse=True)
        networks = client.networks.list(filters={"label": OWNER})
        removals += [partial(remove, item, docker) for item in containers if _orphan(item.attrs["Labels"])]
        removals += [
            partial(remove_network, item, docker, patience=0.0) for item in networks if _orphan(item.attrs["Labels"])
        ]
    for removal in removals:
        with contextlib.suppress(LabError):
            removal()
    return len(removals)


def remove_network(network: Network, docker: Docker, patience: float = LEAVING_SECONDS) -> None:
    """Remove *network*; one that another run has swept at the same moment is fine.  Raises LabError.

    A container that was removed by force may still be on its way out of its networks, or never leave them: then it is
    taken out.  Docker 20.10 can miscount who is in a network when many come and go at once, and then keeps it, with
    nothing in it, until it is restarted: that is reported and no more, since it says nothing about what was judged.
    """
    deadline = time.monotonic() + patience
    with docker.asked("a network cannot be removed", str(network.name)):
        while True:
            try:
                network.remove()
            except errors.NotFound:
                return
            except errors.APIError as error:
                if time.monotonic() > deadline:
                    if _inside(network):
                        raise
                    message = logging.WARNING if patience else logging.DEBUG  # who sweeps need not hear it again
                    _log.log(
                        message, "the network %s stays until Docker is restarted: %s", network.name, error.explanation
                    )
                    return
                _empty(network)
            else:
                return


def _inside(network: Network) -> Collection[str]:
    network.reload()
    return network.attrs["Containers"] or {}


def _empty(network: Network) -> None:
    with contextlib.suppress(errors.APIError):  # what was there has just gone, or is about to
        for container in _inside(network):
            network.disconnect(container, force=True)
    threading.Event().wait(LOOK_AGAIN)


def _orphan(found: dict[str, str]) -> bool:
    host, _, pid = found[OWNER].rpartition("/")
    return host == socket.gethostname() and pid.isdigit() and not running(int(pid))


def reap(client: DockerClient) -> None:
    """Have Ryuk clean up too, where its image is there; it is never fetched, which could take minutes to fail."""
    if testcontainers_config.ryuk_disabled or sys.platform == "win32":
        return
    try:
        client.client.images.get(testcontainers_config.ryuk_image)
    except errors.ImageNotFound:
        return
    Reaper.get_instance()
