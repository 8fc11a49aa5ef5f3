"""Options of a run: built-in values < the file ``hopproof.toml`` < flags, resolved once.  Starts nothing."""

from __future__ import annotations

import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.model.vocabulary import Depth

FILE = "hopproof.toml"
_FORMER = "flowproof"
"""What the product was called before: its files and variables are refused, not silently ignored."""


@dataclass(frozen=True)
class Skip:
    """Cases left out on purpose, and why."""

    glob: str
    reason: str

    @classmethod
    def parse(cls, text: str) -> Skip:
        """From ``GLOB=REASON``; raises UsageError without a reason."""
        glob, _, reason = text.partition("=")
        if not glob or not reason.strip():
            raise UsageError(f"--skip {text!r} has no reason", hint="write --skip 'GLOB=why it is left out'")
        return cls(glob, reason.strip())


@dataclass(frozen=True)
class Options:
    """What a run is asked to do.  ``seed`` 0 means: choose one; ``keep`` is set by a replay alone, never by a file."""

    target: str = "embedded"
    depth: Depth = Depth.QUICK
    only: tuple[str, ...] = ()
    skip: tuple[Skip, ...] = ()
    fault: str = ""
    seed: int = 0
    report: Path = Path("reports/latest")
    expected: str | None = None
    read_only: bool = False
    wait: bool = False
    keep: tuple[str, Path] | None = None

    def seeded(self) -> Options:
        """These options with a seed chosen where none was given."""
        return self if self.seed else replace(self, seed=secrets.randbelow(2**31 - 1) + 1)


def resolve(flags: Mapping[str, Any], folder: Path) -> Options:
    """The options that *flags* (None = not given) and ``hopproof.toml`` in *folder* ask for.

    Raises :class:`UsageError` for an unknown key, or a value of the wrong type.
    """
    given = {**_file(folder / FILE), **{key: value for key, value in flags.items() if value is not None}}
    unknown = sorted(set(given) - {field.name for field in fields(Options)} | {"keep"} & set(given))
    if unknown:
        raise UsageError(f"unknown option {unknown[0]!r}", where=FILE)
    try:
        return Options(**{key: _convert(key, value) for key, value in given.items()})
    except (TypeError, ValueError) as error:
        raise UsageError(f"bad option: {error}", hint="see hopproof run --help") from error


def refuse_former_names(folder: Path, environment: Mapping[str, str]) -> None:
    """Raises :class:`UsageError` for a ``flowproof.toml`` in *folder* or a ``FLOWPROOF_*`` variable."""
    former = folder / f"{_FORMER}.toml"
    if former.exists():
        raise UsageError(
            "Flowproof is called Hopproof now; this file is not read", where=str(former), hint=f"rename it to {FILE}"
        )
    for name in sorted(environment):
        if name.startswith(f"{_FORMER.upper()}_"):
            new = name.replace(_FORMER.upper(), "HOPPROOF", 1)
            raise UsageError(
                f"Flowproof is called Hopproof now; the variable {name} is not read", hint=f"set {new} instead"
            )


def _file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read the options: {error}", where=str(path)) from error


def _convert(key: str, value: Any) -> Any:
    if key == "depth":
        return Depth(value)
    if key == "seed":
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(f"seed {value!r} is not a whole number")
        number = value
        if not 0 <= number < 2**31:
            raise ValueError(f"seed {number} is not between 0 and {2**31 - 1}")
        return number
    if key == "report":
        return Path(value)
    if key in ("only", "skip"):
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            raise ValueError(f"{key} is a list of strings")
        return tuple(value) if key == "only" else tuple(Skip.parse(item) for item in value)
    kind = bool if key in ("read_only", "wait") else str
    if not isinstance(value, kind):
        raise ValueError(f"{key} is {'true or false' if kind is bool else 'a string'}")
    return value
