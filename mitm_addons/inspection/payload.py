"""Payload rules: what a body and its headers must look like, from one small YAML file.  Knows no tokens, no verdicts.

request:                       # and/or response
  required_headers: [X-Request-Id]
  forbidden_fields: [password, card_number]     # names of JSON members, at any depth
  max_bytes: 65536
  schema: {type: object, required: [name]}      # JSON Schema
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.decode import strictyaml
from harness.errors import UsageError

_KEYS = {"required_headers", "forbidden_fields", "max_bytes", "schema"}


@dataclass(frozen=True)
class Rules:
    """The rules of one direction."""

    required_headers: tuple[str, ...] = ()
    forbidden_fields: frozenset[str] = frozenset()
    max_bytes: int | None = None
    schema: Any = None

    def broken(self, headers: Mapping[str, str], body: bytes) -> Iterator[str]:
        """What is wrong, in words; never a value of the payload."""
        yield from (f"the header {name} is missing" for name in self.required_headers if name not in headers)
        if self.max_bytes is not None and len(body) > self.max_bytes:
            yield f"{len(body)} bytes, allowed are {self.max_bytes}"
        if self.forbidden_fields or self.schema is not None:
            yield from self._content(body)

    def _content(self, body: bytes) -> Iterator[str]:
        try:
            content = json.loads(body) if body else None
        except (ValueError, RecursionError):
            yield "the body is not JSON, so its fields cannot be checked"
            return
        yield from (f"the field {name} is forbidden" for name in sorted(set(_names(content)) & self.forbidden_fields))
        if self.schema is not None:
            yield from (
                f"against the schema at {error.json_path}: {error.validator}" for error in _errors(self.schema, content)
            )


@dataclass(frozen=True)
class Payload:
    """The rules of both directions."""

    request: Rules = field(default_factory=Rules)
    response: Rules = field(default_factory=Rules)


def load(path: Path) -> Payload:
    """The rules in *path*; raises :class:`UsageError` for what it does not know."""
    data = strictyaml.read(path, "the payload rules") or {}
    if not isinstance(data, dict) or set(data) - {"request", "response"}:
        raise UsageError("payload rules have the sections request and response", where=str(path))
    return Payload(**{name: _rules(part or {}, path) for name, part in data.items()})


def _rules(part: Any, path: Path) -> Rules:
    unknown = sorted(set(part) - _KEYS) if isinstance(part, dict) else ["not a mapping"]
    if unknown:
        raise UsageError(
            f"unknown payload rule {unknown[0]!r}", where=str(path), hint=f"one of {', '.join(sorted(_KEYS))}"
        )
    if part.get("schema") is not None:
        _errors(part["schema"], None)
    limit = part.get("max_bytes")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int)):
        raise UsageError("max_bytes must be a number", where=str(path))
    headers, fields = part.get("required_headers", ()), part.get("forbidden_fields", ())
    return Rules(tuple(map(str, headers)), frozenset(map(str, fields)), limit, part.get("schema"))


def _errors(schema: Any, content: Any) -> list[Any]:
    try:
        from jsonschema import Draft202012Validator, SchemaError  # only who uses a schema needs the library
    except ImportError as error:
        raise UsageError("a schema needs jsonschema", hint="pip install jsonschema") from error
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise UsageError(f"not a JSON Schema: {error.message}") from error
    return list(Draft202012Validator(schema).iter_errors(content))


def _names(content: Any) -> Iterator[str]:
    waiting = [content]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield from item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
