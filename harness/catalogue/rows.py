"""Reads one requirement of a catalogue into the model: its words, and which part of the grid its cells cover."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path as FilePath
from typing import Any, TypeVar

from harness.catalogue.params import read_params
from harness.errors import CatalogueError
from harness.model.case import EXPORTED, GOOD
from harness.model.catalogue import CataloguedClass, Cells, Flow, Requirement, Source
from harness.model.claims import Protection
from harness.model.script import Act, Register, Renew
from harness.model.vocabulary import Basis, Depth, Level, Path, Posture

_Enum = TypeVar("_Enum", bound=StrEnum)
_ID = re.compile(r"[A-Za-z0-9-]+")
_REQUIREMENT_KEYS = {
    "id",
    "level",
    "basis",
    "source",
    "text",
    "why",
    "finding",
    "faults",
    "cells",
    "needs",
    "note",
    "not_in",
    "profile",
}
_CELL_KEYS = {
    "expect",
    "flows",
    "postures",
    "verifies",
    "paths",
    "certificates",
    "tokens",
    "transports",
    "depth",
    "params",
    "exports",
}


@dataclass(frozen=True)
class Known:
    """What code offers and the catalogue may name: checks, faults, stimulus classes by kind; and the products' title.

    ``profiles`` are the readings of the products' documents, ``variants`` the ways in which a setup can differ,
    ``stimuli`` maps kind (certificate, token, transport) to what code can present: class id -> summary.
    """

    checks: Collection[str]
    faults: Collection[str]
    stimuli: Mapping[str, Mapping[str, str]]
    variants: Collection[str] = ()
    title: str = ""
    profiles: Collection[str] = ()


def enum(file: FilePath, kind: type[_Enum], value: object, what: str) -> _Enum:
    """*value* as one of *kind*; raises :class:`CatalogueError` that says which there are."""
    try:
        return kind(str(value))
    except ValueError:
        choices = ", ".join(kind)
        raise CatalogueError(f"{what}: {value!r} is not one of {choices}", where=str(file)) from None


def _text(file: FilePath, name: str, row: Mapping[str, Any], key: str) -> str:
    text = " ".join(str(row.get(key) or "").split())
    if not text:
        raise CatalogueError(f"{name!r} has no {key}", where=str(file), hint=f"write one sentence under {key}:")
    return text


@dataclass(frozen=True)
class Row:
    """Reads one requirement; keeps what every field needs to be checked against."""

    file: FilePath
    documents: Mapping[str, str]
    flows: Mapping[str, Flow]
    groups: Mapping[str, list[str]]
    classes: Mapping[str, CataloguedClass]
    known: Known
    row: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The requirement's id; raises :class:`CatalogueError` where it has none."""
        return str(self.row.get("id") or self._fail("a requirement has no id"))

    def _fail(self, what: str) -> Any:
        raise CatalogueError(what, where=f"{self.file} {self.row.get('id', '')}".strip())

    def requirement(self) -> Requirement:
        """The requirement; raises :class:`CatalogueError` for what contradicts itself or names the unknown."""
        if not _ID.fullmatch(self.id):
            self._fail("an id consists of letters, digits and hyphens, because case ids are built from it")
        unknown = set(self.row) - _REQUIREMENT_KEYS
        if unknown:
            self._fail(f"unknown key {min(unknown)!r}")
        faults = self._known(self.row.get("faults", []), self.known.faults, "fault")
        level = enum(self.file, Level, self.row.get("level"), self.id)
        if level is Level.MUST and not faults:
            self._fail("a MUST must name at least one fault that breaks it")
        blocks = self.row.get("cells") or self._fail("has no cells")
        return Requirement(
            id=self.id,
            area=self.file.parent.name,
            text=_text(self.file, self.id, self.row, "text"),
            why=_text(self.file, self.id, self.row, "why"),
            level=level,
            source=self._source(),
            basis=enum(self.file, Basis, self.row.get("basis"), self.id),
            cells=tuple(cells for block in blocks for cells in self._cells(block)),
            faults=faults,
            needs=tuple(self.row.get("needs", ())),
            note=" ".join(str(self.row.get("note", "")).split()),
            finding=" ".join(str(self.row.get("finding", "")).split()),
            not_in=self._not_in(),
            profile=self._profile(),
        )

    def _profile(self) -> str:
        found = str(self.row.get("profile", ""))
        if found and found not in self.known.profiles:
            self._fail(f"unknown profile {found!r}; one of {', '.join(self.known.profiles)}")
        return found

    def _source(self) -> Source:
        source = self.row.get("source")
        if not isinstance(source, list) or len(source) != 2:
            self._fail("source is [document, section]")
            raise AssertionError
        return Source(self.documents.get(source[0], source[0]), source[1])

    def _known(self, names: Iterable[str], known: Collection[str], what: str) -> tuple[str, ...]:
        for name in names:
            if name not in known:
                self._fail(f"unknown {what} {name!r}")
        return tuple(names)

    def _not_in(self) -> dict[Posture, str]:
        """Why the row does not ask in a posture in which servers of its flows verify what it is about."""
        reasons = self.row.get("not_in", {})
        return {enum(self.file, Posture, name, self.id): _text(self.file, self.id, reasons, name) for name in reasons}

    def _cells(self, block: Mapping[str, Any]) -> Iterator[Cells]:
        """The block as it is written; one that says ``verifies`` once for each posture in which a server does."""
        unknown = set(block) - _CELL_KEYS
        if unknown:
            self._fail(f"unknown key {min(unknown)!r} in cells")
        if "exports" in block:
            yield self._of_files(block)
            return
        if bool(block.get("postures")) is bool(block.get("verifies")):
            self._fail("cells need postures or verifies (certificate or token)")
        if not block.get("paths"):
            self._fail("cells without paths cover nothing")
        self._known([block.get("expect", "")], self.known.checks, "check")
        written = self._block(block)
        self._known([written.params.variant], {"", *self.known.variants}, "variant")
        self._playable(written)
        yield from self._verifying(written, block["verifies"]) if "verifies" in block else (written,)

    def _block(self, block: Mapping[str, Any]) -> Cells:
        names: Callable[[str], tuple[str, ...]] = lambda key: tuple(block.get(key, ()))  # noqa: E731
        return Cells(
            expect=block["expect"],
            flows=self._flows(block.get("flows", "all")),
            postures=tuple(enum(self.file, Posture, item, self.id) for item in block.get("postures", ())),
            paths=tuple(enum(self.file, Path, item, self.id) for item in block.get("paths", ())),
            certificates=self._stimuli("certificate", names("certificates")),
            tokens=self._stimuli("token", names("tokens")),
            transports=self._stimuli("transport", names("transports")),
            depth=enum(self.file, Depth, block.get("depth", Depth.QUICK), self.id),
            params=read_params(block.get("params", {}), f"{self.file} {self.id}"),
        )

    def _of_files(self, block: Mapping[str, Any]) -> Cells:
        """The block of which files are judged: it has no place on the grid."""
        if strange := set(block) - {"exports", "expect", "params"}:
            self._fail(f"cells of exports have no {min(strange)}")
        self._known([block.get("expect", "")], self.known.checks, "check")
        self._known([block["exports"]], {flow.server.product for flow in self.flows.values()}, "product")
        written = self._block({"expect": block["expect"], "flows": [], "params": block.get("params", {})})
        place = replace(written, postures=(Posture.DEFAULT,), paths=(Path.DIRECT,), transports=(EXPORTED,))
        return replace(place, exports=block["exports"])

    def _playable(self, block: Cells) -> None:
        """The clients and secrets that a script names must be those of its flows."""
        flows = [self.flows[name] for name in block.flows]
        clients = {flow.client for flow in flows}
        secrets = {secret for flow in flows for secret in (flow.client_secret, flow.server.secret)}
        for step in block.params.script:
            if isinstance(step, Act | Register):
                self._known([step.client], clients, "client")
            elif isinstance(step, Renew):
                self._known([step.secret], secrets, "secret")

    def _verifying(self, block: Cells, what: object) -> Iterator[Cells]:
        """*block* in each posture in which a server of its flows verifies *what*, over the paths that can carry it."""
        protection = enum(self.file, Protection, what, self.id)
        found = {name: self.flows[name].server.verifying(protection) for name in block.flows}
        if idle := [name for name, postures in found.items() if not postures]:
            self._fail(f"the server of {idle[0]} does not verify a {protection} in any posture")
        for posture in Posture:
            flows = tuple(name for name, postures in found.items() if posture in postures)
            # A balancer that terminates TLS cannot present the client's certificate.
            mtls = any(self.flows[name].server.verifies(Protection.CERTIFICATE, posture) for name in flows)
            paths = tuple(path for path in block.paths if not mtls or path is not Path.TERMINATING)
            if flows and paths:
                yield replace(block, flows=flows, postures=(posture,), paths=paths)

    def _flows(self, flows: str | list[str]) -> tuple[str, ...]:
        """Flows by name, or the name of a group of the topology."""
        if isinstance(flows, str):
            if flows not in self.groups:
                self._fail(f"unknown group of flows {flows!r}")
            flows = self.groups[flows]
        return self._known(flows, self.flows, "flow")

    def _stimuli(self, kind: str, names: tuple[str, ...]) -> tuple[str, ...]:
        """The named classes of *kind*; ``good`` where none is named."""
        for name in names:
            if name != GOOD and (name not in self.classes or self.classes[name].kind != kind):
                self._fail(f"no {kind} class {name!r} in any catalogue")
        return names or (GOOD,)
