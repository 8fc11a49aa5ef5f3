"""``flowproof inspect`` on the embedded lab: what it expects comes from the catalogue, what it marks from the judge."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.inspection import Wanted, expected, inspect
from harness.known import catalogue
from harness.model.vocabulary import Posture

ROOT = Path(__file__).resolve().parents[2]


def _inspect(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", "inspect", "--exercise", *arguments]
    return subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_reference_satisfies(tmp_path: Path) -> None:
    done = _inspect("--record", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "sent good: answered 201" in done.stdout and "sent exp-past: answered 401" in done.stdout
    assert done.stdout.strip().endswith("inspected: 6 satisfies"), done.stdout
    for name in ("inspection.mitm", "inspection.har"):
        text = (tmp_path / name).read_text("utf-8", "replace")
        assert "<jwt sha256:" in text and "eyJ" not in text


def test_a_fault_is_seen_where_it_happens() -> None:
    done = _inspect("--fault", "ignores-expiry", "--flow", "management-to-analytics")
    assert "violates JWT-13-TIME: POST /ingestion: answered 202: the exp-past was accepted" in done.stdout
    assert done.stdout.strip().endswith("inspected: 5 satisfies, 1 violates"), done.stdout


def test_nothing_gets_through_where_mtls_is_required() -> None:
    done = _inspect("--posture", "mtls")
    assert "sent good: answered 502" in done.stdout
    assert done.stdout.strip().endswith("inspected: 6 satisfies"), done.stdout


def test_what_is_expected_is_the_catalogues() -> None:
    known = catalogue()
    flow = known.flows["management-to-portal"]
    jwt, mtls = expected(known, flow, Posture.JWT), expected(known, flow, Posture.MTLS)
    assert jwt["good"]["requirement"]["id"] == "FLW-4" and jwt["good"]["check"] == "served"
    assert jwt["exp-past"]["check"] == "token-refused"
    assert {item["requirement"]["id"] for item in mtls.values()} == {"FLW-3"}


@pytest.mark.parametrize(
    "wanted",
    [Wanted(flow="none"), Wanted(posture="none"), Wanted(target="file.yaml"), Wanted(fault="none")],
    ids=["flow", "posture", "target", "fault"],
)
def test_what_cannot_be_inspected_is_told(wanted: Wanted) -> None:
    with pytest.raises(UsageError):
        inspect(wanted, lambda _line: None)


def test_a_saved_session_holds_no_key(tmp_path: Path) -> None:
    file = tmp_path / "session.json"
    assert inspect(Wanted(save=file), lambda _line: None) == 0
    text = file.read_text("utf-8")
    assert "PRIVATE" not in text and "eyJ" not in text and '"good"' in text


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not here")
def test_the_console_shows_the_marks() -> None:
    """As a person would: in a terminal, until the violation stands there; then explain it, and leave."""
    session = "flowproof-test-console"
    command = f"{sys.executable} -m harness inspect --ui console --port 18455 --fault ignores-expiry --exercise"
    tmux = ["tmux", "-L", session]
    subprocess.run([*tmux, "new-session", "-d", "-x", "180", "-y", "50", "-c", str(ROOT), command], check=True)
    try:
        screen = _until(tmux, "inspect-5")
        assert screen.count("/api/portals/inspect-") == 6
        keys = [*":flowproof.violations", "Enter"]
        subprocess.run([*tmux, "send-keys", *keys], check=True)
        screen = _until(tmux, "inspect-3", without="inspect-5")
        assert "inspect-3" in screen and "inspect-1" not in screen
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)


def _until(tmux: list[str], text: str, without: str = "\0") -> str:
    deadline = time.monotonic() + 40
    screen = ""
    while time.monotonic() < deadline:
        shown = subprocess.run([*tmux, "capture-pane", "-p"], capture_output=True, text=True, check=False)
        screen = shown.stdout
        if text in screen and without not in screen:
            return screen
        time.sleep(0.2)
    pytest.fail(f"{text!r} did not come:\n{screen}")
