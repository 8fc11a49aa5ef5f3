"""Reads ``suites/*.topology.yaml`` and ``suites/*/catalogue.yaml`` into the model.  Expands nothing, judges nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, Protocol

from harness.catalogue.rows import Known, Row, enum
from harness.decode import strictyaml
from harness.errors import CatalogueError
from harness.model.catalogue import CataloguedClass, Flow, Requirement, Server
from harness.model.vocabulary import Posture, Reason


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...


@dataclass(frozen=True)
class Catalogue:
    """Everything that is required.  ``sha256`` digests the files it was read from."""

    product: str
    servers: Mapping[str, Server]
    flows: Mapping[str, Flow]
    classes: Mapping[str, CataloguedClass]
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


def load(folders: Iterable[FilePath], known: Known) -> Catalogue:
    """Read the catalogues under *folders*; raises :class:`CatalogueError` that names file, row and mistake."""
    folders = list(dict.fromkeys(folders))
    try:
        return _load(folders, known)
    except (KeyError, TypeError, AttributeError) as error:
        what = f"unexpected structure: {type(error).__name__}: {error}"
        where = ", ".join(map(str, folders))
        raise CatalogueError(what, where=where, hint="compare it with the other entries") from error


def _load(folders: Sequence[FilePath], known: Known) -> Catalogue:
    digest = hashlib.sha256()
    topologies = _files(folders, "*.topology.yaml", digest)
    areas = _files(folders, "*/catalogue.yaml", digest)
    topology = _topology(topologies)
    for file, area in areas.items():
        _only(file, area, {"documents", "classes", "requirements"})
    classes: dict[str, CataloguedClass] = {}
    for file, area in areas.items():
        for kind, rows_of_kind in area.get("classes", {}).items():
            for name, acceptable_reasons in rows_of_kind.items():
                _once(file, name, classes)
                classes[name] = _class(file, kind, name, acceptable_reasons, known)
    rows: dict[str, Requirement] = {}
    for file, area in areas.items():
        for row in area.get("requirements", []):
            reader = Row(file, area.get("documents", {}), topology.flows, topology.groups, classes, known, row)
            _once(file, reader.id, rows)
            rows[reader.id] = reader.requirement()
    _complete(folders[0], rows.values(), known)
    return Catalogue(known.title, topology.servers, topology.flows, classes, tuple(rows.values()), digest.hexdigest())


def _files(folders: Sequence[FilePath], pattern: str, digest: _Digest) -> dict[FilePath, dict[str, Any]]:
    """The files that match, parsed; *digest* takes their names and bytes."""
    found = {}
    for folder in folders:
        for file in sorted(folder.glob(pattern)):
            digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + _read(file))
            found[file] = _mapping(file)
    if not found:
        raise CatalogueError(f"no file matches {pattern}", where=", ".join(map(str, folders)))
    return found


@dataclass(frozen=True)
class _Topology:
    """Servers, flows and groups of flows of all products."""

    servers: dict[str, Server]
    flows: dict[str, Flow]
    groups: dict[str, list[str]]


def _topology(files: Mapping[FilePath, dict[str, Any]]) -> _Topology:
    servers: dict[str, Server] = {}
    flows: dict[str, Flow] = {}
    groups: dict[str, list[str]] = {}
    for file, topology in files.items():
        _only(file, topology, {"product", "servers", "flows", "groups"})
        for name, row in topology["servers"].items():
            _once(file, name, servers)
            servers[name] = _server(file, name, row, topology["product"])
        _startable(file, servers)
        for name, row in topology["flows"].items():
            _once(file, name, flows)
            flows[name] = _flow(file, name, row, servers)
        for name, members in topology.get("groups", {}).items():
            _once(file, name, groups)
            groups[name] = members
    return _Topology(servers, flows, {"all": list(flows), **groups})


def _startable(file: FilePath, servers: Mapping[str, Server]) -> None:
    """Refuse servers that need each other, or one that there is not: they could not be started one after the other."""

    def follow(name: str, path: tuple[str, ...]) -> None:
        if name not in servers or name in path:
            problem = "which there is not" if name not in servers else "which needs it as well"
            raise CatalogueError(f"server {path[0]!r} needs {name!r}, {problem}", where=str(file))
        for upstream in servers[name].upstreams:
            follow(upstream, (*path, name))

    for server in servers:
        follow(server, ())


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
        raise CatalogueError(f"unknown key {min(unknown)!r}", where=str(file), hint=f"one of {sorted(known)}")


def _once(file: FilePath, name: str, taken: Mapping[str, object]) -> None:
    if name in taken:
        raise CatalogueError(f"{name!r} is defined twice", where=str(file), hint="give one of them another id")


def _server(file: FilePath, name: str, row: Mapping[str, Any], product: str) -> Server:
    try:
        return Server(
            name=name,
            product=product,
            kind=row["kind"],
            endpoint=row["endpoint"],
            host=row["host"],
            secret=row["secret"],
            postures=tuple(enum(file, Posture, item, name) for item in row["postures"]),
            default=enum(file, Posture, row["default"], name),
            **{
                name: row.get(name, "") for name in ("subject", "issuer", "audience", "certificate_header", "keys_from")
            },
            ignores_token_under_mtls=row.get("ignores_token_under_mtls", False),
            calls=tuple(row.get("calls", ())),
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
            any_service=row.get("any_service", False),
            modes=row.get("modes", {}),
            needs=tuple(row.get("needs", ())),
            posture_needs={
                enum(file, Posture, posture, name): tuple(needs)
                for posture, needs in row.get("posture_needs", {}).items()
            },
        )
    except KeyError as error:
        raise CatalogueError(f"flow {name!r} lacks, or names an unknown, {error}", where=str(file)) from error


def _class(file: FilePath, kind: str, name: str, acceptable_reasons: object, known: Known) -> CataloguedClass:
    """A stimulus class: *because* lists the reasons for which a server may rightly reject it, empty = it must not."""
    summary = known.stimuli.get(kind, {}).get(name)
    if summary is None:
        raise CatalogueError(f"the code has no {kind} class {name!r}", where=str(file))
    if not isinstance(acceptable_reasons, list):
        raise CatalogueError(f"class {name!r}: expected a list of reasons", where=str(file))
    return CataloguedClass(
        name, kind, summary, frozenset(enum(file, Reason, reason, name) for reason in acceptable_reasons)
    )


def _complete(folder: FilePath, rows: Iterable[Requirement], known: Known) -> None:
    """Every fault must break something, or it proves nothing."""
    named = {fault for row in rows for fault in row.faults}
    idle = sorted(set(known.faults) - named)
    if idle:
        raise CatalogueError(f"fault {idle[0]!r} breaks no requirement", where=str(folder))
