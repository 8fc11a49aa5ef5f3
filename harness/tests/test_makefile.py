"""The commands that README and CONTRIBUTING begin with: ``make`` reads its file, and each environment is tox's."""

from __future__ import annotations

import configparser
import re

from harness.tests.command import ROOT

_LINE = re.compile(r"\t.*|#.*|[\w./$() -]+:( .*)?|\w+ [:?]?= .*|")
_PHONY = ".PHONY:"


def lines() -> list[str]:
    joined = (ROOT / "Makefile").read_text("utf-8").replace("\\\n", " ")
    return joined.splitlines()


def test_every_line_is_a_rule_a_recipe_or_a_variable() -> None:
    assert [line for line in lines() if not _LINE.fullmatch(line)] == []


def test_every_target_is_declared_and_has_an_environment() -> None:
    declared = next(line for line in lines() if line.startswith(_PHONY)).removeprefix(_PHONY).split()
    rules = [line.partition(":")[0].split() for line in lines() if re.match(r"[a-z][\w -]*:", line)]
    assert sorted(declared) == sorted(name for names in rules for name in names)
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    environments = {name.removeprefix("testenv:") for name in tox.sections()} | {"$@"}
    used = {name for line in lines() for found in re.findall(r"-e (\S+)", line) for name in found.split(",")}
    assert used and used <= environments
    shared = next(names for names in rules if "lint" in names)
    assert set(shared) <= environments
