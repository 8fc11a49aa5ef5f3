"""The topology in containers, up for people to try.  Needs Docker."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from harness.lab.containers.image import ready_image
from harness.tests.command import Running
from harness.tests.lab.containers.test_runs import left

pytestmark = pytest.mark.usefixtures("_docker")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    ready_image()
    started = Running(("serve", "--target", "containers", "--flow", "management-to-portal"), tmp_path)
    yield started
    started.give_up()


def test_the_printed_command_works_when_pasted_and_ends_with_ctrl_c(running: Running) -> None:
    message = running.until_told("Press Ctrl-C to stop").splitlines()
    line = next(curl for entrypoint, curl in pairwise(message) if entrypoint.startswith("  jwt, terminating: ")).strip()
    for changed, status in ((line, "201"), (re.sub(r" -H @\S+", "", line), "401")):
        asked = ["bash", "-c", f"{changed} -o /dev/null -w '%{{http_code}}'"]
        answered = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
        assert answered.stdout == status, (changed, answered)
    running.process.send_signal(signal.SIGINT)
    assert running.end()[0] == 0
    assert (left(running.process.pid), running.folders()) == ([], [])
