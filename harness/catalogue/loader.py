"""Reads ``suites/topology.yaml`` and ``suites/*/catalogue.yaml`` into the model.  Expands nothing, judges nothing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path as FilePath
from typing import Any, TypeVar

from harness.catalogue import strictyaml
from harness.errors import CatalogueError
from harness.model.case import GOOD
from harness.model.catalogue import Cells, Flow, Requirement, Server, Source, StimulusClass
from harness.model.vocabulary import Basis, Depth, Level, Path, Posture, Reason

_Enum = TypeVar("_Enum", bound=StrEnum)
_ID = re.compile(r"[A-Za-z0-9-]+")
_REQUIREMENT_KEYS = {"id", "level", "basis", "source", "text", "why", "finding", "faults", "cells", "needs", "note"}
_CELL_KEYS = {"expect", "flows", "postures", "paths", "certificates", "tokens", "transports", "depth", "params"}


@dataclass(frozen=True)
class Known:
    """What code offers and the catalogue may name: checks, faults, stimulus classes by kind.

    ``variants`` are the ways in which a setup can differ, ``stimuli`` maps kind (certificate, token, transport) to what
    code can present: class id -> summary.
    """

    checks: Collection[str]
    faults: Collection[str]
    stimuli: Mapping[str, Mapping[str, str]]
    variants: Collection[str] = ()


@dataclass(frozen=True)
class Catalogue:
    """Everything that is required.  ``sha256`` digests the files it was read from."""

    product: str
    servers: Mapping[str, Server]
    flows: Mapping[str, Flow]
    classes: Mapping[str, StimulusClass]
    requirements: tuple[Requirement, ...]
    sha256: str

    @property
    def features(self) -> frozenset[str]:
        """Every feature that something needs."""
        of_rows = {need for row in self.requirements for need in row.needs}
        of_flows = {need for flow in self.flows.values() for posture in Posture for need in flow.needed(posture)}
        return frozenset(of_rows | of_flows)

    def breaks(self, fault: str) -> tuple[str, ...]:
        """Ids of the requirements that *fault* breaks, in catalogue order."""
        return tuple(row.id for row in self.requirements if fault in row.faults)


def load(folder: FilePath, known: Known) -> Catalogue:
    """Read the catalogue under *folder*; raises :class:`CatalogueError` naming file, row and what is wrong with it."""
    try:
        return _load(folder, known)
    except (KeyError, TypeError, AttributeError) as error:
        what = f"something has the wrong shape: {type(error).__name__}: {error}"
        raise CatalogueError(what, where=str(folder), attempt="compare it with its neighbours") from error


def _load(folder: FilePath, known: Known) -> Catalogue:
    files = sorted(folder.glob("*/catalogue.yaml"))
    topology_file = folder / "topology.yaml"
    digest = hashlib.sha256()
    for file in (topology_file, *files):
        digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + _read(file))
    topology = _mapping(topology_file)
    servers = {name: _server(topology_file, name, row) for name, row in topology["servers"].items()}
    flows = {name: _flow(topology_file, name, row, servers) for name, row in topology["flows"].items()}
    groups = {"all": list(flows), **topology.get("groups", {})}
    _only(topology_file, topology, {"product", "servers", "flows", "groups"})
    areas = {file: _mapping(file) for file in files}
    for file, area in areas.items():
        _only(file, area, {"documents", "classes", "requirements"})
    classes: dict[str, StimulusClass] = {}
    for file, area in areas.items():
        for kind, rows_of_kind in area.get("classes", {}).items():
            for name, because in rows_of_kind.items():
                _once(file, name, classes)
                classes[name] = _class(file, kind, name, because, known)
    rows: dict[str, Requirement] = {}
    for file, area in areas.items():
        for row in area.get("requirements", []):
            reader = _Row(file, area.get("documents", {}), flows, groups, classes, known, row)
            _once(file, reader.id, rows)
            rows[reader.id] = reader.requirement()
    _complete(folder, rows.values(), known)
    return Catalogue(topology["product"], servers, flows, classes, tuple(rows.values()), digest.hexdigest())


def _read(file: FilePath) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CatalogueError(f"cannot read the catalogue: {error.strerror}", where=str(file)) from error


def _mapping(file: FilePath) -> dict[str, Any]:
    data = strictyaml.read(file, "the catalogue", error=CatalogueError)
    if not isinstance(data, dict):
        raise CatalogueError("expected a mapping at the top", where=str(file))
    return data


def _only(file: FilePath, found: Mapping[str, Any], known: set[str]) -> None:
    """A misspelt key would lose all that stands under it."""
    if unknown := set(found) - known:
        raise CatalogueError(f"unknown key {min(unknown)!r}", where=str(file), attempt=f"one of {sorted(known)}")


def _once(file: FilePath, name: str, taken: Mapping[str, object]) -> None:
    if name in taken:
        raise CatalogueError(f"{name!r} is defined twice", where=str(file), attempt="give one of them another id")


def _enum(file: FilePath, kind: type[_Enum], value: object, what: str) -> _Enum:
    try:
        return kind(str(value))
    except ValueError:
        choices = ", ".join(kind)
        raise CatalogueError(f"{what}: {value!r} is not one of {choices}", where=str(file)) from None


def _server(file: FilePath, name: str, row: Mapping[str, Any]) -> Server:
    try:
        return Server(
            name=name,
            kind=row["kind"],
            endpoint=row["endpoint"],
            host=row["host"],
            secret=row["secret"],
            postures=tuple(_enum(file, Posture, item, name) for item in row["postures"]),
            default=_enum(file, Posture, row["default"], name),
            **{name: row.get(name, "") for name in ("subject", "issuer", "audience")},
        )
    except KeyError as error:
        raise CatalogueError(f"server {name!r} lacks {error}", where=str(file)) from error


def _flow(file: FilePath, name: str, row: Mapping[str, Any], servers: Mapping[str, Server]) -> Flow:
    try:
        request = row["request"]
        return Flow(
            name=name,
            client=row["client"],
            server=servers[row["server"]],
            client_secret=row.get("client_secret", ""),
            method=request["method"],
            path=request["path"],
            body=request.get("body", ""),
            success=request["success"],
            effect=row["effect"],
            needs=tuple(row.get("needs", ())),
            posture_needs={
                _enum(file, Posture, posture, name): tuple(needs)
                for posture, needs in row.get("posture_needs", {}).items()
            },
        )
    except KeyError as error:
        raise CatalogueError(f"flow {name!r} lacks, or names an unknown, {error}", where=str(file)) from error


def _class(file: FilePath, kind: str, name: str, because: object, known: Known) -> StimulusClass:
    """A stimulus class: *because* lists the reasons for which a server may rightly reject it, empty = it must not."""
    summary = known.stimuli.get(kind, {}).get(name)
    if summary is None:
        raise CatalogueError(f"no code presents a {kind} class {name!r}", where=str(file))
    if not isinstance(because, list):
        raise CatalogueError(f"class {name!r}: expected a list of reasons", where=str(file))
    return StimulusClass(name, kind, summary, frozenset(_enum(file, Reason, reason, name) for reason in because))


def _text(file: FilePath, name: str, row: Mapping[str, Any], key: str) -> str:
    text = " ".join(str(row.get(key) or "").split())
    if not text:
        raise CatalogueError(f"{name!r} has no {key}", where=str(file), attempt=f"say it in one sentence under {key}:")
    return text


@dataclass(frozen=True)
class _Row:
    """Reads one requirement; keeps what every field needs to be checked against."""

    file: FilePath
    documents: Mapping[str, str]
    flows: Mapping[str, Flow]
    groups: Mapping[str, list[str]]
    classes: Mapping[str, StimulusClass]
    known: Known
    row: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.row.get("id") or self._fail("a requirement has no id"))

    def _fail(self, what: str) -> Any:
        raise CatalogueError(what, where=f"{self.file} {self.row.get('id', '')}".strip())

    def requirement(self) -> Requirement:
        if not _ID.fullmatch(self.id):
            self._fail("an id is letters, digits and hyphens, since the ids of cases are made of it")
        unknown = set(self.row) - _REQUIREMENT_KEYS
        if unknown:
            self._fail(f"unknown key {min(unknown)!r}")
        faults = self._known(self.row.get("faults", []), self.known.faults, "fault")
        level = _enum(self.file, Level, self.row.get("level"), self.id)
        if level is Level.MUST and not faults:
            self._fail("a MUST names at least one fault that breaks it")
        return Requirement(
            id=self.id,
            area=self.file.parent.name,
            text=_text(self.file, self.id, self.row, "text"),
            why=_text(self.file, self.id, self.row, "why"),
            level=level,
            source=self._source(),
            basis=_enum(self.file, Basis, self.row.get("basis"), self.id),
            cells=tuple(self._cells(block) for block in self.row.get("cells") or self._fail("has no cells")),
            faults=faults,
            needs=tuple(self.row.get("needs", ())),
            note=" ".join(str(self.row.get("note", "")).split()),
            finding=" ".join(str(self.row.get("finding", "")).split()),
        )

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

    def _cells(self, block: Mapping[str, Any]) -> Cells:
        unknown = set(block) - _CELL_KEYS
        if unknown:
            self._fail(f"unknown key {min(unknown)!r} in cells")
        for key in ("postures", "paths"):
            if not block.get(key):
                self._fail(f"cells without {key} cover nothing")
        self._known([block.get("expect", "")], self.known.checks, "check")
        self._known([block.get("params", {}).get("variant", "")], {"", *self.known.variants}, "variant")
        names: Callable[[str], tuple[str, ...]] = lambda key: tuple(block.get(key, ()))  # noqa: E731
        return Cells(
            expect=block["expect"],
            flows=self._flows(block.get("flows", "all")),
            postures=tuple(_enum(self.file, Posture, item, self.id) for item in block.get("postures", ())),
            paths=tuple(_enum(self.file, Path, item, self.id) for item in block.get("paths", ())),
            certificates=self._stimuli("certificate", names("certificates")),
            tokens=self._stimuli("token", names("tokens")),
            transports=self._stimuli("transport", names("transports")),
            depth=_enum(self.file, Depth, block.get("depth", Depth.QUICK), self.id),
            params=block.get("params", {}),
        )

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


def _complete(folder: FilePath, rows: Iterable[Requirement], known: Known) -> None:
    """Every fault must break something, or it proves nothing."""
    named = {fault for row in rows for fault in row.faults}
    idle = sorted(set(known.faults) - named)
    if idle:
        raise CatalogueError(f"fault {idle[0]!r} breaks no requirement", where=str(folder))
