"""Certificates and a balancer process for a module's tests; an upstream server for each."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mitm_addons.tests.certificates import Authority
from mitm_addons.tests.peers import Process, Upstream

NAME = "portal.test"


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("pki")
    ca, rogue = Authority(folder, "ingress-ca"), Authority(folder, "rogue-ca")
    return SimpleNamespace(
        ca=ca.file,
        rogue_ca=rogue.file,
        server=ca.issue(NAME, "server"),
        other_server=ca.issue("other.test", "other"),
        front=ca.issue(NAME, "front"),
        client=ca.issue("client.test", "client"),
    )


@pytest.fixture(scope="module")
def process() -> Iterator[Process]:
    process = Process()
    yield process
    assert process.end() == 0


@pytest.fixture(autouse=True)
def accounted(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test looks at every record its connections left; torn down last, when its listeners are closed."""
    process = request.getfixturevalue("process") if "process" in request.fixturenames else None
    yield
    left = [] if process is None else [process.records.get_nowait() for _ in range(process.records.qsize())]
    assert not left


@pytest.fixture
def serve(pki: SimpleNamespace) -> Iterator[Callable[..., Upstream]]:
    servers: list[Upstream] = []

    def start(certificate: Path | None = None, *, mtls: bool = False, **settings: Any) -> Upstream:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate or pki.server)
        if mtls:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(pki.ca)
        servers.append(Upstream(context, **settings))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def terminating(process: Process, pki: SimpleNamespace, request: pytest.FixtureRequest) -> Callable[..., int]:
    """Opens a terminating listener for an upstream and gives its port; settings override."""

    def open_(upstream: Upstream, **settings: Any) -> int:
        identity = settings.pop("id", request.node.name)
        request.addfinalizer(lambda: process.ask("close", [identity]))
        listener = terminating_listener(pki, identity, upstream.port) | settings
        return process.listen(**listener)

    return open_


def terminating_listener(pki: SimpleNamespace, identity: str, port: int) -> dict[str, Any]:
    return {
        "id": identity,
        "mode": "terminating",
        "upstream_host": "127.0.0.1",
        "upstream_port": port,
        "server_name": NAME,
        "certificate": str(pki.front),
        "upstream_ca": str(pki.ca),
    }


def passthrough_listener(identity: str, port: int) -> dict[str, Any]:
    return {"id": identity, "mode": "passthrough", "upstream_host": "127.0.0.1", "upstream_port": port}
