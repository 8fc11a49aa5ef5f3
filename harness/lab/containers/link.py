"""A worker in a container: how it is started, spoken to and given files.  Knows Docker, not what the worker does.

The worker's JSON lines go over the container's own stdin and stdout.  Its stdin is the first attachment's alone
(``StdinOnce``): when the harness dies, however it dies, the worker sees the end of its stdin, ends, and the container
removes itself.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker.errors
import requests.exceptions
from docker.models.containers import Container
from docker.types import EndpointConfig, LogConfig
from docker.utils.socket import STDOUT, frames_iter
from testcontainers.core.docker_client import DockerClient

from harness.errors import LabError

USER = 10001
GONE_SECONDS = 60
DEAD = -1
_CONFLICT = 409
_NO_ANSWER = (requests.exceptions.ConnectionError, requests.exceptions.ReadTimeout)
_KEYS = f"rw,noexec,nosuid,nodev,size=16m,mode=0700,uid={USER},gid={USER}"


@dataclass(frozen=True)
class Plan:
    """A container to start.

    *networks* maps each network's name to the alias it has there, the first is its own; *ports* is the range that its
    connections come from ('' for the kernel's).
    """

    name: str
    image: str
    module: str
    networks: Mapping[str, str]
    home: Path
    labels: Mapping[str, str]
    ports: str = ""


class Attached:
    """A :class:`harness.lab.worker.Link` to the process in a new container; its stderr goes to *log*.

    Raises LabError if it cannot be started.
    """

    patience = 30.0  # many containers that end at once wait for one another

    def __init__(self, plan: Plan, log: Path) -> None:
        self._client, self._log = DockerClient(), log
        try:
            self._container = _create(self._client, plan)
            self._socket = self._attach()
            self._client.start(self._container)
            self._container.reload()
        except (docker.errors.APIError, OSError) as error:
            raise LabError(f"the container {plan.name} cannot be started: {error}") from error
        found = self._container.attrs["NetworkSettings"]["Networks"]
        self.addresses: Mapping[str, str] = {name: found[name]["IPAddress"] for name in plan.networks}
        self._drained = threading.Event()

    @property
    def container(self) -> Container:
        """Docker's own handle."""
        return self._container

    def _attach(self) -> socket.socket:
        streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        self._attached = self._container.attach_socket(params=streams)
        return _raw(self._attached)

    def write(self, line: bytes) -> None:
        """See :class:`harness.lab.worker.Link`."""
        self._socket.sendall(line)

    def lines(self) -> Iterator[bytes]:
        """See :class:`harness.lab.worker.Link`."""
        begun = b""
        with self._log.open("ab", buffering=0) as stderr:
            for stream, data in _frames(self._socket):
                if stream != STDOUT:
                    stderr.write(data)
                    continue
                *complete, begun = (begun + data).split(b"\n")
                yield from complete
        self._drained.set()

    def hang_up(self) -> None:
        """See :class:`harness.lab.worker.Link`; one that hangs is set going, to see it."""
        self._socket.shutdown(socket.SHUT_WR)
        try:
            self._container.reload()
            if self._container.status == "paused":
                self._container.unpause()
        except docker.errors.APIError as error:
            raise OSError(f"it is gone or about to be: {error}") from error

    def status(self) -> int | None:
        """See :class:`harness.lab.worker.Link`; DEAD when the container is gone, and its status with it."""
        try:
            self._container.reload()
        except docker.errors.NotFound:
            return DEAD
        state = self._container.attrs["State"]
        return None if state["Running"] else int(state["ExitCode"])

    def wait(self, seconds: float) -> bool:
        """See :class:`harness.lab.worker.Link`; a container has ended when it is removed."""
        try:
            self._container.wait(timeout=seconds, condition="removed")
        except docker.errors.NotFound:
            return self._released()
        except _NO_ANSWER:
            return False
        return self._released()

    def kill(self) -> None:
        """See :class:`harness.lab.worker.Link`."""
        remove(self._container)
        self._released()

    def _released(self) -> bool:
        _close(self._attached)
        self._client.client.close()
        return True

    def put(self, archive: bytes, folder: Path) -> None:
        """Unpack the tar *archive* in the container's *folder*.  Raises LabError."""
        api = self._client.client.api
        try:
            order = api.exec_create(self._container.id, ["tar", "-x", "-C", str(folder)], stdin=True)
            stream = api.exec_start(order["Id"], socket=True)
            raw = _raw(stream)
            raw.sendall(archive)
            raw.shutdown(socket.SHUT_WR)
            said = b"".join(data for _, data in _frames(raw))
            _close(stream)
            status = api.exec_inspect(order["Id"])["ExitCode"]
        except (docker.errors.APIError, OSError) as error:
            raise LabError(f"no files can be given to the container: {error}") from error
        if status != 0:
            raise LabError(f"no files can be given to the container: {said.decode('utf-8', 'replace')[:300]}")


def _raw(stream: Any) -> socket.socket:
    """The socket under what docker-py gives for one; it may be waited on for ever."""
    raw: socket.socket = getattr(stream, "_sock", stream)
    raw.settimeout(None)
    return raw


def _close(stream: Any) -> None:
    """Close *stream*, the HTTP response it came with first: later it would find its file closed."""
    response = getattr(stream, "_response", None)
    if response is not None:
        response.close()
    stream.close()


def _frames(raw: socket.socket) -> Iterator[tuple[int, bytes]]:
    try:
        yield from frames_iter(raw, tty=False)
    except OSError:
        return  # cut off: for the reader that is an end like any other


def _create(client: DockerClient, plan: Plan) -> Container:
    own, alias = next(iter(plan.networks.items()))
    container = client.create(
        plan.image,
        command=[plan.module],
        labels=dict(plan.labels),
        name=plan.name,
        stdin_open=True,
        auto_remove=True,
        read_only=True,
        user=USER,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        pids_limit=256,
        log_config=LogConfig(type=LogConfig.types.JSON, config={"max-size": "20m"}),
        tmpfs={str(plan.home): _KEYS},
        sysctls={"net.ipv4.ip_local_port_range": plan.ports} if plan.ports else None,
        network=own,
        networking_config={own: EndpointConfig(client.client.api._version, aliases=[alias])},
    )
    for name, other in list(plan.networks.items())[1:]:
        client.client.networks.get(name).connect(container, aliases=[other] if other else None)
    return container


def remove(container: Container) -> None:
    """End *container*, whatever state it is in, and wait until it is removed.  Raises LabError.

    It removes itself when it ends.  Removing it besides, at the same moment, leaves its endpoints behind in its
    networks for ever (Docker 20.10), so only one that never ran is removed.
    """
    try:
        try:
            container.kill()
        except docker.errors.APIError as error:
            if error.status_code != _CONFLICT:
                raise
            container.reload()
            if container.status == "created":
                container.remove()
        container.wait(condition="removed", timeout=GONE_SECONDS)
    except docker.errors.NotFound:
        return
    except (docker.errors.APIError, *_NO_ANSWER) as error:
        raise LabError(f"a container cannot be removed: {error}", where=str(container.name)) from error
