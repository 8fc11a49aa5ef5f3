"""Damaged exports: a seeded sample of what tools/fuzz_files.py judges."""

from __future__ import annotations

import logging
import random

import pytest

from tools import fuzz_files


def test_none_raises_hangs_or_prints_a_key() -> None:
    assert fuzz_files.run(range(150), seed=7, seconds=60) == []


def test_what_goes_wrong_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_data: bytes, _generator: random.Random) -> str:
        raise ValueError("as planned")

    def logs(_data: bytes, _generator: random.Random) -> str:
        logging.getLogger("some.library").error("stumbled")
        return f"x{fuzz_files.KEY}"

    monkeypatch.setattr(fuzz_files, "look", fails)
    (line,) = fuzz_files.run(range(1), seed=7, seconds=20)
    assert "as planned" in line
    monkeypatch.setattr(fuzz_files, "look", logs)
    assert [line.partition(": ")[2] for line in fuzz_files.run(range(1), seed=7, seconds=20)] == [
        "a key was printed",
        "a library logged stumbled",
    ]
