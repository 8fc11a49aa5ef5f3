"""The lab itself.  Needs Docker: left out where no daemon answers; the project's CI starts one and requires it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import docker.errors
import pytest
from testcontainers.core.docker_client import DockerClient

from harness.catalogue.registry import FAULTS, catalogue
from harness.errors import LabError
from harness.lab import reference as reference_lab
from harness.lab import worker
from harness.lab.containers import daemon, docker_api
from harness.lab.containers.lab import container_lab
from harness.lab.containers.placement import ContainerPlacement
from harness.lab.disruptions import Operator
from harness.lab.protocol import Entrypoint
from harness.lab.reference import ReferenceLab
from harness.model.case import Setup
from harness.model.vocabulary import Path as FlowPath
from harness.model.vocabulary import Posture
from harness.products.registry import reference
from harness.tests.lab.containers.proxied import Proxied

pytestmark = pytest.mark.usefixtures("_docker")
BALANCED = Setup("portal", Posture.JWT, FlowPath.PASSTHROUGH)
DIRECT = Setup("portal", Posture.JWT, FlowPath.DIRECT)


@pytest.fixture(scope="module")
def lab(_docker: None) -> Iterator[ReferenceLab]:
    known = catalogue()
    made = container_lab(reference(), known.servers, known.flows, FAULTS)
    try:
        made.open([BALANCED, DIRECT])
        yield made
    finally:
        made.close()


def _door(lab: ReferenceLab, setup: Setup) -> Entrypoint:
    entrypoint = lab.open([setup])[setup]
    assert isinstance(entrypoint, Entrypoint)
    return entrypoint


def _placement(lab: ReferenceLab) -> ContainerPlacement:
    assert isinstance(lab.placement, ContainerPlacement)
    return lab.placement


def _operator(lab: ReferenceLab) -> Operator:
    assert lab.operator is not None
    return lab.operator


def _mine() -> list[Any]:
    client = DockerClient().client
    owner = {"label": f"{daemon.OWNER}={daemon.labels()[daemon.OWNER]}"}
    return [*client.containers.list(all=True, filters=owner), *client.networks.list(filters=owner)]


def test_containers_are_not_root_and_cannot_write(lab: ReferenceLab) -> None:
    found = [item for item in _mine() if "HostConfig" in item.attrs]
    assert len(found) >= 3
    for container in found:
        config, host = container.attrs["Config"], container.attrs["HostConfig"]
        assert config["User"] == "10001" and host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"]
        assert not [line for line in config["Env"] if "KEY" in line.upper().replace("GPG_KEY", "")]
        assert not host["Binds"] and list(host["Tmpfs"]) == [str(lab.folder)]
        wrote = container.exec_run(["touch", "/opt/hopproof/x"])
        assert wrote.exit_code != 0 and b"Read-only" in wrote.output


def test_keys_are_on_tmpfs_and_only_where_they_belong(lab: ReferenceLab) -> None:
    _door(lab, BALANCED)
    signing = {}
    for container in (item for item in _mine() if "HostConfig" in item.attrs):
        found = container.exec_run(["find", str(lab.folder), "-name", "signing.key", "-type", "f"])
        signing[container.name.removeprefix(f"{lab.folder.name}-")] = bool(found.output)
        kind = container.exec_run(["stat", "-f", "-c", "%T", str(lab.folder)])
        assert kind.output.strip() == b"tmpfs"
    assert signing["management"] and not signing["portal"] and not signing["passthrough"]


def test_only_a_multi_homed_replica_reaches_past_the_balancer(lab: ReferenceLab) -> None:
    flow, entrypoint = catalogue().flows["management-to-portal"], _door(lab, BALANCED)
    assert [item["status"] for item in _operator(lab).past_balancer(entrypoint, flow, "fp-past")] == [None, None]
    assert lab.act(entrypoint, flow, "fp-through")["status"] == flow.success
    assert lab.act(_door(lab, DIRECT), flow, "fp-insider")["status"] == flow.success


def test_a_gateway_is_registered_by_an_insider_and_reaches_analytics_through_the_balancer_only(
    lab: ReferenceLab,
) -> None:
    flow = catalogue().flows["api-gateway-to-analytics"]
    entrypoint = _door(lab, Setup("analytics", Posture.JWT, FlowPath.PASSTHROUGH))
    assert {item["status"] for item in _operator(lab).past_balancer(entrypoint, flow, "fp-gateway-past")} == {None}
    assert lab.act(entrypoint, flow, "fp-gateway-through")["status"] == flow.success
    assert (
        lab.act(_door(lab, replace(entrypoint.setup, path=FlowPath.DIRECT)), flow, "fp-gateway")["status"]
        == flow.success
    )


def test_a_server_calls_the_platform_api_from_its_own_container(lab: ReferenceLab) -> None:
    flow = catalogue().flows["portal-to-management"]
    low, high = map(int, _placement(lab).ports["portal"].split())
    for path in (FlowPath.DIRECT, FlowPath.TERMINATING):
        entrypoint = _door(lab, Setup("platform-api", Posture.DEFAULT, path))
        act = lab.act(entrypoint, flow, f"fp-platform-{path}")
        port = act["local_port"]
        assert act["status"] == flow.success and port is not None and low <= port <= high


def test_each_client_of_a_listener_has_its_own_ports(lab: ReferenceLab) -> None:
    flow = catalogue().flows["management-to-portal"]
    lab.act(_door(lab, DIRECT), flow, "fp-ports")
    ranges = [(32768, 65535)]  # the harness itself
    for name in ("management", "management-insider", "passthrough"):
        container = DockerClient().client.containers.get(f"{lab.folder.name}-{name}")
        low, high = container.exec_run(["cat", "/proc/sys/net/ipv4/ip_local_port_range"]).output.split()
        ranges.append((int(low), int(high)))
    ranges.sort()
    assert all(high < low for (_, high), (low, _) in pairwise(ranges))


def test_nothing_is_left_when_it_is_closed() -> None:
    known = catalogue()
    before = len(_mine())
    lab = container_lab(reference(), known.servers, known.flows, FAULTS)
    lab.open([DIRECT])
    assert len(_mine()) > before
    lab.close()
    lab.close()
    assert len(_mine()) == before and not lab.folder.exists()


def test_a_daemon_that_falls_silent_is_reported_and_blocks_no_call(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    proxy, known = Proxied(tmp_path / "docker.sock"), catalogue()
    message = "the Docker daemon failed in the middle of the run"
    with monkeypatch.context() as change:
        change.setenv("DOCKER_HOST", proxy.url)
        lab = container_lab(reference(), known.servers, known.flows, FAULTS)
        try:
            entrypoint = _door(lab, DIRECT)
            for module, name in (
                (docker_api, "ANSWER_SECONDS"),
                (docker_api, "PING_SECONDS"),
                (worker, "REPLY_SECONDS"),
            ):
                change.setattr(module, name, 0.5)
            proxy.freeze()
            # What is connected already has its own limit: the first call meets it, all others are told at once.
            for housed in _placement(lab)._housed.values():
                housed.link._client.client.api.timeout = 0.5
            with pytest.raises(LabError, match=message):
                lab.counters(DIRECT)
            for module, name in ((worker, "REPLY_SECONDS"), (reference_lab, "RECORD_SECONDS")):
                change.setattr(module, name, 3600)
            with pytest.raises(LabError, match=message):
                lab.act(entrypoint, known.flows["management-to-portal"], "fp-silent")
            with pytest.raises(LabError, match=message):
                lab.views(entrypoint, 1, "fp-silent", time.monotonic())
            with pytest.raises(LabError, match=message):
                lab.close()
        finally:
            proxy.thaw()
            with contextlib.suppress(LabError):
                lab.close()
    assert not lab.folder.exists()
    client = DockerClient().client
    for container in client.containers.list(filters={"name": lab.folder.name}):
        with contextlib.suppress(docker.errors.NotFound):
            container.wait(condition="removed", timeout=30)  # by themselves: their stdin has ended
    for network in client.networks.list(names=[lab.folder.name]):
        network.remove()
    proxy.close()


_VICTIM = """
import sys
from harness.catalogue.registry import FAULTS, catalogue
from harness.products.registry import reference
from harness.lab.containers.lab import container_lab
from harness.lab.containers.placement import ContainerPlacement
from harness.lab.disruptions import Operator
from harness.tests.lab.containers.test_container_lab import DIRECT
lab = container_lab(reference(), catalogue().servers, catalogue().flows, FAULTS)
lab.open([DIRECT])
print(lab.folder, flush=True)
sys.stdin.read()
"""


def test_what_a_killed_run_left_goes_at_the_next_start() -> None:
    victim = subprocess.Popen([sys.executable, "-c", _VICTIM], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    assert victim.stdout is not None
    message = victim.stdout.readline().strip()
    assert message, "the victim did not come up"
    folder = Path(message)
    client = DockerClient()
    mine = {"name": folder.name}
    containers = client.client.containers.list(filters=mine)
    assert folder.is_dir() and containers
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    for container in containers:
        with contextlib.suppress(docker.errors.NotFound):
            container.wait(condition="removed", timeout=30)  # by themselves: their stdin has ended
    daemon.sweep()
    assert client.client.networks.list(names=[folder.name]) == []
    known = catalogue()
    container_lab(reference(), known.servers, known.flows, FAULTS).close()
    assert not folder.exists()
