"""What is expected of a third-party server: of its own major version, if that differs from the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.interop.judge import expected_of


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("v20.20.2", "expected-20.yaml"),
        ("20.1", "expected-20.yaml"),
        ("v24.1.0", "expected.yaml"),
        ("2.0.20", "expected.yaml"),
    ],
)
def test_a_major_version_may_have_its_own(tmp_path: Path, version: str, name: str) -> None:
    for each in ("expected-20.yaml", "expected.yaml"):
        (tmp_path / each).write_text("expected: []\n")
    assert expected_of(tmp_path, version) == tmp_path / name
