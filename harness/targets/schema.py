"""A target file against its schema: every place that breaks it, and what is left without them.  Opens nothing."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path as FilePath
from typing import Any

import jsonschema

from harness import paths
from harness.errors import UsageError

_ATTEMPT = "hopproof target init prints a commented example; the schema is target.schema.json"
PLAIN_HTTP = (
    "plain HTTP cannot be judged: the server presents no certificate, and anyone in between can read and change "
    "everything, tokens included (STS-11)"
)
# What every target file has to say, and what stands for it while the rest is looked at.
_PLACEHOLDERS: Mapping[str, Any] = {"product": {"name": "?"}, "environment": "lab"}
_MOST = 20


@cache
def schema() -> dict[str, Any]:
    """The published JSON Schema of target files."""
    data: dict[str, Any] = json.loads((paths.SCHEMA / "target.schema.json").read_text("utf-8"))
    return data


def sound(data: Any, file: FilePath) -> tuple[list[UsageError], Any]:
    """What is wrong with *data*, and *data* without it: None where nothing is left that can be looked at."""
    if data is None:
        return [UsageError("the file is empty", where=str(file), hint=_ATTEMPT)], None
    errors, zeros = list(_errors(data)), list(_zeros(data, ()))
    if not errors and not zeros:
        return [], data
    left = _without([*(list(error.absolute_path) for error in errors), *map(list, zeros)], data)
    if left is not None and any(True for _ in _errors(left)):
        left = None
    mistakes = [_mistake(error, file) for error in errors]
    mistakes += [UsageError(f"{_spot(path)}: holds a character with the code 0", where=str(file)) for path in zeros]
    return mistakes[:_MOST], left


def _zeros(data: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """Where text has what no file, variable or header can be called."""
    if isinstance(data, str) and "\0" in data:
        yield path
    for name, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        if isinstance(name, str) and "\0" in name:
            yield path
        yield from _zeros(value, (*path, name))


def _spot(path: Iterable[Any]) -> str:
    return ".".join(str(part) for part in path) or "the file"


def _errors(data: Any) -> Iterable[Any]:
    found: Iterable[Any] = jsonschema.Draft202012Validator(schema()).iter_errors(data)
    return found


def _without(paths: Sequence[Sequence[Any]], data: Any) -> dict[str, Any] | None:
    if not isinstance(data, dict):
        return None
    left = {name: value for name, value in copy.deepcopy(data).items() if name in schema()["properties"]}
    for path in paths:
        if path[:1] == ["servers"] and len(path) > 1:
            left.get("servers", {}).pop(path[1], None)
        elif path:
            left.pop(path[0], None)
    return {**_PLACEHOLDERS, **left} if left.get("servers") else None


def _mistake(found: Any, file: FilePath) -> UsageError:
    error = jsonschema.exceptions.best_match([found])
    spot = _spot(error.absolute_path)
    value = error.instance
    if error.validator == "pattern" and isinstance(value, str) and value.lower().startswith("http://"):
        return UsageError(f"{spot}: {PLAIN_HTTP}", where=str(file), hint="give the https URL")
    return UsageError(f"{spot}: {_sentence(error)}", where=str(file), hint=_ATTEMPT)


def _sentence(error: Any) -> str:
    """What is wrong, without a value that may be a secret written where the name of a file belongs."""
    path, rule = list(error.absolute_path), error.validator_value
    if path == ["tokens"] and error.validator == "oneOf":
        return "exactly one of signing_key, jwks, command, endpoint, captured, none is given as the source of tokens"
    if not {"client", "tokens", "url"} & set(path):
        return str(error.message) if len(error.message) < 200 else f"{error.message[:200]}..."
    texts = {
        "type": f"not of type {rule}",
        "pattern": f"does not match {rule}",
        "const": f"can only be {rule}",
        "oneOf": "has none of the allowed forms: a file name, {file: NAME}, {env: NAME}",
    }
    return texts.get(error.validator, str(error.message))
