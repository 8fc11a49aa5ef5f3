"""The figures of a load are written whole or not at all, and a full disk is said in one sentence."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from harness.errors import ReportError
from harness.tests.checks.test_load import measured, record
from harness.writers.load import PAGE, RECORD, as_text, write


def test_both_files_and_nothing_else(tmp_path: Path) -> None:
    write(tmp_path, record(measured(0, 100), measured(1, 50), measured(0, 100), measured(1, 40)), "nothing")
    assert {file.name for file in tmp_path.iterdir()} == {RECORD, PAGE}


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, text: str, encoding: str) -> int:
        self.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(ReportError, match="the figures cannot be written: No space left on device"):
        write(tmp_path, record(measured(0, 100), measured(1, 50), measured(0, 100), measured(1, 40)), "nothing")
    assert list(tmp_path.iterdir()) == []


def test_a_narrow_terminal_gets_no_broken_table() -> None:
    made = record(measured(0, 100), measured(1, 50), measured(0, 100), measured(1, 40))
    assert "posture, path, connections  " in as_text(made, "nothing", 200)
    narrow = as_text(made, "nothing", 40)
    table = narrow.split("\n\n")[1]
    assert "posture, path, connections  " not in narrow
    assert all(len(line) <= 40 for line in table.splitlines()) and "events/s" in table
