"""The CI examples are YAML, and every hopproof command in them is one that the command line knows."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import paths
from harness.cli import _parser

FILES = sorted((paths.FIXTURES / "ci").glob("*.yml"))


def commands(data: Any) -> Iterator[list[str]]:
    if isinstance(data, dict):
        data = list(data.values())
    if isinstance(data, list):
        for item in data:
            yield from commands(item)
    elif isinstance(data, str) and data.startswith("hopproof "):
        yield shlex.split(data)[1:]


def test_there_are_two() -> None:
    assert [file.name for file in FILES] == ["github-actions.yml", "gitlab-ci.yml"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_their_commands_exist(file: Path) -> None:
    found = list(commands(yaml.safe_load(file.read_text("utf-8"))))
    assert [words[0] for words in found] == ["target", "run", "report"]
    for words in found:
        _parser().parse_args(words)
