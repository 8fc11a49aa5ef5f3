"""The pages that people read: every hopproof command in them parses, every link in them leads somewhere."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import paths
from harness.cli import _parser

ROOT = paths.FIXTURES.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "ARCHITECTURE.md", *sorted(DOCS.glob("*.md"))]
_COMMAND = re.compile(r"^ {4}(?:\$ )?(hopproof .*)$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)#]+)(?:#[\w-]*)?\)")
_OPTION = re.compile(r"^\| `(--[\w-]+)", re.MULTILINE)


def commands(page: Path) -> Iterator[str]:
    text = page.read_text("utf-8").replace("\\\n", " ")
    yield from (line for line in _COMMAND.findall(text) if not line.startswith("hopproof: "))


def verbs() -> dict[str, argparse.ArgumentParser]:
    (found,) = [action for action in _parser()._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(found.choices)


def sections() -> dict[str, str]:
    parts = re.split(r"^## ", (DOCS / "commands.md").read_text("utf-8"), flags=re.MULTILINE)
    return {part.partition("\n")[0]: part for part in parts[1:]}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_its_commands_parse(page: Path) -> None:
    for line in commands(page):
        words = shlex.split(line.partition(";")[0], comments=True)[1:]
        try:
            _parser().parse_args(words)
        except SystemExit as error:
            pytest.fail(f"{page.name}: {line!r} is not a hopproof command ({error.code})")


def test_the_commands_are_found() -> None:
    assert {"run", "target", "inspect"} <= {line.split()[1] for line in commands(ROOT / "README.md")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_its_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(page.read_text("utf-8")):
        if "://" not in link:
            assert (page.parent / link).exists(), f"{page.name} links to {link}"


def test_the_index_names_every_page() -> None:
    index = set(_LINK.findall((DOCS / "index.md").read_text("utf-8")))
    assert {page.name for page in DOCS.glob("*.md")} - {"index.md"} <= index


@pytest.mark.parametrize("verb", sorted(verbs()))
def test_commands_has_each_verb_with_its_options(verb: str) -> None:
    options = {name for action in verbs()[verb]._actions for name in action.option_strings} - {"-h", "--help"}
    assert set(_OPTION.findall(sections()[verb])) == options


def test_commands_has_no_verb_that_is_gone() -> None:
    assert set(sections()) - {"Options file and pytest"} == set(verbs())
