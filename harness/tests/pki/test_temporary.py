"""What a killed process left goes at the next start; what is somebody else's, or still in use, stays."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from harness.pki.temporary import new_home, prefix, running, sweep


@pytest.fixture
def gone() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_a_killed_process_left_goes(tmp_path: Path, gone: int) -> None:
    for name in (f"hopproof-{gone}-abc", f"hopproof-{gone}-external-abc"):
        (tmp_path / name / "secrets").mkdir(parents=True)
        (tmp_path / name).chmod(0o700)
        (tmp_path / name / "secrets" / "tls.key").write_text("a key")
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_in_use_or_not_ours_stays(tmp_path: Path, gone: int, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [f"hopproof-{os.getpid()}-abc", "hopproof-abc-def", f"hopproof-{gone}-open", f"other-{gone}-x",
            f"hopproof-{9**30}-far"]  # fmt: skip
    for name in kept:
        (tmp_path / name).mkdir(mode=0o700)
    (tmp_path / f"hopproof-{gone}-open").chmod(0o755)
    (tmp_path / f"hopproof-{gone}-file").write_text("")
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / f"hopproof-{gone}-link").symlink_to(tmp_path / "elsewhere")
    before = sorted(tmp_path.iterdir())
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == before
    (tmp_path / f"hopproof-{gone}-others").mkdir(mode=0o700)
    with monkeypatch.context() as patched:
        patched.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)
        sweep(tmp_path)
    assert (tmp_path / f"hopproof-{gone}-others").is_dir()


def test_names_say_whose_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert new_home().name.startswith(f"hopproof-{os.getpid()}-") and prefix("sts") == f"hopproof-{os.getpid()}-sts-"
    assert running(os.getpid())
