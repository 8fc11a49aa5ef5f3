"""A procedure for people: steps with their commands, and tables beside them.  Standard library only, no I/O.

Nothing here is executed.  A command is a pipeline of argument lists; quoting them is the writer's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Variable:
    """A word that the files do not hold, and that the reader gives: a shell variable and its meaning."""

    name: str
    meaning: str


Word = str | Variable


@dataclass(frozen=True)
class Command:
    """A pipeline: the arguments of each of its programs."""

    pipeline: tuple[tuple[Word, ...], ...]

    @classmethod
    def of(cls, *words: Word) -> Command:
        """One program."""
        return cls((words,))

    def into(self, *words: Word) -> Command:
        """The same, with its output going to another program."""
        return Command((*self.pipeline, words))

    @property
    def variables(self) -> tuple[Variable, ...]:
        """What the reader has to give."""
        return tuple(word for words in self.pipeline for word in words if isinstance(word, Variable))


@dataclass(frozen=True)
class Step:
    """One step: ``commands`` in order, ``by_hand`` what no command does, ``breaks`` and ``restores`` the flows that
    stop and work again with it, ``down`` those that do not work after it.
    """

    title: str
    why: str
    commands: tuple[Command, ...] = ()
    by_hand: tuple[str, ...] = ()
    breaks: tuple[str, ...] = ()
    restores: tuple[str, ...] = ()
    down: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    states: bool = True
    """Whether to say which flows work after it."""


@dataclass(frozen=True)
class Table:
    """Rows under column heads; ``note`` stands below."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Runbook:
    """A procedure; ``before`` stands ahead of the steps, ``after`` behind them."""

    title: str
    heading: str
    remarks: tuple[str, ...] = ()
    before: tuple[Table, ...] = ()
    steps: tuple[Step, ...] = ()
    after: tuple[Table, ...] = ()
    closing: Sequence[str] = field(default_factory=tuple)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """What the reader has to give before the first command, each once."""
        found = (variable for step in self.steps for command in step.commands for variable in command.variables)
        return tuple(dict.fromkeys(found))
