"""What a check is, and the one table of them.  A name that is not in the table raises, wherever it is used."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from harness.checks.question import Question
from harness.errors import CatalogueError
from harness.model.verdict import Finding


@dataclass(frozen=True)
class Check:
    """One check: its *name*, the pure *function*, and a *summary* of what must happen.

    ``needs_twin``: its pass is a rejection, which proves something only beside a request that was served.
    ``about_credentials``: it says nothing about a server that lets everybody in.  ``shows``: the credential that a pass
    shows the server to verify.  ``lets_in``: a pass means that the client was served; ``lets_anybody_in``: one without
    any credential.  ``tries_another_way``: its failure is a way past the credential.  ``reads_start``: it judges
    whether a server starts, rather than what it answers.
    """

    name: str
    function: Callable[[Question], list[Finding]]
    summary: str
    needs_twin: bool = False
    about_credentials: bool = False
    shows: str = ""
    lets_in: bool = False
    lets_anybody_in: bool = False
    reads_start: bool = False
    tries_another_way: bool = False


class Checks(Mapping[str, Check]):
    """Checks by name; an unknown name raises :class:`CatalogueError`, a misspelt one is never left out in silence."""

    def __init__(self, checks: tuple[Check, ...]) -> None:
        self._checks: dict[str, Check] = {}
        for check in checks:
            if check.name in self._checks:
                raise CatalogueError(f"two checks are called {check.name!r}")
            self._checks[check.name] = check

    def __getitem__(self, name: str) -> Check:
        if name not in self._checks:
            raise CatalogueError(f"no check is called {name!r}", hint=f"one of: {', '.join(self._checks)}")
        return self._checks[name]

    def __contains__(self, name: object) -> bool:
        return name in self._checks

    def __iter__(self) -> Iterator[str]:
        return iter(self._checks)

    def __len__(self) -> int:
        return len(self._checks)

    def that(self, trait: str) -> frozenset[str]:
        """The names of the checks of which *trait*, a field of :class:`Check`, is set."""
        return frozenset(name for name, check in self._checks.items() if getattr(check, trait))


def registered(*checks: Check) -> Checks:
    """The table of *checks*; raises :class:`CatalogueError` for a name that stands twice."""
    return Checks(checks)
