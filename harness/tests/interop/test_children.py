"""A runner that is told to end takes the servers that it started with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tools.interop.children import Children

_SERVER = "import signal; print('ready\\n', end='', flush=True); signal.pause()"
_STUBBORN = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    " print('ready\\n', end='', flush=True); [signal.pause() for _ in iter(int, 1)]"
)
# A runner as tools/interop/field.py is one: its servers are started by threads, and the main thread waits for those.
_RUNNER = f"""
import os, sys
from concurrent.futures import ThreadPoolExecutor
from tools.interop.children import CHILDREN, end_on_sigterm

def serve(_):
    process = CHILDREN.start([sys.executable, "-c", {_SERVER!r}], os.environ, sys.stdout.buffer)
    process.wait()

end_on_sigterm()
with ThreadPoolExecutor(2) as pool:
    try:
        list(pool.map(serve, range(4)))
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        CHILDREN.end_all()
        raise
"""


def _start(children: Children, program: str) -> subprocess.Popen[bytes]:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as ready, os.fdopen(writing, "wb") as output:
        process = children.start([sys.executable, "-c", program], os.environ, output)
        output.close()
        assert ready.readline() == b"ready\n"
    return process


def test_what_was_started_is_ended_and_nothing_starts_afterwards(tmp_path: Path) -> None:
    children = Children()
    process = _start(children, _SERVER)

    children.end_all()

    assert process.returncode == -signal.SIGTERM
    with (tmp_path / "log").open("wb") as output, pytest.raises(SystemExit):
        children.start([sys.executable, "-c", _SERVER], os.environ, output)


def test_what_ignores_sigterm_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.interop.children._END_SECONDS", 0.1)
    children = Children()
    process = _start(children, _STUBBORN)

    children.end(process)

    assert process.returncode == -signal.SIGKILL


def test_sigterm_to_a_runner_ends_its_servers() -> None:
    runner = subprocess.Popen([sys.executable, "-c", _RUNNER], stdout=subprocess.PIPE)
    assert runner.stdout is not None
    try:
        first = [runner.stdout.readline() for _ in range(2)]
    finally:
        runner.terminate()
    # The servers hold the other end of the pipe: it ends with the last of them.
    rest = runner.communicate()[0]

    assert (first, rest) == ([b"ready\n"] * 2, b"")
    assert runner.returncode == 128 + signal.SIGTERM
