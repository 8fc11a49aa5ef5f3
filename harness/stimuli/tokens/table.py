"""The table of token classes: how one is registered, what it presents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Unpack

from harness.model.case import GOOD
from harness.stimuli.registry import Family, StimulusClass, StimulusClasses, Traits
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
BuildEach = Callable[[TokenIssuer], Iterable[Presented]]
BuildAll = Callable[[TokenIssuer], Sequence[Presented]]


class TokenClass(StimulusClass[BuildAll]):
    """A class of token, whose builder makes it in every form that it has; a server must refuse each."""

    def forms(self, token_issuer: TokenIssuer) -> Sequence[Presented]:
        """Every form of it."""
        return self.builder(token_issuer)

    def build(self, token_issuer: TokenIssuer) -> Presented:
        """Its first form."""
        return self.forms(token_issuer)[0]


class Classes(list[TokenClass]):
    """One file's classes, filled by its decorators.  *usual* are the traits that its classes have unless they say
    otherwise."""

    def __init__(self, **usual: Unpack[Traits]) -> None:
        super().__init__()
        self._usual = usual

    def add(self, name: str, twin: str = GOOD, **traits: Unpack[Traits]) -> Callable[[Build], Build]:
        """Register what makes a whole Presented as class *name*; its docstring is the summary."""

        def register(build: Build) -> Build:
            self._put(name, twin, build.__doc__, lambda token_issuer: (build(token_issuer),), traits)
            return build

        return register

    def token(self, name: str, twin: str = GOOD, **traits: Unpack[Traits]) -> Callable[[BuildToken], BuildToken]:
        """Register what makes a token, to be presented as ``Authorization: Bearer``, as class *name*."""

        def presented(build: BuildToken) -> BuildAll:
            return lambda token_issuer: (authorization(f"Bearer {build(token_issuer)}"),)

        def register(build: BuildToken) -> BuildToken:
            self._put(name, twin, build.__doc__, presented(build), traits)
            return build

        return register

    def several(self, name: str, twin: str = GOOD, **traits: Unpack[Traits]) -> Callable[[BuildEach], BuildEach]:
        """Register what makes each whole Presented of class *name*, with its form; its docstring is the summary."""

        def register(build: BuildEach) -> BuildEach:
            self._put(name, twin, build.__doc__, lambda token_issuer: tuple(build(token_issuer)), traits)
            return build

        return register

    def forms(self, name: str, twin: str = GOOD, **traits: Unpack[Traits]) -> Callable[[BuildForms], BuildForms]:
        """Register what makes the tokens of class *name*, each with the name of its form; its docstring is the summary.

        No two forms that are the same are presented twice; none at all is a StimulusUnavailable.
        """

        def register(build: BuildForms) -> BuildForms:
            self._put(name, twin, build.__doc__, lambda token_issuer: _distinct(name, build(token_issuer)), traits)
            return build

        return register

    def _put(self, name: str, twin: str, text: str | None, build: BuildAll, traits: Traits) -> None:
        summary, all_traits = " ".join((text or "").split()), Traits(**{**self._usual, **traits})
        self.append(TokenClass(name, build, summary, Family.TOKEN, twin, **all_traits))


def _distinct(name: str, forms: Iterable[tuple[str, str]]) -> Sequence[Presented]:
    found: dict[str, str] = {}
    for form, token in forms:
        found.setdefault(token, form)
    if not found:
        raise StimulusUnavailable(f"a key of this kind has no form for {name}")
    return tuple(replace(authorization(f"Bearer {token}"), form=form) for token, form in found.items())


def collect(*files: Classes) -> StimulusClasses[TokenClass]:
    """One table of all; raises CatalogueError for a name that stands twice or a twin that is in none."""
    return StimulusClasses(*(row for rows in files for row in rows))


def authorization(*values: str) -> Presented:
    """One Authorization header line for each of *values*."""
    return Presented(tuple(("Authorization", value.encode()) for value in values))
