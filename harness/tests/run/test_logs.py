"""What the servers said is kept beside the record when a case did not end as it should, and only then."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ONE = "tokens/*/management-to-portal/jwt/direct/exp-past"


@pytest.mark.parametrize(("fault", "status", "kept"), [("ignores-expiry", 1, True), ("", 0, False)])
def test_logs(tmp_path: Path, fault: str, status: int, kept: bool) -> None:
    command = [sys.executable, "-m", "harness", "run", "--only", ONE, "--report", str(tmp_path / "report")]
    command += ["--fault", fault] if fault else []
    surroundings = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, env=surroundings, check=False)
    assert ran.returncode == status, ran.stderr
    logs = tmp_path / "report" / "logs" / "harness.subsystems.log"
    assert logs.is_file() is kept
    assert not kept or "portal" in logs.read_text()
