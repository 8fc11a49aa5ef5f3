"""Options of a run: built-in values < the file ``hopproof.toml`` < flags, resolved once.  Starts nothing.

``OPTIONS`` is the only table of them.  ``hopproof run``, ``hopproof.toml`` and the pytest plugin are built from it; a
test compares it with docs/options.md.  A new option is a field of :class:`Options` and a row of the table.
"""

from __future__ import annotations

import secrets
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.model.case import CAPTURE
from harness.model.vocabulary import AND, EXPORTS, Depth

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
    product: str = ""
    profile: str = ""
    depth: Depth = Depth.QUICK
    only: tuple[str, ...] = ()
    skip: tuple[Skip, ...] = ()
    fault: str = ""
    seed: int = 0
    report: Path = Path("reports/latest")
    expected: str | None = None
    read_only: bool = False
    wait: bool = False
    capture: bool = False
    keylog: bool = False
    load: str = ""
    keep: tuple[str, Path] | None = None

    @property
    def features(self) -> tuple[str, ...]:
        """What these options add to what a target has."""
        return (CAPTURE,) if self.capture else ()

    @property
    def exports(self) -> tuple[str, ...]:
        """The paths of exported files that the target names."""
        return tuple(item.removeprefix(EXPORTS) for item in self.target.split(AND) if item.startswith(EXPORTS))

    @property
    def servers(self) -> str:
        """What the target names besides exported files; '' where it names nothing else."""
        return AND.join(item for item in self.target.split(AND) if not item.startswith(EXPORTS))

    def seeded(self) -> Options:
        """These options with a seed chosen where none was given."""
        return self if self.seed else replace(self, seed=secrets.randbelow(2**31 - 1) + 1)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a string")
    return value


def _targets(value: Any) -> str:
    items = (value,) if isinstance(value, str) else _texts(value)
    named = [part for item in items for part in item.split(AND)]
    if sum(not part.startswith(EXPORTS) for part in named) > 1:
        raise ValueError(f"must name one target, with files as {EXPORTS}PATH beside it")
    if EXPORTS in named:
        raise ValueError(f"must name a file: {EXPORTS}PATH")
    return AND.join(named)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise ValueError("must be a list of strings")
    return tuple(value)


def _skips(value: Any) -> tuple[Skip, ...]:
    return tuple(Skip.parse(item) for item in _texts(value))


def _depth(value: Any) -> Depth:
    if value not in list(Depth):
        raise ValueError(f"must be one of {', '.join(Depth)}, not {value!r}")
    return Depth(value)


def _seed(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LARGEST_SEED:
        raise ValueError(f"must be an integer between 0 and {_LARGEST_SEED}, not {value!r}")
    return value


_LARGEST_SEED = 2**31 - 1


@dataclass(frozen=True)
class Option:
    """One option: its key in ``hopproof.toml``, how its value is validated, and what its flag looks like."""

    name: str
    validate: Callable[[Any], Any]
    help: str
    metavar: str | None = None
    choices: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        """The flag without its leading dashes."""
        return self.name.replace("_", "-")

    @property
    def repeatable(self) -> bool:
        """Whether the flag may be given more than once."""
        return self.validate in (_texts, _skips, _targets)

    def arguments(self) -> dict[str, Any]:
        """The keywords that argparse and pytest take for the flag; its value is None where it is not given."""
        if self.validate is _flag:
            return {"action": "store_true", "default": None, "help": self.help}
        found: dict[str, Any] = {"default": None, "help": self.help}
        if self.metavar:
            found["metavar"] = self.metavar
        if self.choices:
            found["choices"] = list(self.choices)
        if self.validate is _seed:
            found["type"] = int
        if self.repeatable:
            found["action"] = "append"
        return found


OPTIONS = (
    Option(
        "target", _targets, "embedded (default), containers (needs Docker), a target file, or exports:PATH (repeatable)"
    ),
    Option("product", _text, "only the flows and requirements of this product (default all)", "NAME"),
    Option("profile", _text, "whose reading to use where a product's document and its code disagree", "NAME"),
    Option("depth", _depth, "how much of the catalogue (default quick)", choices=tuple(map(str, Depth))),
    Option("only", _texts, "only the cases that match (repeatable)", "GLOB"),
    Option("skip", _skips, "skip the cases that match, with a reason (repeatable)", "GLOB=REASON"),
    Option("fault", _text, "inject a known fault into the reference servers", "NAME"),
    Option("seed", _seed, "the random seed, to repeat a run exactly", "N"),
    Option("report", lambda value: Path(_text(value)), "where the record goes (default reports/latest)", "DIR"),
    Option("expected", _text, "the rows known not to pass; anything else is exit status 1", "FILE"),
    Option("read_only", _flag, "send nothing that writes to or stresses the server"),
    Option("wait", _flag, "on a 429, wait as long as Retry-After says"),
    Option("capture", _flag, "capture packets: one pcapng per case, and check every verdict against them"),
    Option(
        "keylog", _flag, "with capture, in a lab: also write the harness's TLS secrets, so that Wireshark can decrypt"
    ),
    Option("load", _text, "judge JWT-12 from the load.json of hopproof load", "FILE"),
)


def resolve(flags: Mapping[str, Any], folder: Path) -> Options:
    """The options that *flags* (None = not given) and ``hopproof.toml`` in *folder* ask for.

    Raises :class:`UsageError` for an unknown key, or a value of the wrong type.
    """
    return validated({**_file(folder / FILE), **{key: value for key, value in flags.items() if value is not None}})


def validated(values: Mapping[str, Any]) -> Options:
    """The options that *values* set, and nothing else; raises :class:`UsageError` as :func:`resolve` does."""
    table = {option.name: option for option in OPTIONS}
    unknown = sorted(set(values) - set(table))
    if unknown:
        raise UsageError(f"unknown option {unknown[0]!r}", where=FILE)
    found: dict[str, Any] = {}
    for name, value in values.items():
        try:
            found[name] = table[name].validate(value)
        except ValueError as error:
            raise UsageError(f"bad option: {name} {error}", hint="see hopproof run --help") from error
    return Options(**found)


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
