"""Reads folders, files and standard input into :class:`harness.model.resource.Files`.  Never writes; judges nothing."""

from __future__ import annotations

import re
import ssl
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from harness.decode.manifests import MOST_BYTES, read
from harness.errors import UsageError
from harness.model.finding import Judgement
from harness.model.resource import Files, Resource, Unread
from harness.model.words import counted

_MANIFESTS = frozenset({".yaml", ".yml", ".json", ".apk-conf"})
_PEM = frozenset({".pem", ".crt", ".cer", ".cert", ".der"})
_HIDDEN = re.compile(r"^\.")
_BEGIN = re.compile(rb"-----BEGIN (X509 )?CERTIFICATE-----")
_OTHER_PEM = re.compile(rb"-----BEGIN [A-Z0-9 ]*(KEY|REQUEST|CRL|PARAMETERS)-----")
"""PEM that is whole and holds no certificate."""
_DER = b"\x30\x82"
_KUSTOMIZATION = frozenset({"kustomization.yaml", "kustomization.yml", "kustomization"})
_MOST_FILES = 20_000
_NAMED = 5


def load(paths: Iterable[str]) -> Files:
    """What *paths* hold (``-`` is standard input); raises :class:`UsageError` where one is not there."""
    found = Files()
    patches: set[Path] = set()
    for path in paths:
        if path == "-":
            _take(sys.stdin.buffer.read(MOST_BYTES + 1), "-", found, patches)
            continue
        for file, named in _files(Path(path)):
            _take_file(file, named, found, patches)
            if found.read > _MOST_FILES:
                raise UsageError(
                    f"more than {_MOST_FILES} files", where=path, hint="give a folder with the exports only"
                )
    _leave_out(found, patches)
    _into_namespaces(found)
    _once(found)
    return found


def refuse_nothing(files: Files, held: bool, unread: Iterable[Unread], paths: Iterable[str]) -> None:
    """Raise :class:`UsageError` where the files hold neither an object nor (*held*) a certificate."""
    if files.resources or held:
        return
    first = next((f": {item.file}:{item.line}: {item.message}" for item in unread), "")
    raise UsageError(
        f"nothing usable in {' '.join(paths)}{first}",
        hint="give manifests (YAML, JSON) or PEM certificates, such as the output of kubectl get -o yaml",
    )


def refuse_unrelated(files: Files, judgement: Judgement, known: Mapping[str, str], paths: Iterable[str]) -> None:
    """Raise :class:`UsageError` where no rule is about anything in the files; *known* says, by product, what is."""
    open_ends = judgement.checked or judgement.undecided or judgement.findings
    if open_ends or any(item.matters for item in files.unread):
        return
    kinds = Counter(each.kind or "document without a kind" for each in files.resources)
    named = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common(_NAMED))
    more = f", {len(kinds) - _NAMED} more kinds" if len(kinds) > _NAMED else ""
    held = [f"{named}{more}"] if kinds else []
    held += [counted(len(files.pem), "PEM file")] if files.pem else []
    raise UsageError(
        f"no rule is about what is in {' '.join(paths)}: {' and '.join(held)}",
        hint="; or ".join(f"for {title}: {judges}" for title, judges in known.items() if judges),
    )


def _files(path: Path) -> Iterator[tuple[Path, bool]]:
    """The files of *path*, each with whether it was named by the user."""
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            inside = file.relative_to(path).parts
            if file.suffix.lower() in _MANIFESTS | _PEM and not any(map(_HIDDEN.match, inside)) and file.is_file():
                yield file, False
    elif path.is_file():
        yield path, True
    else:
        raise UsageError("no such file or folder", where=str(path), hint="give manifests, a folder of them, or -")


def _take_file(file: Path, named: bool, found: Files, patches: set[Path]) -> None:
    try:
        with file.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except OSError as problem:
        if named:
            raise UsageError(f"cannot be read: {problem.strerror}", where=str(file)) from problem
        found.unread.append(Unread(str(file), 1, f"cannot be read: {problem.strerror}"))
        return
    _take(data, str(file), found, patches)


def _take(data: bytes, name: str, found: Files, patches: set[Path]) -> None:
    found.read += 1
    begin = _BEGIN.search(data)
    if begin is not None and (
        Path(name).suffix.lower() in _PEM or not re.search(rb"^\s*[\w\"{\[-]+.*:", data, re.MULTILINE)
    ):
        found.pem.append((name, data[: begin.start()].count(b"\n") + 1, data))
        return
    if Path(name).suffix.lower() in _PEM:
        if data.startswith(_DER):
            found.pem.append((name, 1, ssl.DER_cert_to_PEM_cert(data).encode()))
        else:
            found.unread.append(Unread(name, 1, "no certificate in it", _OTHER_PEM.search(data) is None))
        return
    resources, unread = read(data, name)
    found.resources += resources
    found.unread += unread
    if Path(name).name.lower() in _KUSTOMIZATION:
        patches.update(_patches(Path(name), found))


def _patches(file: Path, found: Files) -> Iterator[Path]:
    """The files that a kustomization lays over others."""
    for resource in (each for each in found.resources if each.file == str(file)):
        for item in resource.root.items("patchesStrategicMerge"):
            yield (file.parent / item.text()).resolve()
        for key in ("patches", "patchesJson6902"):
            for item in resource.root.items(key):
                if item.text("path"):
                    yield (file.parent / item.text("path")).resolve()


def _leave_out(found: Files, patches: set[Path]) -> None:
    """A patch is a part of an object: judged alone, what it does not repeat would look missing."""
    names = {resource.file for resource in found.resources if resource.file != "-"}
    partial = {name for name in names if patches and Path(name).resolve() in patches}
    found.resources = [resource for resource in found.resources if resource.file not in partial]
    message = "a Kustomize patch, not a complete object; judge the output of kustomize build"
    found.unread += [Unread(name, 1, message, False) for name in sorted(partial)]


def _into_namespaces(found: Files) -> None:
    """What a kustomization puts into a namespace is there, whatever the object itself says."""
    namespaces: dict[Path, str] = {}
    kustomizations = {
        file for file in {each.file for each in found.resources} if Path(file).name.lower() in _KUSTOMIZATION
    }
    for each in (each for each in found.resources if each.file in kustomizations and each.root.text("namespace")):
        folder, namespace = Path(each.file).parent, each.root.text("namespace")
        namespaces |= {(folder / item.text()).resolve(): namespace for item in each.root.items("resources")}
    if namespaces:
        found.resources = [_in_namespace(each, namespaces) for each in found.resources]


def _in_namespace(resource: Resource, namespaces: Mapping[Path, str]) -> Resource:
    everywhere = not resource.kind or resource.kind == "Namespace" or resource.kind.startswith("Cluster")
    namespace = "" if everywhere or resource.file == "-" else namespaces.get(Path(resource.file).resolve(), "")
    return replace(resource, namespace=namespace) if namespace else resource


def _once(found: Files) -> None:
    """An object that a folder has several times is judged once; where they differ, each is, and none is what is meant.

    Another folder may be another cluster, which has objects of the same names.
    """
    first: dict[tuple[str, ...], Resource] = {}
    kept: list[Resource] = []
    for each in found.resources:
        name = (str(Path(each.file).parent), each.group, each.kind, each.namespace, each.name)
        before = first.setdefault(name, each) if each.kind and each.name else each
        differs = before is not each and before.root.digest() != each.root.digest()
        if before is each or differs:
            kept.append(each)
        if before is not each:
            how = f"otherwise than in {before.file}:{before.root.line}" if differs else "with the same content"
            found.again.append(Unread(each.file, each.root.line, f"{each.label}, {how}", differs, each.kind))
    found.resources = kept


@lru_cache(maxsize=1)
def text_of(file: str) -> str:
    """The text of *file*; '' where it cannot be read, or is not UTF-8."""
    try:
        with Path(file).open("rb") as stream:
            return stream.read(MOST_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
