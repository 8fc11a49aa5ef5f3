"""``hopproof packets`` on captures of nginx 1.22, HAProxy 2.6 and Envoy 1.40 as balancers: what each does is known.

tcpdump took them on the balancer, before the reference's portal: an mTLS request through a passthrough, and one with a
token and no certificate over termination and re-encryption.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness import paths
from harness.cli import main

FRONTS = {
    "nginx-balancer-passthrough": 24800,
    "haproxy-balancer-passthrough": 31904,
    "envoy-balancer-passthrough": 21314,
    "nginx-balancer-terminating": 22351,
    "haproxy-balancer-terminating": 21071,
    "envoy-balancer-terminating": 26983,
}
"""Where the balancer of each capture listens."""


def capture(name: str) -> Path:
    return paths.FIXTURES / "captures" / f"{name}.pcapng"


def target(folder: Path, port: int, posture: str) -> Path:
    """The balancer of a capture, declared as a passthrough."""
    file = folder / "target.yaml"
    lines = ["product: {name: x}", "environment: test", "servers:"]
    lines += [f"  portal: {{url: 'https://api.portal.apic.test/', connect: '127.0.0.1:{port}', ca: ca.crt,"]
    lines += [f"    posture: {posture}, path: passthrough}}"]
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return file


def test_every_capture_of_a_balancer_is_judged() -> None:
    assert {file.stem for file in (paths.FIXTURES / "captures").glob("*-balancer-*")} == set(FRONTS)


@pytest.mark.parametrize("name", sorted(FRONTS))
def test_what_the_balancer_did(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    passes, port = name.endswith("passthrough"), FRONTS[name]
    flows = target(tmp_path, port, "mtls" if passes else "jwt")
    arguments = [str(capture(name)), "--balancer", f"127.0.0.1:{port}", "--flows", str(flows), "--format", "json"]
    status = main(["packets", *arguments])
    printed = json.loads(capsys.readouterr().out)
    (leg,) = printed["passage"]
    assert leg["passage"] == ("passed through" if passes else "terminated")
    front, back = printed["connections"]
    assert front["server"]["port"] == port and front["hello"]["server_name"] == "api.portal.apic.test"
    assert (front["hello"]["random"] == back["hello"]["random"]) is passes
    outcomes = {row["requirement"]: row["outcome"] for row in printed["endpoints"]}
    if passes:
        assert (status, outcomes["FLW-3"]) == (0, "PASS")
        assert {item["certificate_sent"]["seen"] for item in (front, back)} == {"yes"}
    else:  # declared a passthrough, which it is not
        assert (status, outcomes["FLW-5"]) == (1, "FAIL")
        assert {item["certificate_sent"]["seen"] for item in (front, back)} == {"no"}
    assert {item["application_data"] for item in (front, back)} == {"yes"}
