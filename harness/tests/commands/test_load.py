"""``hopproof load``: refuses what it must not do, measures the reference, and tells of a server that falls over."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from harness.catalogue.registry import catalogue
from harness.cli import main
from harness.errors import UsageError
from harness.lab.reference import ReferenceLab
from harness.model.load import Arm, Connections, Order, Plan
from harness.model.vocabulary import Path as Way
from harness.model.vocabulary import Posture
from harness.run.load import flow_of, generate, schedule_of
from harness.tests.command import hopproof
from harness.tests.places import Place


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--rate", "x"], "is not a number"),
        (["--users", "0"], "is not a number between 1 and"),
        (["--users", "2.5"], "is not a whole number between 1 and"),
        (["--workers", "0.5"], "is not a whole number between 0 and"),
        (["--for", "1s"], "too short to measure"),
        (["--for", "soon"], "is not a time"),
        (["--for", "2h"], "is not between one second and one hour"),
        (["--flow", "nope"], "unknown flow"),
        (["--compare", "tls"], "not one of mtls, jwt, both"),
        (["--compare", "mtls", "--path", "terminating"], "works in none of the combinations"),
        (["--target", "nowhere.yaml", "--users", "2"], "cannot read the target file"),
        (["--target", "nowhere.yaml"], "needs an explicit load"),
        (["--knee", "--rate", "5"], "leave out --rate"),
        (["--outage", "--target", "nowhere.yaml", "--users", "2"], "it works in the lab only"),
        (["--target", "exports:nowhere.yaml", "--users", "2"], "exported files cannot be loaded"),
    ],
)
def test_usage(flags: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["load", "--report", str(tmp_path / "report"), *flags]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("owned", [[], ["--i-own-this", "other.example"]])
def test_production_needs_its_owner(owned: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "target.yaml"
    (tmp_path / "ca.crt").write_text("")
    file.write_text(
        "product: {name: x, version: '1'}\nenvironment: production\nservers:\n  service:\n"
        "    url: https://live.example/\n    ca: ca.crt\n    posture: tls-only\n"
    )
    assert main(["load", "--target", str(file), "--users", "2", *owned]) == 2
    error = capsys.readouterr().err
    assert "this load could take production down" in error and "--i-own-this live.example" in error


def test_the_flow_that_is_meant() -> None:
    known = catalogue()
    assert flow_of(known, "").name == "api-gateway-to-analytics"
    only = {"client-to-service": known.flows["client-to-service"]}
    assert flow_of(replace(known, flows=only), "").name == "client-to-service"


def test_schedule() -> None:
    schedule, length = schedule_of(3, 60, 1)
    assert len(schedule) == 24 and length == 2.5
    assert all(sorted(schedule[at : at + 3]) == [0, 1, 2] for at in range(0, 24, 3))
    assert len({tuple(schedule[at : at + 3]) for at in range(0, 24, 3)}) > 1
    assert schedule_of(2, 4, 1)[1] == 1.0
    with pytest.raises(UsageError):
        schedule_of(2, 3.9, 1)


def test_the_reference(tmp_path: Path) -> None:
    finished = hopproof(
        "load",
        "--compare",
        "mtls,both",
        "--for",
        "4s",
        "--users",
        "2",
        "--workers",
        "2",
        "--report",
        "report",
        "--json",
        cwd=tmp_path,
    )
    assert finished.returncode == 0, finished.stderr
    data = json.loads(finished.stdout)
    assert [arm["arm"]["posture"] for arm in data["arms"]] == ["mtls", "both"]
    assert all(arm["served"] > 0 and not arm["errors"] and arm["server_cpu"] > 0 for arm in data["arms"]), data
    assert len(data["slices"]) == 4 and len(data["comparisons"]) == 1 and not data["stopped"]
    assert data["remarks"] == [
        "both: the server of this flow verifies no token in this posture; the cost shown is that of mTLS alone."
    ]
    assert json.loads((tmp_path / "report" / "load.json").read_text()) == data
    page = (tmp_path / "report" / "load.html").read_text()
    assert data["comparisons"][0]["sentence"] in page and "eyJ" not in page + finished.stdout


@pytest.fixture
def jwt_target(lab: ReferenceLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A target file with one server, which verifies a token."""
    location = Place(lab, tmp_path)
    monkeypatch.setenv("HOPPROOF_TEST_TOKEN", location.token())
    return location.file(Posture.JWT, tokens={"captured": {"env": "HOPPROOF_TEST_TOKEN"}})


FEW = ("--users", "1", "--for", "4s")


def test_a_target_is_loaded_in_the_posture_that_it_has(
    jwt_target: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["load", "--target", str(jwt_target), *FEW, "--report", str(tmp_path / "report"), "--json"])
    data = json.loads(capsys.readouterr().out)
    remarks = [text for text in data["remarks"] if "at its limit" not in text]  # that depends on the machine
    assert (status, [arm["arm"]["posture"] for arm in data["arms"]], remarks) == (0, ["jwt"], [])


def test_a_posture_that_was_asked_for_and_never_served_is_not_shown(
    jwt_target: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--compare", "mtls,jwt", "--report", str(tmp_path / "report"))
    assert main(["load", "--target", str(jwt_target), *FEW, *asked]) == 3
    assert capsys.readouterr().err.splitlines()[-1] == "hopproof: never served: mtls"


ARM = Arm(Posture.JWT, Way.DIRECT, Connections.KEPT)


def plan_for(port: int, seconds: float) -> Plan:
    order: Order = {
        "host": "127.0.0.1",
        "port": port,
        "server_name": "x",
        "ca": _any_ca(),
        "identity": "",
        "request": "GET / HTTP/1.1\r\n\r\n",
        "nonce": "n" * 16,
        "method": "GET",
        "success": 200,
        "kept": True,
    }
    return {
        "orders": [order],
        "schedule": [0] * 5,
        "slice_seconds": seconds,
        "warm_up": 0.0,
        "users": 1,
        "rates": [50.0] * 5,
        "workers": 0,
        "servers": [],
        "limit": 100,
        "patience": 3,
    }


def test_a_server_that_is_gone_is_told() -> None:
    gone = socket.socket()  # bound and not listening: nobody else can be given the port meanwhile
    gone.bind(("127.0.0.1", 0))
    plan = plan_for(gone.getsockname()[1], 0.2)
    groups: set[int] = set()
    others = {child.pid for child in psutil.Process().children()}

    def said(*_: object) -> None:
        for child in psutil.Process().children():
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                groups.update({os.getpgid(child.pid)} if child.pid not in others else ())

    with gone:
        slices, stopped = generate(plan, [ARM], said)
    # Ctrl-C, which a terminal sends to our group, must not reach it: we end it.
    assert groups and os.getpgrp() not in groups
    assert len(slices) == 3 and stopped == "nothing was served in 3 consecutive slices"
    assert not any(each["served"] for each in slices)
    assert {name for each in slices for name in each["errors"]} == {"ConnectionRefusedError"}
    assert "locust" not in sys.modules and "gevent" not in sys.modules


def test_what_was_measured_before_ctrl_c_is_kept() -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with socket.socket() as gone:
        gone.bind(("127.0.0.1", 0))
        slices, stopped = generate(plan_for(gone.getsockname()[1], 0.2), [ARM], interrupted)
    assert len(slices) == 1 and stopped == "it was interrupted"


def test_a_load_does_not_outlive_who_asked_for_it() -> None:
    """Killed, the command can end nothing: the generator sees that it is gone, long before its slice ends."""
    script = "import json, sys; from harness.run.load import generate; generate(json.load(sys.stdin), [], print)"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        plan = plan_for(listener.getsockname()[1], 600.0)
        command = [sys.executable, "-c", script]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as asking:
            assert asking.stdin is not None
            asking.stdin.write(json.dumps(plan).encode())
            asking.stdin.close()
            asking.stdin = None
            listener.accept()[0].close()
            asking.kill()
            asking.communicate(timeout=60)  # the generator has the other end of this pipe as well


def _any_ca() -> str:
    import certifi

    return certifi.where()
