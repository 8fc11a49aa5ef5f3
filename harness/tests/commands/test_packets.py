"""``hopproof packets`` on captures of nginx and HAProxy that tcpdump took: what it says, and its exit status."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import paths
from harness.cli import main
from harness.tests.wire.packets import talk
from harness.wire.packets.capture import Capture

CAPTURES = paths.FIXTURES / "captures"
PASSTHROUGH = CAPTURES / "haproxy-passthrough.pcap"
TERMINATING = CAPTURES / "haproxy-terminating.pcap"
TO_CLEAR_TEXT = CAPTURES / "nginx-terminating-to-clear-text.pcap"
MTLS = CAPTURES / "nginx-mtls.pcap"
SIGNATURE = "c2lnbmF0dXJl"

Told = Callable[..., tuple[int, Any]]


@pytest.fixture
def message(capsys: pytest.CaptureFixture[str]) -> Told:
    """Runs the command with ``--format json``; gives its status and what it printed."""

    def call(*arguments: object) -> tuple[int, Any]:
        status = main(["packets", *map(str, arguments), "--format", "json"])
        return status, json.loads(capsys.readouterr().out)

    return call


def target(folder: Path, **servers: tuple[str, str, str]) -> Path:
    """A target file of *servers*: address, posture, path."""
    lines = ["product: {name: x}", "environment: test", "servers:"]
    lines += [
        f"  {name}: {{url: 'https://portal.example.test/', connect: '{address}', ca: ca.crt,"
        f" posture: {posture}, path: {path}}}"
        for name, (address, posture, path) in servers.items()
    ]
    file = folder / "target.yaml"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return file


def side(capture: Path, port: int, file: Path) -> Path:
    """The packets of *capture* from or to *port*, as a capture of one side has them."""
    needle = port.to_bytes(2, "big")
    file.write_bytes(talk.pcap([packet.data for packet in Capture(str(capture)) if needle in packet.data[34:38]]))
    return file


def outcomes(printed: Any) -> dict[tuple[str, str], str]:
    return {(row["endpoint"], row["requirement"]): row["outcome"] for row in printed["endpoints"]}


def test_a_capture(message: Told) -> None:
    status, printed = message(MTLS)
    assert status == 0 and printed["packets"] == 90 and len(printed["connections"]) == 6
    seen = [
        (
            item["certificate_requested"]["seen"],
            item["certificate_sent"]["seen"],
            item["certificate_sent"]["confidence"],
        )
        for item in printed["connections"]
    ]
    assert seen == [
        ("yes", "no", "certain"),
        ("yes", "no", "high"),
        ("yes", "yes", "certain"),
        ("yes", "yes", "high"),
        ("unknown", "unknown", "none"),
        ("no", "no", "high"),
    ]
    assert printed["connections"][2]["client_chain"][0]["subject"] == "CN=rsaclient"
    assert [finding["severity"] for finding in printed["findings"]] == ["note"]
    assert set(printed["findings"][0]) == {
        "requirement", "severity", "file", "line", "object", "path", "message", "fix",
    }  # fmt: skip
    assert printed["checked"] == {"STS-11": 6} and set(printed["not_checked"]) == {"FLW-0", "FLW-3", "FLW-4", "FLW-5"}


def test_a_token_in_clear_text(message: Told, capsys: pytest.CaptureFixture[str]) -> None:
    status, printed = message(TO_CLEAR_TEXT)
    (finding,) = [item for item in printed["findings"] if item["severity"] == "error"]
    assert status == 1 and finding["requirement"] == "STS-11" and "'sub': 'demo'" in finding["message"]
    assert SIGNATURE not in json.dumps(printed)
    assert main(["packets", str(TO_CLEAR_TEXT)]) == 1
    assert SIGNATURE not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("capture", "front", "back", "passage"),
    [
        (PASSTHROUGH, 19005, 19001, "passed through"),
        (TERMINATING, 19006, 19002, "terminated"),
        (TO_CLEAR_TEXT, 19007, 19003, "terminated"),
    ],
)
def test_both_sides(message: Told, tmp_path: Path, capture: Path, front: int, back: int, passage: str) -> None:
    before, after = (side(capture, port, tmp_path / f"{port}.pcap") for port in (front, back))
    for arguments in (("--before", before, "--after", after), (capture, "--balancer", f"127.0.0.1:{front}")):
        _, printed = message(*arguments)
        assert {leg["passage"] for leg in printed["passage"]} == {passage}
        assert all(
            leg["before"].endswith(f":{front}") and leg["after"][0].endswith(f":{back}") for leg in printed["passage"]
        )
    nothing = side(MTLS, 1, tmp_path / "nothing.pcap")
    _, printed = message("--before", before, "--after", nothing)
    assert {leg["passage"] for leg in printed["passage"]} == {"neither"}


def test_endpoints(message: Told, tmp_path: Path) -> None:
    front = target(tmp_path, portal=("127.0.0.1:19005", "mtls", "passthrough"))
    status, printed = message(PASSTHROUGH, "--flows", front)
    assert status == 0 and outcomes(printed) == {("portal", "FLW-0"): "UNOBSERVED", ("portal", "FLW-3"): "PASS"}
    assert {row["grade"] for row in printed["endpoints"]} == {"packets"}
    alone = side(PASSTHROUGH, 19005, tmp_path / "alone.pcap")
    assert outcomes(message(alone, "--flows", front)[1])["portal", "FLW-3"] == "UNOBSERVED"


def test_endpoints_behind_a_terminating_balancer(message: Told, tmp_path: Path) -> None:
    for posture, requirement in (("mtls", "FLW-3"), ("jwt", "FLW-5")):
        file = target(tmp_path, portal=("127.0.0.1:19006", posture, "passthrough"))
        status, printed = message(TERMINATING, "--flows", file, "--balancer", "127.0.0.1:19006")
        assert status == 1 and outcomes(printed)["portal", requirement] == "FAIL"
        assert [item["requirement"] for item in printed["findings"] if item["severity"] == "error"] == [requirement]
    file = target(tmp_path, portal=("127.0.0.1:19006", "jwt", "terminating"))
    status, printed = message(TERMINATING, "--flows", file, "--balancer", "127.0.0.1:19006")
    assert status == 0 and set(outcomes(printed).values()) == {"UNOBSERVED"}
    assert set(printed["not_checked"]) == {"FLW-0", "FLW-4", "STS-11"} and not set(printed["checked"]) - {"STS-11"}
    assert printed["not_checked"]["FLW-4"].startswith("portal: TLS is terminated")


def test_an_endpoint_that_asks_for_no_certificate(message: Told, tmp_path: Path) -> None:
    file = target(tmp_path, asks=("127.0.0.1:19001", "mtls", "direct"), open=("127.0.0.1:19002", "mtls", "direct"))
    status, printed = message(MTLS, "--flows", file)
    found = outcomes(printed)
    assert (status, found["open", "FLW-3"], found["asks", "FLW-3"]) == (1, "FAIL", "UNOBSERVED")
    assert found["asks", "FLW-0"] == "PASS"  # nginx answered the request in clear text with 400


def test_gzip_and_standard_input(message: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "capture.pcap.gz"
    file.write_bytes(gzip.compress(MTLS.read_bytes()))
    assert message(file)[1]["packets"] == 90
    with MTLS.open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert message("-")[1]["packets"] == 90


def test_what_a_capture_says_is_escaped(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "odd.pcap"
    request = (True, b"GET /\x1b[31m\xff\x07 HTTP/1.1\r\nHost: \x1b[2J\r\n\r\n")
    file.write_bytes(talk.pcap(talk.Frames().all([request]), link=101))
    assert main(["packets", str(file)]) == 0
    printed = capsys.readouterr().out
    assert "\x1b" not in printed and "\x07" not in printed and "\\x1b[31m" in printed


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["absent.pcap"],
        ["."],
        ["text"],
        ["empty.pcap"],
        ["good.pcap", "good.pcap"],
        ["good.pcap", "text"],
        ["--before", "good.pcap"],
        ["--after", "good.pcap"],
        ["--before", "good.pcap", "--after", "good.pcap"],
        ["--before", "good.pcap", "--after", "text"],
        ["good.pcap", "--before", "good.pcap", "--after", "empty.pcap"],
        ["good.pcap", "--balancer", "nowhere"],
        ["good.pcap", "--balancer", "127.0.0.1"],
        ["good.pcap", "--balancer", "127.0.0.1:0"],
        ["good.pcap", "--balancer", "127.0.0.1:99999"],
        ["good.pcap", "--balancer", "10.9.9.9:443"],
        ["good.pcap", "--flows", "absent.yaml"],
        ["good.pcap", "--flows", "text"],
        ["good.pcap", "--flows", "elsewhere.yaml"],
        ["good.pcap", "--format", "carvings"],
    ],
    ids=" ".join,
)
def test_refused(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text").write_text("no capture", "utf-8")
    Path("good.pcap").write_bytes(MTLS.read_bytes())
    Path("empty.pcap").write_bytes(talk.pcap([]))
    target(tmp_path, x=("10.9.9.9:443", "jwt", "direct")).rename("elsewhere.yaml")
    try:
        status: object = main(["packets", *arguments])
    except SystemExit as end:
        status = end.code
    printed = capsys.readouterr()
    assert status == 2 and printed.err and "Traceback" not in printed.err and not printed.out
