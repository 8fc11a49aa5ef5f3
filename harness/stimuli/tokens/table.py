"""The table of token classes: what one is, how it is registered, what it presents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.stimuli.tokens.issuer import TokenIssuer
from harness.stimuli.unavailable import StimulusUnavailable


@dataclass(frozen=True)
class Presented:
    """What a request carries besides the rest: header lines in order, values as exact octets, and a query string
    (without its question mark).

    ``form`` says which of a class's forms it is, '' where there is one.  ``before`` is what is presented first, each
    over a connection of its own, and must be served.  Then ``wait`` seconds pass, and ``unseen`` is presented: a token
    that is wrong in the same way, which the server has never seen.
    """

    headers: tuple[tuple[str, bytes], ...] = ()
    query: str = ""
    form: str = ""
    before: tuple[Presented, ...] = ()
    wait: float = 0.0
    unseen: Presented | None = None


Build = Callable[[TokenIssuer], Presented]
BuildToken = Callable[[TokenIssuer], str]
BuildForms = Callable[[TokenIssuer], Iterable[tuple[str, str]]]
BuildAll = Callable[[TokenIssuer], Sequence[Presented]]


@dataclass(frozen=True)
class TokenClass:
    """A class of token.

    ``twin`` names the class that a server must accept and that differs in one thing; a positive class is its own twin.
    ``forms`` makes it in every form that it has, of which a server must refuse each.
    """

    name: str
    summary: str
    twin: str
    forms: BuildAll

    def build(self, token_issuer: TokenIssuer) -> Presented:
        """Its first form."""
        return self.forms(token_issuer)[0]


class Classes(dict[str, TokenClass]):
    """One file's classes, filled by its decorators.  Both raise ValueError for a name given twice."""

    def add(self, name: str, twin: str = "good") -> Callable[[Build], Build]:
        """Register what makes a whole Presented as class *name*; its docstring is the summary."""

        def register(build: Build) -> Build:
            self._put(name, twin, build.__doc__, lambda token_issuer: (build(token_issuer),))
            return build

        return register

    def token(self, name: str, twin: str = "good") -> Callable[[BuildToken], BuildToken]:
        """Register what makes a token, to be presented as ``Authorization: Bearer``, as class *name*."""

        def register(build: BuildToken) -> BuildToken:
            self._put(name, twin, build.__doc__, lambda token_issuer: (authorization(f"Bearer {build(token_issuer)}"),))
            return build

        return register

    def forms(self, name: str, twin: str = "good") -> Callable[[BuildForms], BuildForms]:
        """Register what makes the tokens of class *name*, each with the name of its form; its docstring is the summary.

        No two forms that are the same are presented twice; none at all is a StimulusUnavailable.
        """

        def register(build: BuildForms) -> BuildForms:
            self._put(name, twin, build.__doc__, lambda token_issuer: _distinct(name, build(token_issuer)))
            return build

        return register

    def _put(self, name: str, twin: str, text: str | None, build: BuildAll) -> None:
        if name in self:
            raise ValueError(f"token class {name} is defined twice")
        self[name] = TokenClass(name, " ".join((text or "").split()), twin, build)


def _distinct(name: str, forms: Iterable[tuple[str, str]]) -> Sequence[Presented]:
    found: dict[str, str] = {}
    for form, token in forms:
        found.setdefault(token, form)
    if not found:
        raise StimulusUnavailable(f"a key of this kind has no form for {name}")
    return tuple(replace(authorization(f"Bearer {token}"), form=form) for token, form in found.items())


def collect(*tables: Classes) -> Mapping[str, TokenClass]:
    """One table of all.  Raises ValueError for a name in two of them or a twin that is in none."""
    merged = {name: row for table in tables for name, row in table.items()}
    if len(merged) != sum(map(len, tables)):
        raise ValueError("a token class is defined in two files")
    if unknown := {row.twin for row in merged.values()} - set(merged):
        raise ValueError(f"unknown twins of token classes: {sorted(unknown)}")
    return merged


def authorization(*values: str) -> Presented:
    """One Authorization header line for each of *values*."""
    return Presented(tuple(("Authorization", value.encode()) for value in values))
