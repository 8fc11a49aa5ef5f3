"""Rules on source text: which module may import which.  Reads the floors from ``ARCHITECTURE.md``; imports nothing.

A rule is a function from a module's name and source to what is wrong with it, so that each can be shown to fail.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAX_LINES = 330
MAX_BAGS = 3.0
"""How often per 1,000 production lines."""
OURS = ("harness", "mitm_addons")
SUBSYSTEMS_MAY = ("harness.model", "harness.errors", "harness.decode", "harness.subsystems")
ADDONS_MAY = (
    "harness.model",
    "harness.errors",
    "harness.decode",
    "harness.catalogue",
    "harness.checks",
    "harness.judge",
    "mitm_addons",
)
FENCES: Mapping[str, tuple[str, ...]] = {
    "scapy": ("harness.wire.packets",),
    "testcontainers": ("harness.lab.containers",),
    "allure": ("harness.writers", "harness.plugin"),
    "allure_commons": ("harness.writers", "harness.plugin"),
    "mitmproxy": ("mitm_addons",),
    "locust": ("harness.probes.load.generator",),
    "pkilint": ("harness.pki.rfc5280",),
    "gevent": ("harness.probes.load.generator",),
}
LAZY = ("scapy", "pkilint")


@dataclass(frozen=True)
class Import:
    """One imported module; ``top`` where it is imported when the importing module is."""

    name: str
    top: bool


@dataclass(frozen=True)
class Source:
    """A module's dotted name and its text."""

    name: str
    text: str
    package: bool = False

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        """Every import, in functions and under TYPE_CHECKING too; ``from a import b`` counts as ``a.b``."""
        inside = {
            id(node)
            for function in ast.walk(self.tree)
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
            for node in ast.walk(function)
        }
        return tuple(Import(name, id(node) not in inside) for node in ast.walk(self.tree) for name in self._names(node))

    def _names(self, node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = self._absolute(node)
            yield from (f"{base}.{alias.name}" for alias in node.names)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        kept = parts[: len(parts) - node.level + self.package]
        return ".".join([*kept, *([node.module] if node.module else [])])


def within(name: str, places: tuple[str, ...]) -> bool:
    """Whether the dotted *name* is one of *places* or lies in it."""
    return any(name == location or name.startswith(f"{location}.") for location in places)


def floors(page: str) -> list[tuple[str, ...]]:
    """The floors that a page lists in the indented block under ``## Floors``, lowest first."""
    section = page.partition("\n## Floors\n")[2].partition("\n## ")[0]
    return [tuple(line.strip().split(", ")) for line in section.splitlines() if re.fullmatch(r" {4}[a-z_, ]+", line)]


@dataclass(frozen=True)
class House:
    """The floors, lowest first."""

    floors: list[tuple[str, ...]]

    def level(self, unit: str) -> int | None:
        """The floor of *unit* (``wire``, ``judge``), None if it stands nowhere."""
        return next((number for number, units in enumerate(self.floors) if unit in units), None)

    def climbs(self, source: Source) -> list[str]:
        """Imports of *source* that do not go down."""
        own = unit_of(source.name)
        if own in ("", "tests", "__main__"):
            return []
        here = self.level(own)
        if here is None:
            return [f"{source.name} stands on no floor"]
        wrong = []
        for item in source.imports:
            other = unit_of(item.name)
            there = self.level(other) if other else None
            if there is None or other == own:
                continue
            if there >= here:
                wrong.append(f"{source.name} imports {item.name}")
        return wrong


def unit_of(module: str) -> str:
    """``wire`` of ``harness.wire.send``; '' for what is not ours."""
    first, _, rest = module.partition(".")
    return rest.partition(".")[0] if first == "harness" else ""


def oracle(source: Source) -> list[str]:
    """Law 1: the reference servers know neither what is expected nor how stimuli are made."""
    if not within(source.name, ("harness.subsystems",)):
        return []
    return _outside(source, SUBSYSTEMS_MAY)


def addons(source: Source) -> list[str]:
    """The balancer's process knows the vocabulary and the judge, not the harness that drives it."""
    return _outside(source, ADDONS_MAY) if within(source.name, ("mitm_addons",)) else []


def _outside(source: Source, allowed: tuple[str, ...]) -> list[str]:
    ours = (item.name for item in source.imports if item.name.partition(".")[0] in OURS)
    return [f"{source.name} imports {name}" for name in ours if not within(name, allowed)]


def fences(source: Source) -> list[str]:
    """Law 8: who may import what; and what must be imported only where it is used."""
    wrong = []
    for item in source.imports:
        library = item.name.partition(".")[0]
        if library in FENCES and not within(source.name, FENCES[library]):
            wrong.append(f"{source.name} imports {item.name}")
        elif library in LAZY and item.top:
            wrong.append(f"{source.name} imports {item.name} before it is needed")
    return wrong


def pure_model(source: Source) -> list[str]:
    """The model speaks the standard library's language only."""
    if not within(source.name, ("harness.model",)):
        return []
    names = (item.name for item in source.imports)
    return [
        f"{source.name} imports {name}"
        for name in names
        if not within(name, ("harness.model",)) and name.partition(".")[0] not in sys.stdlib_module_names
    ]


def documented(source: Source) -> list[str]:
    """Every module says what it does; an empty ``__init__`` does nothing."""
    return [] if not source.tree.body or ast.get_docstring(source.tree) else [f"{source.name} has no docstring"]


def short(source: Source) -> list[str]:
    """A file that is too long has too many jobs."""
    lines = len(source.text.splitlines())
    return [f"{source.name} has {lines} lines"] if lines > MAX_LINES else []


def circles(sources: Mapping[str, Source]) -> list[str]:
    """Modules that import one another in a circle, wherever the import is written."""
    edges = {name: sorted({found for item in source.imports for found in _module(item.name, sources)} - {name})
             for name, source in sources.items()}  # fmt: skip
    done: set[str] = set()
    wrong = []

    def visit(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            wrong.append(" -> ".join((*trail[trail.index(name) :], name)))
        elif name not in done:
            for other in edges[name]:
                visit(other, (*trail, name))
            done.add(name)

    for name in edges:
        visit(name, ())
    return wrong


def _module(name: str, sources: Mapping[str, Source]) -> Iterator[str]:
    """*name* or the module that it is an attribute of."""
    while name:
        if name in sources:
            yield name
            return
        name = name.rpartition(".")[0]


def production() -> dict[str, Source]:
    """Our modules without their tests, by dotted name."""
    return {name: source for name, source in everything().items() if ".tests" not in name}


def everything() -> dict[str, Source]:
    """All our modules, the suites' tests included, by dotted name."""
    files = [file for top in (*OURS, "suites") for file in (ROOT / top).rglob("*.py")]
    found = {}
    for file in sorted(files):
        parts = file.relative_to(ROOT).with_suffix("").parts
        package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if package else parts)
        found[name] = Source(name, file.read_text("utf-8"), package)
    return found


def bags(source: Source, aliases: frozenset[str] = frozenset()) -> int:
    """How often *source* says ``dict[str, Any]``, or one of the *aliases* (dotted) that stand for it."""
    known = {alias.rpartition(".")[2] for alias in aliases if alias.rpartition(".")[0] == source.name}
    known |= {item.name.rpartition(".")[2] for item in source.imports if item.name in aliases}
    names = (node for node in ast.walk(source.tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))
    return sum(map(_is_bag, ast.walk(source.tree))) + sum(node.id in known for node in names)


def bag_aliases(sources: Mapping[str, Source]) -> frozenset[str]:
    """The dotted names that are given to ``dict[str, Any]`` somewhere."""
    return frozenset(
        f"{source.name}.{target.id}"
        for source in sources.values()
        for node in source.tree.body
        if isinstance(node, ast.Assign) and _is_bag(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    )


def _is_bag(node: ast.AST) -> bool:
    return isinstance(node, ast.Subscript) and ast.unparse(node) == "dict[str, Any]"
