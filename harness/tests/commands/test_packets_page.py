"""``hopproof packets --format page`` and ``--keys``."""

from __future__ import annotations

import os
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from harness import paths
from harness.cli import main
from harness.errors import UsageError
from harness.probes.key_log import opened

CAPTURES = paths.FIXTURES / "captures"
CLEAR = CAPTURES / "nginx-terminating-to-clear-text.pcap"
SECRETS = "CLIENT_RANDOM " + "ab" * 32 + " " + "cd" * 48 + "\n"


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)


def page(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    main(["packets", *arguments, "--format", "page"])
    return capsys.readouterr().out


def test_the_page_shows_what_the_text_shows(capsys: pytest.CaptureFixture[str]) -> None:
    found = page(capsys, str(CLEAR))
    assert "STS-11" in found and "bearer token" in found and "<svg" not in found
    assert "Content-Security-Policy" in found and "eyJ" not in found and "built-in" not in found
    assert "GET /" in found or "POST /" in found or "PUT /" in found


def test_a_balancer_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    found = page(capsys, str(CAPTURES / "haproxy-passthrough.pcap"))
    assert "<svg" in found and "passed through" in found


def test_what_a_capture_says_is_no_markup(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    data = CLEAR.read_bytes()
    name = data[data.index(b"Host: ") + 6 :].split(b"\r\n")[0]
    hostile = (b"<script>alert(1)</script>" + b"x" * len(name))[: len(name)]
    (tmp_path / "<b>.pcap").write_bytes(data.replace(name, hostile))
    found = page(capsys, str(tmp_path / "<b>.pcap"))
    parser = _Tags()
    parser.feed(found)
    assert "script" not in parser.found and "b" not in set(parser.found) - {"b"} and "&lt;b&gt;.pcap" in found


@pytest.fixture
def tshark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tshark that prints what is in ``answer``."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "tshark").write_text(
        f"#!/bin/sh\ncat {tmp_path}/answer; cat {tmp_path}/wrong >&2; exit $(cat {tmp_path}/status)\n"
    )
    (folder / "tshark").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    (tmp_path / "keys").write_text(SECRETS)
    for name, text in (("answer", ""), ("wrong", ""), ("status", "0")):
        (tmp_path / name).write_text(text)
    return tmp_path


def test_what_tshark_decrypts(tshark: Path) -> None:
    token = "Bearer " + "eyJhbGciOiJub25lIn0" + ".e30.c2lnbmF0dXJl"
    request = ["10.0.0.1", "", "40000", "10.0.0.2", "", "443", "GET", "x.test", "/a?secret=1", token, "", *[""] * 5]
    answer = ["", "::1", "443", "", "::2", "40000", *[""] * 9, "401"]
    (tshark / "answer").write_text("\t".join(request) + "\n" + "\t".join(answer) + "\n" + "noise\n")
    found = opened(["a.pcap"], str(tshark / "keys"))
    assert [(item.ends, item.text) for item in found] == [
        ("10.0.0.1:40000 -> 10.0.0.2:443", "GET /a of x.test, Bearer authorization"),
        ("::1:443 -> ::2:40000", "answered 401"),
    ]


def test_tshark_fails(tshark: Path) -> None:
    (tshark / "status").write_text("2")
    (tshark / "wrong").write_text("tshark: The file is no capture\n")
    with pytest.raises(UsageError, match="tshark cannot read it: tshark: The file is no capture"):
        opened(["a.pcap"], str(tshark / "keys"))


@pytest.mark.parametrize("text", ["", "nonsense\n", "# SSL/TLS secrets log file\n"])
def test_no_secrets(text: str, tshark: Path) -> None:
    (tshark / "keys").write_text(text)
    with pytest.raises(UsageError, match="no TLS secrets in it"):
        opened(["a.pcap"], str(tshark / "keys"))


def test_no_tshark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("tshark") is None
    with pytest.raises(UsageError, match="not on PATH"):
        opened(["a.pcap"], "keys")


def test_no_key_log_and_no_file(tshark: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the key log"):
        opened(["a.pcap"], str(tshark / "none"))
    with pytest.raises(UsageError, match="standard input can be read only once"):
        opened(["-"], str(tshark / "keys"))
