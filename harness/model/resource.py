"""Configuration files as values that know their line, and the objects that they hold.  Knows no format."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

Scalar = str | bool | None
"""A number stays as it was written: nothing here calculates."""


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """A value and the line (from 1) on which it begins.

    ``column`` (from 1) is where it begins, 0 where the place stands for more than this value; ``end`` is the column
    after a text of one line, or after the bracket that opens a mapping or a list, 0 where there is none.
    """

    line: int
    value: Scalar | Mapping[str, Located] | Sequence[Located]
    column: int = 0
    end: int = 0

    def at(self, *path: str | int) -> Located | None:
        """What stands under *path* (keys, or places in a list); None where nothing does."""
        found: Located | None = self
        for step in path:
            if found is None:
                return None
            found = found._step(step)
        return found

    def _step(self, step: str | int) -> Located | None:
        if isinstance(step, str):
            return self.value.get(step) if isinstance(self.value, Mapping) else None
        return self.value[step] if isinstance(self.value, list) and step < len(self.value) else None

    def text(self, *path: str | int) -> str:
        """The text under *path*, '' where there is none."""
        found = self.at(*path)
        return found.value if found is not None and isinstance(found.value, str) else ""

    @property
    def is_text(self) -> bool:
        """Whether it is a text, an empty one perhaps."""
        return isinstance(self.value, str)

    def flag(self, *path: str | int) -> bool | None:
        """The truth value under *path*; None where there is none, or something that is none."""
        found = self.at(*path)
        return found.value if found is not None and isinstance(found.value, bool) else None

    def items(self, *path: str | int) -> Sequence[Located]:
        """The members of the list under *path*."""
        found = self.at(*path)
        return found.value if found is not None and isinstance(found.value, list) else ()

    def fields(self, *path: str | int) -> Mapping[str, Located]:
        """The members of the mapping under *path*."""
        found = self.at(*path)
        return found.value if found is not None and isinstance(found.value, Mapping) else {}

    def line_of(self, *path: str | int) -> int:
        """The line of what stands under *path*, or of the nearest thing above it."""
        for end in range(len(path), 0, -1):
            found = self.at(*path[:end])
            if found is not None:
                return found.line
        return self.line

    def digest(self, known: dict[int, bytes] | None = None) -> bytes:
        """A digest of the value without its lines; what several aliases share is digested once."""
        known = {} if known is None else known
        if id(self) not in known:
            parts = [f"{type(self.value).__name__}:".encode()]
            if isinstance(self.value, Mapping):
                for key in sorted(self.value):
                    parts += [key.encode(), self.value[key].digest(known)]
            elif isinstance(self.value, list):
                parts += [item.digest(known) for item in self.value]
            else:
                parts.append(str(self.value).encode())
            known[id(self)] = hashlib.sha256(b"\0".join(parts)).digest()
        return known[id(self)]


@dataclass(frozen=True, eq=False)
class Resource:
    """One object of a file: a Kubernetes resource, or a document without a kind (``kind`` is then '')."""

    file: str
    root: Located
    kind: str = ""
    group: str = ""
    name: str = ""
    namespace: str = ""

    @property
    def label(self) -> str:
        """What a person calls it: ``PortalCluster apic/portal``."""
        if not self.kind:
            return "a document without a kind"
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Unread:
    """Something that could not be read: where, and why.  ``matters`` says that a verdict would rest on it; ``kind`` is
    that of the object, where there is one."""

    file: str
    line: int
    message: str
    matters: bool = True
    kind: str = ""


@dataclass
class Files:
    """What a set of files holds: the objects, the PEM certificates (text by file and line), and what was not read.

    ``again`` are the objects that a folder has once more; they matter where the two differ.
    """

    resources: list[Resource] = field(default_factory=list)
    pem: list[tuple[str, int, bytes]] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    read: int = 0
    again: list[Unread] = field(default_factory=list)

    def of(self, *kinds: str) -> Iterator[Resource]:
        """The objects of these *kinds*."""
        return (resource for resource in self.resources if resource.kind in kinds)
