"""The command ``hopproof`` as a process of its own: run to its end, or met half-way; and what it left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300.0
"""Only a hang takes that long: many tests on a busy machine take a minute."""
_MARK = "HOPPROOF_TEST_MARK"


def environment(**extra: str) -> dict[str, str]:
    """Ours without what the pytest that runs these tests has put there."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "HOPPROOF_"))}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **extra}


def hopproof(*arguments: str, cwd: Path, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run ``hopproof`` to its end."""
    return python("-m", "harness", *arguments, cwd=cwd, **extra)


def python(*arguments: str, cwd: Path, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run Python to its end."""
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=cwd, env=environment(**extra), capture_output=True, text=True, timeout=PATIENCE, check=False
    )


@dataclass
class Running:
    """A command under way in *folder*, known by a mark in its environment that its children inherit."""

    arguments: Sequence[str]
    folder: Path
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        command = [sys.executable, "-m", "harness", *self.arguments]
        self.process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment(**{_MARK: self.mark}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def report(self) -> Path:
        """Where a run writes that is told ``--report report``."""
        return self.folder / "report"

    def until_rows(self, count: int = 1) -> None:
        """Wait until *count* cases are in the record under way."""
        draft = self.report / ".run.jsonl.part"
        self.until(lambda: draft.exists() and draft.read_bytes().count(b"\n") > count)

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for *condition* while the process lives; there is nothing else to wait on."""
        pause, end = threading.Event(), time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < end
            pause.wait(0.02)

    def until_told(self, words: str) -> str:
        """Read what it says until a line has *words*."""
        assert self.process.stdout is not None
        message = ""
        for line in self.process.stdout:
            message += line
            if words in line:
                return message
        raise AssertionError(message)

    def end(self) -> tuple[int, str, str]:
        """Status, output and errors, at the end."""
        output, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, output, errors

    def marked(self) -> Mapping[int, str]:
        """The processes of this run that live, by id: what they are."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if f"{_MARK}={self.mark}".encode() in (entry / "environ").read_bytes():
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue  # it has just ended, or is not ours to look at
        return found

    def folders(self) -> list[Path]:
        """Its folders with keys."""
        return list(Path(tempfile.gettempdir()).glob(f"hopproof-{self.process.pid}-*"))

    def give_up(self) -> None:
        """End whatever a failed test left."""
        for pid in self.marked():
            os.kill(pid, 9)
        self.process.communicate()
