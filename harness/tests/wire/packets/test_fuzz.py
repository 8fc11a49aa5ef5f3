"""Damaged captures: a seeded sample of what tools/fuzz_packets.py reads."""

from __future__ import annotations

import pytest

from tools import fuzz_packets


def test_damaged_captures_are_read_to_the_end() -> None:
    assert fuzz_packets.run(range(300), seed=7, seconds=20) == []


def test_the_program_sees_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_data: bytes) -> str:
        raise IndexError("found")

    monkeypatch.setattr(fuzz_packets, "look", fails)
    (line,) = fuzz_packets.run(range(1), seed=7, seconds=20)
    assert "IndexError: found" in line
    monkeypatch.setattr(fuzz_packets, "look", lambda _data: f"x.{fuzz_packets.SECRET}")
    (line,) = fuzz_packets.run(range(1), seed=7, seconds=20)
    assert "printed whole" in line
