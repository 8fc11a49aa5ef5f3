"""What a stimulus class is, and the tables of them.  A name that is not in its table raises, wherever it is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypedDict, TypeVar

from harness.errors import CatalogueError
from harness.model.case import GOOD


class Family(StrEnum):
    """Which part of a stimulus a class is."""

    CERTIFICATE = "certificate"
    TOKEN = "token"
    TRANSPORT = "transport"


class MadeBy(StrEnum):
    """Who can present it, as far as that says what its acceptance lets in.

    ``STRANGER``: anybody who was never, or is no longer, meant as a client.  ``HOLDER``: who holds a good credential.
    ``ISSUER``: nobody, unless the issuer of good credentials made it.
    """

    STRANGER = "stranger"
    HOLDER = "holder"
    ISSUER = "issuer"


class Intrusiveness(StrEnum):
    """What a server is touched with, from the lightest to the heaviest."""

    HANDSHAKE = "handshake"
    REQUEST = "harmless request"
    WRITE = "write"
    STRESS = "stress"


class Need(StrEnum):
    """What a class asks of a target, besides its servers."""

    OWN_LAB = "servers and clients that can be started, stopped and driven"
    EXPORTS = "files that were exported from a deployment"
    KEY_SERVER = "keys that are fetched from a JWKS server of ours"
    ORIGIN = "the server's own certificate, to compare with"
    LAB_ENVIRONMENT = "a lab, where a credential may be sent unencrypted"
    SUBJECT = "an endpoint that names its client's subject"
    OTHER_CA = "another CA of the deployment"
    REVOKED = "a revoked certificate"
    ALGORITHMS = "the algorithms that service and issuer have agreed on"
    ISSUER = "a good token that names its issuer"
    AUDIENCE = "a good token that names its audience"
    CASED_KEY_ID = "a key id with lower-case letters"
    LISTENER = "a listener of ours, which the token names"


class Traits(TypedDict, total=False):
    """The fields of a :class:`StimulusClass` that have a default."""

    made_by: MadeBy
    intrusive: Intrusiveness
    needs: frozenset[Need]
    lets_in: str
    authorities: int | None


Builder = TypeVar("Builder")


@dataclass(frozen=True)
class StimulusClass(Generic[Builder]):
    """A class of what a client presents.

    ``builder`` makes it.  ``twin`` names the class that a server must accept and that differs in one thing; a positive
    class is its own twin.  ``lets_in`` says in words whom a server protects itself from no more once it accepts this;
    '' where that follows from ``made_by``.  ``authorities`` is how many CAs of our own, below the client's, it needs to
    mean what it says; None for as many as its twin.
    """

    name: str
    builder: Builder
    summary: str
    family: Family
    twin: str = GOOD
    made_by: MadeBy = MadeBy.STRANGER
    intrusive: Intrusiveness = Intrusiveness.REQUEST
    needs: frozenset[Need] = frozenset()
    lets_in: str = ""
    authorities: int | None = None


Class = TypeVar("Class", bound=StimulusClass[Any], covariant=True)


class StimulusClasses(Mapping[str, Class]):
    """Classes by name.  Raises :class:`CatalogueError` for a name that stands twice, a twin that is in no row, and an
    unknown name."""

    def __init__(self, *rows: Class) -> None:
        self._rows: dict[str, Class] = {}
        for row in rows:
            if row.name in self._rows:
                raise CatalogueError(f"two stimulus classes are called {row.name!r}")
            self._rows[row.name] = row
        if unknown := sorted({row.twin for row in rows} - set(self._rows) - {GOOD}):
            raise CatalogueError(
                f"no stimulus class is called {', '.join(map(repr, unknown))}, which is named as a twin"
            )

    def __getitem__(self, name: str) -> Class:
        if name not in self._rows:
            raise CatalogueError(f"no stimulus class is called {name!r}", hint=f"one of: {', '.join(self._rows)}")
        return self._rows[name]

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def needing(self, need: Need) -> frozenset[str]:
        """The names of the classes that need *need*."""
        return frozenset(name for name, row in self._rows.items() if need in row.needs)


def needs(*items: Need) -> frozenset[Need]:
    """What a class needs, as a field of its record."""
    return frozenset(items)
