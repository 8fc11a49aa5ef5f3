"""Reads YAML that people write, and loses nothing of it silently.  Knows nothing of what it means."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import yaml

from harness.errors import UsageError

_MERGE = "tag:yaml.org,2002:merge"  # <<: what it brings may be said otherwise beside it
_MOST_NODES = 100_000
"""With every alias written out; a few lines of aliases of aliases can stand for billions."""


def read(file: Path, what: str, *, error: type[UsageError] = UsageError, hint: str = "") -> Any:
    """What *file* says; raises *error* where it cannot be read, is not YAML, or has a duplicate key."""
    try:
        return yaml.load(file.read_bytes(), Loader=StrictLoader)  # noqa: S506 - a SafeLoader
    except OSError as problem:
        raise error(f"cannot read {what}: {problem.strerror}", where=str(file), hint=hint) from problem
    except (yaml.YAMLError, ValueError) as problem:
        raise error(f"not valid YAML: {_sentence(problem)}", where=str(file), hint=_hint(problem, file)) from problem
    except RecursionError as problem:
        raise error("not valid YAML: nested too deeply", where=str(file)) from problem


def _sentence(problem: Exception) -> str:
    """What is wrong, and on which line; the text of the file, in which a secret may stand, is left out."""
    if isinstance(problem, yaml.reader.ReaderError):
        return f"{problem.reason} (at character {problem.position + 1})"
    if not isinstance(problem, yaml.MarkedYAMLError) or problem.problem_mark is None:
        return str(problem)
    context = f"{problem.context}, " if problem.context else ""
    return f"{context}{problem.problem}{_at(problem.problem_mark)}"


def _hint(problem: Exception, file: Path) -> str:
    several = isinstance(problem, yaml.composer.ComposerError) and "single document" in str(problem.context)
    return f"only one document is allowed here; for exported manifests use exports:{file}" if several else ""


def _at(mark: yaml.Mark) -> str:
    return f" (line {mark.line + 1})"


class StrictLoader(yaml.SafeLoader):
    """Refuses what YAML would take and lose: of two equal keys it keeps the last, and a number may be none."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """The next node; refuses a document of too many before all of it is read."""
        self._composed = getattr(self, "_composed", 0) + 1
        if self._composed > _MOST_NODES:
            raise yaml.YAMLError(f"more than {_MOST_NODES} values")
        return super().compose_node(parent, index)

    def get_single_node(self) -> yaml.Node | None:
        """The document; refuses one that holds itself, or that is far larger than its text."""
        node = super().get_single_node()
        if node is not None and _size(node, {}) > _MOST_NODES:
            raise yaml.YAMLError(f"more than {_MOST_NODES} values, with its aliases expanded")
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse a duplicate key, and one that is not a scalar."""
        observed = set()
        for key, _ in node.value:
            if key.tag == _MERGE:
                continue
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.YAMLError(f"a key that is a list or a mapping{_at(key.start_mark)}")
            name = self.construct_object(key, deep=True)
            if name in observed:
                raise yaml.YAMLError(f"duplicate key {name!r}{_at(key.start_mark)}")
            observed.add(name)
        return super().construct_mapping(node, deep)

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        """Refuse what is written as a number and compares like none."""
        value = float(super().construct_yaml_float(node))
        if not math.isfinite(value):
            raise yaml.YAMLError(f"{node.value} is not a finite number{_at(node.start_mark)}")
        return value


StrictLoader.add_constructor("tag:yaml.org,2002:float", StrictLoader.construct_yaml_float)


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """How many nodes *node* stands for; ``known`` has those already counted, 0 for one that is being counted."""
    if id(node) in known:
        if not known[id(node)]:
            raise yaml.YAMLError(f"it contains itself{_at(node.start_mark)}")
        return known[id(node)]
    known[id(node)] = 0
    children: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        children = [part for pair in node.value for part in pair]
    elif isinstance(node, yaml.SequenceNode):
        children = node.value
    known[id(node)] = 1 + sum(_size(child, known) for child in children)
    return known[id(node)]
