"""Reads YAML and JSON manifests into objects whose fields know their lines.  Pure; resolves no tag and runs nothing.

PyYAML's event parser does the syntax; the tree is built here from its events, without recursion.  Whatever a hostile
file holds (deep nesting, aliases of aliases, a million keys) ends in bounded work and a message with a line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

import yaml

from harness.model.resource import Located, Resource, Scalar, Unread

MOST_BYTES = 64 * 1024 * 1024
MOST_NODES = 4_000_000
MOST_DEPTH = 100
MOST_DOCUMENTS = 50_000
MOST_OBJECTS = 100_000
_LISTS_DEEP = 3
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"


def _spelt(word: str) -> tuple[str, str, str]:
    return word, word.capitalize(), word.upper()


_BOOL, _NULL, _MERGE = f"{_TAG}bool", f"{_TAG}null", f"{_TAG}merge"
_TRUE = frozenset({"true", "yes", "on"})
_BOOLS = frozenset(form for word in ("yes", "no", "true", "false", "on", "off") for form in _spelt(word))
_NULLS = frozenset({"~", "", *_spelt("null")})
_TEMPLATE = re.compile(rb"\{\{")
_PAIR = re.compile(r"((?<!\\)(?:\\\\)*)(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})")
"""A character beyond the first 65536 as JSON escapes it; YAML has another escape."""
_SURROGATE = re.compile("[\ud800-\udfff]")


class _Refused(Exception):
    """The file cannot be read further, and why."""

    def __init__(self, message: str, line: int) -> None:
        self.message, self.line = message, line
        super().__init__(message)


@dataclass
class _Open:
    """A mapping or a list whose end was not met yet."""

    line: int
    mapping: bool
    members: dict[str, Located] = field(default_factory=dict)
    elements: list[Located] = field(default_factory=list)
    key: str | None = None
    merged: list[Located] = field(default_factory=list)
    anchor: str | None = None
    column: int = 0
    end: int = 0


class _Builder:
    """Builds the documents of one stream from its events."""

    def __init__(self) -> None:
        self.nodes = 0
        self.foreign = 0  # the line of the document's first tag that means something elsewhere
        self.blind = False  # whether columns are not those of the file, or not of one value alone
        self._stack: list[_Open] = []
        self._anchors: dict[str, Located] = {}
        self._root: Located | None = None

    def start(self) -> None:
        """Begin a document."""
        self._stack.clear()
        self._anchors.clear()
        self._root, self.foreign = None, 0

    def take(self, event: yaml.Event) -> Located | None:
        """Take one event; returns the root when a document has ended with it."""
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.ScalarEvent):
            self._count(1, line)
            self._scalar(event, line)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._open(event, line)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close()
        elif isinstance(event, yaml.AliasEvent):
            self._count(1, line)
            self._alias(event, line)
        elif isinstance(event, yaml.DocumentStartEvent):
            self.start()
        elif isinstance(event, yaml.DocumentEndEvent):
            return self._root
        return None

    def _count(self, number: int, line: int) -> None:
        self.nodes += number
        if self.nodes > MOST_NODES:
            raise _Refused(f"more than {MOST_NODES} values", line)

    def _open(self, event: yaml.CollectionStartEvent, line: int) -> None:
        self._count(1, line)
        if len(self._stack) >= MOST_DEPTH:
            raise _Refused(f"nested deeper than {MOST_DEPTH} levels", line)
        self._note_tag(event.tag, line)
        column = self._column(event)
        made = _Open(line, isinstance(event, yaml.MappingStartEvent), anchor=event.anchor, column=column)
        made.end = column + 1 if event.flow_style and column else 0
        self._stack.append(made)

    def _column(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> int:
        """Where the value begins; 0 where it may be another's as well, or a tag stands before it."""
        self.blind = self.blind or bool(event.anchor)
        return 0 if self.blind or event.tag or event.start_mark is None else event.start_mark.column + 1

    def _close(self) -> None:
        done = self._stack.pop()
        value: Mapping[str, Located] | list[Located] = done.elements
        if done.mapping:
            for source in done.merged:
                self._merge(done, source)
            value = done.members
        made = Located(done.line, value, done.column, done.end)
        if done.anchor:
            self._anchors[done.anchor] = made
        self._put(made)

    def _merge(self, target: _Open, source: Located) -> None:
        sources = source.value if isinstance(source.value, list) else [source]
        for each in sources:
            members = each.fields()
            self._count(len(members), source.line)
            for key, item in members.items():
                target.members.setdefault(key, item)

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        parent = self._stack[-1] if self._stack else None
        if parent is not None and parent.mapping and parent.key is None:
            self._key(parent, "<<" if self._is_merge(event) else _text(event.value), line)
            return
        self._note_tag(event.tag, line)
        made = Located(line, self._resolved(event), *self._span(event))
        if event.anchor:
            self._anchors[event.anchor] = made
        self._put(made)

    def _span(self, event: yaml.ScalarEvent) -> tuple[int, int]:
        column, start, end = self._column(event), event.start_mark, event.end_mark
        if not column or start is None or end is None or end.line != start.line or event.style in ("|", ">"):
            return 0, 0
        return column, end.column + 1

    def _alias(self, event: yaml.AliasEvent, line: int) -> None:
        if event.anchor not in self._anchors:
            raise _Refused(f"the alias *{event.anchor} is undefined, or refers to a node that contains it", line)
        parent = self._stack[-1] if self._stack else None
        if parent is not None and parent.mapping and parent.key is None:
            self._key(parent, self._anchors[event.anchor].text(), line)
            return
        self._put(self._anchors[event.anchor])

    @staticmethod
    def _key(parent: _Open, key: str, line: int) -> None:
        if key in parent.members:
            raise _Refused(f"the key {key!r} stands twice in one mapping", line)
        parent.key = key

    def _put(self, made: Located) -> None:
        if not self._stack:
            self._root = made
            return
        parent = self._stack[-1]
        if not parent.mapping:
            parent.elements.append(made)
        elif parent.key is None:
            raise _Refused("a key that is a list or a mapping", made.line)
        else:
            if parent.key == "<<":
                parent.merged.append(made)
            else:
                parent.members[parent.key] = made
            parent.key = None

    def _note_tag(self, tag: str | None, line: int) -> None:
        if (tag and tag != "!" and not tag.startswith(_TAG) and not self.foreign) or (
            tag and tag.startswith(f"{_TAG}python") and not self.foreign
        ):
            self.foreign = line

    @staticmethod
    def _is_merge(event: yaml.ScalarEvent) -> bool:
        return event.value == "<<" and event.implicit[0]

    @staticmethod
    def _resolved(event: yaml.ScalarEvent) -> Scalar:
        tag = event.tag
        if not tag and event.implicit[0]:  # YAML 1.1's plain scalars, as PyYAML resolves them
            tag = _BOOL if event.value in _BOOLS else _NULL if event.value in _NULLS else tag
        if tag == _BOOL:
            return event.value.lower() in _TRUE
        return None if tag == _NULL else _text(event.value)


def read(data: bytes, file: str) -> tuple[list[Resource], list[Unread]]:
    """The objects of *data*, the text of *file*, and what could not be read of it."""
    found: list[Resource] = []
    unread: list[Unread] = []
    if len(data) > MOST_BYTES:
        return found, [Unread(file, 1, f"larger than {MOST_BYTES // 1024 // 1024} MiB")]
    try:
        for root, foreign in _documents(data):
            objects = list(islice(_objects(root, file, 0), MOST_OBJECTS + 1 - len(found)))
            if foreign and any(each.kind for each in objects):
                unread.append(
                    Unread(file, foreign, "a YAML tag that no Kubernetes object has; the document is not read")
                )
                continue
            found += objects
            if len(found) > MOST_OBJECTS:
                raise _Refused(f"more than {MOST_OBJECTS} objects", root.line)
    except _Refused as problem:
        unread.append(Unread(file, problem.line, _said(problem.message, data), _is_manifest(data)))
    except (yaml.YAMLError, UnicodeError, ValueError) as problem:
        mark = getattr(problem, "problem_mark", None) or getattr(problem, "context_mark", None)
        line = mark.line + 1 if mark is not None else 1
        what = getattr(problem, "problem", None) or str(problem).partition("\n")[0]
        unread.append(Unread(file, line, _said(f"not valid YAML: {what}", data), _is_manifest(data)))
    return found, unread


def _said(message: str, data: bytes) -> str:
    return "a template, not a manifest; judge the rendered output" if _TEMPLATE.search(data) else message


def _is_manifest(data: bytes) -> bool:
    """Whether what could not be read may hold an object; neither a template nor other programs' YAML does."""
    return b"apiVersion" in data and not _TEMPLATE.search(data)


def _documents(data: bytes) -> Iterator[tuple[Located, int]]:
    """Each document's root, and the line of its first foreign tag (0 without one)."""
    text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    builder, documents = _Builder(), 0
    if text.lstrip()[:1] in ("{", "["):
        text = text.replace("\t", " ")  # JSON may be indented with tabs, YAML may not
        text, shortened = _PAIR.subn(lambda match: match[1] + json.loads(f'"{match[2]}"'), text)
        builder.blind = bool(shortened)
    for event in yaml.parse(text, Loader=_LOADER):
        root = builder.take(event)
        if root is not None:
            documents += 1
            if documents > MOST_DOCUMENTS:
                raise _Refused(f"more than {MOST_DOCUMENTS} documents", root.line)
            yield root, builder.foreign


def _objects(root: Located, file: str, depth: int) -> Iterator[Resource]:
    """The objects that a document stands for: itself, or the members of a list."""
    kind = root.text("kind")
    if root.text("apiVersion") and kind.endswith("List") and root.at("items") is not None:
        if depth > _LISTS_DEEP:
            raise _Refused("lists of lists of lists", root.line)
        for item in root.items("items"):
            yield from _objects(item, file, depth + 1)
        return
    if not root.fields():
        return
    if not (kind and root.text("apiVersion")):
        yield Resource(file, root)
        return
    group = root.text("apiVersion").rpartition("/")[0]
    yield Resource(file, root, kind, group, root.text("metadata", "name"), root.text("metadata", "namespace"))


def _text(value: str) -> str:
    """*value*; a lone half of a surrogate pair, which no output can carry, is replaced."""
    return value if value.isascii() else _SURROGATE.sub("�", value)
