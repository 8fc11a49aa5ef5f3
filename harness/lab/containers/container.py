"""A worker in a container: how it is started, spoken to and given files.  Knows Docker, not what the worker does.

The worker's JSON lines go over the container's own stdin and stdout.  Its stdin is the first attachment's alone
(``StdinOnce``): when the harness dies, however it dies, the worker sees the end of its stdin, ends, and the container
removes itself.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker import errors
from docker.models.containers import Container
from docker.types import EndpointConfig, LogConfig
from docker.utils.socket import STDOUT, frames_iter
from testcontainers.core.docker_client import DockerClient

from harness.errors import LabError
from harness.lab.containers import docker_api
from harness.lab.containers.docker_api import ANSWER_SECONDS, NO_ANSWER, Docker

USER = 10001
DEAD = -1
_CONFLICT = 409
_FRAME = struct.Struct(">BxxxL")
# The image's health check is for those who run it by itself.  Here the link reports readiness and liveness, and a
# check that starts while its container ends is what Docker is known to hang over (moby issue 36661): it happened to us.
_NO_HEALTH_CHECK = {"test": ["NONE"]}
_KEYS = f"rw,noexec,nosuid,nodev,size=16m,mode=0700,uid={USER},gid={USER}"


@dataclass(frozen=True)
class Plan:
    """A container to start.

    *networks* maps each network's name to the alias it has there, the first is its own; *ports* is the range that its
    connections come from ('' for the kernel's).
    """

    name: str
    image: str
    module: tuple[str, ...]
    networks: Mapping[str, str]
    home: Path
    labels: Mapping[str, str]
    ports: str = ""


class Attached:
    """A :class:`harness.lab.worker.Link` to the process in a new container; its stderr goes to *log*.

    Raises LabError if it cannot be started.
    """

    patience = 30.0  # many containers that end at once wait for one another

    def __init__(self, plan: Plan, log: Path, docker: Docker) -> None:
        self._log, self._docker = log, docker
        with docker.asked(f"the container {plan.name} cannot be started"):
            self._client = docker_api.client()
            self._container = _create(self._client, plan)
            try:
                self._join(plan)
                self._socket = self._attach()
                self._client.start(self._container)
                self._container.reload()
            except BaseException:
                with contextlib.suppress(LabError):
                    remove(self._container, docker)
                raise
        found = self._container.attrs["NetworkSettings"]["Networks"]
        self.addresses: Mapping[str, str] = {name: found[name]["IPAddress"] for name in plan.networks}

    @property
    def container(self) -> Container:
        """Docker's own handle."""
        return self._container

    def _join(self, plan: Plan) -> None:
        for name, alias in list(plan.networks.items())[1:]:
            network = self._client.client.networks.get(name)
            network.connect(self._container, aliases=[alias] if alias else None)

    def _attach(self) -> socket.socket:
        streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        self._attached = self._container.attach_socket(params=streams)
        raw = _raw(self._attached)
        raw.settimeout(None)  # it may be silent for as long as it likes, but it has to read what it is sent
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", ANSWER_SECONDS, 0))
        return raw

    def write(self, line: bytes) -> None:
        """See :class:`harness.lab.worker.Link`."""
        if self._docker.lost:
            raise OSError("the Docker daemon no longer transfers data")
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

    def hang_up(self) -> None:
        """See :class:`harness.lab.worker.Link`; one that hangs is set going, to see it."""
        self._socket.shutdown(socket.SHUT_WR)
        with self._docker.asked("a container cannot be stopped", str(self._container.name)):
            try:
                self._container.reload()
                if self._container.status == "paused":
                    self._container.unpause()
            except errors.APIError:
                return  # it is gone or about to be

    def status(self) -> int | None:
        """See :class:`harness.lab.worker.Link`; DEAD when the container is gone, and its status with it.

        Raises LabError when the daemon does not say.
        """
        with self._docker.asked("a container's state cannot be read", str(self._container.name)):
            try:
                self._container.reload()
            except errors.NotFound:
                return DEAD
        state = self._container.attrs["State"]
        return None if state["Running"] else int(state["ExitCode"])

    def wait(self, seconds: float) -> bool:
        """See :class:`harness.lab.worker.Link`; a container has ended when it is removed."""
        try:
            self._container.wait(timeout=seconds, condition="removed")
        except errors.NotFound:
            return self._released()
        except (errors.APIError, *NO_ANSWER):
            return False
        return self._released()

    def kill(self) -> None:
        """See :class:`harness.lab.worker.Link`."""
        remove(self._container, self._docker)
        self._released()

    def _released(self) -> bool:
        _close(self._attached)
        self._client.client.close()
        return True

    def put(self, archive: bytes, folder: Path) -> None:
        """Unpack the tar *archive* in the container's *folder*.  Raises LabError."""
        api = self._client.client.api
        with self._docker.asked("files cannot be copied into the container", str(self._container.name)):
            order = api.exec_create(self._container.id, ["tar", "-x", "-C", str(folder)], stdin=True)
            stream = api.exec_start(order["Id"], socket=True)
            try:
                said = _exchange(_raw(stream), archive)
            finally:
                _close(stream)
            status = api.exec_inspect(order["Id"])["ExitCode"]
        if status != 0:
            raise LabError(f"files cannot be copied into the container: {said.decode('utf-8', 'replace')[:300]}")


def _exchange(raw: socket.socket, content: bytes) -> bytes:
    """Send *content* and an end; what came back on stdout and stderr.  Raises OSError, TimeoutError included."""
    raw.settimeout(ANSWER_SECONDS)
    raw.sendall(content)
    raw.shutdown(socket.SHUT_WR)
    frames = b"".join(iter(lambda: raw.recv(65536), b""))
    said = b""
    while len(frames) > _FRAME.size:
        _, length = _FRAME.unpack_from(frames)
        said += frames[_FRAME.size : _FRAME.size + length]
        frames = frames[_FRAME.size + length :]
    return said


def _raw(stream: Any) -> socket.socket:
    """The socket under what docker-py gives for one."""
    raw: socket.socket = getattr(stream, "_sock", stream)
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
    return client.create(
        plan.image,
        command=list(plan.module),
        labels=dict(plan.labels),
        name=plan.name,
        stdin_open=True,
        auto_remove=True,
        read_only=True,
        user=USER,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        pids_limit=256,
        healthcheck=_NO_HEALTH_CHECK,
        log_config=LogConfig(type=LogConfig.types.JSON, config={"max-size": "20m"}),
        tmpfs={str(plan.home): _KEYS},
        sysctls={"net.ipv4.ip_local_port_range": plan.ports} if plan.ports else None,
        network=own,
        networking_config={own: EndpointConfig(client.client.api._version, aliases=[alias])},
    )


def remove(container: Container, docker: Docker) -> None:
    """End *container*, whatever state it is in, and wait until it is removed.  Raises LabError.

    It removes itself when it ends.  Removing it besides, at the same moment, leaves its endpoints behind in its
    networks for ever (Docker 20.10), so only one that never ran is removed.
    """
    with docker.asked("a container cannot be removed", str(container.name)), contextlib.suppress(errors.NotFound):
        try:
            container.kill()
        except errors.APIError as error:
            if error.status_code != _CONFLICT:
                raise
            container.reload()
            if container.status == "created":
                container.remove()
        container.wait(condition="removed", timeout=ANSWER_SECONDS)
