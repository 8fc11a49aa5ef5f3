"""A headless Debian chromium, and reports to look at: one real run with a fault, one of many rows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tools.browser.chromium import driver

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    found = driver(tmp_path_factory.mktemp("chromium"))
    yield found
    found.quit()


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a fault, some cases skipped."""
    folder = tmp_path_factory.mktemp("report")
    skip = "tokens/*/management-to-portal/jwt/passthrough/*=the window was too short"
    command = [
        sys.executable,
        "-m",
        "harness",
        "run",
        "--fault",
        "ignores-expiry",
        "--skip",
        skip,
        "--report",
        str(folder),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def lines(report: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (report / "run.jsonl").read_text("utf-8").splitlines()]
